// Explicit self-attention (ours): ŷ = λ_0 · stack + Σ_o λ_o · q_o, where q_o is the distribution of the tokens that followed
// the matches of order o, and the gate λ is a row of a table that the bucket (longest order, number of matches) names.
import { BUCKETS, ORDERS, PARTS, V } from "./shape";
import { scaleInPlace } from "./softmax";

/** The gate's one-hot input: longest order matched · 4 + number of its matches, at most 3. */
export function gateBucket(totals: usize /* (ORDERS) i32 */): i32 {
  let longest = 0;
  while (longest < ORDERS && load<i32>(totals + (longest << 2)) > 0) ++longest;
  return longest == 0 ? 0 : longest * 4 + min<i32>(3, load<i32>(totals + ((longest - 1) << 2)));
}

/**
 * probabilities ← λ_0 · probabilities + Σ_o λ_o · q_o; an order without a match leaves its part to the stack.
 *
 * @param matches (n) u32 and totals (ORDERS) i32, of findMatches
 * @param gate (BUCKETS, PARTS) f32, rows of unit sum
 * @param scratch (ORDERS) f32
 * @param probabilities (V) f32, the stack's in, the mixture out
 * @returns what the stack's own probabilities were multiplied by
 */
export function attend(matches: usize, n: i32, totals: usize, gate: usize, scratch: usize, probabilities: usize): f32 {
  const row = gate + ((gateBucket(totals) * PARTS) << 2);
  let rest = load<f32>(row);
  let weight: f32 = 0; // of a match of order o: it counts for every order up to its own
  for (let o: usize = 0; o < <usize>ORDERS; ++o) {
    const part = load<f32>(row + (o << 2), 4);
    const total = load<i32>(totals + (o << 2));
    if (total == 0) rest += part;
    else weight += part / <f32>total;
    store<f32>(scratch + (o << 2), weight);
  }
  scaleInPlace(probabilities, V, rest);
  for (const end = matches + (n << 2); matches < end; matches += 4) {
    const match = load<u32>(matches);
    const at = probabilities + ((match & 0xffff) << 2);
    store<f32>(at, load<f32>(at) + load<f32>(scratch + (((match >> 16) - 1) << 2)));
  }
  return rest;
}

/**
 * Likelihood of `token` under each part, for solving the gate: the stack's, then each order's (the stack's where it has no match).
 *
 * @param outLikelihoods (PARTS) f32
 */
export function partLikelihoods(
  matches: usize,
  n: i32,
  totals: usize,
  token: u32,
  stack: f32,
  outLikelihoods: usize,
): void {
  store<f32>(outLikelihoods, stack);
  for (let o: usize = 0; o < <usize>ORDERS; ++o) store<f32>(outLikelihoods + (o << 2), 0, 4);
  for (const end = matches + (n << 2); matches < end; matches += 4) {
    const match = load<u32>(matches);
    if ((match & 0xffff) != token) continue;
    for (let o: usize = 0; o < <usize>(match >> 16); ++o) {
      const at = outLikelihoods + (o << 2);
      store<f32>(at, load<f32>(at, 4) + 1, 4);
    }
  }
  for (let o: usize = 0; o < <usize>ORDERS; ++o) {
    const total = load<i32>(totals + (o << 2));
    const at = outLikelihoods + (o << 2);
    store<f32>(at, total == 0 ? stack : load<f32>(at, 4) / <f32>total, 4);
  }
}

/**
 * Solves the gate: the explicit solution with K = 1, each bucket's mean responsibility with one pseudo-count a part, repeated
 * (each sweep is an EM step: the likelihood of the slice, times that of the pseudo-counts, never falls).
 *
 * @param likelihoods (n, PARTS) f32
 * @param buckets (n) u8
 * @param sums (BUCKETS, PARTS) f32 scratch
 * @param outGate (BUCKETS, PARTS) f32
 */
export function solveGate(likelihoods: usize, buckets: usize, n: i32, sweeps: i32, sums: usize, outGate: usize): void {
  const cells = BUCKETS * PARTS;
  for (let i = 0; i < cells; ++i) store<f32>(outGate + (i << 2), <f32>1 / <f32>PARTS);
  for (let sweep = 0; sweep < sweeps; ++sweep) {
    for (let i = 0; i < cells; ++i) store<f32>(sums + (i << 2), 1);
    for (let t = 0; t < n; ++t) {
      const at = likelihoods + ((t * PARTS) << 2);
      const offset = (<usize>load<u8>(buckets + t) * PARTS) << 2;
      let total: f32 = 0;
      for (let p: usize = 0; p < <usize>PARTS; ++p) {
        total += load<f32>(at + (p << 2)) * load<f32>(outGate + offset + (p << 2));
      }
      if (!(total > 0)) continue;
      for (let p: usize = 0; p < <usize>PARTS; ++p) {
        const sum = sums + offset + (p << 2);
        const share = (load<f32>(at + (p << 2)) * load<f32>(outGate + offset + (p << 2))) / total;
        store<f32>(sum, load<f32>(sum) + share);
      }
    }
    for (let b = 0; b < BUCKETS; ++b) {
      const offset = (<usize>b * PARTS) << 2;
      let total: f32 = 0;
      for (let p: usize = 0; p < <usize>PARTS; ++p) total += load<f32>(sums + offset + (p << 2));
      for (let p: usize = 0; p < <usize>PARTS; ++p) {
        store<f32>(outGate + offset + (p << 2), load<f32>(sums + offset + (p << 2)) / total);
      }
    }
  }
}
