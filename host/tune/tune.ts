/**
 * Tuning a model by back-propagation, end to end: a model directory and a text → Adam on all layers → the gate, solved anew → int8.
 *
 * ```ts
 * const { files, report } = await tune("models/potato-en", () => createReadStream("book.txt"), { epochs: 2, signal });
 * await save("models/tuned", files);
 * ```
 */
import { compileDevice, compileTrainer, compileTuner } from "../compile/compile.ts";
import { hiddenWeights, MOST_BYTES, trainerBytesNeeded } from "../compile/layout.ts";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, type ModelFiles, sha256, withConfig } from "../files/config.ts";
import { modelDirectory } from "../files/package-node.ts";
import { memorySource } from "../files/read.ts";
import { readTensors, type Tensor, writeTensors } from "../files/safetensors.ts";
import { cardOf, storedAs } from "../fit/card.ts";
import { recipeOf } from "../fit/recipe.ts";
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
import { outOfMemory, Trainer } from "../fit/trainer.ts";
import { fitGate, loadWeights, weightsOf } from "../fit/weights.ts";
import type { Flavour } from "../model/kernel.ts";
import { Model } from "../model/model.ts";
import { directorySource, NODE } from "../model/platform-node.ts";
import { cipherWidth, hiddenLayers, hiddenWidth, type Shape, validateShape } from "../shape.ts";
import { assertCheckpointWritable } from "./checkpoint-node.ts";
import { tunerBytesNeeded } from "./memory.ts";
import { scheduleOf, type TuneRecipe, type TuneRecipeOptions, tuneRecipe } from "./recipe.ts";
import { type Outcome, runEpochs } from "./run.ts";

/** How far tuning has come. */
export type TuneProgress = PhaseProgress<"tokens" | "dev" | "tune" | "gate" | "files">;

export interface TuneOptions extends TuneRecipeOptions, RunOptions, Hooks<TuneProgress["phase"]> {
  /** Held-out texts: scored before the first epoch and after each, and the best of them is what is kept. */
  readonly dev?: readonly Uint8Array[] | undefined;
  /** A file: written after each epoch and at an abort, and gone on from where it is there already. */
  readonly checkpoint?: string | undefined;
}

/** What was tuned and how long each phase took; the times are in no file. */
export interface TuneReport {
  /** Of the tuned model: one-hot where the inputs were thawed. */
  readonly shape: Shape;
  readonly recipe: TuneRecipe;
  readonly steps: number;
  /** Of the text; the last of the tokens were kept for the gate. */
  readonly trainTokens: number;
  readonly trainBytes: number;
  /** Bits a token over each epoch, under the stack as it was when the token came. */
  readonly trainBits: readonly number[];
  /** Bits per byte of `dev` without self-attention, U rounded where it has four bits, O in f32: before the first epoch, then after each. */
  readonly devBitsPerByte: readonly number[];
  /** Epoch whose weights were kept; 0 is the start. */
  readonly bestEpoch: number;
  readonly seconds: { tokens: number; compile: number; tune: number; gate: number; files: number };
}

export interface TuneResult {
  readonly files: ModelFiles;
  readonly report: TuneReport;
}

/** Tensors of the hidden layers' U: rows or codes, scales, levels. */
const isHidden = (name: string) => /\.U(\.|$)/.test(name);
/** The tensor that is solved anew in any case. */
const GATE = "attention.gate";
/** EM sweeps of the gate, as of a fit. */
const GATE_SWEEPS = recipeOf({}, LEAST_TOKENS).gate.sweeps;

const ORIGINS: Record<TuneRecipe["init"], string> = {
  warm: "Fitted in closed form by saffu, then tuned: back-propagation with Adam from there on.",
  cold: "Trained by saffu from random weights: back-propagation with Adam.",
  xavier: "Trained by saffu from random weights (Glorot & Bengio 2010): back-propagation with Adam.",
};

