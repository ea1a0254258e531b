/** Small models over bytes that learn and recall, with random weights: any text is data to them. */
import fc from "fast-check";
import { expect } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { withConfig } from "../host/files/config.ts";
import { writeTensors } from "../host/files/safetensors.ts";
import { load, type Model, type ModelFiles } from "../host/index.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { byteTokenizer } from "../host/tokenizer/index.ts";
import { randomWeights } from "./kernel-fixture.ts";

export const SHAPE: Shape = validateShape({
  vocabulary: 256,
  bits: 32,
  window: 2,
  groups: 2,
  units: 4,
  history: 16,
  matchLength: 2,
});

/** A model of `shape`, which must have V = 256. */
export async function learningModel(shape: Shape = SHAPE): Promise<ModelFiles> {
  const encoder = new TextEncoder();
  const files = new Map([
    ["model.safetensors", writeTensors(randomWeights(shape, 1))],
    ["tokenizer.json", encoder.encode(JSON.stringify(byteTokenizer().toJSON()))],
    ["README.md", encoder.encode("# A model of the tests\n")],
    ["kernel.scalar.wasm", await compileDevice(shape, "scalar", { recall: 512 })],
    ["kernel.simd.wasm", await compileDevice(shape, "simd", { recall: 512 })],
  ]);
  return withConfig(files, shape, {});
}

/** The same model with other weights: another base. */
export function otherBase(files: ModelFiles, seed = 2): Promise<ModelFiles> {
  return withConfig(new Map([...files, ["model.safetensors", writeTensors(randomWeights(SHAPE, seed))]]), SHAPE, {});
}

/** A text, or bytes that are none; never empty. */
export const anyText: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30 }),
  fc.string({ unit: fc.constantFrom("a", "b", " "), minLength: 1, maxLength: 60 }),
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
);

/** A model that has observed `texts`, each a piece of its own. */
export async function afterObserving(files: ModelFiles, texts: Iterable<string | Uint8Array>): Promise<Model> {
  const model = await load(files);
  for (const text of texts) await model.observe(text);
  return model;
}

/** All that a model has learned, as bytes: statistics, recent tokens, correction. Empty where there is nothing. */
export async function learnedBytes(model: Model): Promise<Uint8Array> {
  return (await model.learnedFile()) ?? new Uint8Array(0);
}

/** Fails where two files differ; a matcher of the framework would take a while to look at each byte. */
export function expectSame(found: Uint8Array, wanted: Uint8Array): void {
  const at = Buffer.compare(found, wanted) === 0 ? -1 : found.findIndex((byte, i) => byte !== wanted[i]);
  expect({ bytes: found.length, differsAt: at }).toEqual({ bytes: wanted.length, differsAt: -1 });
}

/** Text that the random weights do not expect, which a refit can learn. */
export function lines(n: number, seed = 1): string {
  let state = seed;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 16) % below;
  };
  const words = ["the", "miller", "weighs", "grain", "sack", "by", "stair", "again"];
  let text = "";
  for (let i = 0; i < n; ++i) text += `${words[next(words.length)]}${next(7) === 0 ? ".\n" : " "}`;
  return text;
}

/** Bytes that nothing foretells. */
export function noise(n: number, seed = 1): Uint8Array {
  let state = seed;
  return new Uint8Array(n).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
}
