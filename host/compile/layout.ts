/**
 * How many bytes a module needs, from the shape alone: the sums that assembly/memory.ts and assembly/trainer-memory.ts lay out by
 * hand. A test compiles shapes and compares.
 */

import { cipherWidth, GATE_BUCKETS, hiddenWidth, LEVELS, type Shape } from "../model/shape.ts";
import { MOST_RECENT } from "../model/statistics.ts";

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
  const { vocabulary, bits, block, orders, weightBits = 8 } = shape;
  const hidden = hiddenWidth(shape);
  return sumOf([
    bits === vocabulary ? 0 : vocabulary * cipherWidth(shape) * 2,
    (block * bits * hidden * weightBits) / 8,
    weightBits === 4 ? LEVELS : 0,
    block * bits * 4,
    hidden * 4,
    vocabulary * hidden,
    vocabulary * 4,
    vocabulary * 4,
    orders * GATE_BUCKETS * 4,
  ]);
}

/**
 * Linear memory of the device module in bytes: weights, state and scratch, each tensor on a 16-byte boundary, and what `options`
 * ask for: statistics and correction, recalled tokens.
 */
export function bytesNeeded(shape: Shape, options: ModuleOptions = {}): number {
  const { learning, recall, flash } = moduleOptions(shape, options);
  const { vocabulary, block, orders, radial } = shape;
  const hidden = hiddenWidth(shape);
  const gate = orders * GATE_BUCKETS * 4;
  const resident = [
    (shape.weightBits === 4 ? LEVELS : 0) + hidden * 4 + vocabulary * 4 + gate,
    TILE_ROWS * hidden,
    TILE_ROWS * 4,
  ];
  const state = [block * 2, radial * 2, chainBytes(shape), 16];
  const scratch = [
    hidden * 4 + hidden * 2,
    orders * 4,
    orders * 4,
    orders * 4,
    mostMatches(shape) * 4,
    radial === 0 ? 0 : vocabulary,
    vocabulary * 4,
    vocabulary * 4,
  ];
  const cells = vocabulary * hidden;
  const statistics = learning ? [hidden * 4, SAMPLES * 4, cells * 4, cells * 4, 16, cells, vocabulary * 4] : [];
  const recalled = recall > 0 ? [recall * 2, 16] : [];
  const weights = flash ? resident : [weightBytes(shape)];
  return sumOf([BASE, ...weights, ...state, ...scratch, ...statistics, ...recalled]);
}

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
  const { vocabulary, bits, block, heads, orders, radial } = shape;
  const hidden = hiddenWidth(shape);
  const features = block * bits;
  const parts = 1 + orders;
  const gate = orders * GATE_BUCKETS * 4;
  // tensors between two cache-line boundaries stand together
  const groups = [
    128 + (bits === vocabulary ? 0 : vocabulary * cipherWidth(shape) * 2),
    vocabulary * 4 + features * hidden * 4,
    hidden * 4 + heads * block * 4,
    vocabulary * hidden * 4 + vocabulary * 4,
    2 * vocabulary * hidden * 4 + 2 * features * hidden * 4 + BATCH * (4 + 2 * hidden * 4 + vocabulary * 4 + 4),
    THREADS * (hidden * TILE + TILE * 2 + hidden * 4 + 512) * 4,
    radial * 2,
    chainBytes(shape),
    mostMatches(shape) * 4 + 3 * 64 + (radial === 0 ? 0 : vocabulary),
    3 * gate + GATE_PLACES * orders,
    radial === 0 ? 0 : GATE_PLACES * parts * 4,
    features * hidden,
    features * 4 + LEVELS,
    vocabulary * hidden,
    vocabulary * 4,
  ];
  return sumOf(groups, 64);
}

/** Sum of pieces that each begin on a boundary. */
function sumOf(pieces: readonly number[], boundary = 16): number {
  return pieces.reduce((sum, bytes) => sum + Math.ceil(bytes / boundary) * boundary, 0);
}
