// Assigning bit-ciphers (2311.11012): tokens ranked by how often they come get the subsets of the bits in turn, the smallest first (subsets
// of one size in lexicographic order: ours).
import { permuted } from "../common/random";
import { BITS, CIPHER_WIDTH, GROUPS, M, UNITS, V } from "../shape";

/**
 * Ranks tokens by descending marginal, the lower id first among equals (heap sort, in place).
 *
 * @param marginal (V) f32
 * @param outRanked (V) u32, the likeliest token first
 */
export function rankTokens(marginal: usize, outRanked: usize): void {
  for (let v: u32 = 0; v < <u32>V; ++v) store<u32>(outRanked + (v << 2), v);
  for (let start = V / 2 - 1; start >= 0; --start) sift(marginal, outRanked, start, V);
  for (let end = V - 1; end > 0; --end) {
    const last = outRanked + (end << 2);
    const top = load<u32>(outRanked);
    store<u32>(outRanked, load<u32>(last));
    store<u32>(last, top);
    sift(marginal, outRanked, 0, end);
  }
}

/** Restores the heap below `at`: its root is the token that ranks last. */
function sift(marginal: usize, ranked: usize, at: i32, end: i32): void {
  const token = load<u32>(ranked + (at << 2));
  for (let child = 2 * at + 1; child < end; child = 2 * at + 1) {
    if (child + 1 < end && ranksBefore(marginal, load<u32>(ranked + (child << 2)), load<u32>(ranked + (child << 2), 4))) {
      ++child;
    }
    const below = load<u32>(ranked + (child << 2));
    if (!ranksBefore(marginal, token, below)) break;
    store<u32>(ranked + (at << 2), below);
    at = child;
  }
  store<u32>(ranked + (at << 2), token);
}

function ranksBefore(marginal: usize, a: u32, b: u32): bool {
  const p = load<f32>(marginal + (a << 2));
  const q = load<f32>(marginal + (b << 2));
  return p > q || (p == q && a < b);
}

/**
 * The input cipher: the b likeliest tokens get one bit each, the next b·(b−1)/2 two, and so on, in lexicographic order.
 *
 * @param ranked (V) u32 of rankTokens
 * @param bits (k) u16 scratch
 * @param outCipher (V, k) u16, 0xffff past a token's last bit
 */
export function assignCipher(ranked: usize, bits: usize, outCipher: usize): void {
  memory.fill(outCipher, 0xff, V * CIPHER_WIDTH * 2);
  let n = 0;
  for (let rank: usize = 0; rank < <usize>V; ++rank) {
    n = nextSubset(bits, n, BITS);
    memory.copy(outCipher + load<u32>(ranked + (rank << 2)) * CIPHER_WIDTH * 2, bits, n * 2);
  }
}

/**
 * The next subset of [0, universe) after the n ascending `bits`: of the same size in lexicographic order, then the first of the
 * next size. Returns its size.
 *
 * @param bits (n + 1) u16
 */
export function nextSubset(bits: usize, n: i32, universe: i32): i32 {
  let at = n - 1;
  while (at >= 0 && <i32>load<u16>(bits + (at << 1)) == universe - n + at) --at;
  if (at < 0) {
    ++n;
    for (let i = 0; i < n; ++i) store<u16>(bits + (i << 1), <u16>i);
    return n;
  }
  let bit = <u32>load<u16>(bits + (at << 1));
  for (; at < n; ++at) store<u16>(bits + (at << 1), <u16>++bit);
  return n;
}

/**
 * Label ciphers of the groups (2311.07510: low-dimensional bit-ciphers of the next token): each group ranks the tokens anew, the
 * first by frequency, the others by a permutation of it that `key` names (ours), so that groups differ.
 *
 * @param bits (m) u16 scratch
 * @param outTargets (V, M) f32, rows of unit sum a group
 */
export function labelCiphers(ranked: usize, key: u32, bits: usize, outTargets: usize): void {
  memory.fill(outTargets, 0, V * M * 4);
  for (let group: u32 = 0; group < <u32>GROUPS; ++group) {
    let n = 0;
    for (let rank: u32 = 0; rank < <u32>V; ++rank) {
      n = nextSubset(bits, n, UNITS);
      const token = load<u32>(ranked + ((group == 0 ? rank : permuted(rank, V, key + group)) << 2));
      const row = outTargets + ((token * M + group * UNITS) << 2);
      for (let i = 0; i < n; ++i) store<f32>(row + (<u32>load<u16>(bits + (i << 1)) << 2), <f32>1 / <f32>n);
    }
  }
}
