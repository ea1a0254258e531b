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

const groups = (logits: number[], units: number) => softmaxes(logits, logits.length / units, units);

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

function windowState(
  w: Named,
  tokens: readonly number[],
  at: number,
  sizes: LayerSizes,
  cipher: readonly number[][],
): number[] {
  const { window, bits, units } = sizes;
  const logits = Array.from(w["block.u0"]!);
  let shares = new Array<number>(window).fill(1);
  if (w["block.W"]) {
    const c = comparisonsOf(tokens, at, sizes, cipher);
    const scores = shares.map(
      (_, j) => w["block.w0"]![j]! + c.reduce((sum, x, i) => sum + x * w["block.W"]![i * window + j]!, 0),
    );
    shares = softmax(scores).map((a) => a * window);
  }
  for (let j = 0; j < window && at - 1 - j >= 0; ++j) {
    const set = cipher[tokens[at - 1 - j]!]!;
    for (const bit of set) {
      for (let k = 0; k < logits.length; ++k) {
        logits[k]! += (shares[j]! / set.length) * w["block.U"]![(j * bits + bit) * logits.length + k]!;
      }
    }
  }
  return groups(logits, units);
}

/** Hidden state of all layers before place `at`. */
export function hiddenOf(
  w: Named,
  tokens: readonly number[],
  at: number,
  sizes: LayerSizes,
  cipher: readonly number[][],
): number[] {
  const { units, secondWindow } = sizes;
  const state = (place: number) => windowState(w, tokens, place, sizes, cipher);
  const hidden = state(at);
  if (w["document.U"]) {
    const logits = Array.from(w["document.u0"]!);
    for (const [bit, share] of bagOf(tokens, at, sizes, cipher).entries()) {
      for (let k = 0; k < logits.length; ++k) logits[k]! += share * w["document.U"]![bit * logits.length + k]!;
    }
    hidden.push(...groups(logits, units));
  }
  if (w["stacked.U"]) {
    const logits = Array.from(w["stacked.u0"]!);
    for (let j = 0; j < secondWindow && at - j >= 0; ++j) {
      for (const [i, h] of state(at - j).entries()) {
        const row = (j * w["block.u0"]!.length + i) * logits.length;
        for (let k = 0; k < logits.length; ++k) logits[k]! += h * w["stacked.U"]![row + k]!;
      }
    }
    hidden.push(...groups(logits, units));
  }
  return hidden;
}

/** Probabilities of the next token from a hidden state. */
export function predictOf(w: Named, hidden: readonly number[]): number[] {
  const logits = Array.from(w["decoder.o0"]!, (bias, v) =>
    hidden.reduce((sum, h, c) => sum + h * w["decoder.O"]![v * hidden.length + c]!, bias),
  );
  return softmax(logits);
}