/**
 * Tunes a model. With self-attention, the text's last tokens are kept for the gate, as in a fit.
 *
 * @param base a model directory, the name of a model of the package, or a model's files; it stays as it is
 * @param text gives the whole text in order, as bytes; called once
 * @throws SaffuError as `load` does; INVALID_OPTION, INVALID_SHAPE, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED (the mixture decoder),
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
  const model = await Model.read(source, { signal, flavour: options.flavour }, NODE);
  const { shape } = model.config;
  const thaws = recipe.thaw !== null && shape.bits < shape.vocabulary;
  const foldedShape = thaws ? validateShape({ ...shape, bits: shape.vocabulary }) : shape;
  assertTunable(shape, foldedShape);
  const clock = stopwatch();

  const { tokens, bytes } = await encodeAll(text(), model.tokenizer, { signal, onProgress });
  assertEnough(tokens.length, "tuning");
  const gate = { tokens: shape.radial === 0 ? 0 : recipeOf({}, tokens.length).gate.tokens, sweeps: GATE_SWEEPS };
  const places = tokens.length - gate.tokens;
  const schedule = scheduleOf(recipe, places);
  const dev = heldOut(options.dev ?? [], model, tokens.length);
  const digest = await sha256(model.files.get(CONFIG)!);
  const identity = { ...recipe, base: digest, text: await digestOf(tokens), dev: await digestOf(dev.tokens) };
  const tokensSeconds = clock();

  await turn(signal);
  const wasm = await compileTuner(shape, run.flavour, run.threads > 0);
  await turn(signal);
  const compileSeconds = clock();
  const { tensors } = readTensors(model.files.get("model.safetensors")!, "model.safetensors");
  const tuner = await Trainer.start(wasm, tokens.length + dev.tokens.length, run.threads);
  let outcome: Outcome;
  let tuned: Floats;
  let codes: ReadonlyMap<string, Tensor> | undefined; // of U, where steps saw it rounded
  try {
    const all = tuner.view(Uint16Array, "TOKENS", tokens.length + dev.tokens.length);
    all.set(tokens);
    all.set(dev.tokens, tokens.length);
    loadWeights(tuner, tensors, shape);
    if (recipe.init !== "warm") await tuner.once("initialise", recipe.seed, recipe.init === "xavier" ? 1 : 0);
    await tuner.once("begin");
    const saved = checkpoint === undefined ? undefined : { path: checkpoint, run: identity };
    const hidden = hiddenLayers(shape).reduce((sum, { rows, width }) => sum + rows * width, 0);
    outcome = await runEpochs({ tuner, recipe, schedule, places, hidden, dev, checkpoint: saved }, options);
    const trained = thaws && outcome.bestEpoch >= recipe.thaw!;
    if (trained) await tuner.once("fold");
    const rounded = shape.weightBits === 4 && recipe.thaw === null;
    tuned = floatsOf(tuner, trained ? foldedShape : shape, trained ? "FOLDED" : rounded ? "ROUNDED" : "U");
    if (rounded) codes = weightsOf(tuner, shape, isHidden);
  } finally {
    await tuner.stop();
  }
  const tuneSeconds = clock();

  const { bestEpoch, trainBits, devBits } = outcome;
  const facts = { trainTokens: tokens.length, trainBytes: bytes };
  const record = { ...recipe, ...facts, steps: schedule.steps, bestEpoch, bits: shape.bits, gate, base: digest };
  // where no epoch was better the rows stay what they are, to the byte
  const kept = recipe.init === "warm" && bestEpoch === 0 ? tensors : codes;
  const finish = { gate, kept };
  const { weights, gateSeconds } = await solved(tuned, tokens, finish, run, options);
  onProgress?.({ phase: "files", done: 0, total: 1 });
  const card = cardOf(ORIGINS[recipe.init], tuned.shape, {
    weights: storedAs(tuned.shape, weights.length),
    "tuned on": `${tokens.length} tokens, ${bytes} bytes of text`,
    epochs:
      bestEpoch === recipe.epochs ? recipe.epochs : `${bestEpoch}, the best of ${recipe.epochs} on a held-out text`,
    steps: `${schedule.steps} of ${recipe.batch} tokens`,
    "learning rate": recipe.lr,
    ...(recipe.soften < 1 && bestEpoch > 0 && { "U at the start times": recipe.soften }),
    "inputs trained": recipe.thaw === null ? "no" : `from epoch ${recipe.thaw} on`,
    seed: recipe.seed,
  });
  const files = await withConfig(
    new Map([
      ["model.safetensors", weights],
      ["tokenizer.json", model.files.get("tokenizer.json")!],
      ["README.md", new TextEncoder().encode(card)],
      ...(await kernelsOf(model, tuned.shape, signal)),
    ]),
    tuned.shape,
    recipe.init === "warm" ? { ...model.config.recipe, tune: record } : { tune: record },
  );
  onProgress?.({ phase: "files", done: 1, total: 1 });
  const seconds = {
    tokens: tokensSeconds,
    compile: compileSeconds,
    tune: tuneSeconds,
    gate: gateSeconds,
    files: clock(),
  };
  const report = { shape: tuned.shape, recipe, steps: schedule.steps, ...facts, trainBits, bestEpoch, seconds };
  return { files, report: { ...report, devBitsPerByte: devBits } };
}

/** Refuses what cannot be tuned before any work. @throws SaffuError UNSUPPORTED, OUT_OF_MEMORY */
function assertTunable(shape: Shape, foldedShape: Shape): void {
  if (shape !== foldedShape && (shape.blockAttention || hiddenLayers(shape).length > 1)) {
    throw new SaffuError(
      "UNSUPPORTED",
      "inputs can be thawed of the plain block alone, without attention, document or second layer",
    );
  }
  if (shape.decoder !== "softmax") {
    throw new SaffuError("UNSUPPORTED", "tuning needs the softmax decoder, the model has the mixture decoder");
  }
  const bytes = Math.max(tunerBytesNeeded(shape), trainerBytesNeeded(foldedShape)) + 2 * LEAST_TOKENS;
  if (bytes > MOST_BYTES) throw outOfMemory(bytes);
}

