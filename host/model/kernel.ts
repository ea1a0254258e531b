/**
 * A device module with a model's weights in its memory: the one place where the host touches WebAssembly to run a model.
 * Everything numerical happens inside.
 */
import { SaffuError } from "../errors.ts";
import { readTensors } from "./safetensors.ts";
import { type Shape, tensorSpecs } from "./shape.ts";

/** `scalar` is the WebAssembly MVP alone, `simd` has 128-bit vectors; both give the same bits. */
export type Flavour = "scalar" | "simd";

/** The functions of assembly/device.ts. */
export interface Kernel {
  readonly flavour: Flavour;
  /** Bytes of linear memory. */
  readonly memoryBytes: number;
  reset(): void;
  feed(token: number): number;
  append(token: number): number;
  predict(): void;
  seed(value: number): void;
  sample(temperature: number, topK: number, topP: number): number;
  /** p(next token | context), (V) f32: a view that every call of the kernel may change. */
  readonly probabilities: Float32Array;
}

const FUNCTIONS = ["reset", "feed", "append", "predict", "seed", "sample"] as const;

/**
 * Instantiates a model's kernel: `simd` where the runtime has it, unless `flavour` asks for one.
 *
 * @param files of a verified model
 * @throws SaffuError MODEL_CORRUPT, naming the file or tensor; UNSUPPORTED where `flavour` cannot run here
 */
export async function startKernel(
  files: ReadonlyMap<string, Uint8Array>,
  shape: Shape,
  flavour?: Flavour | undefined,
): Promise<Kernel> {
  const runnable = WebAssembly.validate(files.get("kernel.simd.wasm")! as BufferSource);
  if (flavour === "simd" && !runnable)
    throw new SaffuError("UNSUPPORTED", "this runtime does not run kernel.simd.wasm");
  const used = flavour ?? (runnable ? "simd" : "scalar");
  const name = `kernel.${used}.wasm`;
  let exports: WebAssembly.Exports;
  try {
    exports = (await WebAssembly.instantiate(files.get(name)! as BufferSource)).instance.exports;
  } catch (cause) {
    throw new SaffuError("MODEL_CORRUPT", `${name}: ${(cause as Error).message}`, { cause });
  }
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${name}: ${what}`);
  const memory = exports.memory;
  if (!(memory instanceof WebAssembly.Memory)) throw corrupt("exports no memory");
  for (const function_ of FUNCTIONS) {
    if (typeof exports[function_] !== "function") throw corrupt(`exports no function ${function_}`);
  }
  const { buffer } = memory;
  const addressOf = (global: string, bytes: number): number => {
    const exported = exports[global];
    const address = exported instanceof WebAssembly.Global ? (exported.value as number) : -1;
    if (address < 0 || address + bytes > buffer.byteLength) throw corrupt(`has no room for ${global}`);
    return address;
  };
  const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
  for (const { name: tensorName, dtype, shape: wanted, address } of tensorSpecs(shape)) {
    const tensor = tensors.get(tensorName);
    const expected = `${dtype} (${wanted.join(", ")})`;
    const found = tensor ? `${tensor.dtype} (${tensor.shape.join(", ")})` : "missing";
    if (tensor === undefined || found !== expected) {
      throw new SaffuError(
        "MODEL_CORRUPT",
        `model.safetensors: ${tensorName} is ${found}, the shape wants ${expected}`,
      );
    }
    const { data } = tensor;
    if (data instanceof Float32Array && !data.every(Number.isFinite)) {
      throw new SaffuError("MODEL_CORRUPT", `model.safetensors: ${tensorName} holds a value that is not finite`);
    }
    const to = addressOf(address, data.byteLength);
    new Uint8Array(buffer, to).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const probabilities = new Float32Array(buffer, addressOf("PROBABILITIES", shape.vocabulary * 4), shape.vocabulary);
  const kernel = exports as unknown as Omit<Kernel, "flavour" | "memoryBytes" | "probabilities">;
  kernel.reset();
  return {
    flavour: used,
    memoryBytes: buffer.byteLength,
    probabilities,
    reset: kernel.reset,
    feed: kernel.feed,
    append: kernel.append,
    predict: kernel.predict,
    seed: kernel.seed,
    sample: kernel.sample,
  };
}
