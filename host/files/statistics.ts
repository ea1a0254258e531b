/**
 * statistics.safetensors: what a model has learned since it was fitted, and nothing of the base. Three things stand in it:
 *
 * - the sums F and F̂ with their count of tokens and their generation: integers, gathered under one base, whose digest they name;
 * - the memory: the latest pieces observed, verbatim, for history attention;
 * - the correction that the last refit solved: the decoder's rows and their scales.
 *
 * The first is what devices exchange and merge (`exportStatistics`), with the memory where that is asked for. The file carries a
 * SHA-256 of itself, with that digest's own place zeroed, as it changes more often than config.json, which lists the base's files.
 *
 * ```ts
 * const bytes = await formatLearned({ statistics, pieces: [], correction: undefined }, base);
 * const { statistics } = await parseLearned(bytes, base, "statistics.safetensors");
 * ```
 */
import { SaffuError } from "../errors.ts";
import { hiddenLayers, hiddenWidth, type Shape, tensorBytes, tensorSpecs } from "../shape.ts";
import { formatJson, type ModelConfig, STATISTICS, sha256 } from "./config.ts";
import { PIECE_COLUMNS, type Piece, packPieces, pieceOf, unpackPieces } from "./pieces.ts";
import { MOST_HEADER, type Tensor } from "./safetensors.ts";
import { sealTensors, unsealTensors } from "./sealed.ts";
import { CAPACITY, faultOfSums, nothingObserved, type Statistics } from "./sums.ts";
import { shapeAsVersion1 } from "./version1.ts";
import { faultOf } from "./weights.ts";

export { CAPACITY, nothingObserved, STATISTICS, type Statistics };
export const STATISTICS_VERSION = "2";
/** Sums that were sampled by an older rule, and recent tokens without identities. */
const FIRST_VERSION = "1";
const FORMAT = "saffu-statistics";
/** Marks the beginning of a piece in the memory of a kernel. */
export const BREAK = 0xffff;
/** Tokens that the memory has room for, breaks included, unless `load` is told otherwise: 64 KiB. */
export const MEMORY = 32768;
/** And at the most: 2 MiB. */
export const MOST_MEMORY = 2 ** 20;
/** The names of what a killed writer leaves behind; nothing reads it, and the next save removes it. */
export const LEFTOVER = /^\.statistics\.[0-9a-f]{12}\.tmp$/;
/** The file that says who writes statistics here, and what one that breaks it takes (lock-node.ts). Nothing of a model. */
export const LOCK = ".statistics.lock";
/** What stands in a model directory for a time, and is no part of the model. */
export const PASSING = /^\.statistics\.([0-9a-f]{12}\.tmp|lock(\.break)*)$/;

/** Tensors that predictions are made with in place of the base's, by name in model.safetensors: those of CORRECTED, together. */
export type Correction = ReadonlyMap<string, Tensor>;

/** What a refit solves: the decoder's rows and their scales. */
const CORRECTED = ["decoder.O", "decoder.O.scale"] as const;

/** A correction. @param rows (V, M) i8 @param scales (V) f32 */
export function correctionOf(rows: Int8Array, scales: Float32Array, shape: Shape): Correction {
  const { vocabulary } = shape;
  return new Map<string, Tensor>([
    [CORRECTED[0], { dtype: "I8", shape: [vocabulary, hiddenWidth(shape)], data: rows } as Tensor],
    [CORRECTED[1], { dtype: "F32", shape: [vocabulary], data: scales } as Tensor],
  ]);
}

/** All that a model has learned. */
export interface Learned {
  readonly statistics: Statistics;
  /** In the order of their arrival. */
  readonly pieces: readonly Piece[];
  readonly correction: Correction | undefined;
}

/** The longest statistics.safetensors of a shape, in bytes: sums, a memory of pieces of one token each, a correction of all layers, and a header. */
export function mostLearnedBytes(shape: Shape): number {
  const sums = 2 * 4 * shape.vocabulary * hiddenWidth(shape);
  const corrections = tensorSpecs(shape).reduce((sum, spec) => sum + tensorBytes(spec), 0);
  const memory = 2 * MOST_MEMORY + (MOST_MEMORY / 2) * PIECE_COLUMNS * 4;
  return sums + memory + corrections + MOST_HEADER;
}

/** What statistics belong to: its digest, and the shape that their tensors follow from. */
export interface Base {
  readonly digest: string;
  readonly shape: Shape;
}

