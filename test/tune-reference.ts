/**
 * The network again, in f64 and plain loops, from its formula: z = u0 + Σ_j x_j U_j, x the cipher of a token, h the softmax of each group
 * of z, ŷ = softmax(h O + o0). Gradients are central differences of the loss, so that no derivative is written down twice; Adam is
 * algorithm 1 of Kingma & Ba (2015).
 */
import { predict, type Sizes, softmaxes, type Weights, zeros } from "./reference.ts";

/** Row j·b + i of `u` is bit i at position j; `cipher` (V, b). */
export interface Network extends Weights {
  readonly cipher: number[][];
}

/** Names of what is trained; o0 and u0 are vectors. */
export const PARTS = ["u", "u0", "o", "o0"] as const;

export function hiddenOf({ u, u0, cipher }: Network, tokens: readonly number[], at: number, sizes: Sizes): number[] {
  const { window, groups, units } = sizes;
  const bits = cipher[0]!.length;
  const logits = [...u0];
  for (let j = 0; j < window && at - 1 - j >= 0; ++j) {
    const x = cipher[tokens[at - 1 - j]!]!;
    for (const [i, value] of x.entries()) {
      for (let c = 0; c < logits.length; ++c) logits[c]! += value * u[j * bits + i]![c]!;
    }
  }
  return softmaxes(logits, groups, units);
}

/** Mean −log p of the tokens at `places`, in nats. */
export function lossOf(network: Network, tokens: readonly number[], places: readonly number[], sizes: Sizes): number {
  const nats = places.map((at) => -Math.log(predict(network, hiddenOf(network, tokens, at, sizes))[tokens[at]!]!));
  return nats.reduce((sum, value) => sum + value, 0) / places.length;
}

/** A part as rows: a vector is one row. They are the network's own, so that changing them changes it. */
export function rowsOf(network: Network, part: (typeof PARTS)[number]): number[][] {
  const found = network[part];
  return part === "u0" || part === "o0" ? [found as number[]] : (found as number[][]);
}

/** ∂ loss / ∂ part by central differences: an error of about STEP² in f64. */
export function differences(network: Network, part: (typeof PARTS)[number], loss: () => number): number[][] {
  const STEP = 1e-5;
  const rows = rowsOf(network, part);
  const gradient = zeros(rows.length, rows[0]!.length);
  for (const [i, row] of rows.entries()) {
    for (const [c, value] of row.entries()) {
      row[c] = value + STEP;
      const above = loss();
      row[c] = value - STEP;
      gradient[i]![c] = (above - loss()) / (2 * STEP);
      row[c] = value;
    }
  }
  return gradient;
}

/** One weight under Adam: the sequence of its values for a sequence of gradients and rates. */
export function adam(start: number, gradients: readonly number[], rates: readonly number[]): number[] {
  let [weight, first, second] = [start, 0, 0];
  return gradients.map((gradient, i) => {
    first = 0.9 * first + 0.1 * gradient;
    second = 0.999 * second + 0.001 * gradient ** 2;
    const corrected = first / (1 - 0.9 ** (i + 1));
    weight -= (rates[i]! * corrected) / (Math.sqrt(second / (1 - 0.999 ** (i + 1))) + 1e-8);
    return weight;
  });
}
