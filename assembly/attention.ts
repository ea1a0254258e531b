// Explicit self-attention (ours): the distribution of the tokens that followed the matches of order o, q_o, is mixed in order by
// order, p_o = (1 − λ) p_{o−1} + λ q_o with p_0 the stack's, so that each order backs off to the one below and at last to the stack.
// λ is a table that says for each order how far to trust it, by how many matches there are and how much their followers agree. The
// model's table is where every text begins; from there it follows the text itself (adapt).
import { followerOf, orderOf, weightOf } from "./matches";
import { BUCKETS, ORDERS, PARTS, V } from "./shape";
import { scaleInPlace } from "./softmax";

/** Marks an order without a match. */
const NONE: u8 = 0xff;
/** A gate before it is solved, and what BUCKET_PLACES places of each bucket are taken to say. */
const FIRST: f32 = 0.3;
const BUCKET_PLACES: f32 = 2;
/** What the model's gate counts for in a text, in places of each bucket, and how many places are remembered at the most. */
const GATE_PLACES: f32 = 8;
const MOST_PLACES: f32 = 128;

/**
 * The gate's one-hot input for one order: matches (1, 2, 3, 4, to 8, to 16, to 64, more) times how their followers agree (all the
 * same; half as many distinct ones as matches, or fewer; more; all distinct).
 */
export function gateBucket(total: i32, distinct: i32): i32 {
  const many = total <= 4 ? total - 1 : total <= 8 ? 4 : total <= 16 ? 5 : total <= 64 ? 6 : 7;
  const agreement = distinct == 1 ? 0 : distinct == total ? 3 : 2 * distinct <= total ? 1 : 2;
  return many * 4 + agreement;
}

/**
 * Distinct followers among the matches of each order.
 *
 * @param matches (n) u32, of findMatches
 * @param seen (V) u8 scratch, zero before and after
 * @param outDistinct (ORDERS) i32
 */
export function countDistinct(matches: usize, n: i32, seen: usize, outDistinct: usize): void {
  memory.fill(outDistinct, 0, ORDERS << 2);
  const end = matches + (<usize>n << 2);
  for (let at = matches; at < end; at += 4) {
    const match = load<u32>(at);
    const place = seen + followerOf(match);
    const order = orderOf(match);
    for (let o = <u32>load<u8>(place); o < order; ++o) {
      const distinct = outDistinct + (o << 2);
      store<i32>(distinct, load<i32>(distinct) + 1);
    }
    if (order > <u32>load<u8>(place)) store<u8>(place, <u8>order);
  }
  for (let at = matches; at < end; at += 4) store<u8>(seen + followerOf(load<u32>(at)), 0);
}

/** Stands for the followers of all matches. */
export const ANY: i32 = -1;

/** outSums (ORDERS) f32 ← Σ weights of the matches of order at least o + 1, of all or of those that `token` followed. */
export function sumWeights(matches: usize, n: i32, token: i32, outSums: usize): void {
  memory.fill(outSums, 0, ORDERS << 2);
  for (const end = matches + (<usize>n << 2); matches < end; matches += 4) {
    const match = load<u32>(matches);
    if (token != ANY && <i32>followerOf(match) != token) continue;
    const sum = outSums + ((orderOf(match) - 1) << 2);
    store<f32>(sum, load<f32>(sum) + weightOf(match));
  }
  for (let at = outSums + (<usize>(ORDERS - 1) << 2); at > outSums; at -= 4) {
    store<f32>(at - 4, load<f32>(at - 4) + load<f32>(at));
  }
}

/** The gate as a text begins: state (2, ORDERS, BUCKETS) f32 ← Σ responsibilities and places, whose ratio is λ. `gate` may stand where they go. */
export function resetGate(gate: usize, state: usize): void {
  const places = state + (<usize>(ORDERS * BUCKETS) << 2);
  for (let at: usize = 0; at < <usize>(ORDERS * BUCKETS) << 2; at += 4) {
    store<f32>(state + at, load<f32>(gate + at) * GATE_PLACES);
    store<f32>(places + at, GATE_PLACES);
  }
}

