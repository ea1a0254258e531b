// Drawing a token from a distribution: temperature, top-k, top-p, in that order (the field's usual one). The cuts are found by
// bisecting the bit patterns of positive floats, which order as the floats do: 31 scans, no sorting, no memory.
import { exp, log } from "../common/math";
import { nextUniform } from "../common/random";
import { V } from "../shape";

/** The likeliest token; the lowest id among equals. */
export function likeliest(probabilities: usize /* (V) f32 */): i32 {
  let best = 0;
  for (let v = 1; v < V; ++v) {
    if (load<f32>(probabilities + (v << 2)) > load<f32>(probabilities + (best << 2))) best = v;
  }
  return best;
}

/**
 * Draws a token.
 *
 * @param probabilities (V) f32: a prediction's, or what a host has written over it: weights, below 0 where a token may not be drawn
 * @param generator (4) u32
 * @param temperature ≥ 0, finite; 0 takes the likeliest
 * @param topK keeps the k likeliest; 0 keeps all
 * @param topP in (0, 1], keeps the fewest likeliest whose mass reaches topP; 1 keeps all
 * @param outWeights (V) f32 scratch: p^(1/temperature) relative to the largest, 0 where cut
 * @returns the token, or -1 where an option is out of range
 */
export function draw(
  probabilities: usize,
  generator: usize,
  temperature: f32,
  topK: u32,
  topP: f32,
  outWeights: usize,
): i32 {
  if (!(temperature >= 0 && temperature < Infinity && topP > 0 && topP <= 1)) return -1;
  const best = likeliest(probabilities);
  if (temperature == 0) return best;
  const peak = log(load<f32>(probabilities + (best << 2)));
  for (let v: usize = 0; v < (<usize>V) << 2; v += 4) {
    const p = load<f32>(probabilities + v);
    // a probability below the least normal number cannot be drawn
    store<f32>(outWeights + v, p < 1.1754944e-38 ? 0 : exp((log(p) - peak) / temperature));
  }
  if (topK > 0 && topK < <u32>V) cut(outWeights, <f32>topK, false);
  if (topP < 1) cut(outWeights, topP * massFrom(outWeights, 0, false), true);
  let left = nextUniform(generator) * massFrom(outWeights, 0, false);
  let drawn = best;
  for (let v = 0; v < V; ++v) {
    const weight = load<f32>(outWeights + (v << 2));
    if (weight == 0) continue;
    drawn = v;
    left -= weight;
    if (left < 0) break;
  }
  return drawn;
}

/** Zeroes all but the fewest largest weights whose number (or mass) reaches `wanted`; of equals, the lowest ids stay. */
function cut(weights: usize, wanted: f32, byMass: bool): void {
  // the largest threshold whose weights, itself included, reach `wanted`
  let low: u32 = 0;
  let high: u32 = 0x3f800001; // just above 1, the largest weight
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (reaches(weights, middle, wanted, byMass)) low = middle;
    else high = middle;
  }
  const threshold = reinterpret<f32>(low);
  let room = wanted - (byMass ? massFrom(weights, high, false) : massFrom(weights, high, true));
  for (let v: usize = 0; v < (<usize>V) << 2; v += 4) {
    const weight = load<f32>(weights + v);
    if (weight > threshold) continue;
    if (weight == threshold && room > 0) room -= byMass ? weight : 1;
    else store<f32>(weights + v, 0);
  }
}

function reaches(weights: usize, threshold: u32, wanted: f32, byMass: bool): bool {
  return massFrom(weights, threshold, !byMass) >= wanted;
}

/** Mass (or number) of the weights that are at least `threshold`, given as a bit pattern. */
function massFrom(weights: usize, threshold: u32, count: bool): f32 {
  let sum: f32 = 0;
  for (let v: usize = 0; v < (<usize>V) << 2; v += 4) {
    const weight = load<f32>(weights + v);
    if (reinterpret<u32>(weight) >= threshold) sum += count ? 1 : weight;
  }
  return sum;
}
