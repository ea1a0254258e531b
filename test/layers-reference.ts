/**
 * The network with all its layers again, in f64 and plain loops, from its definition: attention over the window, document, second layer.
 * Weights are flat rows by the name of their tensor.
 */
import { softmax, softmaxes } from "./reference.ts";

export interface LayerSizes {
  readonly vocabulary: number;
  readonly bits: number;
  readonly window: number;
  readonly units: number;
  readonly documentSpan: number;
  readonly secondWindow: number;
}

/** Tensors by name: U of each layer, u0, W, w0, O, o0; absent where the shape has none. */
export type Named = Record<string, Float64Array | undefined>;

/** The bag that the document is, one weight a token of the last 5·T, by bit. */
export function bagOf(tokens: readonly number[], at: number, sizes: LayerSizes, cipher: readonly number[][]): number[] {
  const { documentSpan: span, bits } = sizes;
  const bag = new Array<number>(bits).fill(0);
  for (let i = 0; i < 5 * span && at - 1 - i >= 0; ++i) {
    const set = cipher[tokens[at - 1 - i]!]!;
    for (const bit of set) bag[bit]! += (1 - 1 / span) ** i / span / set.length;
  }
  return bag;
}

/** Comparisons of the pivot before `at` with each position of its window. */
export function comparisonsOf(
  tokens: readonly number[],
  at: number,
  { window }: LayerSizes,
  cipher: readonly number[][],
): number[] {
  return Array.from({ length: window }, (_, j) => {
    if (at - 1 - j < 0) return 0;
    const [a, b] = [cipher[tokens[at - 1]!]!, cipher[tokens[at - 1 - j]!]!];
    return a.filter((bit) => b.includes(bit)).length / (a.length * b.length);
  });
}

/** What a layer reads at a place: rows of its U, each with its value. */
type Inputs = readonly (readonly [row: number, value: number])[];

interface Text {
  readonly tokens: readonly number[];
  readonly sizes: LayerSizes;
  /** Bits of each token. */
  readonly cipher: readonly number[][];
}

function windowInputs(w: Named, at: number, { tokens, sizes, cipher }: Text): Inputs {
  const { window, bits } = sizes;
  let shares = new Array<number>(window).fill(1);
  if (w["block.W"]) {
    const c = comparisonsOf(tokens, at, sizes, cipher);
    const scores = shares.map(
      (_, j) => w["block.w0"]![j]! + c.reduce((sum, x, i) => sum + x * w["block.W"]![i * window + j]!, 0),
    );
    shares = softmax(scores).map((a) => a * window);
  }
  const inputs: [number, number][] = [];
  for (let j = 0; j < window && at - 1 - j >= 0; ++j) {
    const set = cipher[tokens[at - 1 - j]!]!;
    for (const bit of set) inputs.push([j * bits + bit, shares[j]! / set.length]);
  }
  return inputs;
}

function stateOf(w: Named, layer: string, inputs: Inputs, { sizes }: Text): number[] {
  const logits = Array.from(w[`${layer}.u0`]!);
  const u = w[`${layer}.U`]!;
  for (const [row, value] of inputs) {
    for (let k = 0; k < logits.length; ++k) logits[k]! += value * u[row * logits.length + k]!;
  }
  return softmaxes(logits, logits.length / sizes.units, sizes.units);
}

/** The layers that there are, with what each reads. */
function layersOf(w: Named, at: number, text: Text): { name: string; inputs: Inputs }[] {
  const { tokens, sizes, cipher } = text;
  const layers: { name: string; inputs: Inputs }[] = [{ name: "block", inputs: windowInputs(w, at, text) }];
  if (w["document.U"]) layers.push({ name: "document", inputs: [...bagOf(tokens, at, sizes, cipher).entries()] });
  if (w["stacked.U"]) {
    const width = w["block.u0"]!.length;
    const inputs: [number, number][] = [];
    for (let j = 0; j < sizes.secondWindow && at - j >= 0; ++j) {
      const state = stateOf(w, "block", windowInputs(w, at - j, text), text);
      for (const [i, h] of state.entries()) inputs.push([j * width + i, h]);
    }
    layers.push({ name: "stacked", inputs });
  }
  return layers;
}

/** Hidden state of all layers before place `at`. */
export function hiddenOf(
  w: Named,
  tokens: readonly number[],
  at: number,
  sizes: LayerSizes,
  cipher: readonly number[][],
): number[] {
  const text = { tokens, sizes, cipher };
  return layersOf(w, at, text).flatMap(({ name, inputs }) => stateOf(w, name, inputs, text));
}

/** Probabilities of the next token from a hidden state. */
export function predictOf(w: Named, hidden: readonly number[]): number[] {
  const logits = Array.from(w["decoder.o0"]!, (bias, v) =>
    hidden.reduce((sum, h, c) => sum + h * w["decoder.O"]![v * hidden.length + c]!, bias),
  );
  return softmax(logits);
}

