// The explicit solution of attention over positions, the first layer to be solved (W before U before O, 2311.07510): inputs are the
// comparisons c, targets the responsibilities of the positions, t_j ∝ p_j(y | x_j), with p_j from the counts of pairs at distance j, the
// place itself left out (ours: the published targets are not known). W and w0 are then solved in log-odds form from F = Σ c ⊗ t, as any
// layer is (2311.07498).
import { cipherBit, cipherLength } from "../common/cipher";
import { exp, log } from "../common/math";
import { sumInLanes } from "../common/softmax";
import { Place } from "../layers/records";
import { contextToken, windowComparisons } from "../layers/tokens";
import { ABSENT, BITS, ROWS_0, V, WINDOW } from "../shape";

/** Counts of pairs: of what stands at a position, and of the token that came. */
@unmanaged
export class Pairs {
  counts: usize; // (r·b, V) f32
  totals: usize; // (r·b) f32, Σ of each row
  marginal: usize; // (V) f32, π
  pseudoCounts: f32; // α of the smoothed p_j
}

/** counts += 1 / bits at each bit of position j and the token that came, over places [from, to). */
export function countPairs(place: Place, from: i32, to: i32, pairs: Pairs): void {
  for (let at = from; at < to; ++at) {
    place.moveTo(at);
    const label = <usize>load<u16>(place.tokens + (<usize>at << 1));
    for (let j = 0; j < WINDOW; ++j) {
      const token = contextToken(place, j);
      if (token == ABSENT) continue;
      const bits = cipherLength(place.cipher, token);
      for (let i = 0; i < bits; ++i) {
        const pair = pairs.counts + ((((<usize>j * BITS + cipherBit(place.cipher, token, i)) * V) + label) << 2);
        store<f32>(pair, load<f32>(pair) + <f32>1 / <f32>bits);
      }
    }
  }
}

/** totals ← Σ of each row of counts. */
export function totalPairs(pairs: Pairs): void {
  for (let row: usize = 0; row < <usize>ROWS_0; ++row) {
    store<f32>(pairs.totals + (row << 2), sumInLanes(pairs.counts + ((row * V) << 2), V));
  }
}

/**
 * outSums += Σ c ⊗ t, and Σ t, over places [from, to).
 *
 * @param scratch (2·r) f32
 * @param outSums (r, r) f64, then (r) f64
 */
export function addAttentionTargets(place: Place, from: i32, to: i32, pairs: Pairs, scratch: usize, outSums: usize): void {
  const comparisons = scratch;
  const targets = scratch + (WINDOW << 2);
  for (let at = from; at < to; ++at) {
    place.moveTo(at);
    if (contextToken(place, WINDOW - 1) == ABSENT) continue;
    windowComparisons(place, comparisons);
    const label = <usize>load<u16>(place.tokens + (<usize>at << 1));
    const pseudo = pairs.pseudoCounts * load<f32>(pairs.marginal + (label << 2));
    let total: f32 = 0;
    for (let j = 0; j < WINDOW; ++j) {
      const token = contextToken(place, j);
      const bits = cipherLength(place.cipher, token);
      const own: f32 = <f32>1 / <f32>bits;
      let sum: f32 = 0;
      for (let i = 0; i < bits; ++i) {
        const row = <usize>j * BITS + cipherBit(place.cipher, token, i);
        const others = max<f32>(0, load<f32>(pairs.counts + ((row * V + label) << 2)) - own);
        sum += (others + pseudo) / (load<f32>(pairs.totals + (row << 2)) - own + pairs.pseudoCounts);
      }
      store<f32>(targets + (<usize>j << 2), sum * own);
      total += sum * own;
    }
    for (let j: usize = 0; j < <usize>WINDOW; ++j) {
      const target = <f64>(load<f32>(targets + (j << 2)) / total);
      for (let i: usize = 0; i < <usize>WINDOW; ++i) {
        add(outSums + ((i * WINDOW + j) << 3), <f64>load<f32>(comparisons + (i << 2)) * target);
      }
      add(outSums + ((<usize>(WINDOW * WINDOW) + j) << 3), target);
    }
  }
}

// @ts-ignore: decorator
@inline
function add(at: usize, value: f64): void {
  store<f64>(at, load<f64>(at) + value);
}

/**
 * The weight of every position of the window under attention, so that the pivot of a window without comparisons counts once: 1 / (r · π_0).
 * Tokens of a window are not independent: taken r times in all they would say too much.
 */
export function attendedWeight(w0: usize): f32 {
  return <f32>1 / (<f32>WINDOW * exp(load<f32>(w0)));
}

/**
 * w0 = log π, W[i, j] = log[(F[i, j] + α π_j) / ((Σ_j F[i, j] + α) π_j)], π the mean target. The pivot always compares with itself: of
 * one-hot inputs its row says nothing.
 *
 * @param sums (r, r) f64, then (r) f64
 * @param outW (r, r) f32; outW0 (r) f32
 */
export function solveAttention(sums: usize, pseudoCounts: f64, outW: usize, outW0: usize): void {
  const means = sums + ((WINDOW * WINDOW) << 3);
  let total: f64 = 0;
  for (let j: usize = 0; j < <usize>WINDOW; ++j) total += load<f64>(means + (j << 3));
  for (let j: usize = 0; j < <usize>WINDOW; ++j) {
    const share = total > 0 ? load<f64>(means + (j << 3)) / total : 1 / <f64>WINDOW;
    store<f64>(means + (j << 3), share);
    store<f32>(outW0 + (j << 2), log(<f32>share));
  }
  for (let i: usize = 0; i < <usize>WINDOW; ++i) {
    const row = sums + ((i * WINDOW) << 3);
    let seen: f64 = pseudoCounts;
    for (let j: usize = 0; j < <usize>WINDOW; ++j) seen += load<f64>(row + (j << 3));
    for (let j: usize = 0; j < <usize>WINDOW; ++j) {
      const share = load<f64>(means + (j << 3));
      const odds = (load<f64>(row + (j << 3)) + pseudoCounts * share) / (seen * share);
      store<f32>(outW + ((i * WINDOW + j) << 2), log(<f32>odds));
    }
  }
}
