/** What a model can do under Node and not in a browser. The trainer and its compiler are loaded when they are first needed. */
import { resolve } from "node:path";
import { directoryReader } from "../model/directory-node.ts";
import type { Platform, Source } from "../model/model.ts";
import { readStatistics, saveModel } from "../model/state-node.ts";

export const NODE: Platform = {
  save: saveModel,
  identify: (directory) => resolve(directory),
  refitLower: async (lower, options) => (await import("./lower.ts")).refitLower(lower, options),
};

/** A model directory, with what was learned in it. */
export function directorySource(directory: string): Source {
  return {
    directory: resolve(directory),
    readFile: directoryReader(directory),
    readStatistics: () => readStatistics(directory),
  };
}