/** @throws SaffuError INVALID_TEXT where there are held-out texts and nothing in them */
function heldOut(texts: readonly Uint8Array[], { tokenizer, config }: Model, from: number) {
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  if (texts.length > 0 && bytes === 0) throw new SaffuError("INVALID_TEXT", "the held-out text is empty");
  return { tokens: separated(texts, tokenizer, config.shape.block), from, bytes };
}

function digestOf(tokens: Uint16Array): Promise<string> {
  return sha256(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
}

/** A stack's weights in f32, by their names in the trainer's memory, and the cipher where there is one. */
interface Floats {
  readonly shape: Shape;
  readonly cipher: Uint16Array;
  readonly layers: Readonly<Record<"U" | "U0" | "O" | "O0", Float32Array>>;
}

/** Copies the weights out of the tuner; U, with what stands behind it of other layers, from the address `u`. */
function floatsOf(tuner: Trainer, shape: Shape, u: "U" | "ROUNDED" | "FOLDED"): Floats {
  const { vocabulary, bits } = shape;
  const width = hiddenWidth(shape);
  const floats = (address: string, length: number) => tuner.view(Float32Array, address, length).slice();
  const cipherLength = bits === vocabulary ? 0 : vocabulary * cipherWidth(shape);
  return {
    shape,
    cipher: tuner.view(Uint16Array, "CIPHER", cipherLength).slice(),
    layers: {
      U: floats(u, hiddenWeights(shape)),
      U0: floats("U0", width),
      O: floats("O", vocabulary * width),
      O0: floats("O0", vocabulary),
    },
  };
}

/** What the weights are finished with: the gate's tokens, and tensors that are what is stored already. */
interface Finish {
  readonly gate: { readonly tokens: number; readonly sweeps: number };
  readonly kept: ReadonlyMap<string, Tensor> | undefined;
}

/** model.safetensors of tuned weights: as at the end of a fit, the trainer solves the gate on the last tokens, and quantises. */
async function solved(
  { shape, cipher, layers }: Floats,
  tokens: Uint16Array,
  { gate, kept }: Finish,
  { flavour, threads }: { readonly flavour: Flavour; readonly threads: number },
  hooks: Hooks<"gate">,
): Promise<{ weights: Uint8Array; gateSeconds: number }> {
  const clock = stopwatch();
  const wasm = await compileTrainer(shape, flavour, threads > 0);
  await turn(hooks.signal);
  const trainer = await Trainer.start(wasm, tokens.length, threads);
  try {
    trainer.view(Uint16Array, "TOKENS", tokens.length).set(tokens);
    const places = tokens.length - gate.tokens;
    await trainer.all("count", "thread", places); // the marginal; what it writes besides is written over
    trainer.view(Uint16Array, "CIPHER", cipher.length).set(cipher);
    for (const [address, floats] of Object.entries(layers)) {
      trainer.view(Float32Array, address, floats.length).set(floats);
    }
    await fitGate(trainer, shape, gate.sweeps, tokens.length - gate.tokens, tokens.length, hooks);
    throwIfAborted(hooks.signal);
    await trainer.once("quantise");
    const found = [...weightsOf(trainer, shape)];
    const stored = found.map(([name, tensor]): [string, Tensor] => [
      name,
      (name !== GATE && kept?.get(name)) || tensor,
    ]);
    return { weights: writeTensors(new Map(stored)), gateSeconds: clock() };
  } finally {
    await trainer.stop();
  }
}

/** The kernels of the tuned shape: the model's own where its shape has stayed. */
async function kernelsOf(
  { config, files }: Model,
  shape: Shape,
  signal: AbortSignal | undefined,
): Promise<[string, Uint8Array][]> {
  const kernels: [string, Uint8Array][] = [];
  for (const flavour of ["scalar", "simd"] as const) {
    const name = `kernel.${flavour}.wasm`;
    await turn(signal);
    kernels.push([name, shape.bits === config.shape.bits ? files.get(name)! : await compileDevice(shape, flavour)]);
  }
  return kernels;
}
