/** How many bytes the tuner needs, from the shape alone: the sums of assembly/tuner-memory.ts. A test compares. */
import { cipherWidth, hiddenWidth, type Shape } from "../model/shape.ts";

/** Constants of assembly/trainer-memory.ts: places of a batch and of a tile, threads. */
export const MOST_PLACES = 2048;
const TILE = 64;
const THREADS = 16;
/** Where the cipher begins, behind the barrier. */
const BASE = 128;

/** Memory of the tuner module in bytes, without the tokens, which stand behind it: four times the weights, one batch, a scratch a thread. */
export function tunerBytesNeeded(shape: Shape): number {
  const { vocabulary, bits, block } = shape;
  const hidden = hiddenWidth(shape);
  const ciphered = bits < vocabulary;
  const width = Math.ceil(bits / 4) * 4;
  const table = ciphered ? vocabulary * width : 0;
  const weights = block * bits * hidden + hidden + vocabulary * hidden + vocabulary + table;
  const batch = MOST_PLACES * 4 * (2 + 2 * hidden + vocabulary);
  const thawed = ciphered ? 4 * (2 * block * MOST_PLACES * width + block * vocabulary * hidden) : 0;
  const scratch = THREADS * 4 * (hidden * TILE + TILE * 2 + hidden * 4);
  const cipher = ciphered ? vocabulary * cipherWidth(shape) * 2 : 0;
  return lines(BASE + cipher) + 4 * lines(4 * weights) + 64 + lines(batch + thawed + scratch);
}

/** Bytes up to the next cache line. */
function lines(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
