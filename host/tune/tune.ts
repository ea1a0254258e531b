/**
 * Tuning a model by back-propagation, end to end: a model directory and a text → Adam on all layers → the mixture, solved anew → int8.
 *
 * ```ts
 * const { files, report } = await tune("models/potato-en", () => createReadStream("book.txt"), { epochs: 2, signal });
 * await save("models/tuned", files);
 * ```
 */
import { compileSolver } from "../compile/compile.ts";
import { MOST_BYTES, solverBytesNeeded } from "../compile/layout.ts";
import { sizesOf } from "../compile/sizes.ts";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, type ModelFiles, sha256, withConfig } from "../files/config.ts";
import { modelDirectory } from "../files/package-node.ts";
import { memorySource } from "../files/read.ts";
import { readTensors, writeTensors } from "../files/safetensors.ts";
import { cardOf, storedAs } from "../fit/card.ts";
import { fitMixture } from "../fit/mixture.ts";
import { recipeOf } from "../fit/recipe.ts";
import { outOfMemory, Solver } from "../fit/solver.ts";
import {
  assertEnough,
  type Hooks,
  LEAST_TOKENS,
  type PhaseProgress,
  type RunOptions,
  runOptions,
  stopwatch,
  turn,
} from "../fit/steps.ts";
import { type Chunks, encodeAll, separated } from "../fit/text.ts";
import { loadWeights, weightsOf } from "../fit/weights.ts";
import { Model } from "../model/model.ts";
import { directorySource, NODE } from "../model/platform-node.ts";
import { hiddenLayers, type Shape } from "../shape.ts";
import { assertCheckpointWritable } from "./checkpoint-node.ts";
import { scheduleOf, type TuneRecipe, type TuneRecipeOptions, tuneRecipe } from "./recipe.ts";
import { runEpochs } from "./run.ts";

/** How far tuning has come. */
export type TuneProgress = PhaseProgress<"tokens" | "dev" | "tune" | "mixture" | "files">;

export interface TuneOptions extends TuneRecipeOptions, RunOptions, Hooks<TuneProgress["phase"]> {
  /** Held-out texts: scored before the first epoch and after each, and the best of them is what is kept. */
  readonly dev?: readonly Uint8Array[] | undefined;
  /** A file: written after each epoch and at an abort, and gone on from where it is there already. */
  readonly checkpoint?: string | undefined;
}

/** What was tuned and how long each phase took; the times are in no file. */
export interface TuneReport {
  readonly shape: Shape;
  readonly recipe: TuneRecipe;
  readonly steps: number;
  /** Of the text; the last of the tokens were kept for the mixture. */
  readonly trainTokens: number;
  readonly trainBytes: number;
  /** Bits a token over each epoch, under the network as it was when the token came. */
  readonly trainBits: readonly number[];
  /** Bits per byte of `dev` without history attention, U rounded where it has four bits, O in f32: before the first epoch, then after each. */
  readonly devBitsPerByte: readonly number[];
  /** Epoch whose weights were kept; 0 is the start. */
  readonly bestEpoch: number;
  readonly seconds: { tokens: number; compile: number; tune: number; mixture: number; files: number };
}

export interface TuneResult {
  readonly files: ModelFiles;
  readonly report: TuneReport;
}

/** What a tuned model has of its base: the shape is the same. */
const KERNELS = ["kernel.scalar.wasm", "kernel.simd.wasm"] as const;
/** The tensor that is solved anew in any case. */
const MIXTURE = "attention.gate";
/** EM sweeps of the mixture, as of a fit. */
const SWEEPS = recipeOf({}, LEAST_TOKENS).mixture.sweeps;

const ORIGINS: Record<TuneRecipe["init"], string> = {
  warm: "Fitted in closed form by saffu, then tuned: back-propagation with Adam from there on.",
  cold: "Trained by saffu from random weights: back-propagation with Adam.",
  xavier: "Trained by saffu from random weights (Glorot & Bengio 2010): back-propagation with Adam.",
};

/**
 * Tunes a model. With history attention, the text's last tokens are kept for the mixture, as in a fit.
 *
 * @param base a model directory, the name of a model of the package, or a model's files; it stays as it is
 * @param text gives the whole text in order, as bytes; called once
 * @throws SaffuError as `load` does; INVALID_OPTION, INVALID_SHAPE, INVALID_TEXT, OUT_OF_MEMORY,
 * CHECKPOINT_MISMATCH, UNWRITABLE (the checkpoint), ABORTED
 */
