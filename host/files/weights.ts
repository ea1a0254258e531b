/** What weights must be for a kernel to run on them: its arithmetic stays finite then, whatever the bytes say. */
import type { Tensor } from "./safetensors.ts";

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
  return data.every((value) => Math.abs(value) <= LARGEST) ? undefined : "holds a value that is not in -2^64..2^64";
}
