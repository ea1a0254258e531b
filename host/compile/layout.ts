/**
 * How many bytes a module needs, from the shape alone: the sums that assembly/memory.ts and assembly/trainer-memory.ts lay out by
 * hand. A test compiles shapes and compares.
 */

import { MOST_RECENT } from "../files/statistics.ts";
import {
  cipherWidth,
  GATE_BUCKETS,
  headsOf,
  hiddenLayers,
  hiddenWidth,
  LEVELS,
  type Shape,
  tensorBytes,
  tensorSpecs,
} from "../shape.ts";

/** BASE of assembly/memory.ts: where the weights begin. */
export const BASE = 16;
/** Bytes of a WebAssembly page. */
export const PAGE = 65536;
/** Bytes that 32-bit addresses reach. */
export const MOST_BYTES = 2 ** 32;

/** Thresholds a token: SAMPLES of assembly/statistics.ts. */
const SAMPLES = 64;
/** TILE_ROWS of assembly/memory.ts. */
const TILE_ROWS = 32;

/** What a module has beside the model itself. */
export interface ModuleOptions {
  /** It observes, forgets and refits. Default true. */
  readonly learning?: boolean | undefined;
  /** Tokens that it can recall, a multiple of 8. Default 32768 with learning, self-attention and a vocabulary over 256. */
  readonly recall?: number | undefined;
  /** Its weights stay in flash, and are fetched row by row. Default false. */
  readonly flash?: boolean | undefined;
}

/** The options with defaults. nano has no recall: its page is full. */
export function moduleOptions(
  { vocabulary, radial }: Shape,
  { learning = true, recall, flash = false }: ModuleOptions = {},
) {
  const most = learning && radial > 0 && vocabulary > 256 ? MOST_RECENT : 0;
  return { learning, recall: radial > 0 ? (recall ?? most) : 0, flash };
}

/** Bytes of the weights, in memory or in flash: each tensor on a 16-byte boundary. */
export function weightBytes(shape: Shape): number {
  return sumOf(tensorSpecs(shape).map(tensorBytes));
}

/**
 * Linear memory of the device module in bytes, END of assembly/memory.ts: what a predictor needs, and where `options` ask for
 * learning, what that needs behind it: its scratch, statistics and correction.
 */
export function bytesNeeded(shape: Shape, options: ModuleOptions = {}): number {
  const predicting = predictorBytes(shape, options);
  if (!moduleOptions(shape, options).learning) return predicting;
  const { vocabulary } = shape;
  const hidden = hiddenWidth(shape);
  const cells = vocabulary * hidden;
  return predicting + sumOf([hidden * 4, SAMPLES * 4, cells * 4, cells * 4, 16, cells, vocabulary * 4]);
}

/**
 * Linear memory in bytes of a module that only predicts, PREDICTOR_END of assembly/memory.ts: weights, state and scratch, each
 * tensor on a 16-byte boundary, and the recalled tokens that `options` ask for.
 */
export function predictorBytes(shape: Shape, options: ModuleOptions = {}): number {
  const { recall, flash } = moduleOptions(shape, options);
  const { vocabulary, block, heads, classes, orders, radial } = shape;
  const { blockAttention, documentHeads = 0, stackedHeads = 0, stackedBlock = 0 } = shape;
  const hidden = hiddenWidth(shape);
  const gate = orders * GATE_BUCKETS * 4;
  const resident = [
    (shape.weightBits === 4 ? LEVELS * hiddenLayers(shape).length : 0) + hidden * 4 + vocabulary * 4,
    blockAttention ? block * block * 4 : 0,
    blockAttention ? block * 4 : 0,
    TILE_ROWS * hidden,
    TILE_ROWS * 4,
  ];
  const tokens = stackedHeads > 0 ? block + stackedBlock - 1 : block;
  const document = documentHeads * classes * 4;
  const marginals = radial > UNSCALED ? vocabulary * 4 : 0;
  const unigrams = radial > UNSCALED ? (vocabulary + 4) * 4 : 0;
  const state = [tokens * 2, radial * 2, chainBytes(shape), document, 2 * gate, 2 * marginals, unigrams, 16];
  const scratch = [
    document,
    stackedHeads > 0 ? stackedBlock * heads * classes * 4 : 0,
    blockAttention ? 2 * sharesOf(shape) * 4 : 0,
    hidden * 4 + hidden * 2,
    orders * 4,
    orders * 4,
    3 * orders * 4,
    mostMatches(shape) * 4,
    radial === 0 ? 0 : vocabulary,
    marginals,
    vocabulary * 4,
    vocabulary * 4,
  ];
  const recalled = recall > 0 ? [recall * 2, 16] : [];
  const weights = flash ? resident : [weightBytes(shape)];
  return sumOf([BASE, ...weights, ...state, ...scratch, ...recalled]);
}

