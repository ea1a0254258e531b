/**
 * What tensors of the modules are counted in: the constants of assembly/shape.ts by their names there, from a shape and from what a
 * module has beside the model. A test compiles shapes and compares every address that follows from them.
 */
import {
  cipherWidth,
  hiddenLayers,
  LEVELS,
  LONG_BUCKETS,
  LONG_LENGTHS,
  MIXTURE_BUCKETS,
  type Shape,
} from "../shape.ts";
import { type ModuleOptions, moduleOptions } from "./options.ts";

/** Constants of the solver: places of a batch and of a tile, threads, places that the mixture is solved on. */
export const BATCH = 2048;
export const TILE = 64;
export const THREADS = 16;
export const MIXTURE_PLACES = 65536;
/** Candidates of a place, and samples of them. */
export const CANDIDATES = 64;
export const SAMPLES = 32;
/** Places that a pool of candidates is laid for. */
export const POOL_PLACES = 65536;

/** The counts by name. */
export type Sizes = Readonly<Record<SizeName, number>>;
export type SizeName = keyof ReturnType<typeof sizesOf>;

/** The counts of a module. */
export function sizesOf(shape: Shape, options: ModuleOptions = {}) {
  const { learning, recall, pack, flash } = moduleOptions(shape, options);
  const { vocabulary, bits, window, units, history, matchLength, weightBits = 8, windowAttention = false } = shape;
  const long = shape.longMatches ? 1 : 0;
  const layers = hiddenLayers(shape);
  const width = (layer: number) => layers[layer]?.width ?? 0;
  const rows = (layer: number) => layers[layer]?.rows ?? 0;
  const each = [0, 1, 2] as const;
  const total = (count: (layer: number) => number) => each.reduce<number>((sum, layer) => sum + count(layer), 0);
  const attended = windowAttention ? 1 : 0;
  const states = shape.secondGroups ? shape.secondWindow! : 0;
  const shares = Math.ceil(window / 4) * 4;
  const cells = total((layer) => rows(layer) * width(layer));
  const hidden = total(width);
  const coded = weightBits === 4 ? 1 : 0;
  return {
    V: vocabulary,
    CIPHER_WIDTH: cipherWidth(shape),
    CIPHERED: bits < vocabulary ? 1 : 0,
    WEIGHT_BITS: weightBits,
    CODED: coded,
    LEVELS,
    WINDOW: window,
    SHARES: shares,
    ATTENDED: attended,
    LAYERS: layers.length,
    LAYER_1: layers.length > 1 ? 1 : 0,
    LAYER_2: layers.length > 2 ? 1 : 0,
    ROWS_0: rows(0),
    ROWS_1: rows(1),
    ROWS_2: rows(2),
    WIDTH_0: width(0),
    WIDTH_1: width(1),
    WIDTH_2: width(2),
    GROUPS: hidden / units,
    M: hidden,
    HIDDEN_ROWS: total(rows),
    HIDDEN_CELLS: cells,
    HIDDEN_WEIGHTS: Math.ceil((cells + attended * (window * window + window)) / 4) * 4,
    BAG_WIDTH: (shape.documentGroups ?? 0) * units,
    STATES_READ: states,
    INPUTS: attended * 2 * shares + states * width(0),
    EARLIER: states > 0 ? (states - 1) * width(0) : 0,
    CONTEXT_TOKENS: states > 0 ? window + states - 1 : window,
    POSITIONS_A_GROUP: Math.max(window, states),
    HISTORY: history,
    REMEMBERS: history > 0 ? 1 : 0,
    MATCH_LENGTH: matchLength,
    PARTS: 1 + matchLength,
    CELLS: matchLength * MIXTURE_BUCKETS,
    MOST_MATCHES: Math.min(history, long && !shape.indexed ? 256 : 1024),
    LONG: long,
    LENGTHS: long * LONG_LENGTHS.length,
    LONG_CELLS: long * LONG_LENGTHS.length * LONG_BUCKETS,
    MOST_LONG: long * 64,
    ADAPTS: shape.adapts ? 1 : 0,
    INDEXED: shape.indexed ? 1 : 0,
    PAIRS: history / 4,
    LEARNING: learning ? 1 : 0,
    FLASH: flash ? 1 : 0,
    RECALL: recall,
    RECALLS: recall > 0 ? 1 : 0,
    PACK: pack,
    PACKS: pack > 0 ? 1 : 0,
    BATCH,
    TILE,
    THREADS,
    MIXTURE_PLACES,
    CANDIDATES,
    POOL_SETS: POOL_PLACES / 4 + vocabulary,
  };
}
