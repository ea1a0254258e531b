// The device module: one model of one shape. The host writes weights at the exported addresses, calls reset, then feeds tokens.
// No imports, no start function, no growth; every call is bounded by the shape.
import { attend } from "./attention";
import { findMatches } from "./comparisons";
import { decode, quantiseHidden } from "./decoder";
import { feedForward } from "./feedforward";
import { log } from "./math";
import {
  BLOCK_U,
  BLOCK_U_SCALE,
  BLOCK_U0,
  CIPHER,
  CONTEXT,
  DECODER_O,
  DECODER_O_SCALE,
  DECODER_O0,
  GATE,
  GENERATOR,
  HIDDEN,
  HIDDEN_FIXED,
  MATCHES,
  ORDER_WEIGHTS,
  PROBABILITIES,
  RING,
  TOTALS,
  WEIGHTS,
} from "./memory";
import { seedGenerator } from "./random";
import { draw } from "./sampling";
import { BLOCK, CLASSES, HEADS, RADIAL, V } from "./shape";
import { softmax } from "./softmax";

export {
  BLOCK_U,
  BLOCK_U_SCALE,
  BLOCK_U0,
  CIPHER,
  DECODER_O,
  DECODER_O_SCALE,
  DECODER_O0,
  END,
  GATE,
  PROBABILITIES,
  RING,
} from "./memory";

const LOG2E: f32 = 1.44269504088896341;
/** Surprisal is capped where a probability is no longer a normal number, at about 126 bits. */
const LEAST: f32 = 1.1754944e-38;

let newest: u32 = 0; // place in the ring of the latest token
let predicted: bool = false; // whether PROBABILITIES belongs to the present context

/** Forgets the context: block and ring are empty afterwards. The generator keeps its place. */
export function reset(): void {
  memory.fill(CONTEXT, 0xff, BLOCK * 2);
  if (RADIAL > 0) memory.fill(RING, 0xff, RADIAL * 2);
  newest = RADIAL - 1;
  predicted = false;
}

/** Fills PROBABILITIES, (V) f32 of unit sum, for the token that comes next. */
export function predict(): void {
  if (predicted) return;
  feedForward(CONTEXT, CIPHER, BLOCK_U, BLOCK_U_SCALE, BLOCK_U0, HIDDEN);
  for (let head: usize = 0; head < <usize>HEADS; ++head) softmax(HIDDEN + ((head * CLASSES) << 2), CLASSES);
  quantiseHidden(HIDDEN, HIDDEN_FIXED);
  decode(HIDDEN_FIXED, DECODER_O, DECODER_O_SCALE, DECODER_O0, PROBABILITIES);
  if (RADIAL > 0) {
    const found = findMatches(RING, newest, MATCHES, TOTALS);
    if (found > 0) attend(MATCHES, found, TOTALS, GATE, ORDER_WEIGHTS, PROBABILITIES);
  }
  predicted = true;
}

/** Appends a token to the context without predicting it. 0, or -1 and no change where token ≥ V. */
export function append(token: u32): i32 {
  if (token >= <u32>V) return -1;
  for (let j: usize = BLOCK - 1; j > 0; --j) store<u16>(CONTEXT + (j << 1), load<u16>(CONTEXT + (j << 1) - 2));
  store<u16>(CONTEXT, <u16>token);
  if (RADIAL > 0) {
    newest = (newest + 1) & (RADIAL - 1);
    store<u16>(RING + (newest << 1), <u16>token);
  }
  predicted = false;
  return 0;
}

/** Surprisal of `token` in bits, −log2 p(token | context); then appends it. -1 and no change where token ≥ V. */
export function feed(token: u32): f32 {
  if (token >= <u32>V) return -1;
  predict();
  const surprisal = -log(max<f32>(LEAST, load<f32>(PROBABILITIES + (token << 2)))) * LOG2E;
  append(token);
  return max<f32>(0, surprisal);
}

/** Seeds the generator of `sample`. */
export function seed(value: u32): void {
  seedGenerator(GENERATOR, value);
}

/** Draws the next token (see draw); the context stays as it is. -1 where an option is out of range. */
export function sample(temperature: f32, topK: u32, topP: f32): i32 {
  predict();
  return draw(PROBABILITIES, GENERATOR, temperature, topK, topP, WEIGHTS);
}
