/**
 * A model as one file for a runtime without files: a module with its weights inside, or one that fetches them from flash, or either
 * as a C header.
 *
 * ```ts
 * const { module } = await packageModel(await load("models/nano-en"), { target: "wasm" });
 * ```
 */
import { joined } from "../bytes.ts";
import { checkBytes, checkFiles, checkOptions, invalidOption, isMap, SaffuError, throwIfAborted } from "../errors.ts";
import { sha256 } from "../files/config.ts";
import { memoryImage, memoryRecord, readMemory } from "../files/memory.ts";
import type { Correction } from "../files/statistics.ts";
import { readWeights } from "../files/weights.ts";
import { type Segment, withData } from "../model/data-section.ts";
import type { Build } from "../model/kernel.ts";
import { aligned, hiddenWidth, type Shape, validateShape, withoutHistory } from "../shape.ts";
import { compileDevice } from "./compile.ts";
import { BASE, bytesNeeded, deviceAddresses } from "./layout.ts";
import { type ModuleOptions, packageOptions } from "./options.ts";

/** What is packaged: a loaded model is one. */
export interface Packable {
  readonly config: { readonly shape: Shape };
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface PackageOptions extends Pick<ModuleOptions, "learning" | "recall" | "pack"> {
  /** Weights in data segments, or (flash) fetched through the import `saffu.read`. Default "wasm". */
  readonly target?: "wasm" | "flash" | undefined;
  /** Default "scalar": interpreters have no SIMD. */
  readonly build?: Build | undefined;
  /** R, tokens that history attention sees, in place of the model's own: 0 or a power of two in 16..65536. */
  readonly history?: number | undefined;
  /** Whether the history is indexed; by default as the model has it. A short one can do without. */
  readonly indexed?: boolean | undefined;
  /** Whether predictions are adapted to the text; by default as the model has it. */
  readonly adapts?: boolean | undefined;
  /** Tensors in place of the model's own: what a refit solved. */
  readonly correction?: Correction | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Package {
  readonly shape: Shape;
  readonly module: Uint8Array;
  /** What `saffu.read` reads, from its first byte on; undefined where the module holds it. */
  readonly weights: Uint8Array | undefined;
  /** Of linear memory, to the byte; the module's own memory is that, rounded up to pages of 64 KiB. */
  readonly memoryBytes: number;
  /** Bytes of the longest frame that it packs and unpacks; 0 where it does not. */
  readonly pack: number;
  /** SHA-256 of the module, followed by the weights in flash. */
  readonly digest: string;
}

/** @throws SaffuError INVALID_OPTION, INVALID_SHAPE, OUT_OF_MEMORY, UNSUPPORTED, ABORTED */
export async function packageModel(model: Packable, options: PackageOptions = {}): Promise<Package> {
  checkOptions(options, []);
  const { config, files } = checkPackable(model);
  const { target = "wasm", build = "scalar", learning, recall, pack, correction, signal } = options;
  if (target !== "wasm" && target !== "flash") throw invalidOption("target", `"wasm" or "flash"`, target);
  if (build !== "scalar" && build !== "simd") throw invalidOption("build", `"scalar" or "simd"`, build);
  if (correction !== undefined && !isMap(correction)) throw invalidOption("correction", "a Map of tensors", correction);
  const shape = withHistory(config.shape, options);
  const form = packageOptions(shape, { learning, recall, pack, flash: target === "flash" });
  const code = await compileDevice(shape, build, form, signal);
  throwIfAborted(signal);
  const image = weightImage(shape, files.get(WEIGHTS)!, correction);
  const { at, end } = deviceAddresses(shape, form);
  const memory = memoryImage(readMemory(files.get(WEIGHTS)!, shape, WEIGHTS), shape);
  const segments: Segment[] = form.flash ? [] : [[BASE, image]];
  if (memory.length > 0) {
    // behind the weights in flash, behind all else in memory
    const place = form.flash ? BASE + image.length : end;
    segments.push([at.MEMORY_RECORD!, new Uint8Array(memoryRecord(shape, place).buffer)]);
    if (!form.flash) segments.push([place, memory]);
  }
  const module = withData(code, segments);
  const weights = form.flash ? joined(image, memory) : undefined;
  const together = joined(module, weights);
  return {
    shape,
    module,
    weights,
    memoryBytes: bytesNeeded(shape, form),
    pack: form.pack ?? 0,
    digest: await sha256(together),
  };
}

/** @throws SaffuError INVALID_OPTION, INVALID_SHAPE, MODEL_MISSING_FILE */
function checkPackable(model: Packable): Packable {
  if (typeof model !== "object" || model === null || !isMap(model.files)) {
    throw invalidOption("model", "a model that is loaded", model);
  }
  checkFiles(model.files);
  if (!model.files.has(WEIGHTS)) throw new SaffuError("MODEL_MISSING_FILE", `${WEIGHTS} is missing`);
  return { config: { shape: validateShape(model.config?.shape) }, files: model.files };
}

/** The mixture holds for histories of any length: its buckets are numbers of matches. */
function withHistory(shape: Shape, options: Pick<PackageOptions, "history" | "indexed" | "adapts">): Shape {
  const { history = shape.history, indexed = shape.indexed, adapts = shape.adapts } = options;
  if (history > 0 && shape.history === 0) {
    throw new SaffuError("INVALID_OPTION", `history must be 0 where the model has none, got ${history}`);
  }
  return history === 0 ? withoutHistory(shape) : validateShape({ ...shape, history, indexed, adapts });
}

/** The weights as they stand in memory from BASE on: tensor after tensor, each on a 16-byte boundary. */
function weightImage(shape: Shape, safetensors: Uint8Array, correction: Correction | undefined): Uint8Array {
  const parts = readWeights(safetensors, shape, WEIGHTS).map(([{ name }, own]) => {
    const { data } = correction?.get(name) ?? own;
    if (data?.length !== own.data.length || data.byteLength !== own.data.byteLength) {
      throw invalidOption("correction", `of the model: ${name} of ${own.data.length} elements`, data);
    }
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
  const image = new Uint8Array(parts.reduce((sum, { length }) => sum + aligned(length), 0));
  let at = 0;
  for (const part of parts) {
    image.set(part, at);
    at += aligned(part.length);
  }
  return image;
}

const WEIGHTS = "model.safetensors";

/** What a C header has of a model's tokenizer. */
export interface Spelling {
  bytesOf(token: number): Uint8Array;
  readonly longestPiece?: number | undefined;
  readonly lines?: boolean | undefined;
}

/** What SAFFU_BEGIN is where texts begin with an empty context: no token. */
const NO_TOKEN = 0xffff;

/**
 * The package as a C header: bytes, sizes, shape and digest, and the bytes of each token.
 *
 * @param tokenizer of the model
 * @param begin the token that every text begins behind (`begin` of a model); undefined for none
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE
 */
export function cHeader(made: Package, tokenizer: Spelling, begin?: number | undefined): string {
  if (typeof made !== "object" || made === null) throw invalidOption("package", "of packageModel", made);
  if (typeof tokenizer?.bytesOf !== "function") throw invalidOption("tokenizer", "a tokenizer", tokenizer);
  const { longestPiece = 0, lines = false } = tokenizer;
  if (!Number.isInteger(longestPiece) || longestPiece < 0)
    throw invalidOption("longestPiece", "a whole number", longestPiece);
  const { module, weights, memoryBytes, pack = 0, digest } = made;
  checkBytes("module", module);
  if (weights !== undefined) checkBytes("weights", weights);
  const shape = validateShape(made.shape);
  const { vocabulary, bits, window, groups, units, history, matchLength, weightBits = 8 } = shape;
  if (begin !== undefined && !(Number.isInteger(begin) && begin >= 0 && begin < vocabulary)) {
    throw invalidOption("begin", `a token below ${vocabulary}, or undefined`, begin);
  }
  const tokens = Array.from({ length: vocabulary }, (_, token) => tokenizer.bytesOf(token));
  const offsets = [0];
  for (const { length } of tokens) offsets.push(offsets.at(-1)! + length);
  const macros = {
    VOCABULARY: vocabulary,
    LONGEST_PIECE: longestPiece,
    LINES: Number(lines),
    BEGIN: begin ?? NO_TOKEN,
    BITS: bits,
    WINDOW: window,
    GROUPS: groups,
    UNITS: units,
    HIDDEN: hiddenWidth(shape),
    HISTORY: history,
    MATCH_LENGTH: matchLength,
    WEIGHT_BITS: weightBits,
    MODULE_BYTES: module.length,
    MEMORY_BYTES: memoryBytes,
    WEIGHT_BYTES: weights?.length ?? 0,
    PACK: pack,
    DIGEST: `"${digest}"`,
  };
  return `/* A saffu model: WebAssembly module${weights ? ", weights for saffu.read" : " with its weights"}, token bytes. */
#ifndef SAFFU_MODEL_H
#define SAFFU_MODEL_H
#include <stdint.h>

${Object.entries(macros)
  .map(([name, value]) => `#define SAFFU_${name} ${value}`)
  .join("\n")}

${array("uint8_t", "saffu_module", module)}
${weights ? `${array("uint8_t", "saffu_weights", weights)}\n` : ""}
/* Token t is the bytes saffu_token_bytes[saffu_token_offsets[t]] up to saffu_token_offsets[t + 1]. */
${array("uint32_t", "saffu_token_offsets", offsets)}
${array(
  "uint8_t",
  "saffu_token_bytes",
  tokens.flatMap((bytes) => [...bytes]),
)}
#endif
`;
}

/** A C array. */
export function array(type: string, name: string, values: ArrayLike<number>): string {
  const lines: string[] = [];
  for (let at = 0; at < values.length; at += 24) {
    lines.push(`  ${Array.from({ length: Math.min(24, values.length - at) }, (_, i) => values[at + i]).join(",")},`);
  }
  return `static const ${type} ${name}[${values.length}] = {\n${lines.join("\n")}\n};`;
}