/**
 * The base of a model: SHA-256 over its shape and the digests of its weights and tokenizer. Kernels do not count, as they all give
 * the same bits, nor does the card.
 */
export async function baseOf({ shape, files }: ModelConfig): Promise<Base> {
  const parts = {
    shape: shapeAsVersion1(shape),
    weights: files["model.safetensors"]!.sha256,
    tokenizer: files["tokenizer.json"]!.sha256,
  };
  return { digest: await sha256(formatJson(parts)), shape };
}

export interface SaveOptions {
  readonly signal?: AbortSignal | undefined;
  /** SHA-256 of the statistics that are expected to stand in the directory ("" for none), or undefined for whatever they are. */
  readonly seen?: string | undefined;
  /** The directory's lock, where the caller holds it; else it is taken for the time of the save. */
  readonly lock?: Held | undefined;
  /** Bytes that the statistics of the directory's model can have; by default those of its shape. */
  readonly most?: number | undefined;
}

/** A lock that is held. */
export interface Held {
  /** @throws SaffuError UNWRITABLE where another has taken it */
  assertHeld(): void;
  release(): void;
}

/** The bytes of statistics.safetensors: the same for the same contents. */
export async function formatLearned({ statistics, pieces, correction }: Learned, base: Base): Promise<Uint8Array> {
  const { tokens, generation, observed, expected } = statistics;
  const sizes = [base.shape.vocabulary, hiddenWidth(base.shape)];
  const tensors = new Map<string, Tensor>();
  tensors.set("expected", { dtype: "U32", shape: sizes, data: expected } as Tensor);
  tensors.set("observed", { dtype: "U32", shape: sizes, data: observed } as Tensor);
  if (pieces.length > 0) {
    const { tokens, rows } = packPieces(pieces);
    tensors.set("memory", { dtype: "U16", shape: [tokens.length], data: tokens } as Tensor);
    tensors.set("memory.pieces", { dtype: "U32", shape: [pieces.length, PIECE_COLUMNS], data: rows } as Tensor);
  }
  for (const [name, tensor] of correction ?? []) tensors.set(`correction.${name}`, tensor);
  const metadata = {
    format: FORMAT,
    version: STATISTICS_VERSION,
    baseDigest: base.digest,
    observedTokens: String(tokens),
    generation: String(generation),
    capacity: String(CAPACITY),
  };
  return sealTensors(tensors, metadata, STATISTICS);
}

/**
 * Reads statistics.safetensors, all of it or nothing.
 *
 * @param file the file's name, for messages
 * @throws SaffuError MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST; STATISTICS_MISMATCH, naming both digests
 */
export async function parseLearned(given: Uint8Array, base: Base, file: string): Promise<Learned> {
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const { tensors, metadata } = await unsealTensors(given, file, ({ format, version }) => {
    if (format !== FORMAT) throw corrupt(`"format" is not "${FORMAT}"`);
    if (version === STATISTICS_VERSION || version === FIRST_VERSION) return;
    const known = `"${FIRST_VERSION}" and "${STATISTICS_VERSION}" are supported`;
    throw new SaffuError("MODEL_VERSION", `${file}: version ${JSON.stringify(version)} found, only ${known}`);
  });
  const first = metadata.version === FIRST_VERSION;
  const { baseDigest, capacity } = metadata;
  if (baseDigest !== base.digest) {
    const what = `gathered under the base ${JSON.stringify(baseDigest)}, this model's is "${base.digest}"`;
    throw new SaffuError("STATISTICS_MISMATCH", `${file}: ${what}`);
  }
  if (capacity !== String(CAPACITY)) throw corrupt(`capacity is ${JSON.stringify(capacity)}, not ${CAPACITY}`);
  const count = (name: string): number => {
    const value = Number(metadata[name]);
    if (String(value) !== metadata[name] || !Number.isInteger(value) || value < 0 || value > CAPACITY) {
      throw corrupt(`${name} is no integer in 0..${CAPACITY}`);
    }
    return value;
  };
  const tokens = count("observedTokens");
  // what was sampled by an older rule can no longer be forgotten, as after an ageing
  const generation = first ? 1 : count("generation");
  const { vocabulary } = base.shape;
  const take = (name: string, dtype: Tensor["dtype"], sizes: readonly number[]): Tensor => {
    const tensor = tensors.get(name);
    tensors.delete(name);
    const expected = `${dtype} (${sizes.join(", ")})`;
    const is = tensor ? `${tensor.dtype} (${tensor.shape.join(", ")})` : "missing";
    if (tensor === undefined || is !== expected) throw corrupt(`${name} is ${is}, the shape wants ${expected}`);
    return tensor;
  };
  const sizes = [vocabulary, hiddenWidth(base.shape)];
  const observed = take("observed", "U32", sizes).data as Uint32Array;
  const expected = take("expected", "U32", sizes).data as Uint32Array;
  const statistics = { tokens, generation, observed, expected };
  const fault = faultOfSums(statistics, base.shape);
  if (fault !== undefined) throw corrupt(fault);
  const pieces = first ? recentPieces(tensors, take) : takePieces(tensors, take, corrupt);
  const kept = pieces.reduce((sum, piece) => sum + piece.tokens.length + 1, 0);
  if (kept > MOST_MEMORY) throw corrupt(`the memory has ${kept} tokens, at most ${MOST_MEMORY} are kept`);
  if (pieces.some((piece) => piece.generation > generation))
    throw corrupt("the memory has a piece of a later generation");
  if (pieces.some((piece) => piece.tokens.some((token) => token >= vocabulary))) {
    throw corrupt(`the memory holds a token outside the vocabulary of ${vocabulary}`);
  }
  const correction = takeCorrection(base.shape, tensors, take, corrupt);
  const [unknown] = tensors.keys();
  if (unknown !== undefined) throw corrupt(`tensor ${JSON.stringify(unknown)} has no meaning here`);
  return { statistics, pieces, correction };
}

