import { BITS, BLOCK, CIPHER_WIDTH, FEATURES, M, V } from "../shape";
import { BATCH, SYNC, THREADS, TILE } from "../trainer-memory";
import {
  CIPHER,
  CIPHERED,
  DELTA,
  EMBEDDED,
  EMBEDDED_DELTA,
  EMBEDDING,
  FIRST_MOMENT,
  FOLDED,
  GRADIENT,
  HIDDEN,
  LABELS,
  LIKELIHOOD,
  LOSS,
  O,
  O0,
  PARAMETERS,
  PREDICTED,
  SCRATCH,
  SCRATCH_BYTES,
  SECOND_MOMENT,
  STRIDE,
  TOKENS,
  U,
  U0,
  WIDTH,
} from "../tuner-memory";

let end: usize = 0;
let wrong = 0;

/** The next tensor of the layout, in order of address, on a boundary of four bytes. */
function follows(at: usize, bytes: i32): void {
  if (at % 4 != 0 || at < end || at > <usize>i32.MAX_VALUE) ++wrong;
  end = at + <usize>bytes;
}

describe("the tuner's memory", () => {
  test("has no tensor that reaches into the next, and tokens last", () => {
    const table = CIPHERED ? V * WIDTH * 4 : 0;
    const inputs = CIPHERED ? BLOCK * BATCH * WIDTH * 4 : 0;
    end = SYNC + 64; // the barrier, on a cache line of its own
    wrong = 0;
    follows(CIPHER, CIPHERED ? V * CIPHER_WIDTH * 2 : 0);
    follows(U, FEATURES * M * 4);
    follows(U0, M * 4);
    follows(O, V * M * 4);
    follows(O0, V * 4);
    follows(EMBEDDING, table);
    expect(end).toBe(U + PARAMETERS * 4);
    follows(GRADIENT, PARAMETERS * 4);
    follows(FIRST_MOMENT, PARAMETERS * 4);
    follows(SECOND_MOMENT, PARAMETERS * 4);
    follows(LOSS, 8);
    follows(LABELS, BATCH * 4);
    follows(LIKELIHOOD, BATCH * 4);
    follows(HIDDEN, BATCH * M * 4);
    follows(DELTA, BATCH * M * 4);
    follows(PREDICTED, BATCH * V * 4);
    follows(EMBEDDED, inputs);
    follows(EMBEDDED_DELTA, inputs);
    follows(FOLDED, CIPHERED ? BLOCK * V * M * 4 : 0);
    follows(SCRATCH, <i32>(THREADS * SCRATCH_BYTES));
    follows(TOKENS, 0);
    expect(wrong).toBe(0);
  });

  test("has gradient and moments where STRIDE says, and the loss where an f64 may stand", () => {
    expect(GRADIENT - U).toBe(STRIDE);
    expect(FIRST_MOMENT - GRADIENT).toBe(STRIDE);
    expect(SECOND_MOMENT - FIRST_MOMENT).toBe(STRIDE);
    expect(LOSS % 8).toBe(0);
  });

  test("has room in a thread's scratch for each of its uses, and rows in whole vectors", () => {
    expect(SCRATCH_BYTES).toBeGreaterThanOrEqual((M * TILE + 2 * TILE) * 4);
    expect(SCRATCH_BYTES).toBeGreaterThanOrEqual(4 * M * 4);
    expect(WIDTH % 4).toBe(0);
    expect(WIDTH).toBeGreaterThanOrEqual(BITS);
    // rows of U are read in fours: past the last, other weights of its module
    expect(O0).toBeGreaterThanOrEqual(U + (FEATURES + 3) * M * 4);
  });
});
