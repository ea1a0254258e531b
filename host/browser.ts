/** saffu in a browser: everything that runs a model, nothing of Node. Fitting and saving are Node's (index.ts). */
import { invalidOption, isMap } from "./errors.ts";
import type { ModelFiles } from "./files/config.ts";
import { webReader } from "./files/directory-web.ts";
import { memorySource } from "./files/read.ts";
import { type LoadOptions, Model as WholeModel } from "./model/model.ts";

export * from "./common.ts";

/** A model; in a browser it has no directories to be saved to. */
export type Model = Omit<WholeModel, "save">;

/**
 * Loads a model.
 *
 * @param source address of a model directory (relative to the page), or its files in memory
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, TOKENIZER_INVALID, INVALID_SHAPE,
 * STATISTICS_MISMATCH, INVALID_OPTION, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function load(source: string | URL | ModelFiles, options: LoadOptions = {}): Promise<Model> {
  if (isMap(source)) return WholeModel.read(memorySource(source), options);
  let address: URL;
  try {
    const text = (source as URL | undefined)?.href ?? source;
    if (typeof text !== "string" || text === "") throw new Error("it is none"); // else "undefined" is one, relative to the page
    address = new URL(text, globalThis.location?.href);
    new URL("config.json", address); // of "data:…" or "mailto:…" there is nothing below
  } catch (cause) {
    throw invalidOption("source", `an address, or a Map of files (${(cause as Error).message})`, source);
  }
  return WholeModel.read({ readFile: webReader(address) }, options);
}
