/** Small modules of every form, with random weights: what is called a million times. */
import { type PackageOptions, packageModel } from "../../host/compile/package.ts";
import { type Tensor, writeTensors } from "../../host/files/safetensors.ts";
import type { Build } from "../../host/model/kernel.ts";
import { fileSpecs, type Shape, validateShape } from "../../host/shape.ts";
import type { Draws } from "./draws.ts";
import { randomNgrams } from "./random-ngrams.ts";

/** A form, before it is compiled. */
export interface Form {
  readonly name: string;
  readonly shape: Shape;
  readonly options: PackageOptions;
}

/** A form in both builds, with the same weights. */
export interface Subject extends Form {
  readonly modules: Record<Build, WebAssembly.Module>;
  /** What `saffu.read` reads; undefined where the modules hold it. */
  readonly weights: Uint8Array | undefined;
  /** Bytes of memory in use. */
  readonly memoryBytes: number;
}

const SMALL = { vocabulary: 40, bits: 40, window: 3, groups: 2, units: 8, history: 32, matchLength: 4 };
const of = (name: string, changes: object, options: PackageOptions): Form => ({
  name,
  shape: validateShape({ ...SMALL, ...changes }),
  options,
});

const FLASH_NGRAMS = { longMatches: true, ngrams: 801, memory: 90, memoryIndexed: true, adapts: true };

export const FORMS: readonly Form[] = [
  of("one-hot, recalling", {}, { recall: 64 }),
  of("ciphered, matches of two tokens", { bits: 9, window: 2, history: 16, matchLength: 2 }, {}),
  of("no attention", { history: 0, matchLength: 0, groups: 1, window: 1 }, {}),
  of("adapting, recalling", { adapts: true }, { recall: 24 }),
  of("adapting and indexed", { adapts: true, indexed: true, history: 16 }, {}),
  of("frozen", { vocabulary: 64, bits: 7 }, { learning: false, recall: 16 }),
  of("flash, ciphered, recalling", { bits: 11 }, { target: "flash", recall: 64 }),
  of("flash, adapting and indexed", { adapts: true, indexed: true }, { target: "flash", recall: 24 }),
  of("a memory looked through, recalling", { longMatches: true, memory: 90, adapts: true }, { recall: 24 }),
  of("an indexed memory", { longMatches: true, memory: 91, memoryIndexed: true, adapts: true, indexed: true }, {}),
  of(
    "an indexed memory of two bytes a token, frozen",
    { longMatches: true, memory: 90, memoryIndexed: true, vocabulary: 264, bits: 264, groups: 1 },
    { learning: false },
  ),
  of("flash, a memory looked through", { longMatches: true, memory: 90, adapts: true }, { target: "flash" }),
  of(
    "flash, an indexed memory",
    { longMatches: true, memory: 90, memoryIndexed: true, indexed: true },
    { target: "flash", recall: 24 },
  ),
  of("n-grams", { longMatches: true, ngrams: 900, adapts: true, indexed: true }, { recall: 24 }),
  of("n-grams, and a memory looked through", { longMatches: true, ngrams: 700, memory: 90 }, {}),
  of("flash, n-grams, and an indexed memory", FLASH_NGRAMS, { target: "flash", recall: 24 }),
  of("flash, frozen", {}, { target: "flash", learning: false }),
];

export async function build(form: Form, draws: Draws): Promise<Subject> {
  const { shape, options } = form;
  const files = new Map([["model.safetensors", writeTensors(randomWeights(shape, draws))]]);
  const made = async (build: Build) => packageModel({ config: { shape }, files }, { ...options, build });
  const [scalar, simd] = [await made("scalar"), await made("simd")];
  const { weights, memoryBytes } = scalar;
  const module = (bytes: Uint8Array) => new WebAssembly.Module(bytes as BufferSource);
  return { ...form, modules: { scalar: module(scalar.module), simd: module(simd.module) }, weights, memoryBytes };
}

/** Weights in the ranges of fitted ones. */
function randomWeights(shape: Shape, draws: Draws): Map<string, Tensor> {
  const fill: Record<string, (i: number, width: number) => number> = {
    // ascending bits, at least one, then 0xffff
    cipher: (i, width) => (i % width === 0 || draws.below(2) > 0 ? draws.below(shape.bits) : 0xffff),
    "block.U": () => draws.below(255) - 127,
    "decoder.O": () => draws.below(255) - 127,
    "block.U.scale": () => (1 + draws.below(500)) / 10_000,
    "decoder.O.scale": () => (1 + draws.below(500)) / 10_000,
    "attention.gate": () => draws.below(1001) / 1000,
    "attention.long": () => draws.below(401) / 100 - 1,
    // what the calls' usual tokens have matches in
    "memory.tokens": () => draws.below(Math.min(10, shape.vocabulary)),
  };
  const types = { I8: Int8Array, U8: Uint8Array, U16: Uint16Array, F32: Float32Array } as unknown as Record<
    string,
    typeof Float32Array
  >;
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape: sizes } of fileSpecs(shape)) {
    const length = sizes.reduce((product, size) => product * size, 1);
    const value = fill[name] ?? (() => -draws.below(400) / 100); // log priors
    if (name === "memory.ngrams") {
      // of what the calls' usual tokens are
      const text = Array.from({ length: 200 }, () => draws.below(Math.min(10, shape.vocabulary)));
      const data = randomNgrams(shape, (bound) => draws.below(bound), text);
      tensors.set(name, { dtype: "U8", shape: sizes, data });
      continue;
    }
    const data = types[dtype]!.from({ length }, (_, i) => value(i, sizes[1]!));
    if (name === "cipher") for (let at = 0; at < length; at += sizes[1]!) data.subarray(at, at + sizes[1]!).sort();
    tensors.set(name, { dtype, shape: sizes, data } as unknown as Tensor);
  }
  return tensors;
}
