/** How many bytes the tuner needs, from the shape alone: the sums of assembly/tuner-memory.ts. A test compares. */
import { hiddenCodesBytes, hiddenWeights, inputsOf } from "../compile/layout.ts";
import { cipherWidth, hiddenWidth, LEVELS, type Shape } from "../shape.ts";

/** Constants of assembly/trainer-memory.ts: places of a batch and of a tile, threads. */
export const MOST_PLACES = 2048;
const TILE = 64;
const THREADS = 16;
/** Where the cipher begins, behind the barrier. */
const BASE = 128;

/** Memory of the tuner module in bytes, without the tokens, which stand behind it: four times the weights, those of the hidden layers once more where they have four bits, one batch, a scratch a thread. */
export function tunerBytesNeeded(shape: Shape): number {
  const { vocabulary, bits, block } = shape;
  const hidden = hiddenWidth(shape);
  const ciphered = bits < vocabulary;
  const width = Math.ceil(bits / 4) * 4;
  const table = ciphered ? vocabulary * width : 0;
  const { heads, classes, stackedHeads = 0, stackedBlock = 1 } = shape;
  const weights = hiddenWeights(shape) + hidden + vocabulary * hidden + vocabulary + table;
  const earlier = stackedHeads > 0 ? (stackedBlock - 1) * heads * classes : 0;
  const batch = MOST_PLACES * 4 * (2 + inputsOf(shape) + 2 * hidden + earlier + vocabulary);
  const thawed = ciphered ? 4 * (2 * block * MOST_PLACES * width + block * vocabulary * hidden) : 0;
  const scratch = THREADS * 4 * (hidden * TILE + TILE * 2 + hidden * 4 + 3 * Math.ceil(block / 4) * 4);
  const cipher = ciphered ? vocabulary * cipherWidth(shape) * 2 : 0;
  const rounded =
    shape.weightBits === 4 ? hiddenCodesBytes(shape) + lines(3 * (2 * LEVELS * 4 + 16) + 4 * hiddenWeights(shape)) : 0;
  return lines(BASE + cipher) + 4 * lines(4 * weights) + rounded + 64 + lines(batch + thawed + scratch);
}

/** Bytes up to the next cache line. */
function lines(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
