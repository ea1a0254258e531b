/** A small model with random weights over bytes and the real kernels: random text that is rarely whole UTF-8. */
import { compileDevice } from "../host/compile/compile.ts";
import { type ModelFiles, withConfig } from "../host/files/config.ts";
import { type Tensor, writeTensors } from "../host/files/safetensors.ts";
import { fileSpecs, type Shape, validateShape } from "../host/shape.ts";
import { byteTokenizer } from "../host/tokenizer/index.ts";
import { randomNgrams } from "../tools/module/random-ngrams.ts";

export const SHAPE: Shape = validateShape({
  vocabulary: 256,
  bits: 32,
  window: 2,
  groups: 2,
  units: 4,
  history: 16,
  matchLength: 2,
});

/** Random weights of the right ranges; a fixed generator, so that a failure can be seen again. */
export function randomTensors(shape: Shape): Map<string, Tensor> {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape: sizes } of fileSpecs(shape)) {
    const length = sizes.reduce((product, size) => product * size, 1);
    const fill = (value: (i: number) => number) => Array.from({ length }, (_, i) => value(i));
    if (name === "memory.ngrams") {
      const words = Buffer.from("The pump is off, the pump is on; he counts the ropes, he counts the lamps. ");
      tensors.set(name, {
        dtype: "U8",
        shape: sizes,
        data: randomNgrams(shape, (bound) => Math.floor(uniform() * bound), [...words]),
      });
      continue;
    }
    let data: Tensor["data"];
    // words, of which tests' texts have some
    if (name === "memory.tokens")
      data = Uint8Array.from(
        Buffer.from(
          "The pump is off, the pump is on; he counts the ropes, he counts the lamps. ".repeat(length),
        ).subarray(0, length),
      );
    else if (dtype === "U8") data = Uint8Array.from(fill(() => Math.floor(uniform() * 256)));
    else if (dtype === "I8") data = Int8Array.from(fill(() => Math.floor(uniform() * 255) - 127));
    else if (name === "cipher") {
      // one bit each for as many tokens as there are bits, then pairs of them
      const width = sizes[1]!;
      data = Uint16Array.from(
        fill((i) => {
          const [token, bit] = [Math.floor(i / width), i % width];
          return bit === 0 ? token % shape.bits : bit === 1 && token >= shape.bits ? (token + 7) % shape.bits : 0xffff;
        }),
      );
    } else if (name === "attention.gate") data = Float32Array.from(fill(() => 1 / sizes[1]!));
    else if (name === "attention.long") data = Float32Array.from(fill(() => uniform() * 2 - 0.5));
    else data = Float32Array.from(fill(() => uniform() * (name.endsWith("scale") ? 0.05 : 1)));
    tensors.set(name, { dtype, shape: sizes, data } as Tensor);
  }
  return tensors;
}

/** The files of a model of `shape`, which must have V = 256. */
export async function randomModel(shape: Shape = SHAPE): Promise<ModelFiles> {
  const encoder = new TextEncoder();
  return withConfig(
    new Map([
      ["model.safetensors", writeTensors(randomTensors(shape))],
      ["tokenizer.json", encoder.encode(JSON.stringify(byteTokenizer().toJSON()))],
      ["README.md", encoder.encode("# A model of the tests\n")],
      ["kernel.scalar.wasm", await compileDevice(shape, "scalar")],
      ["kernel.simd.wasm", await compileDevice(shape, "simd")],
    ]),
    shape,
    { made: "at random" },
  );
}

/** `files` with one of them exchanged, and a config.json that agrees. */
export async function exchanged(files: ModelFiles, name: string, bytes: Uint8Array): Promise<ModelFiles> {
  return withConfig(new Map([...files, [name, bytes]]), SHAPE, {});
}

/** What an error must be: a SaffuError of this code whose message names these things. */
export function refusal(code: string, ...named: string[]): object {
  return {
    asymmetricMatch: (error: unknown) =>
      error instanceof Error &&
      error.name === "SaffuError" &&
      (error as Error & { code: string }).code === code &&
      named.every((name) => error.message.includes(name)),
    toString: () => "refusal",
    toAsymmetricMatcher: () => `SaffuError ${code} naming ${named.join(", ")}`,
  };
}
