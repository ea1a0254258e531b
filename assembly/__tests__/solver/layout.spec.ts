import { SCALES_AT } from "../hidden-codes";
import { BITS, BLOCK, BUCKETS, CIPHER_WIDTH, CLASSES, FEATURES, HEADS, M, ORDERS, PARTS, RADIAL, V } from "../../shape";
import {
  BATCH,
  CIPHER,
  F,
  F_EXPECTED,
  G,
  G_EXPECTED,
  CHAIN,
  DISTINCT,
  SEEN,
  GATE,
  GATE_BUCKETS,
  GATE_LIKELIHOODS,
  GATE_SUMS,
  GATE_TOKENS,
  HIDDEN,
  LABELS,
  LIKELIHOOD,
  MARGINAL,
  MATCHES,
  O,
  O_INT8,
  O_SCALE,
  ORDER_SUMS,
  O0,
  POSITIONS,
  PREDICTED,
  RING,
  SCRATCH,
  SCRATCH_BYTES,
  SYNC,
  TARGETS,
  THREADS,
  TILE,
  TOKENS,
  TOTALS,
  U,
  U_INT8,
  U0,
} from "../trainer-memory";

let end: usize = 0;
let misaligned = 0;
let overlapping = 0;

/** The next tensor of the layout, in order of address. f32 and atomics want boundaries of four bytes. */
function follows(at: usize, bytes: i32): void {
  if (at % 4 != 0) ++misaligned;
  if (at < end || at > <usize>i32.MAX_VALUE) ++overlapping; // the last: wrapped below zero
  end = at + <usize>bytes;
}

function walk(): void {
  end = 16; // the null address stays free
  misaligned = 0;
  overlapping = 0;
  follows(SYNC, 8);
  follows(CIPHER, BITS == V ? 0 : V * CIPHER_WIDTH * 2);
  follows(MARGINAL, V * 4);
  follows(U, FEATURES * M * 4);
  follows(U0, M * 4);
  follows(POSITIONS, HEADS * BLOCK * 4);
  follows(O, V * M * 4);
  follows(O0, V * 4);
  follows(F, V * M * 4);
  follows(F_EXPECTED, V * M * 4);
  follows(G, FEATURES * M * 4);
  follows(G_EXPECTED, FEATURES * M * 4);
  follows(LABELS, BATCH * 4);
  follows(HIDDEN, BATCH * M * 4);
  follows(TARGETS, BATCH * M * 4);
  follows(PREDICTED, BATCH * V * 4);
  follows(LIKELIHOOD, BATCH * 4);
  follows(SCRATCH, <i32>(THREADS * SCRATCH_BYTES));
  follows(RING, RADIAL * 2);
  follows(MATCHES, RADIAL * 4);
  follows(TOTALS, (PARTS - 1) * 4);
  follows(DISTINCT, ORDERS * 4);
  follows(CHAIN, PARTS * 4);
  follows(ORDER_SUMS, ORDERS * 4);
  follows(SEEN, V);
  follows(GATE, ORDERS * BUCKETS * 4);
  follows(GATE_SUMS, 2 * ORDERS * BUCKETS * 4);
  follows(GATE_BUCKETS, GATE_TOKENS * ORDERS);
  follows(GATE_LIKELIHOODS, GATE_TOKENS * PARTS * 4);
  follows(U_INT8, FEATURES * M);
  follows(U_INT8 + SCALES_AT, FEATURES * 4);
  follows(O_INT8, V * M);
  follows(O_SCALE, V * 4);
  follows(TOKENS, 0);
}

describe("the trainer's memory", () => {
  beforeEach(walk);

  test("has no tensor that reaches into the next, and tokens last", () => {
    expect(overlapping).toBe(0);
  });

  test("has every tensor, and every thread's scratch, on a boundary of four bytes", () => {
    expect(misaligned).toBe(0);
    expect(SCRATCH_BYTES % 4).toBe(0);
  });

  test("has the barrier on a cache line of its own", () => {
    expect(SYNC % 64).toBe(0);
    expect(CIPHER - SYNC).toBeGreaterThanOrEqual(64);
  });

  test("divides a batch into whole tiles of whole vectors", () => {
    expect(BATCH % TILE).toBe(0);
    expect(TILE % 8).toBe(0);
  });

  test("has room in a thread's scratch for each of its uses", () => {
    // a tile's hidden states transposed, two lanes and a row
    expect(SCRATCH_BYTES).toBeGreaterThanOrEqual((M * TILE + 2 * TILE + M) * 4);
    // Newton's method: votes, two rows of classes, ratio, gradient and curvature
    expect(SCRATCH_BYTES).toBeGreaterThanOrEqual(((BLOCK + 2) * CLASSES + BLOCK * (BLOCK + 2)) * 4);
  });
});