/** Observed and expected sums of a table. */
export type Sums = Record<string, { readonly observed: Float64Array; readonly expected: Float64Array }>;

/**
 * One step of iterative scaling of all layers, with all places of the text in its batch: changes weights and sums, which are 0 before the
 * first. What the second layer would gain is a gain of the window's present state, too, by way of its U.
 */
export function scalingStep(
  w: Named,
  sums: Sums,
  text: Text,
  settings: {
    readonly eta: number;
    readonly decoderPseudoCounts: number;
    readonly hiddenPseudoCounts: number;
    readonly decoderStep: number;
    readonly hiddenStep: number;
    readonly decoderPrior: number;
    readonly hiddenPrior: number;
    readonly sharpness: number;
    /** What κ of each of the window's positions is times. */
    readonly held: readonly number[];
    readonly pi: readonly number[];
  },
): void {
  const { tokens, sizes } = text;
  const { units, vocabulary, bits } = sizes;
  const { eta, sharpness } = settings;
  const o = w["decoder.O"]!;
  const width = o.length / vocabulary;
  for (const { observed, expected } of Object.values(sums)) {
    for (let i = 0; i < observed.length; ++i) {
      observed[i]! *= 1 - eta;
      expected[i]! *= 1 - eta;
    }
  }
  const mean = new Array<number>(width).fill(0);
  for (const at of tokens.keys()) {
    const layers = layersOf(w, at, text);
    const states = layers.map(({ name, inputs }) => stateOf(w, name, inputs, text));
    const h = states.flat();
    const y = tokens[at]!;
    const yHat = predictOf(w, h);
    const gain = h.map((_, c) => o[y * width + c]! - yHat.reduce((sum, p, v) => sum + p * o[v * width + c]!, 0));
    const centred = (values: number[], from: number) => {
      const average = values.reduce((sum, value, i) => sum + h[from + i]! * value, 0);
      return values.map((value) => value - average);
    };
    const perGroup = (from: number, to: number) =>
      Array.from({ length: (to - from) / units }, (_, group) => from + group * units);
    if (w["stacked.U"]) {
      const first = width - states.at(-1)!.length;
      const delta = perGroup(first, width).flatMap((from) =>
        centred(gain.slice(from, from + units), from).map((value, i) => h[from + i]! * value),
      );
      for (let i = 0; i < states[0]!.length; ++i) {
        gain[i]! += delta.reduce((sum, d, k) => sum + d * w["stacked.U"]![i * delta.length + k]!, 0);
      }
    }
    const target = perGroup(0, width).flatMap((from) => {
      const raw = centred(gain.slice(from, from + units), from).map(
        (value, i) => h[from + i]! * Math.exp(Math.min(5, Math.max(-5, sharpness * value))),
      );
      const total = raw.reduce((sum, value) => sum + value);
      return raw.map((value) => value / total);
    });
    for (const [c, value] of h.entries()) {
      mean[c]! += value / tokens.length;
      sums["decoder.O"]!.observed[y * width + c]! += eta * value;
      for (const [v, p] of yHat.entries()) sums["decoder.O"]!.expected[v * width + c]! += eta * p * value;
    }
    let column = 0;
    for (const [l, { name, inputs }] of layers.entries()) {
      const { observed, expected } = sums[`${name}.U`]!;
      const own = states[l]!.length;
      for (const [row, x] of inputs) {
        for (let k = 0; k < own; ++k) {
          observed[row * own + k]! += eta * x * target[column + k]!;
          expected[row * own + k]! += eta * x * h[column + k]!;
        }
      }
      column += own;
    }
  }
  const move = (name: string, step: number, pseudo: (i: number) => readonly [counts: number, prior: number]) => {
    const weights = w[name]!;
    const { observed, expected } = sums[name]!;
    for (let i = 0; i < weights.length; ++i) {
      const [counts, prior] = pseudo(i);
      const ratio = (observed[i]! + counts + prior) / (expected[i]! + counts + prior * Math.exp(weights[i]!));
      weights[i]! += step * eta * Math.log(ratio);
    }
  };
  move("decoder.O", settings.decoderStep / (width / units), (i) => {
    const p = settings.pi[Math.floor(i / width)]!;
    return [settings.decoderPseudoCounts * p, settings.decoderPrior * p];
  });
  // the norm of what each layer reads, and its first column
  const first = w["block.u0"]!.length;
  const norms = { block: sizes.window, document: 1, stacked: (sizes.secondWindow * first) / units };
  let column = 0;
  for (const [name, norm] of Object.entries(norms)) {
    if (!w[`${name}.U`]) continue;
    const own = w[`${name}.u0`]!.length;
    const from = column;
    move(`${name}.U`, settings.hiddenStep / sharpness / norm, (i) => {
      const share = mean[from + (i % own)]!;
      const held = name === "block" ? settings.held[Math.floor(i / own / bits)]! : 1;
      return [settings.hiddenPseudoCounts * share, sharpness * settings.hiddenPrior * held * share];
    });
    column += own;
  }
}
