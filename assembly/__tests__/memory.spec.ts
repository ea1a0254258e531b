import { CHAIN_BYTES } from "../chains";
import {
  BLOCK_U,
  BLOCK_U_LEVELS,
  BLOCK_U_SCALE,
  BLOCK_U0,
  CHAINS,
  CIPHER,
  CONTEXT,
  CORRECTED_O,
  CORRECTED_O_SCALE,
  DECODER_O,
  DECODER_O_SCALE,
  DECODER_O0,
  DISTINCT,
  END,
  EXPECTED,
  GATE,
  GATE_STATE,
  GENERATOR,
  HIDDEN,
  HIDDEN_FIXED,
  MATCHES,
  OBSERVED,
  OBSERVED_TOKENS,
  MIXED,
  PREDICTOR_END,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RING,
  SAMPLE_ROWS,
  SAMPLE_WEIGHTS,
  SEEN,
  TOTALS,
  WEIGHTS,
  WEIGHTS_END,
} from "../memory";
import { BITS, BLOCK, BUCKETS, CIPHER_WIDTH, FEATURES, M, MOST_MATCHES, ORDERS, RADIAL, RECALL, rowBytes, V, WEIGHT_BITS } from "../shape";
import { SAMPLES } from "../statistics";

let end: usize = 0;
let misaligned = 0;
let overlapping = 0;
let wasted = 0;

/** The next tensor of the layout: n elements of a size, in order of address. */
function follows(at: usize, n: i32, size: i32): void {
  if (at % 16 != 0) ++misaligned;
  if (at < end) ++overlapping;
  if (at >= end + 16) ++wasted;
  end = at + <usize>(n * size);
}

/** Walks the tensors that the host writes, then those that the module keeps. */
function walk(): void {
  end = 16;
  misaligned = 0;
  overlapping = 0;
  wasted = 0;
  follows(CIPHER, BITS == V ? 0 : V * CIPHER_WIDTH, 2);
  follows(BLOCK_U, FEATURES * <i32>rowBytes(M), 1);
  follows(BLOCK_U_LEVELS, WEIGHT_BITS == 4 ? 16 : 0, 1);
  follows(BLOCK_U_SCALE, FEATURES, 4);
  follows(BLOCK_U0, M, 4);
  follows(DECODER_O, V * M, 1);
  follows(DECODER_O_SCALE, V, 4);
  follows(DECODER_O0, V, 4);
  follows(GATE, ORDERS * BUCKETS, 4);
  follows(WEIGHTS_END, 0, 1);
  follows(CONTEXT, BLOCK, 2);
  follows(RING, RADIAL, 2);
  follows(CHAINS, <i32>CHAIN_BYTES, 1);
  follows(GATE_STATE, 2 * ORDERS * BUCKETS, 4);
  follows(GENERATOR, 4, 4);
  follows(HIDDEN, M, 4);
  follows(HIDDEN_FIXED, M, 2);
  follows(TOTALS, ORDERS, 4);
  follows(DISTINCT, ORDERS, 4);
  follows(MIXED, 3 * ORDERS, 4);
  follows(MATCHES, MOST_MATCHES, 4);
  follows(SEEN, V, 1);
  follows(WEIGHTS, V, 4);
  follows(PROBABILITIES, V, 4);
  follows(RECALLED, RECALL, 2);
  follows(RECALLED_LENGTH, 1, 4);
  follows(PREDICTOR_END, 0, 1);
  follows(SAMPLE_WEIGHTS, M, 4);
  follows(SAMPLE_ROWS, SAMPLES, 4);
  follows(OBSERVED, V * M, 4);
  follows(EXPECTED, V * M, 4);
  follows(OBSERVED_TOKENS, 1, 4);
  follows(CORRECTED_O, V * M, 1);
  follows(CORRECTED_O_SCALE, V, 4);
}

describe("the device module's memory", () => {
  beforeEach(walk);

  test("leaves the null address free", () => {
    expect(CIPHER).toBe(16);
  });

  test("has no tensor that reaches into the next", () => {
    expect(overlapping).toBe(0);
  });

  test("has every tensor on a 16-byte boundary", () => {
    expect(misaligned).toBe(0);
  });

  test("has tensors back to back, and ends with the last", () => {
    expect(wasted).toBe(0);
    expect(END).toBe(end);
  });
});
