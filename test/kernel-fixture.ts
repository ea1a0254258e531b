/** Device modules with random weights, driven over their bare exports. */
import { instantiateSync } from "@assemblyscript/loader";
import { deviceAddresses } from "../host/compile/layout.ts";
import { type MemoryTokens, memoryImage, memoryRecord } from "../host/files/memory.ts";
import type { Tensor } from "../host/files/safetensors.ts";
import { hiddenWidth, type Shape, tensorSpecs } from "../host/shape.ts";
import { randomNgrams } from "../tools/module/random-ngrams.ts";

/** What a module exports, beside the globals. */
export type Exports = Record<string, (...values: number[]) => number> & { memory: WebAssembly.Memory };

/** What a device module exports, whatever its form: addresses, then functions with their types; sorted. */
export function contractOf({ windowAttention, documentGroups, secondGroups }: Shape): readonly string[] {
  const further = windowAttention || documentGroups || secondGroups;
  return [...CONTRACT, ...(further ? FURTHER : [])].sort();
}

const table = (layer: string) => ["U", "U0", "U_LEVELS", "U_SCALE"].map((name) => `${layer}_${name}: i32`);
/** Of a shape that has more than groups of the window. */
const FURTHER = [...table("DOCUMENT"), ...table("STACKED"), "BLOCK_W: i32", "BLOCK_W0: i32"];
const CONTRACT = [
  ...["U", "U0", "U_LEVELS", "U_SCALE"].map((name) => `BLOCK_${name}`),
  ...["CIPHER", "CORRECTED_O", "CORRECTED_O_SCALE", "DECODER_O", "DECODER_O0", "DECODER_O_SCALE", "END", "EXPECTED"],
  ...["GATE", "GENERATION", "OBSERVED", "OBSERVED_TOKENS", "PREDICTOR_END", "PROBABILITIES", "RECALL", "RECALLED"],
  ...[
    "RECALLED_LENGTH",
    "RECALLED_AT",
    "RING",
    "LONG_SUMS",
    "LONG_TABLE",
    "MEMORY_RECORD",
    "__data_end",
    "__heap_base",
  ],
]
  .map((name) => `${name}: i32`)
  .concat(
    ...[
      "age: () → i32",
      "append: (i32) → i32",
      "correct: (i32) → i32",
      "feed: (i32) → f32",
      "forget: (i32) → f32",
      "memory",
    ],
    ...["merge: (i32 i32) → i32", "observe: (i32) → f32", "predict: () → i32", "refit: (i32 i32 f32 f32) → i32"],
    ...["reset: () → i32", "sample: (f32 i32 f32) → i32", "seed: (i32) → ()", "unmerge: (i32 i32) → i32"],
  );

/** Random weights of the right ranges; a fixed generator, so that a failure can be seen again. */
export function randomWeights(shape: Shape, seed: number): Map<string, Tensor> {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape: dimensions } of tensorSpecs(shape)) {
    const length = dimensions.reduce((product, size) => product * size, 1);
    const fill = (value: (i: number) => number) => Array.from({ length }, (_, i) => value(i));
    let data: Tensor["data"];
    if (dtype === "I8") {
      data = Int8Array.from(fill(() => -127 + Math.floor(uniform() * 255)));
    } else if (dtype === "U8") data = Uint8Array.from(fill(() => Math.floor(uniform() * 256)));
    else if (name === "cipher") {
      const width = dimensions[1]!;
      data = Uint16Array.from(
        fill((i) => (i % width === 0 || uniform() < 0.5 ? Math.floor(uniform() * shape.bits) : 0xffff)),
      );
      // absent bits stand last
      for (let row = 0; row < length; row += width) data.subarray(row, row + width).sort();
    } else if (name === "attention.gate") data = Float32Array.from(fill(uniform));
    // w, then b: both ways, so that matches speak for a token and against it
    else if (name === "attention.long") data = Float32Array.from(fill((i) => uniform() * 4 - (i < length / 2 ? 1 : 2)));
    else if (name.endsWith("scale")) data = Float32Array.from(fill(() => uniform() * 0.05 + 1e-4));
    else data = Float32Array.from(fill(() => uniform() * 4 - 4));
    tensors.set(name, { dtype, shape: dimensions, data } as Tensor);
  }
  if (shape.memory) tensors.set("memory.tokens", memoryTensor(shape, memoryText(shape, shape.memory)));
  if (shape.ngrams) {
    const data = randomNgrams(shape, (bound) => Math.floor(uniform() * bound), repetitive(shape, 400, 5));
    tensors.set("memory.ngrams", { dtype: "U8", shape: [shape.ngrams], data });
  }
  return tensors;
}

/** A memory of these tokens. */
export function memoryTensor(shape: Shape, tokens: readonly number[]): Tensor {
  const bytes = shape.vocabulary <= 256;
  return {
    dtype: bytes ? "U8" : "U16",
    shape: [tokens.length],
    data: bytes ? Uint8Array.from(tokens) : Uint16Array.from(tokens),
  } as Tensor;
}

