/**
 * What tensors of the modules are counted in: the constants of assembly/shape.ts by their names there, from a shape and from what a
 * module has beside the model. A test compiles shapes and compares every address that follows from them.
 */
import { cipherWidth, GATE_BUCKETS, hiddenLayers, LEVELS, type Shape } from "../shape.ts";
import { type ModuleOptions, moduleOptions } from "./options.ts";

/** Constants of the solver: places of a batch and of a tile, threads, places that the mixture is solved on. */
export const BATCH = 2048;
export const TILE = 64;
export const THREADS = 16;
export const MIXTURE_PLACES = 65536;

/** The counts by name. */
export type Sizes = Readonly<Record<SizeName, number>>;
export type SizeName = keyof ReturnType<typeof sizesOf>;

/** The counts of a module. */
export function sizesOf(shape: Shape, options: ModuleOptions = {}) {
  const { learning, recall, flash } = moduleOptions(shape, options);
  const { vocabulary, bits, block, classes, radial, orders, weightBits = 8, blockAttention = false } = shape;
  const layers = hiddenLayers(shape);
  const width = (layer: number) => layers[layer]?.width ?? 0;
  const rows = (layer: number) => layers[layer]?.rows ?? 0;
  const each = [0, 1, 2] as const;
  const total = (count: (layer: number) => number) => each.reduce<number>((sum, layer) => sum + count(layer), 0);
  const attended = blockAttention ? 1 : 0;
  const states = shape.stackedHeads ? shape.stackedBlock! : 0;
  const shares = Math.ceil(block / 4) * 4;
  const cells = total((layer) => rows(layer) * width(layer));
  const hidden = total(width);
  const coded = weightBits === 4 ? 1 : 0;
  const indexed = radial > 1024 ? 1 : 0;
  return {
    V: vocabulary,
    CIPHER_WIDTH: cipherWidth(shape),
    CIPHERED: bits < vocabulary ? 1 : 0,
    WEIGHT_BITS: weightBits,
    CODED: coded,
    LEVELS,
    WINDOW: block,
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
    GROUPS: hidden / classes,
    M: hidden,
    HIDDEN_ROWS: total(rows),
    HIDDEN_CELLS: cells,
    HIDDEN_WEIGHTS: Math.ceil((cells + attended * (block * block + block)) / 4) * 4,
    BAG_WIDTH: (shape.documentHeads ?? 0) * classes,
    STATES_READ: states,
    INPUTS: attended * 2 * shares + states * width(0),
    EARLIER: states > 0 ? (states - 1) * width(0) : 0,
    CONTEXT_TOKENS: states > 0 ? block + states - 1 : block,
    POSITIONS_A_GROUP: Math.max(block, states),
    HISTORY: radial,
    REMEMBERS: radial > 0 ? 1 : 0,
    MATCH_LENGTH: orders,
    PARTS: 1 + orders,
    CELLS: orders * GATE_BUCKETS,
    MOST_MATCHES: Math.min(radial, 1024),
    ADAPTS: radial > 256 ? 1 : 0,
    INDEXED: indexed,
    PAIRS: radial / 4,
    LEARNING: learning ? 1 : 0,
    FLASH: flash ? 1 : 0,
    RECALL: recall,
    RECALLS: recall > 0 ? 1 : 0,
    BATCH,
    TILE,
    THREADS,
    MIXTURE_PLACES,
  };
}
