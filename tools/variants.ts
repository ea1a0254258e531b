/** Other forms of a model's files: without its history, or with kernels that are compiled anew. */
import { compileDevice } from "../host/compile/compile.ts";
import { type ModelFiles, parseConfig, withConfig } from "../host/files/config.ts";
import { readTensors, writeTensors } from "../host/files/safetensors.ts";
import { type Shape, withoutHistory } from "../host/shape.ts";

/** What of a model's weights is not the network's. */
export const ATTENTION: readonly string[] = ["attention.gate", "attention.long", "memory.tokens", "memory.ngrams"];

/** The same model without a history, and so without all that adapts to the text: the network alone. */
export async function withoutAttention(files: ModelFiles): Promise<ModelFiles> {
  const { shape, recipe } = parseConfig(files.get("config.json")!);
  if (shape.history === 0) return files;
  const network = withoutHistory(shape);
  const tensors = new Map(readTensors(files.get("model.safetensors")!, "model.safetensors").tensors);
  for (const name of ATTENTION) tensors.delete(name);
  return withKernels(new Map(files).set("model.safetensors", writeTensors(tensors)), network, recipe);
}

/** The model with the kernels of `shape` as today's assembly compiles them, and the digests that go with them. */
export async function withKernels(files: ModelFiles, shape: Shape, recipe: object): Promise<ModelFiles> {
  const changed = new Map(files);
  for (const build of ["scalar", "simd"] as const) {
    changed.set(`kernel.${build}.wasm`, await compileDevice(shape, build));
  }
  return withConfig(changed, shape, { ...recipe });
}
