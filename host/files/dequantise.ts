/** Weights as numbers: what codes and scales stand for. */
import type { Tensor } from "./safetensors.ts";

/** (rows, width) f32 of the layer `name`, "block.U" or "decoder.O": scale · element, or scale · level of its code. */
export function dequantised(tensors: ReadonlyMap<string, Tensor>, name: string, width: number): Float32Array {
  const codes = tensors.get(name)!.data as Int8Array | Uint8Array;
  const levels = tensors.get(`${name}.levels`)?.data as Int8Array | undefined;
  const scales = tensors.get(`${name}.scale`)!.data as Float32Array;
  return Float32Array.from({ length: scales.length * width }, (_, i) => {
    const element = levels ? levels[(codes[i >> 1]! >> (4 * (i & 1))) & 15]! : codes[i]!;
    return element * scales[Math.floor(i / width)]!;
  });
}
