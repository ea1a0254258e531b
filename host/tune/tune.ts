/**
 * Tuning a model by back-propagation, end to end: a model directory and a text → Adam on all layers → the mixture, solved anew → int8.
 *
 * ```ts
 * const { files, report } = await tune("models/potato-en", () => createReadStream("book.txt"), { epochs: 2, signal });
 * await save("models/tuned", files);
 * ```
 */
import { assertCompilable, compileSolver, solverRequest } from "../compile/compile.ts";
import { checkPath, checkTexts, invalidOption, isMap, SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, type ModelFiles, sha256 } from "../files/config.ts";
import { modelDirectory } from "../files/package-node.ts";
import { memorySource } from "../files/read.ts";
import { readTensors, type Tensor, writeTensors } from "../files/safetensors.ts";
import { fitMixture } from "../fit/mixture.ts";
import { fitNgrams } from "../fit/ngrams.ts";
import { recipeOf } from "../fit/recipe.ts";
import { assertFits, Solver } from "../fit/solver.ts";
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
import { assertSolvable } from "../model/webassembly.ts";
import { type Shape, validateShape } from "../shape.ts";
import { newlineOf } from "../tokenizer/index.ts";
import { assertCheckpointWritable } from "./checkpoint-node.ts";
import { tunedFiles } from "./files.ts";
import { scheduleOf, type TuneRecipe, type TuneRecipeOptions, tuneRecipe } from "./recipe.ts";
import { type HeldOut, runEpochs, type Task } from "./run.ts";

/** How far tuning has come. */
export type TuneProgress = PhaseProgress<"tokens" | "dev" | "tune" | "mixture" | "ngrams" | "files">;

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

/** The tensor that is solved anew in any case. */
const MIXTURE = "attention.gate";

/**
 * Tunes a model. With history attention, the text's last tokens are kept for the mixture, as in a fit.
 *
 * @param base a model directory, the name of a model of the package, or a model's files; it stays as it is
 * @param text gives the whole text in order, as bytes; called once
 * @throws SaffuError as `load` does; INVALID_OPTION, INVALID_SHAPE, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED,
 * CHECKPOINT_MISMATCH, UNWRITABLE (the checkpoint), ABORTED
 */
export async function tune(
  base: string | ModelFiles,
  text: () => Chunks,
  options: TuneOptions = {},
): Promise<TuneResult> {
  if (typeof text !== "function") throw invalidOption("text", "a function that gives the whole text", text);
  const { threads, build } = runOptions(options);
  const { signal, onProgress, checkpoint } = options;
  checkTexts("dev", options.dev ?? []);
  if (checkpoint !== undefined) checkPath("checkpoint", checkpoint);
  if (!isMap(base)) checkPath("base", base);
  const recipe = tuneRecipe(options);
  throwIfAborted(signal);
  assertSolvable(build);
  if (checkpoint !== undefined) await assertCheckpointWritable(checkpoint);
  const source = typeof base === "string" ? directorySource(await modelDirectory(base)) : memorySource(base);
  const model = await Model.read(source, { signal, build: options.build }, NODE);
  const { shape } = model.config;
  assertFits(shape, LEAST_TOKENS);
  await assertCompilable([solverRequest(shape, build, threads > 0)], shape);
  const clock = stopwatch();

  const texts = await readTexts(model, text, options);
  const { tokens, bytes, dev, mixture, places } = texts;
  const schedule = scheduleOf(recipe, places);
  const digest = await sha256(model.files.get(CONFIG)!);
  const run = { ...recipe, base: digest, text: await digestOf(tokens), dev: await digestOf(dev.tokens) };
  const tokensSeconds = clock();

  await turn(signal);
  const wasm = await compileSolver(shape, build, threads > 0, signal);
  await turn(signal);
  const compileSeconds = clock();
  const { tensors } = readTensors(model.files.get("model.safetensors")!, "model.safetensors");
  // a checkpoint is of whole steps: with one, those under way are waited for
  const all = tokens.length + dev.tokens.length;
  const solver = await Solver.start(wasm, shape, all, threads, checkpoint === undefined ? signal : undefined);
  try {
    await fillSolver(solver, shape, tensors, texts, recipe);
    const newline = model.boundary === "newline" ? newlineOf(model.tokenizer) : undefined;
    const task: Task = {
      ...{ solver, recipe, shape, schedule, places, dev, newline },
      ...(checkpoint !== undefined && { checkpoint: { path: checkpoint, run } }),
    };
    const { bestEpoch, trainBits, devBits } = await runEpochs(task, options);
    const tuneSeconds = clock();

    await fitMixture(solver, shape, mixture.sweeps, places, tokens.length, options);
    throwIfAborted(signal);
    const kept = recipe.init === "warm" && bestEpoch === 0;
    // n-grams say what the network does not: of another network they are others
    const seen = solver.view(Uint16Array, "TOKENS", places);
    const ngrams =
      shape.ngrams && !kept
        ? await fitNgrams({ solver, shape, tokens: seen, bytes: shape.ngrams, newline }, options)
        : (tensors.get(NGRAMS)?.data as Uint8Array | undefined);
    const tuned = validateShape({ ...shape, ngrams: ngrams?.length });
    const weights = writeTensors(await storedTensors(solver, tuned, { before: tensors, ngrams, kept }));
    const mixtureSeconds = clock();
    onProgress?.({ phase: "files", done: 0, total: 1 });
    const facts = { trainTokens: tokens.length, trainBytes: bytes, steps: schedule.steps, bestEpoch };
    const files = await tunedFiles(model, { shape: tuned, weights }, recipe, { ...facts, mixture, base: digest });
    onProgress?.({ phase: "files", done: 1, total: 1 });
    const seconds = {
      tokens: tokensSeconds,
      compile: compileSeconds,
      tune: tuneSeconds,
      mixture: mixtureSeconds,
      files: clock(),
    };
    return { files, report: { shape: tuned, recipe, ...facts, trainBits, devBitsPerByte: devBits, seconds } };
  } finally {
    await solver.stop();
  }
}

