/**
 * saffu under Node: load, generate, score, fit, save.
 *
 * ```ts
 * import { fit, load, save } from "saffu";
 * const { files } = await fit(() => [await readFile("book.txt")], { profile: "potato" });
 * await save("models/book", files);
 * const model = await load("models/book");
 * ```
 */
import { fileURLToPath } from "node:url";
import type { ModelFiles } from "./model/config.ts";
import { directoryReader, writeDirectory } from "./model/directory-node.ts";
import { webReader } from "./model/directory-web.ts";
import { type LoadOptions, Model } from "./model/model.ts";
import { memoryReader } from "./model/read.ts";

export { bytesNeeded } from "./compile/layout.ts";
export { type ErrorCode, SaffuError } from "./errors.ts";
export { type FitOptions, type FitProgress, type FitReport, type FitResult, fit } from "./fit/fit.ts";
export type { Profile, Recipe, RecipeOptions } from "./fit/recipe.ts";
export type { FileDigest, ModelConfig, ModelFiles } from "./model/config.ts";
export { writeDirectory as save } from "./model/directory-node.ts";
export type { Flavour } from "./model/kernel.ts";
export type { LoadOptions, Model, ModelInfo, Score, StreamOptions, Totals } from "./model/model.ts";
export type { GenerateOptions } from "./model/sampling.ts";
export { parameters, type Shape, validateShape } from "./model/shape.ts";
export { chunksOf, surprisalStream, textStream } from "./stream/web.ts";
export { byteTokenizer, encodeStream, type Tokenizer, tokenizerFromJSON } from "./tokenizer/index.ts";
export { trainTokenizer } from "./tokenizer/train.ts";

/**
 * Loads a model.
 *
 * @param source a directory, an http(s) or file URL of one, or its files in memory (of `fit`)
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, TOKENIZER_INVALID, UNSUPPORTED, ABORTED
 */
export async function load(source: string | URL | ModelFiles, options: LoadOptions = {}): Promise<Model> {
  const text = String(source);
  const readFile =
    source instanceof Map
      ? memoryReader(source)
      : /^https?:/.test(text)
        ? webReader(new URL(text))
        : directoryReader(text.startsWith("file:") ? fileURLToPath(text) : text);
  return Model.read(readFile, options, writeDirectory);
}
