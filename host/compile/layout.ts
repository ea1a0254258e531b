/**
 * How many bytes a module needs, from the shape alone: the sums that assembly/memory.ts and assembly/trainer-memory.ts lay out by
 * hand. A test compiles shapes and compares.
 */
import { cipherWidth, gateBuckets, hiddenWidth, type Shape } from "../model/shape.ts";

/** Bytes of a WebAssembly page. */
export const PAGE = 65536;
/** Bytes that 32-bit addresses reach. */
export const MOST_BYTES = 2 ** 32;

/** Linear memory of the device module in bytes: weights, state and scratch, each tensor on a 16-byte boundary. */
export function bytesNeeded(shape: Shape): number {
  const { vocabulary, bits, block, orders, radial } = shape;
  const hidden = hiddenWidth(shape);
  const weights = [
    bits === vocabulary ? 0 : vocabulary * cipherWidth(shape) * 2,
    block * bits * hidden,
    block * bits * 4,
    hidden * 4,
    vocabulary * hidden,
    vocabulary * 4,
    vocabulary * 4,
    gateBuckets(shape) * (1 + orders) * 4,
  ];
  const state = [block * 2, radial * 2, 16];
  const scratch = [hidden * 4 + hidden * 2, orders * 4, orders * 4, radial * 4, vocabulary * 4, vocabulary * 4];
  return [16, ...weights, ...state, ...scratch].reduce((sum, bytes) => sum + align(bytes), 0);
}

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
  const gate = (orders + 1) * 4 * parts * 4;
  // tensors between two cache-line boundaries stand together
  const groups = [
    128 + (bits === vocabulary ? 0 : vocabulary * cipherWidth(shape) * 2),
    vocabulary * 4 + features * hidden * 4,
    hidden * 4 + heads * block * 4,
    vocabulary * hidden * 4 + vocabulary * 4,
    2 * vocabulary * hidden * 4 + 2 * features * hidden * 4 + BATCH * (4 + 2 * hidden * 4 + vocabulary * 4 + 4),
    THREADS * (hidden * TILE + TILE * 2 + hidden * 4 + 512) * 4,
    radial * 2,
    radial * 4 + 64 + 2 * gate + (radial === 0 ? 0 : GATE_PLACES),
    radial === 0 ? 0 : GATE_PLACES * parts * 4,
    features * hidden,
    features * 4,
    vocabulary * hidden,
    vocabulary * 4,
  ];
  return groups.reduce((sum, bytes) => sum + align(bytes, 64), 0);
}

function align(bytes: number, boundary = 16): number {
  return Math.ceil(bytes / boundary) * boundary;
}
