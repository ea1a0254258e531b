/** Classifiers in a browser: loaded from an address or from files in memory; fitted where the page has the modules. */
import { checkOptions, invalidOption, isMap } from "../errors.ts";
import type { ModelFiles } from "../files/config.ts";
import { webReader } from "../files/directory-web.ts";
import { memorySource } from "../files/read.ts";
import type { Examples } from "./examples.ts";
import { type ClassifierModules, FeedForward as Core, fitState, readState } from "./feed-forward.ts";
import type { FitOptions } from "./fit.ts";

export class FeedForward extends Core {
  /**
   * Fits a classifier to a stream of examples.
   *
   * @param options with the modules that `classifierModules` gives under Node
   * @throws SaffuError INVALID_OPTION, INVALID_EXAMPLE, UNKNOWN_LABEL, STATISTICS_FULL, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
   */
  static async fit<Input>(
    examples: Examples<Input>,
    options: FitOptions<Input> & { readonly modules: ClassifierModules },
  ): Promise<FeedForward> {
    if (typeof options?.modules?.scalar !== "object")
      throw invalidOption("modules", "those of classifierModules()", options?.modules);
    return new FeedForward(await fitState(options.modules, examples, options));
  }

  /**
   * Loads a classifier; statistics are read where they are among files in memory.
   *
   * @param source address of a directory (relative to the page), or its files in memory
   * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH, INVALID_OPTION, OUT_OF_MEMORY,
   * UNSUPPORTED, ABORTED
   */
  static async load(
    source: string | URL | ModelFiles,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<FeedForward> {
    checkOptions(options, []);
    if (isMap(source)) return new FeedForward(await readState(memorySource(source), options.signal));
    let address: URL;
    try {
      address = new URL(String(source), globalThis.location?.href);
      new URL("config.json", address);
    } catch (cause) {
      throw invalidOption("source", `an address, or a Map of files (${(cause as Error).message})`, source);
    }
    const from = { readFile: webReader(address), readStatistics: async () => undefined };
    return new FeedForward(await readState(from, options.signal));
  }
}
