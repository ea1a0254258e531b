/** What weights must be for a kernel to run on them: its arithmetic stays finite then, whatever the bytes say. */
import { SaffuError } from "../errors.ts";
import { type Shape, type TensorSpec, tensorSpecs } from "../shape.ts";
import { readTensors, type Tensor } from "./safetensors.ts";

/**
 * Largest magnitude of a scale or a bias. A logit is a bias and at most H · 2^7 scales (16 · 2^7 in the hidden layers), H ≤ 2^10, and
 * the difference of two is taken: all far below 2^128. Fitted ones are below 2^8.
 */
const LARGEST = 2 ** 64;

/** What is wrong with a tensor of this name in model.safetensors; undefined where nothing is. */
export function faultOf(name: string, { data }: Tensor): string | undefined {
  if (!(data instanceof Float32Array)) return undefined;
  if (!data.every(Number.isFinite)) return "holds a value that is not finite";
  if (name === "attention.gate") {
    return data.every((share) => share >= 0 && share <= 1) ? undefined : "holds a value that is not in 0..1";
  }
  if (name === "attention.long") {
    // w, then b, as the kernel bounds them while they follow a text
    const half = data.length / 2;
    if (data.some((w, i) => i < half && !(w >= -1 && w <= 3))) return "holds a weight that is not in -1..3";
    return data.every((b, i) => i < half || Math.abs(b) <= 8) ? undefined : "holds a bias that is not in -8..8";
  }
  return data.every((value) => Math.abs(value) <= LARGEST) ? undefined : "holds a value that is not in -2^64..2^64";
}

/**
 * The tensors that the shape wants, in its order, checked for what could lead the kernel astray.
 *
 * @param bytes of model.safetensors
 * @param file its name, for messages
 * @throws SaffuError MODEL_CORRUPT, naming the tensor
 */
export function readWeights(bytes: Uint8Array, shape: Shape, file: string): (readonly [TensorSpec, Tensor])[] {
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const { tensors } = readTensors(bytes, file);
  return tensorSpecs(shape).map((spec) => {
    const { name } = spec;
    const tensor = tensorOf(tensors, spec, corrupt);
    const fault = faultOf(name, tensor);
    if (fault !== undefined) throw corrupt(`${name} ${fault}`);
    if (name === "cipher") {
      const token = unnamed(tensor.data as Uint16Array, spec.shape[1]!, shape.bits);
      if (token !== undefined) throw corrupt(`cipher names no set of ${shape.bits} bits for token ${token}`);
    }
    return [spec, tensor] as const;
  });
}

/** The tensor of a spec. Throws what `corrupt` makes of it where it is missing or another. */
export function tensorOf(
  tensors: ReadonlyMap<string, Tensor>,
  { name, dtype, shape }: TensorSpec,
  corrupt: (what: string) => SaffuError,
): Tensor {
  const tensor = tensors.get(name);
  const expected = `${dtype} (${shape.join(", ")})`;
  const found = tensor ? `${tensor.dtype} (${tensor.shape.join(", ")})` : "missing";
  if (tensor === undefined || found !== expected) throw corrupt(`${name} is ${found}, the shape wants ${expected}`);
  return tensor;
}

/** The first token whose row of a cipher, (V, width), does not name bits below `bits`, at least one, before a padding of 0xffff. */
function unnamed(cipher: Uint16Array, width: number, bits: number): number | undefined {
  for (let at = 0; at < cipher.length; ++at) {
    const padding = at % width > 0 && cipher[at] === 0xffff;
    const afterPadding = at % width > 0 && cipher[at - 1] === 0xffff;
    if (!padding && (cipher[at]! >= bits || afterPadding)) return Math.floor(at / width);
  }
  return undefined;
}
