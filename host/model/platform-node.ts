/** What a model can do under Node and not in a browser. The trainer and its compiler are loaded when they are first needed. */
import { resolve } from "node:path";
import { directoryReader } from "../files/directory-node.ts";
import { readStatistics, saveModel } from "../files/statistics-node.ts";
import type { Platform, Source } from "./model.ts";

export const NODE: Platform = {
  save: saveModel,
  identify: (directory) => resolve(directory),
  refitLower: async (lower, options) => (await import("../refit/lower.ts")).refitLower(lower, options),
};

/** A model directory, with what was learned in it. */
export function directorySource(directory: string): Source {
  return {
    directory: resolve(directory),
    readFile: directoryReader(directory),
    readStatistics: () => readStatistics(directory),
  };
}
