/**
 * The explicit fit again, in f64 and plain loops, from the formulas of docs/method.md: what the solver's kernels are
 * checked against. One-hot inputs, small sizes; it is for reading, not for speed.
 */

/** Rows of numbers. */
export type Matrix = number[][];

export interface Sizes {
  readonly vocabulary: number;
  readonly window: number;
  readonly groups: number;
  readonly units: number;
}

export interface Weights {
  /** (r·V, M) */
  readonly u: Matrix;
  /** (M) */
  readonly u0: number[];
  /** (V, M) */
  readonly o: Matrix;
  /** (V) */
  readonly o0: number[];
}

export function zeros(rows: number, columns: number): Matrix {
  return Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
}

export function softmax(values: readonly number[]): number[] {
  const peak = Math.max(...values);
  const e = values.map((value) => Math.exp(value - peak));
  const sum = e.reduce((all, value) => all + value, 0);
  return e.map((value) => value / sum);
}

/** Smoothed marginal, (count + 1) / (n + V). */
export function marginal(tokens: readonly number[], vocabulary: number): number[] {
  const counts = new Array<number>(vocabulary).fill(1);
  for (const token of tokens) counts[token]! += 1;
  return counts.map((count) => count / (tokens.length + vocabulary));
}

/** Rows of U that the window before `at` names. */
export function features(tokens: readonly number[], at: number, { window, vocabulary }: Sizes): number[] {
  return Array.from({ length: window }, (_, j) => [j, at - 1 - j] as const)
    .filter(([, place]) => place >= 0)
    .map(([j, place]) => j * vocabulary + tokens[place]!);
}

/** The softmax of each group's logits. */
export function softmaxes(logits: readonly number[], groups: number, units: number): number[] {
  return Array.from({ length: groups }, (_, group) => softmax(logits.slice(group * units, (group + 1) * units))).flat();
}

export function hidden(weights: Weights, tokens: readonly number[], at: number, sizes: Sizes): number[] {
  const { groups, units } = sizes;
  const logits = [...weights.u0];
  for (const row of features(tokens, at, sizes)) {
    for (let c = 0; c < logits.length; ++c) logits[c]! += weights.u[row]![c]!;
  }
  return softmaxes(logits, groups, units);
}

export function predict({ o, o0 }: Weights, h: readonly number[]): number[] {
  return softmax(o.map((row, v) => row.reduce((sum, weight, c) => sum + weight * h[c]!, o0[v]!)));
}

/** The explicit solution of one group from its sums (log-odds form), and P, its units' own predictions. */
export function solveGroup(
  f: Matrix,
  so: Matrix,
  pseudoCounts: number,
  positions: readonly number[],
  pi: readonly number[],
) {
  const units = so[0]!.length;
  const totals = Array.from({ length: units }, (_, c) => so.reduce((sum, row) => sum + row[c]!, 0));
  const smoothed = totals.map((total) => total + 1e-3);
  const all = smoothed.reduce((sum, total) => sum + total, 0);
  const prior = smoothed.map((total) => total / all);
  const vocabulary = so.length;
  const u = f.map((row, i) => {
    const sum = row.reduce((total, value) => total + value, 0) + pseudoCounts;
    const weight = positions[Math.floor(i / vocabulary)]!;
    return row.map((value, c) => weight * Math.log((value + pseudoCounts * prior[c]!) / (sum * prior[c]!)));
  });
  const p = so.map((row, v) => row.map((value, c) => (value + pseudoCounts * pi[v]!) / (totals[c]! + pseudoCounts)));
  return { u, u0: prior.map(Math.log), p };
}