/**
 * probabilities ← p of the highest order; an order without a match leaves the one below as it is.
 *
 * @param matches (n) u32 and totals (ORDERS) i32, of findMatches; distinct (ORDERS) i32, of countDistinct
 * @param state of resetGate and adapt
 * @param mixed (3, ORDERS): the weight that q_o has in the mixture, over Σ weights of its matches, f32; its bucket, i32, -1 without a
 * match; scratch
 * @param probabilities (V) f32, the stack's in, the mixture out
 * @returns what the stack's own probabilities were multiplied by
 */
export function attend(
  matches: usize,
  n: i32,
  totals: usize,
  distinct: usize,
  state: usize,
  mixed: usize,
  probabilities: usize,
): f32 {
  const sums = mixed + (<usize>(2 * ORDERS) << 2);
  sumWeights(matches, n, ANY, sums);
  let rest: f32 = 1; // what the orders above leave
  for (let o = <i32>ORDERS - 1; o >= 0; --o) {
    const at = <usize>o << 2;
    const total = load<i32>(totals + at);
    let each: f32 = 0; // of a match of this order and weight 1
    let bucket = -1;
    if (total > 0) {
      bucket = gateBucket(total, load<i32>(distinct + at));
      const lambda = trust(state, o * BUCKETS + bucket);
      each = (rest * lambda) / load<f32>(sums + at);
      rest = rest * (<f32>1 - lambda);
    }
    store<f32>(mixed + at, each);
    store<i32>(mixed + at + (<usize>ORDERS << 2), bucket);
  }
  let weight: f32 = 0; // of a match of order o: it counts for every order up to its own
  for (let at: usize = 0; at < <usize>ORDERS << 2; at += 4) {
    weight += load<f32>(mixed + at);
    store<f32>(sums + at, weight);
  }
  scaleInPlace(probabilities, V, rest);
  for (const end = matches + (<usize>n << 2); matches < end; matches += 4) {
    const match = load<u32>(matches);
    const at = probabilities + (followerOf(match) << 2);
    store<f32>(at, load<f32>(at) + weightOf(match) * load<f32>(sums + ((orderOf(match) - 1) << 2)));
  }
  return rest;
}

/** λ of a cell of the gate. */
// @ts-ignore: decorator
@inline
function trust(state: usize, cell: i32): f32 {
  const at = state + (<usize>cell << 2);
  return load<f32>(at) / load<f32>(at + (<usize>(ORDERS * BUCKETS) << 2));
}

/**
 * Adds to the gate what the token that came says (ours): one place a bucket, by the responsibility of the orders from there down, and that
 * of q_o itself. The explicit solution with K = 1 again, as solveGate has it, of the text so far and the model's gate as pseudo-places.
 *
 * @param matches (n) u32 and mixed (3, ORDERS), as attend has left them
 * @param p likelihood of `token` under the mixture
 */
export function adapt(matches: usize, n: i32, token: u32, p: f32, state: usize, mixed: usize): void {
  if (!(p > 0)) return;
  const sums = mixed + (<usize>(2 * ORDERS) << 2);
  sumWeights(matches, n, token, sums);
  let reached: f32 = 1; // responsibility of this order and those below
  for (let o = <i32>ORDERS - 1; o >= 0 && reached > 0; --o) {
    const at = <usize>o << 2;
    const bucket = load<i32>(mixed + at + (<usize>ORDERS << 2));
    if (bucket < 0) continue;
    const cell = state + (<usize>(o * BUCKETS + bucket) << 2);
    const share = min<f32>(reached, (load<f32>(mixed + at) * load<f32>(sums + at)) / p);
    addPlace(cell, share, cell + (<usize>(ORDERS * BUCKETS) << 2), reached);
    reached -= share;
  }
}

/** One place more of a cell: sum f32 ← + share, places f32 ← + reached, of the last MOST_PLACES, nearly. */
export function addPlace(sum: usize, share: f32, places: usize, reached: f32): void {
  const kept: f32 = load<f32>(places) > MOST_PLACES ? 0.5 : 1;
  store<f32>(sum, load<f32>(sum) * kept + share);
  store<f32>(places, load<f32>(places) * kept + reached);
}

