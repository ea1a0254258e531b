/** What a model can do under Node and not in a browser: read and write directories. */
import { resolve } from "node:path";
import { directoryReader } from "../files/directory-node.ts";
import { readStatistics, saveModel } from "../files/statistics-node.ts";
import type { Platform, Source } from "./model.ts";

export const NODE: Platform = {
  save: saveModel,
  identify: (directory) => resolve(directory),
};

/** A model directory, with what was learned in it. */
export function directorySource(directory: string): Source {
  return {
    directory: resolve(directory),
    readFile: directoryReader(directory),
    carried: true,
    readStatistics: (most, signal) => readStatistics(directory, most, signal),
  };
}