export async function tune(
  base: string | ModelFiles,
  text: () => Chunks,
  options: TuneOptions = {},
): Promise<TuneResult> {
  const { signal, onProgress, checkpoint } = options;
  const run = runOptions(options);
  const recipe = tuneRecipe(options);
  throwIfAborted(signal);
  if (checkpoint !== undefined) await assertCheckpointWritable(checkpoint);
  const source = typeof base === "string" ? directorySource(await modelDirectory(base)) : memorySource(base);
  const model = await Model.read(source, { signal, build: options.build }, NODE);
  const { shape } = model.config;
  assertTunable(shape);
  const clock = stopwatch();

  const { tokens, bytes } = await encodeAll(text(), model.tokenizer, { signal, onProgress });
  assertEnough(tokens.length, "tuning");
  const mixture = { tokens: shape.history === 0 ? 0 : recipeOf({}, tokens.length).mixture.tokens, sweeps: SWEEPS };
  const places = tokens.length - mixture.tokens;
  const schedule = scheduleOf(recipe, places);
  const dev = heldOut(options.dev ?? [], model, tokens.length);
  const digest = await sha256(model.files.get(CONFIG)!);
  const identity = { ...recipe, base: digest, text: await digestOf(tokens), dev: await digestOf(dev.tokens) };
  const tokensSeconds = clock();

  await turn(signal);
  const wasm = await compileSolver(shape, run.build, run.threads > 0);
  await turn(signal);
  const compileSeconds = clock();
  const { tensors } = readTensors(model.files.get("model.safetensors")!, "model.safetensors");
  const solver = await Solver.start(wasm, shape, tokens.length + dev.tokens.length, run.threads);
  const rounds = shape.weightBits === 4;
  try {
    const all = solver.view(Uint16Array, "TOKENS", tokens.length + dev.tokens.length);
    all.set(tokens);
    all.set(dev.tokens, tokens.length);
    await solver.configure({}); // before any other call
    loadWeights(solver, tensors, shape);
    if (recipe.init !== "warm") await solver.once("initialise", recipe.seed, recipe.init === "xavier" ? 1 : 0);
    await solver.once("begin");
    const saved = checkpoint === undefined ? undefined : { path: checkpoint, run: identity };
    const hidden = hiddenLayers(shape).reduce((sum, { rows, width }) => sum + rows * width, 0);
    const { HIDDEN_WEIGHTS, M, V } = sizesOf(shape);
    const parameters = HIDDEN_WEIGHTS + M + V * M + V;
    const task = { solver, recipe, rounds, parameters, schedule, places, hidden, dev, checkpoint: saved };
    const { bestEpoch, trainBits, devBits } = await runEpochs(task, options);
    const tuneSeconds = clock();

    await fitMixture(solver, shape, mixture.sweeps, places, tokens.length, options);
    throwIfAborted(signal);
    if (!rounds) await solver.once("storeHidden"); // else what the steps saw is stored already
    await solver.once("storeDecoder");
    const found = weightsOf(solver, shape);
    // where no epoch was better the rows stay what they are, to the byte
    if (recipe.init === "warm" && bestEpoch === 0)
      for (const [name, tensor] of tensors) if (name !== MIXTURE) found.set(name, tensor);
    const weights = writeTensors(found);
    const mixtureSeconds = clock();
    const facts = { trainTokens: tokens.length, trainBytes: bytes };
    const record = { ...recipe, ...facts, steps: schedule.steps, bestEpoch, bits: shape.bits, mixture, base: digest };
    onProgress?.({ phase: "files", done: 0, total: 1 });
    const card = cardOf(ORIGINS[recipe.init], shape, {
      weights: storedAs(shape, weights.length),
      "tuned on": `${tokens.length} tokens, ${bytes} bytes of text`,
      epochs:
        bestEpoch === recipe.epochs ? recipe.epochs : `${bestEpoch}, the best of ${recipe.epochs} on a held-out text`,
      steps: `${schedule.steps} of ${recipe.batch} tokens`,
      "learning rate": recipe.lr,
      ...(recipe.soften < 1 && bestEpoch > 0 && { "U at the start times": recipe.soften }),
      seed: recipe.seed,
    });
    const files = await withConfig(
      new Map([
        ["model.safetensors", weights],
        ["tokenizer.json", model.files.get("tokenizer.json")!],
        ["README.md", new TextEncoder().encode(card)],
        ...KERNELS.map((name): [string, Uint8Array] => [name, model.files.get(name)!]),
      ]),
      shape,
      recipe.init === "warm" ? { ...model.config.recipe, tune: record } : { tune: record },
    );
    onProgress?.({ phase: "files", done: 1, total: 1 });
    const seconds = {
      tokens: tokensSeconds,
      compile: compileSeconds,
      tune: tuneSeconds,
      mixture: mixtureSeconds,
      files: clock(),
    };
    const report = { shape, recipe, steps: schedule.steps, ...facts, trainBits, bestEpoch, seconds };
    return { files, report: { ...report, devBitsPerByte: devBits } };
  } finally {
    await solver.stop();
  }
}

/** Refuses what cannot be tuned before any work. @throws SaffuError OUT_OF_MEMORY */
function assertTunable(shape: Shape): void {
  const bytes = solverBytesNeeded(shape) + 2 * LEAST_TOKENS;
  if (bytes > MOST_BYTES) throw outOfMemory(bytes);
}

/** @throws SaffuError INVALID_TEXT where there are held-out texts and nothing in them */
function heldOut(texts: readonly Uint8Array[], { tokenizer, config }: Model, from: number) {
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  if (texts.length > 0 && bytes === 0) throw new SaffuError("INVALID_TEXT", "the held-out text is empty");
  return { tokens: separated(texts, tokenizer, config.shape.window), from, bytes };
}

function digestOf(tokens: Uint16Array): Promise<string> {
  return sha256(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
}