type Take = (name: string, dtype: Tensor["dtype"], sizes: readonly number[]) => Tensor;

/** The memory among a file's tensors, which it leaves. */
function takePieces(
  tensors: ReadonlyMap<string, Tensor>,
  take: Take,
  corrupt: (what: string) => SaffuError,
): readonly Piece[] {
  if (!tensors.has("memory") && !tensors.has("memory.pieces")) return [];
  const tokens = take("memory", "U16", [tensors.get("memory")?.shape[0] ?? 0]).data as Uint16Array;
  const rows = take("memory.pieces", "U32", [tensors.get("memory.pieces")?.shape[0] ?? 0, PIECE_COLUMNS]);
  const pieces = unpackPieces(tokens, rows.data as Uint32Array);
  if (typeof pieces === "string") throw corrupt(`the memory is none: ${pieces}`);
  return pieces;
}

/** The pieces of a file of the first version, each behind a BREAK; the first may have lost its head, and is what is left of it. */
function recentPieces(tensors: ReadonlyMap<string, Tensor>, take: Take): readonly Piece[] {
  const length = tensors.get("recent")?.shape[0] ?? 0;
  if (length === 0) return [];
  const recent = take("recent", "U16", [length]).data as Uint16Array;
  const pieces: Piece[] = [];
  for (let from = 0; from < recent.length; ) {
    const next = recent.indexOf(BREAK, from);
    const until = next < 0 ? recent.length : next;
    if (until > from) pieces.push(pieceOf(recent.slice(from, until), 0));
    from = until + 1;
  }
  return pieces;
}

/**
 * The correction among a file's tensors, which it leaves. Files of earlier versions can hold rows of the hidden layers as well, which
 * a refit of all layers solved together with the decoder's: they are checked and left out, all of them, as the decoder's rows alone
 * mean nothing without them. The base predicts then, until a refit solves the decoder from the sums, which are whole.
 */
function takeCorrection(
  shape: Shape,
  tensors: ReadonlyMap<string, Tensor>,
  take: Take,
  corrupt: (what: string) => SaffuError,
): Correction | undefined {
  const found = new Map<string, Tensor>();
  const layers = [...hiddenLayers(shape).map(({ name }) => `${name}.U`), CORRECTED[0]];
  for (const layer of layers) {
    const specs = tensorSpecs(shape).filter(({ name }) => name === layer || name.startsWith(`${layer}.`));
    if (!specs.some(({ name }) => tensors.has(`correction.${name}`))) continue;
    for (const { name, dtype, shape: sizes } of specs) {
      if (!tensors.has(`correction.${name}`)) {
        throw corrupt(`correction.${name} is missing: the tensors of ${layer} are together or not at all`);
      }
      const tensor = take(`correction.${name}`, dtype, sizes);
      const fault = faultOf(name, tensor);
      if (fault !== undefined) throw corrupt(`correction.${name} ${fault}`);
      found.set(name, tensor);
    }
  }
  return found.size === CORRECTED.length && CORRECTED.every((name) => found.has(name)) ? found : undefined;
}
