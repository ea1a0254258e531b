/** Weights into a trainer's memory and out of it, and the last steps of every fit: the gate, then int8. */
import { throwIfAborted } from "../errors.ts";
import type { Tensor } from "../model/safetensors.ts";
import { hiddenWidth, type Shape, tensorSpecs } from "../model/shape.ts";
import type { Hooks } from "./steps.ts";
import type { Trainer } from "./trainer.ts";

/** int8 rows of a layer, and where trainers keep them. */
export const LAYERS = [
  { name: "block.U", floats: "U" },
  { name: "decoder.O", floats: "O" },
] as const;

/** Writes a model's weights into a trainer: rows of U and O times their scales, u0, o0 and the cipher as they are. */
export function loadWeights(trainer: Trainer, tensors: ReadonlyMap<string, Tensor>, shape: Shape): void {
  const width = hiddenWidth(shape);
  for (const { name, floats } of LAYERS) {
    const bytes = tensors.get(name)!.data as Int8Array;
    const scales = tensors.get(`${name}.scale`)!.data as Float32Array;
    const to = trainer.view(Float32Array, floats, bytes.length);
    for (let i = 0; i < to.length; ++i) to[i] = bytes[i]! * scales[Math.floor(i / width)]!;
  }
  trainer.view(Float32Array, "U0", width).set(tensors.get("block.u0")!.data as Float32Array);
  trainer.view(Float32Array, "O0", shape.vocabulary).set(tensors.get("decoder.o0")!.data as Float32Array);
  if (shape.bits === shape.vocabulary) return;
  const cipher = tensors.get("cipher")!.data as Uint16Array;
  trainer.view(Uint16Array, "CIPHER", cipher.length).set(cipher);
}

/** The gate is solved on the text's tail, which the stack has not seen. */
export async function fitGate(
  trainer: Trainer,
  shape: Shape,
  sweeps: number,
  from: number,
  to: number,
  { signal, onProgress }: Hooks<"gate">,
): Promise<void> {
  if (shape.radial === 0) return;
  const chunk = trainer.constant("BATCH");
  for (let at = from; at < to; at += chunk) {
    throwIfAborted(signal);
    const places = Math.min(chunk, to - at);
    await trainer.once("evaluate", at, places);
    await trainer.once("gatePlaces", at, places, at - from);
    onProgress?.({ phase: "gate", done: at + places - from, total: to - from });
  }
  await trainer.once("gateSolve", to - from, sweeps);
}

/** The tensors of model.safetensors, copied out of the trainer. */
export function weightsOf(trainer: Trainer, shape: Shape): Map<string, Tensor> {
  const addresses: Record<string, string> = {
    cipher: "CIPHER",
    "block.U": "U_INT8",
    "block.U.scale": "U_SCALE",
    "block.u0": "U0",
    "decoder.O": "O_INT8",
    "decoder.O.scale": "O_SCALE",
    "decoder.o0": "O0",
    "attention.gate": "GATE",
  };
  const arrays = { I8: Int8Array, U16: Uint16Array, F32: Float32Array };
  return new Map(
    tensorSpecs(shape).map(({ name, dtype, shape: dimensions }) => {
      const type = arrays[dtype as keyof typeof arrays];
      const length = dimensions.reduce((product, size) => product * size, 1);
      const view = trainer.view<Int8Array | Uint16Array | Float32Array>(type, addresses[name]!, length);
      return [name, { dtype, shape: dimensions, data: view.slice() } as Tensor];
    }),
  );
}
