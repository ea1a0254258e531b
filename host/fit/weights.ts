/** Weights into a trainer's memory and out of it, and the last steps of every fit: the gate, then int8. */
import { throwIfAborted } from "../errors.ts";
import { dequantised } from "../files/dequantise.ts";
import type { Tensor } from "../files/safetensors.ts";
import { type HiddenLayer, hiddenLayers, hiddenWidth, type Shape, tensorSpecs } from "../shape.ts";
import { averagedSteps, type Table } from "./average.ts";
import type { Recipe } from "./recipe.ts";
import { type Hooks, runSteps } from "./steps.ts";
import type { Trainer } from "./trainer.ts";

/** Where trainers keep a hidden layer's weights in f32. */
const LAYERS: Record<HiddenLayer["name"], { readonly table: string; readonly bias: string }> = {
  block: { table: "U", bias: "U0" },
  document: { table: "DOCUMENT_U", bias: "DOCUMENT_U0" },
  stacked: { table: "STACKED_U", bias: "STACKED_U0" },
};

/** Writes a model's weights into a trainer: rows of U and O times their scales; biases, attention and the cipher as they are. */
export function loadWeights(trainer: Trainer, tensors: ReadonlyMap<string, Tensor>, shape: Shape): void {
  const put = (address: string, floats: Float32Array) => trainer.view(Float32Array, address, floats.length).set(floats);
  const given = (name: string) => tensors.get(name)!.data as Float32Array;
  for (const { name, width } of hiddenLayers(shape)) {
    const { table, bias } = LAYERS[name];
    put(table, dequantised(tensors, `${name}.U`, width));
    put(bias, given(`${name}.u0`));
  }
  if (shape.blockAttention) {
    put("BLOCK_W", given("block.W"));
    put("BLOCK_W0", given("block.w0"));
  }
  put("O", dequantised(tensors, "decoder.O", hiddenWidth(shape)));
  put("O0", given("decoder.o0"));
  if (shape.bits === shape.vocabulary) return;
  const cipher = tensors.get("cipher")!.data as Uint16Array;
  trainer.view(Uint16Array, "CIPHER", cipher.length).set(cipher);
}

/**
 * Rounds U to four bits, then solves the decoder alone for hidden states as the device has them: one residual pass, steps [first, first +
 * a pass's), whose averaging rates follow from their numbers.
 *
 * @param tokens trained on
 * @param share of the pass, 0..1, over which O is averaged
 */
export async function solveRounded(
  trainer: Trainer,
  shape: Shape,
  { seed, residual }: Pick<Recipe, "seed" | "residual">,
  tokens: number,
  first: number,
  share: number,
  hooks: Hooks<"residual">,
): Promise<void> {
  const end = first + Math.ceil(tokens / residual.batch);
  await trainer.once("roundHidden");
  await configureResidual(trainer, { seed, residual }, end);
  const run = (steps: readonly [number, number]) => runSteps(trainer, "residualSteps", "residual", steps, end, hooks);
  await averagedSteps(trainer, [decoderTable(shape)], share, [first, end], run);
}

/** O in a trainer's memory. */
function decoderTable(shape: Shape): Table {
  return { address: "O", length: shape.vocabulary * hiddenWidth(shape) };
}

/** What residual passes change: U of every hidden layer, and O. */
export function residualTables(shape: Shape): Table[] {
  const tables = hiddenLayers(shape).map(({ name, rows, width }) => ({
    address: LAYERS[name].table,
    length: rows * width,
  }));
  return [...tables, decoderTable(shape)];
}

/** @param lead first step at which the hidden layers move too */
export async function configureResidual(
  trainer: Trainer,
  { seed, residual }: Pick<Recipe, "seed" | "residual">,
  lead: number,
): Promise<void> {
  const { batch, rate, decoderMass, hiddenMass, decoderStep, hiddenStep } = residual;
  const { decoderPrior, hiddenPrior, sharpness } = residual;
  const solve = [decoderMass, hiddenMass, decoderStep, hiddenStep, decoderPrior, hiddenPrior, sharpness];
  await trainer.all("configureResidual", seed, batch, lead, rate, ...solve);
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

/** The tensors of model.safetensors, copied out of the trainer: all, or those whose names `wanted` allows. */
export function weightsOf(
  trainer: Trainer,
  shape: Shape,
  wanted: (name: string) => boolean = () => true,
): Map<string, Tensor> {
  // each a sum: codes stand behind the rows of the block
  const addresses: Record<string, readonly string[]> = {
    cipher: ["CIPHER"],
    "block.U": ["U_INT8"],
    "block.U.levels": ["U_INT8", "LEVELS_AT"],
    "block.U.scale": ["U_INT8", "SCALES_AT"],
    "block.u0": ["U0"],
    "block.W": ["BLOCK_W"],
    "block.w0": ["BLOCK_W0"],
    "document.U": ["U_INT8", "DOCUMENT_ROWS_AT"],
    "document.U.levels": ["U_INT8", "DOCUMENT_LEVELS_AT"],
    "document.U.scale": ["U_INT8", "DOCUMENT_SCALES_AT"],
    "document.u0": ["DOCUMENT_U0"],
    "stacked.U": ["U_INT8", "STACKED_ROWS_AT"],
    "stacked.U.levels": ["U_INT8", "STACKED_LEVELS_AT"],
    "stacked.U.scale": ["U_INT8", "STACKED_SCALES_AT"],
    "stacked.u0": ["STACKED_U0"],
    "decoder.O": ["O_INT8"],
    "decoder.O.scale": ["O_SCALE"],
    "decoder.o0": ["O0"],
    "attention.gate": ["GATE"],
  };
  const arrays = { I8: Int8Array, U8: Uint8Array, U16: Uint16Array, F32: Float32Array };
  return new Map(
    tensorSpecs(shape)
      .filter(({ name }) => wanted(name))
      .map(({ name, dtype, shape: dimensions }) => {
        const type = arrays[dtype as keyof typeof arrays];
        const length = dimensions.reduce((product, size) => product * size, 1);
        const address = addresses[name]!.reduce((sum, part) => sum + trainer.constant(part), 0);
        const view = trainer.view<Int8Array | Uint8Array | Uint16Array | Float32Array>(type, address, length);
        return [name, { dtype, shape: dimensions, data: view.slice() } as Tensor];
      }),
  );
}