/** One step of iterative scaling of decoder and hidden layer together, averaging sums at rate `eta`. Changes weights and sums. */
export function scalingStep(
  weights: Weights,
  sums: { f: Matrix; fHat: Matrix; g: Matrix; gHat: Matrix },
  tokens: readonly number[],
  places: readonly number[],
  sizes: Sizes,
  settings: {
    eta: number;
    scale: number;
    decoderPseudoCounts: number;
    hiddenPseudoCounts: number;
    decoderStep: number;
    hiddenStep: number;
    decoderPrior: number;
    hiddenPrior: number;
    /** (r), weights of the window's positions. */
    positions: readonly number[];
    sharpness: number;
    moveHidden: boolean;
    pi: readonly number[];
  },
): void {
  const { groups, units, window, vocabulary } = sizes;
  const { eta, scale, decoderPseudoCounts, hiddenPseudoCounts, decoderStep, hiddenStep, moveHidden, pi } = settings;
  const { decoderPrior, hiddenPrior, sharpness, positions } = settings;
  const largest = Math.max(...positions);
  const width = groups * units;
  const batch = {
    f: zeros(vocabulary, width),
    fHat: zeros(vocabulary, width),
    g: zeros(window * vocabulary, width),
    gHat: zeros(window * vocabulary, width),
  };
  const mean = new Array<number>(width).fill(0);
  for (const at of places) {
    const h = hidden(weights, tokens, at, sizes);
    const y = tokens[at]!;
    const yHat = predict(weights, h);
    const target: number[] = [];
    for (let group = 0; group < groups; ++group) {
      const range = Array.from({ length: units }, (_, c) => group * units + c);
      const gain = range.map((c) => weights.o[y]![c]! - yHat.reduce((sum, p, v) => sum + p * weights.o[v]![c]!, 0));
      const average = range.reduce((sum, c, i) => sum + h[c]! * gain[i]!, 0);
      const raw = range.map((c, i) => h[c]! * Math.exp(Math.min(5, Math.max(-5, sharpness * (gain[i]! - average)))));
      const total = raw.reduce((sum, value) => sum + value, 0);
      target.push(...raw.map((value) => value / total));
    }
    for (let c = 0; c < width; ++c) {
      mean[c]! += h[c]! / places.length;
      batch.f[y]![c]! += h[c]!;
      for (let v = 0; v < vocabulary; ++v) batch.fHat[v]![c]! += yHat[v]! * h[c]!;
      for (const row of features(tokens, at, sizes)) {
        batch.g[row]![c]! += target[c]!;
        batch.gHat[row]![c]! += h[c]!;
      }
    }
  }
  const average = (sum: Matrix, add: Matrix) => {
    for (const [i, row] of sum.entries()) {
      for (let c = 0; c < width; ++c) row[c] = (1 - eta) * row[c]! + eta * scale * add[i]![c]!;
    }
  };
  average(sums.f, batch.f);
  average(sums.fHat, batch.fHat);
  // places of the prior are observed as it says, and expected as the weight says
  const ratio = (observed: number, expected: number, pseudo: number, added: number, weight: number) =>
    Math.log((observed + pseudo + added) / (expected + pseudo + added * Math.exp(weight)));
  for (let v = 0; v < vocabulary; ++v) {
    for (let c = 0; c < width; ++c) {
      const [pseudo, added] = [decoderPseudoCounts * pi[v]!, decoderPrior * pi[v]!];
      const gain = ratio(sums.f[v]![c]!, sums.fHat[v]![c]!, pseudo, added, weights.o[v]![c]!);
      weights.o[v]![c]! += (decoderStep / groups) * eta * gain;
    }
  }
  if (!moveHidden) return;
  average(sums.g, batch.g);
  average(sums.gHat, batch.gHat);
  for (let row = 0; row < window * vocabulary; ++row) {
    const held = (largest / positions[Math.floor(row / vocabulary)]!) ** 2;
    for (let c = 0; c < width; ++c) {
      const [pseudo, added] = [hiddenPseudoCounts * mean[c]!, sharpness * hiddenPrior * held * mean[c]!];
      const gain = ratio(sums.g[row]![c]!, sums.gHat[row]![c]!, pseudo, added, weights.u[row]![c]!);
      weights.u[row]![c]! += (hiddenStep / sharpness / window) * eta * gain;
    }
  }
}
