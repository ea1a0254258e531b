/** Classifiers under Node: fitted with the package's modules, loaded from directories, saved to them. */
import { fileURLToPath } from "node:url";
import { classifierModules } from "../compile/classifier.ts";
import { checkOptions, checkPath, isMap } from "../errors.ts";
import type { ModelFiles } from "../files/config.ts";
import { addressOf, directoryReader } from "../files/directory-node.ts";
import { memorySource } from "../files/read.ts";
import type { Held } from "../files/statistics.ts";
import { readStatistics, saveModel } from "../files/statistics-node.ts";
import type { Examples } from "./examples.ts";
import { FeedForward as Core, fitState, readState } from "./feed-forward.ts";
import type { FitOptions } from "./fit.ts";

export class FeedForward extends Core {
  /**
   * Fits a classifier to a stream of examples.
   *
   * @throws SaffuError INVALID_OPTION, INVALID_EXAMPLE, UNKNOWN_LABEL, STATISTICS_FULL, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
   */
  static async fit<Input>(examples: Examples<Input>, options: FitOptions<Input>): Promise<FeedForward> {
    return new FeedForward(await fitState(await classifierModules(options?.signal), examples, options));
  }

  /**
   * Loads a classifier.
   *
   * @param source a directory, an http(s) or file URL of one, or files in memory
   * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH, INVALID_OPTION, OUT_OF_MEMORY,
   * UNSUPPORTED, ABORTED
   */
  static async load(
    source: string | URL | ModelFiles,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<FeedForward> {
    checkOptions(options, []);
    const { signal } = options;
    if (isMap(source)) return new FeedForward(await readState(memorySource(source), signal));
    const text = addressOf(source, "a directory, an address, or a Map of files");
    if (/^https?:/i.test(text)) {
      // with a chunk of its own: what loads a language model has it as well, and none of this class
      const { webReader } = await import("../files/directory-web.ts");
      const readFile = webReader(new URL(text));
      return new FeedForward(await readState({ readFile, readStatistics: async () => undefined }, signal));
    }
    const directory = /^file:/i.test(text) ? fileURLToPath(text) : text;
    const from = {
      readFile: directoryReader(directory),
      readStatistics: (most: number) => readStatistics(directory, most, signal),
    };
    return new FeedForward(await readState(from, signal));
  }

  /**
   * Writes the classifier's directory, with what it has learned; the same classifier's statistics are replaced alone.
   *
   * @throws SaffuError UNWRITABLE, INVALID_OPTION, ABORTED; what stood there stands there still
   */
  async save(
    directory: string,
    options: { signal?: AbortSignal | undefined; lock?: Held | undefined } = {},
  ): Promise<void> {
    checkPath("directory", directory);
    checkOptions(options, []);
    const files = await this.files();
    const statistics = files.get("statistics.safetensors");
    files.delete("statistics.safetensors");
    await saveModel(directory, files, statistics, options);
  }
}
