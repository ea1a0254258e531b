// The explicit solution of attention over positions, the first layer to be solved (W before U before O, 2311.07510): inputs are the
// comparisons c, targets the responsibilities of the positions, t_j ∝ p_j(y | x_j), with p_j from the counts of pairs at distance j, the
// place itself left out (ours: the published targets are not known). W and w0 are then solved in log-odds form from F = Σ c ⊗ t, as any
// layer is (2311.07498).
import { cipherBit, cipherLength } from "./cipher";
import { blockComparisons, contextToken } from "./layer";
import { exp, log } from "./math";
import { ABSENT, BITS, BLOCK, V } from "./shape";
import { sumInLanes } from "./softmax";

/** outPairs (r·b, V) f32 += 1 / bits at each bit of position j and the token that came, over places [from, to). */
export function countPairs(tokens: usize, from: i32, to: i32, cipher: usize, outPairs: usize): void {
  for (let at = from; at < to; ++at) {
    const label = <usize>load<u16>(tokens + ((<usize>at) << 1));
    for (let j = 0; j < BLOCK; ++j) {
      const token = contextToken(tokens, at, j);
      if (token == ABSENT) continue;
      const bits = cipherLength(cipher, token);
      for (let i = 0; i < bits; ++i) {
        const pair = outPairs + ((((<usize>j * BITS + cipherBit(cipher, token, i)) * V) + label) << 2);
        store<f32>(pair, load<f32>(pair) + <f32>1 / <f32>bits);
      }
    }
  }
}

/** outTotals (r·b) f32 ← Σ of each row of pairs. */
export function totalPairs(pairs: usize, outTotals: usize): void {
  for (let row: usize = 0; row < <usize>(BLOCK * BITS); ++row) store<f32>(outTotals + (row << 2), sumInLanes(pairs + ((row * V) << 2), V));
}

/**
 * outSums += Σ c ⊗ t, and Σ t, over places [from, to).
 *
 * @param pairs (r·b, V) f32; @param totals (r·b) f32; @param marginal (V) f32; @param mass α of the smoothed p_j
 * @param scratch (2·r) f32
 * @param outSums (r, r) f64, then (r) f64
 */
export function addAttentionTargets(
  tokens: usize,
  from: i32,
  to: i32,
  cipher: usize,
  pairs: usize,
  totals: usize,
  marginal: usize,
  mass: f32,
  scratch: usize,
  outSums: usize,
): void {
  const comparisons = scratch;
  const targets = scratch + (BLOCK << 2);
  for (let at = from; at < to; ++at) {
    if (contextToken(tokens, at, BLOCK - 1) == ABSENT) continue;
    blockComparisons(tokens, at, cipher, comparisons);
    const label = <usize>load<u16>(tokens + ((<usize>at) << 1));
    const pseudo = mass * load<f32>(marginal + (label << 2));
    let total: f32 = 0;
    for (let j = 0; j < BLOCK; ++j) {
      const token = contextToken(tokens, at, j);
      const bits = cipherLength(cipher, token);
      const own: f32 = <f32>1 / <f32>bits;
      let sum: f32 = 0;
      for (let i = 0; i < bits; ++i) {
        const row = <usize>j * BITS + cipherBit(cipher, token, i);
        const others = max<f32>(0, load<f32>(pairs + ((row * V + label) << 2)) - own);
        sum += (others + pseudo) / (load<f32>(totals + (row << 2)) - own + mass);
      }
      store<f32>(targets + (<usize>j << 2), sum * own);
      total += sum * own;
    }
    for (let j: usize = 0; j < <usize>BLOCK; ++j) {
      const target = <f64>(load<f32>(targets + (j << 2)) / total);
      for (let i: usize = 0; i < <usize>BLOCK; ++i) {
        add(outSums + ((i * BLOCK + j) << 3), <f64>load<f32>(comparisons + (i << 2)) * target);
      }
      add(outSums + ((BLOCK * BLOCK + j) << 3), target);
    }
  }
}

// @ts-ignore: decorator
@inline
function add(at: usize, value: f64): void {
  store<f64>(at, load<f64>(at) + value);
}

/**
 * The weight of every position of the block under attention, so that the pivot of a block without comparisons counts once: 1 / (r · π_0).
 * Tokens of a block are not independent: taken r times in all they would say too much.
 */
export function attendedWeight(w0: usize): f32 {
  return <f32>1 / (<f32>BLOCK * exp(load<f32>(w0)));
}

/**
 * w0 = log π, W[i, j] = log[(F[i, j] + α π_j) / ((Σ_j F[i, j] + α) π_j)], π the mean target. The pivot always compares with itself: of
 * one-hot inputs its row says nothing.
 *
 * @param sums (r, r) f64, then (r) f64
 * @param outW (r, r) f32; outW0 (r) f32
 */
export function solveAttention(sums: usize, mass: f64, outW: usize, outW0: usize): void {
  const means = sums + ((BLOCK * BLOCK) << 3);
  let total: f64 = 0;
  for (let j: usize = 0; j < <usize>BLOCK; ++j) total += load<f64>(means + (j << 3));
  for (let j: usize = 0; j < <usize>BLOCK; ++j) {
    const share = total > 0 ? load<f64>(means + (j << 3)) / total : 1 / <f64>BLOCK;
    store<f64>(means + (j << 3), share);
    store<f32>(outW0 + (j << 2), log(<f32>share));
  }
  for (let i: usize = 0; i < <usize>BLOCK; ++i) {
    const row = sums + ((i * BLOCK) << 3);
    let seen: f64 = mass;
    for (let j: usize = 0; j < <usize>BLOCK; ++j) seen += load<f64>(row + (j << 3));
    for (let j: usize = 0; j < <usize>BLOCK; ++j) {
      const share = load<f64>(means + (j << 3));
      const odds = (load<f64>(row + (j << 3)) + mass * share) / (seen * share);
      store<f32>(outW + ((i * BLOCK + j) << 2), log(<f32>odds));
    }
  }
}
