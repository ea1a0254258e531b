// How often each token came in a text beside how often the network expected it there, and the network rescaled by it (dynamic marginals:
// Kneser, Peters & Klakow 1997; the ratio ours). It is the iterative scaling of the decoder's bias on the text at hand, in closed form: a
// token that comes ρ times as often as expected has ρ in the mean of its posterior, (N + k) / (E + k), under Poisson counts and the prior
// Gamma(k, k), whose mean is 1.
import { sumOfLanes } from "../common/math";
import { sumInLanes } from "../common/softmax";
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
 * outProbabilities[v] ← network[v] · (N_v + k) / (E_v + k).
 *
 * @param marginals (2, V) f32
 * @param network, @param outProbabilities (V) f32
 * @returns what brings the products to unit sum
 */
export function rescale(marginals: usize, network: usize, outProbabilities: usize): f32 {
  const end = marginals + (<usize>V << 2);
  if (ASC_FEATURE_SIMD) {
    let sum = f32x4.splat(0);
    for (; marginals < end; marginals += 16, network += 16, outProbabilities += 16) {
      const product = f32x4.mul(v128.load(network), f32x4.div(v128.load(marginals), v128.load(marginals, V * 4)));
      v128.store(outProbabilities, product);
      sum = f32x4.add(sum, product);
    }
    return <f32>1 / sumOfLanes(sum);
  }
  for (let out = outProbabilities; marginals < end; marginals += 4, network += 4, out += 4) {
    store<f32>(out, load<f32>(network) * (load<f32>(marginals) / load<f32>(marginals, V * 4)));
  }
  return <f32>1 / sumInLanes(outProbabilities, V);
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
