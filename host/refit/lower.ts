/**
 * A refit of all layers (Node): residual solves of decoder and hidden layers over the recent tokens, from the base on. The sums of
 * the device cannot serve here, as they are of hidden states that the lower layers make; so this one is not exact, and what it
 * solves follows from the tokens that are kept.
 */
import { compileTrainer } from "../compile/compile.ts";
import { throwIfAborted } from "../errors.ts";
import { readTensors } from "../files/safetensors.ts";
import type { Correction } from "../files/statistics.ts";
import { Trainer } from "../fit/trainer.ts";
import { loadWeights, weightsOf } from "../fit/weights.ts";
import type { RefitOptions } from "../learning/learner.ts";
import type { Lower } from "../model/model.ts";
import { layerTensors, type Shape } from "../shape.ts";

/** Places of a step: few of them, so that sums are close to those of the whole text. */
const BATCH = 2048;
const PASSES = 4;
/** Averaging rate (step + 2)^-RATE, as of a fit. */
const RATE = 0.5;
/** α of the hidden layers is a fifth of the decoder's, about as in a fit. */
const HIDDEN_SHARE = 0.2;
/** β of the hidden targets: that of a fit on 100,000 tokens. */
const SHARPNESS = 0.25;
const THREADS = 2;

/** Compiling takes longer than a refit: the module of the shape that was refitted last is kept. */
const compiled = { shape: "", wasm: Promise.resolve(new Uint8Array()) };

function trainerOf(shape: Shape): Promise<Uint8Array> {
  const key = JSON.stringify(shape);
  if (compiled.shape !== key) Object.assign(compiled, { shape: key, wasm: compileTrainer(shape, "simd", true) });
  return compiled.wasm;
}

/**
 * @returns quantised rows of U and O in place of the base's
 * @throws SaffuError OUT_OF_MEMORY, ABORTED
 */
export async function refitLower(
  { shape, weights, tokens }: Lower,
  { mass, step, signal, onProgress }: RefitOptions & { mass: number; step: number },
): Promise<Correction> {
  throwIfAborted(signal);
  const { tensors } = readTensors(weights, "model.safetensors");
  const trainer = await Trainer.start(await trainerOf(shape), tokens.length, THREADS);
  try {
    trainer.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
    await trainer.all("count", "thread", tokens.length);
    loadWeights(trainer, tensors, shape);
    await trainer.once("initialiseResidual", 1);
    await trainer.all("configureResidual", 1, BATCH, 0, RATE, mass, mass * HIDDEN_SHARE, step, step, 0, 0, SHARPNESS);
    const steps = Math.ceil(tokens.length / BATCH) * PASSES;
    for (let at = 0; at < steps; ++at) {
      throwIfAborted(signal);
      await trainer.all("residualSteps", "thread", "threads", at, at + 1);
      onProgress?.({ done: at + 1, total: steps });
    }
    await trainer.once("quantise");
    const solved = weightsOf(trainer, shape);
    const rows = new Set(layerTensors(shape).flat());
    return new Map([...solved].filter(([name]) => rows.has(name)));
  } finally {
    await trainer.stop();
  }
}
