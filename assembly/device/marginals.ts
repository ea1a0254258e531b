// How often each token came in a text beside how often the network expected it there, and the network rescaled by it (dynamic marginals:
// Kneser, Peters & Klakow 1997; the ratio ours). It is the iterative scaling of the decoder's bias on the text at hand, in closed form: a
// token that comes ρ times as often as expected has ρ in the mean of its posterior, (N + k) / (E + k), under Poisson counts and the prior
// Gamma(k, k), whose mean is 1.
import { scaleInPlace, sumInLanes } from "../common/softmax";
import { addScaled } from "../common/vectors";
import { V } from "../shape";

/** k: tokens that came as often as expected, before the text. */
const PRIOR: f32 = 3;
/** Tokens that are counted at the most: then all counts are halved. */
const MOST_COUNTED: u32 = 32768;

/** A text begins: marginals (2, V) f32, N + k and E + k. */
export function resetMarginals(marginals: usize): void {
  for (let at = marginals; at < marginals + (<usize>(2 * V) << 2); at += 4) store<f32>(at, PRIOR);
}

/**
 * probabilities[v] ← probabilities[v] · (N_v + k) / (E_v + k), of unit sum again.
 *
 * @param marginals (2, V) f32
 * @param probabilities (V) f32
 * @returns what the products were multiplied by
 */
export function rescale(marginals: usize, probabilities: usize): f32 {
  const end = marginals + (<usize>V << 2);
  let at = probabilities;
  if (ASC_FEATURE_SIMD) {
    for (; marginals < end; marginals += 16, at += 16) {
      const ratio = f32x4.div(v128.load(marginals), v128.load(marginals, V * 4));
      v128.store(at, f32x4.mul(v128.load(at), ratio));
    }
  } else {
    for (; marginals < end; marginals += 4, at += 4) {
      store<f32>(at, load<f32>(at) * (load<f32>(marginals) / load<f32>(marginals, V * 4)));
    }
  }
  const scale: f32 = <f32>1 / sumInLanes(probabilities, V);
  scaleInPlace(probabilities, V, scale);
  return scale;
}

/** What `rescale` made of the network's probability of one token, by the scale that it returned. */
export function rescaled(marginals: usize, network: usize, token: u32, scale: f32): f32 {
  const at = marginals + (token << 2);
  return load<f32>(network + (token << 2)) * (load<f32>(at) / load<f32>(at, V * 4)) * scale;
}

/**
 * Counts `token`, of which the network explains the share `weight`, and what the network expected in its place.
 *
 * @param network (V) f32, the network's probabilities, not rescaled
 * @param counted tokens before it, since the text began or since counts were halved
 * @returns counted, with this one
 */
export function countToken(token: u32, weight: f32, network: usize, counted: u32, marginals: usize): u32 {
  const expected = marginals + (<usize>V << 2);
  if (counted >= MOST_COUNTED) {
    for (let at = marginals; at < expected + (<usize>V << 2); at += 4) {
      store<f32>(at, (load<f32>(at) - PRIOR) * <f32>0.5 + PRIOR);
    }
    counted = MOST_COUNTED >> 1;
  }
  const at = marginals + (token << 2);
  store<f32>(at, load<f32>(at) + weight);
  addScaled(network, weight, V, expected);
  return counted + 1;
}