/** SHARES of assembly/shape.ts. */
const sharesOf = ({ block }: Shape) => Math.ceil(block / 4) * 4;
/** INPUTS of assembly/hidden-layout.ts: what a place's layers read beside its tokens. */
export function inputsOf(shape: Shape): number {
  const { heads, classes, blockAttention, stackedHeads = 0, stackedBlock = 0 } = shape;
  return (blockAttention ? 2 * sharesOf(shape) : 0) + (stackedHeads > 0 ? stackedBlock * heads * classes : 0);
}
/** HIDDEN_WEIGHTS of assembly/hidden-layout.ts. */
export function hiddenWeights(shape: Shape): number {
  const { block, blockAttention } = shape;
  const tables = hiddenLayers(shape).reduce((sum, { rows, width }) => sum + rows * width, 0);
  return Math.ceil((tables + (blockAttention ? block * block + block : 0)) / 4) * 4;
}

/** HIDDEN_CODES_BYTES of assembly/hidden-codes.ts. */
export function hiddenCodesBytes(shape: Shape): number {
  const layers = (["block", "document", "stacked"] as const).map(
    (name) => hiddenLayers(shape).find((layer) => layer.name === name) ?? { rows: 0, width: 0 },
  );
  const scales = layers.reduce((sum, { rows }) => sum + rows * 4, 0);
  return sumOf([...layers.map(({ rows, width }) => rows * width), scales + layers.length * LEVELS], 64);
}

/** With a ring of up to so many tokens a text's marginals are not kept, as in assembly/shape.ts. */
const UNSCALED = 256;
/** Rings of up to so many tokens are compared place by place, as in assembly/shape.ts. */
const SCANNED = 1024;
const mostMatches = ({ radial }: Shape) => Math.min(radial, SCANNED);
/** As in assembly/chains.ts: newest place of each token and of each hash of a pair, and two links a place. */
const chainBytes = ({ radial, vocabulary }: Shape) =>
  radial > SCANNED ? vocabulary * 2 + radial * 4 + (radial / 4) * 2 : 0;

/** Constants of assembly/trainer-memory.ts: places of a batch and of a tile, threads, places that the gate is solved on. */
const BATCH = 2048;
const TILE = 64;
const THREADS = 16;
const GATE_PLACES = 65536;

/** Memory of the trainer module in bytes, without the tokens, which stand behind it: tensors, sums, one batch, a scratch a thread. */
export function trainerBytesNeeded(shape: Shape): number {
  const { vocabulary, bits, block, orders, radial, blockAttention, stackedHeads = 0, stackedBlock = 0 } = shape;
  const hidden = hiddenWidth(shape);
  const weights = hiddenWeights(shape);
  const inputs = inputsOf(shape);
  const positions = Math.max(block, stackedHeads > 0 ? stackedBlock : 0);
  const parts = 1 + orders;
  const gate = orders * GATE_BUCKETS * 4;
  // tensors between two cache-line boundaries stand together
  const groups = [
    128 + (bits === vocabulary ? 0 : vocabulary * cipherWidth(shape) * 2),
    vocabulary * 4 + weights * 4,
    hidden * 4 + headsOf(shape) * positions * 4,
    vocabulary * hidden * 4 + vocabulary * 4,
    2 * vocabulary * hidden * 4 + 2 * weights * 4,
    (blockAttention ? (block * block + block) * 8 + block * bits * (vocabulary + 1) * 4 : 0) +
      BATCH * (4 + inputs * 4 + 2 * hidden * 4 + vocabulary * 4 + 4),
    THREADS * (hidden * TILE + TILE * 2 + hidden * 4 + 512 + inputs) * 4,
    radial * 2,
    chainBytes(shape),
    mostMatches(shape) * 4 + 4 * 64 + (radial === 0 ? 0 : vocabulary),
    3 * gate + GATE_PLACES * orders,
    radial === 0 ? 0 : GATE_PLACES * parts * 4,
    hiddenCodesBytes(shape),
    vocabulary * hidden,
    vocabulary * 4,
  ];
  return sumOf(groups, 64);
}

/** Sum of pieces that each begin on a boundary. */
function sumOf(pieces: readonly number[], boundary = 16): number {
  return pieces.reduce((sum, bytes) => sum + Math.ceil(bytes / boundary) * boundary, 0);
}
