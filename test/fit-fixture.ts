/** What the tests of `fit` share: a small text and shape, what a sound model is, and a look at the threads alive. */
import type { FitOptions, FitProgress } from "../host/fit/fit.ts";
import { load, type Model, type ModelFiles } from "../host/index.ts";

/** Characters of one to four bytes, so that cuts fall inside them; about 2,200 tokens at V 264. */
export const TEXT = bytesOf(
  Array.from({ length: 60 }, (_, i) => `Zeile ${i * 7}: the quick “café” 🦊 jumps over dog ${i % 13}.\n`).join(""),
);

/**
 * A small shape and recipe in which every solver has its turn: byte pairs, three groups (so that two threads share them unevenly),
 * enough steps of iterative scaling for the hidden layer to move (it waits for 20), and history attention.
 */
export const SMALL = {
  vocabulary: 264,
  window: 2,
  groups: 3,
  units: 8,
  history: 32,
  matchLength: 2,
  passes: 8,
  threads: 0,
} satisfies FitOptions;

/** The same over bytes: no tokenizer to train. */
export const BYTES = { ...SMALL, vocabulary: 256 } satisfies FitOptions;

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Files as text that a failing comparison can show: name, then bytes. */
export function contents(files: ModelFiles): Record<string, string> {
  return Object.fromEntries(Array.from(files, ([name, bytes]) => [name, Buffer.from(bytes).toString("latin1")]));
}

/** Σ of the distribution after `context`. */
export function sumAfter(model: Model, context: Uint8Array): number {
  return model.predict(context).reduce((sum, p) => sum + p, 0);
}

/** Loads `files`, and throws unless predictions are finite and of unit sum: f32 sums of V terms, so to 1e-4. */
export async function sound(files: ModelFiles, texts: readonly Uint8Array[]): Promise<Model> {
  const model = await load(files);
  for (const text of texts) {
    const { surprisal } = model.score(text);
    if (!surprisal.every((bits) => Number.isFinite(bits) && bits >= 0)) throw new Error("a surprisal is not finite");
    for (const length of [0, 1, text.length >> 1, text.length]) {
      const context = text.subarray(0, length);
      const sum = sumAfter(model, context);
      if (!(Math.abs(sum - 1) < 1e-4)) throw new Error(`after ${length} bytes the probabilities sum to ${sum}`);
      if (!model.predict(context).every((p) => p >= 0)) throw new Error("a probability is negative");
    }
  }
  return model;
}

/** Collects what onProgress is told. */
export function recorder(): { events: FitProgress[]; onProgress: (event: FitProgress) => void } {
  const events: FitProgress[] = [];
  return { events, onProgress: (event) => void events.push({ ...event }) };
}

/** Worker threads alive: each holds a message port of this one. */
export function threadsAlive(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length;
}