/** What a memory remembers: the stream of seed 5, which tests play, then few tokens, so that many places match. */
function memoryText(shape: Shape, length: number): number[] {
  const half = Math.ceil(length / 2);
  return repetitive(shape, length, 5).map((token, i) => (i < half ? token : token % 4));
}

/** Writes a model into an instance, as a host does: each tensor where its address is, the memory behind all else. */
export function writeModel(run: Exports, shape: Shape, tensors: ReadonlyMap<string, Tensor>): void {
  const { buffer } = run.memory;
  const value = (name: string) => (run[name] as unknown as WebAssembly.Global).value as number;
  for (const { name, address } of tensorSpecs(shape)) {
    const { data } = tensors.get(name)!;
    new Uint8Array(buffer, value(address)).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const tokens = shape.memory ? (tensors.get("memory.tokens")?.data as MemoryTokens) : undefined;
  const ngrams = shape.ngrams ? (tensors.get("memory.ngrams")?.data as Uint8Array) : undefined;
  if (tokens === undefined && ngrams === undefined) return; // or the model in a shape without it
  const image = memoryImage({ tokens, ngrams }, shape);
  const held = { ...shape, memory: tokens?.length ?? 0 };
  new Uint8Array(buffer, value("END"), image.length).set(image);
  new Uint32Array(buffer, value("MEMORY_RECORD"), 4).set(memoryRecord(held, value("END")));
}

/** Tokens that repeat themselves, so that attention has something to find. */
export function repetitive(shape: Shape, length: number, seed: number): number[] {
  const tokens: number[] = [];
  let state = seed;
  for (let i = 0; i < length; ++i) {
    state = (Math.imul(state, 22695477) + 1) | 0;
    const back = (state >>> 16) % 23;
    const copies = i > 30 && (state >>> 8) % 3 !== 0;
    tokens.push(copies ? tokens[i - 1 - back]! : (state >>> 12) % shape.vocabulary);
  }
  return tokens;
}

/** An instance of a module with its weights in place, before reset, and views of its tensors. */
export class Device {
  readonly run: Exports;
  readonly probabilities: Float32Array;
  /** Where merge looks for sums. */
  readonly staging: Uint32Array;
  readonly observed: Uint32Array;
  readonly expected: Uint32Array;
  readonly tokens: Uint32Array;
  readonly generation: Uint32Array;
  readonly codes: Int8Array;
  readonly scales: Float32Array;

  constructor(
    module: WebAssembly.Module,
    private readonly shape: Shape,
    weights: ReadonlyMap<string, Tensor>,
  ) {
    this.run = instantiateSync<Exports>(module).exports;
    const { buffer } = this.run.memory;
    writeModel(this.run, shape, weights);
    const { vocabulary } = shape;
    const cells = vocabulary * hiddenWidth(shape);
    this.probabilities = new Float32Array(buffer, this.value("PROBABILITIES"), vocabulary);
    this.staging = new Uint32Array(buffer, this.value("PROBABILITIES"), vocabulary);
    // a module that does not learn has no such tensors: nothing is seen there
    const learns = this.value("EXPECTED") > this.value("OBSERVED");
    this.observed = new Uint32Array(buffer, this.value("OBSERVED"), learns ? cells : 0);
    this.expected = new Uint32Array(buffer, this.value("EXPECTED"), learns ? cells : 0);
    this.tokens = new Uint32Array(buffer, this.value("OBSERVED_TOKENS"), learns ? 1 : 0);
    this.generation = new Uint32Array(buffer, this.value("GENERATION"), learns ? 1 : 0);
    this.codes = new Int8Array(buffer, this.value("CORRECTED_O"), learns ? cells : 0);
    this.scales = new Float32Array(buffer, this.value("CORRECTED_O_SCALE"), learns ? vocabulary : 0);
  }

  /** The value of an exported global. */
  value(name: string): number {
    return (this.run[name] as unknown as WebAssembly.Global).value as number;
  }

  /** Tokens to recall, as a host or firmware writes them: in their own place, or at an address behind the module's own memory. */
  recall(tokens: readonly number[], place = 0): void {
    const { buffer } = this.run.memory;
    new Uint16Array(buffer, place || this.value("RECALLED"), tokens.length).set(tokens);
    new Uint32Array(buffer, this.value("RECALLED_LENGTH"), 1)[0] = tokens.length;
    new Uint32Array(buffer, this.value("RECALLED_AT"), 1)[0] = place;
  }

  /** A copy of all linear memory. */
  memory(): Buffer {
    return Buffer.from(this.run.memory.buffer.slice(0));
  }

  /** The same, without the scratch that each build uses in its own way: no later call reads it. */
  state(): Buffer {
    const { at } = deviceAddresses(this.shape);
    const all = this.memory();
    all.fill(0, at.HIDDEN_FIXED!, at.MIXED!);
    return all.fill(0, at.WEIGHTS!, at.PROBABILITIES!);
  }

  /** A copy of statistics and correction. */
  learned(): Buffer {
    return Buffer.from(this.run.memory.buffer.slice(this.value("OBSERVED"), this.value("END")));
  }
}