/** What a run works on: tokens, of which the first `places` are trained on and the rest are the mixture's, and held-out texts behind them. */
interface Texts {
  readonly tokens: Uint16Array;
  readonly bytes: number;
  readonly places: number;
  readonly mixture: { readonly tokens: number; readonly sweeps: number };
  readonly dev: HeldOut;
}

/** @throws SaffuError INVALID_TEXT where the text is too short, or where there are held-out texts and nothing in them */
async function readTexts(
  { tokenizer, config }: Model,
  text: () => Chunks,
  { signal, onProgress, dev = [] }: TuneOptions,
): Promise<Texts> {
  const { shape } = config;
  const { tokens, bytes } = await encodeAll(text(), tokenizer, { signal, onProgress });
  assertEnough(tokens.length, "tuning");
  const { mixture: asFitted } = recipeOf({}, tokens.length);
  const mixture = shape.history === 0 ? { ...asFitted, tokens: 0 } : asFitted;
  const devBytes = dev.reduce((sum, text) => sum + text.length, 0);
  if (dev.length > 0 && devBytes === 0) throw new SaffuError("INVALID_TEXT", "the held-out text is empty");
  const heldOut = {
    tokens: await separated(dev, tokenizer, shape.window, signal),
    from: tokens.length,
    bytes: devBytes,
  };
  return { tokens, bytes, places: tokens.length - mixture.tokens, mixture, dev: heldOut };
}

/** Puts tokens and the start's weights into a solver, ready for the first step. */
async function fillSolver(
  solver: Solver,
  shape: Shape,
  tensors: ReadonlyMap<string, Tensor>,
  { tokens, dev }: Texts,
  { init, seed }: TuneRecipe,
): Promise<void> {
  const all = solver.view(Uint16Array, "TOKENS", tokens.length + dev.tokens.length);
  all.set(tokens);
  all.set(dev.tokens, tokens.length);
  await solver.configure({}); // before any other call
  loadWeights(solver, tensors, shape);
  if (init !== "warm") await solver.once("initialise", seed, init === "xavier" ? 1 : 0);
  await solver.once("begin");
}

const NGRAMS = "memory.ngrams";

/** What stays of a model that is tuned. */
interface Stays {
  readonly before: ReadonlyMap<string, Tensor>;
  /** Of the tuned network. */
  readonly ngrams: Uint8Array | undefined;
  /** No epoch was better than the start, so all but the mixture stays what it was, to the byte. */
  readonly kept: boolean;
}

/** The weights as they are stored; the verbatim memory and the weights of the long matches stay. */
async function storedTensors(
  solver: Solver,
  shape: Shape,
  { before, ngrams, kept }: Stays,
): Promise<Map<string, Tensor>> {
  if (shape.weightBits !== 4) await solver.once("storeHidden"); // else what the steps saw is stored already
  await solver.once("storeDecoder");
  const found = weightsOf(solver, shape);
  for (const name of ["attention.long", "memory.tokens"]) if (before.has(name)) found.set(name, before.get(name)!);
  if (ngrams) found.set(NGRAMS, { dtype: "U8", shape: [ngrams.length], data: ngrams } as Tensor);
  if (kept) for (const [name, tensor] of before) if (name !== MIXTURE) found.set(name, tensor);
  return found;
}

function digestOf(tokens: Uint16Array): Promise<string> {
  return sha256(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
}
