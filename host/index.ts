/**
 * saffu under Node: load, generate, score, fit, tune, observe, forget, merge, refit, save.
 *
 * ```ts
 * import { fit, load, save } from "saffu";
 * const book = await readFile("book.txt");
 * const { files } = await fit(() => [book], { profile: "potato" });
 * await save("models/book", files);
 * const model = await load("models/book");
 * ```
 */
import { fileURLToPath } from "node:url";
import { isMap } from "./errors.ts";
import type { ModelFiles } from "./files/config.ts";
import { addressOf } from "./files/directory-node.ts";
import { webReader } from "./files/directory-web.ts";
import { modelDirectory } from "./files/package-node.ts";
import { memorySource } from "./files/read.ts";
import { type LoadOptions, Model } from "./model/model.ts";
import { directorySource, NODE } from "./model/platform-node.ts";

export * from "./classify/common.ts";
export { FeedForward } from "./classify/feed-forward-node.ts";
export * from "./common.ts";
export { classifierModules } from "./compile/classifier.ts";
export { bytesNeeded, predictorBytes } from "./compile/layout.ts";
export { cHeader, type Package, type PackageOptions, packageModel } from "./compile/package.ts";
export { compileWatch, type WatchCompileOptions, watchHeader } from "./compile/watch.ts";
export { writeDirectory as save } from "./files/directory-node.ts";
export { type FitOptions, type FitProgress, type FitReport, type FitResult, fit } from "./fit/fit.ts";
export type { Profile, Recipe, RecipeOptions } from "./fit/recipe.ts";
export type { Model } from "./model/model.ts";
export { type OnnxOptions, onnxModel } from "./onnx/network.ts";
export { parameters, validateShape } from "./shape.ts";
export { trainTokenizer } from "./tokenizer/train.ts";
export type { TuneInit, TuneRecipe, TuneRecipeOptions } from "./tune/recipe.ts";
export { type TuneOptions, type TuneProgress, type TuneReport, type TuneResult, tune } from "./tune/tune.ts";
export * from "./watch/common.ts";
export { labelClassifier, openWatch, watch } from "./watch/watch-node.ts";

/**
 * Loads a model.
 *
 * @param source a directory, the name of a model of the package ("potato-en"), an http(s) or file URL of a directory, or its files in
 * memory (of `fit`). A directory goes before a name
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, TOKENIZER_INVALID, INVALID_SHAPE,
 * STATISTICS_MISMATCH, INVALID_OPTION, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function load(source: string | URL | ModelFiles, options: LoadOptions = {}): Promise<Model> {
  if (isMap(source)) return Model.read(memorySource(source), options, NODE);
  const text = addressOf(source, "a directory, the name of a model, or an address");
  if (/^https?:/i.test(text)) return Model.read({ readFile: webReader(new URL(text)) }, options, NODE);
  const directory = /^file:/i.test(text) ? fileURLToPath(text) : await modelDirectory(text);
  return Model.read(directorySource(directory), options, NODE);
}