/**
 * What solving the gate needs of one place: the likelihood of `token` under the stack and under q_o of each order, and the buckets.
 *
 * @param scratch (ORDERS) f32
 * @param outLikelihoods (PARTS) f32
 * @param outBuckets (ORDERS) u8, NONE from the first order without a match on
 */
export function gateInputs(
  matches: usize,
  n: i32,
  totals: usize,
  distinct: usize,
  token: u32,
  stack: f32,
  scratch: usize,
  outLikelihoods: usize,
  outBuckets: usize,
): void {
  store<f32>(outLikelihoods, stack);
  sumWeights(matches, n, ANY, scratch);
  sumWeights(matches, n, token, outLikelihoods + 4);
  for (let o: usize = 0; o < <usize>ORDERS; ++o) {
    const total = load<i32>(totals + (o << 2));
    const at = outLikelihoods + (o << 2);
    if (total > 0) store<f32>(at, load<f32>(at, 4) / load<f32>(scratch + (o << 2)), 4);
    store<u8>(outBuckets + o, total == 0 ? NONE : <u8>gateBucket(total, load<i32>(distinct + (o << 2))));
  }
}

/**
 * Solves the gate: the explicit solution with K = 1, for each order and bucket the mean responsibility of q_o against what the
 * orders below would have said, repeated (each sweep is an EM step: the likelihood of the slice, times that of the pseudo-counts,
 * never falls).
 *
 * @param likelihoods (n, PARTS) f32 and buckets (n, ORDERS) u8, of gateInputs
 * @param chain (PARTS) f32 scratch, p_0 to p_ORDERS
 * @param sums (2, ORDERS, BUCKETS) f32 scratch
 * @param outGate (ORDERS, BUCKETS) f32
 */
export function solveGate(
  likelihoods: usize,
  buckets: usize,
  n: i32,
  sweeps: i32,
  chain: usize,
  sums: usize,
  outGate: usize,
): void {
  const cells = ORDERS * BUCKETS;
  const places = sums + (<usize>cells << 2);
  for (let i = 0; i < cells; ++i) store<f32>(outGate + (<usize>i << 2), FIRST);
  for (let sweep = 0; sweep < sweeps; ++sweep) {
    for (let i = 0; i < cells; ++i) {
      store<f32>(sums + (<usize>i << 2), FIRST * BUCKET_PLACES);
      store<f32>(places + (<usize>i << 2), BUCKET_PLACES);
    }
    for (let t = 0; t < n; ++t) {
      const at = likelihoods + (<usize>(t * PARTS) << 2);
      const own = buckets + <usize>(t * ORDERS);
      let top = 0;
      let p = load<f32>(at);
      store<f32>(chain, p);
      while (top < ORDERS && load<u8>(own + top) != NONE) {
        const lambda = load<f32>(outGate + (<usize>(top * BUCKETS + load<u8>(own + top)) << 2));
        p = (<f32>1 - lambda) * p + lambda * load<f32>(at + (<usize>top << 2), 4);
        ++top;
        store<f32>(chain + (<usize>top << 2), p);
      }
      if (!(p > 0)) continue;
      let reached: f32 = 1; // responsibility of this order and those below
      for (let o = top - 1; o >= 0 && reached > 0; --o) {
        const cell = <usize>(o * BUCKETS + load<u8>(own + o)) << 2;
        const share =
          (load<f32>(outGate + cell) * load<f32>(at + (<usize>o << 2), 4)) / load<f32>(chain + (<usize>o << 2), 4);
        store<f32>(sums + cell, load<f32>(sums + cell) + reached * share);
        store<f32>(places + cell, load<f32>(places + cell) + reached);
        reached = reached * max<f32>(0, <f32>1 - share);
      }
    }
    for (let i: usize = 0; i < <usize>cells << 2; i += 4) {
      store<f32>(outGate + i, min<f32>(1, load<f32>(sums + i) / load<f32>(places + i)));
    }
  }
}
