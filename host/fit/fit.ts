/**
 * Fitting a model, end to end: text → tokenizer → tokens → heads → residual solve → gate → int8 files.
 *
 * ```ts
 * const { files, report } = await fit(() => createReadStream("book.txt"), { profile: "potato", signal });
 * await save("models/book", files);
 * ```
 */
import { compileDevice, compileTrainer } from "../compile/compile.ts";
import { MOST_BYTES, trainerBytesNeeded } from "../compile/layout.ts";
import { throwIfAborted } from "../errors.ts";
import { type ModelFiles, withConfig } from "../files/config.ts";
import { writeTensors } from "../files/safetensors.ts";
import type { Shape } from "../shape.ts";
import { byteTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import { trainTokenizer } from "../tokenizer/train.ts";
import { averagedSteps } from "./average.ts";
import { modelCard } from "./card.ts";
import { type Recipe, type RecipeOptions, recipeOf, shapeOf } from "./recipe.ts";
import {
  assertEnough,
  type Hooks,
  LEAST_TOKENS,
  type PhaseProgress,
  type RunOptions,
  runOptions,
  runSteps,
  stopwatch,
  turn,
} from "./steps.ts";
import { type Chunks, encodeAll, evaluated, separated } from "./text.ts";
import { outOfMemory, Trainer } from "./trainer.ts";
import { configureResidual, fitGate, residualTables, solveRounded, weightsOf } from "./weights.ts";

export { LEAST_TOKENS } from "./steps.ts";

/** How far a fit has come. */
export type FitProgress = PhaseProgress<"tokenizer" | "tokens" | "heads" | "residual" | "gate" | "files">;

/** Places between two looks at the signal, where a step is no batch. */
const CHUNK = 16384;
/** What a document's weight is before it is solved: so many tokens of the same kind as if they were independent. */
const DOCUMENT_WEIGHT = 8;

type FitHooks = Hooks<FitProgress["phase"]>;

export interface FitOptions extends RecipeOptions, RunOptions, FitHooks {
  /** Texts to score with the stack in f32, before it is quantised: `report.heldOutBits`. What int8 costs can be told from it. */
  readonly heldOut?: readonly Uint8Array[] | undefined;
  /** Uses this tokenizer in place of training one; V is its size, whatever `vocabulary` says. */
  readonly tokenizer?: Tokenizer | undefined;
}

/** What was fitted and how long each phase took; the times are in no file. */
export interface FitReport {
  readonly shape: Shape;
  readonly recipe: Recipe;
  readonly trainTokens: number;
  readonly trainBytes: number;
  /** Σ −log2 p over `heldOut` under the f32 stack, without self-attention. */
  readonly heldOutBits: number;
  readonly seconds: {
    tokenizer: number;
    tokens: number;
    compile: number;
    heads: number;
    residual: number;
    gate: number;
    files: number;
  };
}

export interface FitResult {
  readonly files: ModelFiles;
  readonly report: FitReport;
  readonly tokenizer: Tokenizer;
}

/**
 * Fits a model.
 *
 * @param text called twice, to train the tokenizer and to encode; each time it gives the whole text in order, as bytes
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function fit(text: () => Chunks, options: FitOptions = {}): Promise<FitResult> {
  const { signal, onProgress } = options;
  // bad options are refused before any work
  const { threads, flavour } = runOptions(options);
  const wanted = shapeOf({ ...options, vocabulary: options.tokenizer?.vocabularySize ?? options.vocabulary });
  recipeOf(options, LEAST_TOKENS, wanted);
  const bytesNeeded = trainerBytesNeeded(wanted) + 2 * LEAST_TOKENS;
  if (bytesNeeded > MOST_BYTES) throw outOfMemory(bytesNeeded);
  throwIfAborted(signal);
  const clock = stopwatch();

  const tokenizer = options.tokenizer ?? (await tokenizerFor(text, wanted.vocabulary, { signal, onProgress }));
  const vocabulary = tokenizer.vocabularySize; // a short text has fewer pairs to merge than were wanted
  const shape = shapeOf({ ...options, vocabulary, bits: Math.min(wanted.bits, vocabulary) });
  const tokenizerSeconds = clock();
  const { tokens, bytes } = await encodeAll(text(), tokenizer, { signal, onProgress });
  assertEnough(tokens.length, "a fit");
  const recipe = recipeOf(options, tokens.length, shape);
  const tokensSeconds = clock();

  const heldOut = separated(options.heldOut ?? [], tokenizer, shape.block);
  await turn(signal);
  const scalar = await compileDevice(shape, "scalar");
  await turn(signal);
  const simd = await compileDevice(shape, "simd");
  await turn(signal);
  const wasm = await compileTrainer(shape, flavour, threads > 0);
  await turn(signal);
  const trainer = await Trainer.start(wasm, tokens.length + heldOut.length, threads);
  const compileSeconds = clock();
  try {
    const places = trainer.view(Uint16Array, "TOKENS", tokens.length + heldOut.length);
    places.set(tokens);
    places.set(heldOut, tokens.length);
    const trained = tokens.length - (shape.radial === 0 ? 0 : recipe.gate.tokens);
    await fitHeads(trainer, shape, recipe, trained, options);
    const headsSeconds = clock();
    await fitResidual(trainer, shape, recipe, trained, options);
    const residualSeconds = clock();
    await fitGate(trainer, shape, recipe.gate.sweeps, trained, tokens.length, options);
    const gateSeconds = clock();
    const heldOutBits = await bitsOf(trainer, heldOut, tokens.length, signal);
    throwIfAborted(signal);
    onProgress?.({ phase: "files", done: 0, total: 1 });
    await trainer.once("quantise");
    const weights = writeTensors(weightsOf(trainer, shape));
    throwIfAborted(signal);
    const facts = { trainTokens: tokens.length, trainBytes: bytes, weightBytes: weights.length };
    const encoder = new TextEncoder();
    const files = await withConfig(
      new Map([
        ["model.safetensors", weights],
        ["tokenizer.json", encoder.encode(`${JSON.stringify(tokenizer.toJSON())}\n`)],
        ["README.md", encoder.encode(modelCard(shape, recipe, facts))],
        ["kernel.scalar.wasm", scalar],
        ["kernel.simd.wasm", simd],
      ]),
      shape,
      { ...recipe, trainTokens: tokens.length, trainBytes: bytes },
    );
    onProgress?.({ phase: "files", done: 1, total: 1 });
    const seconds = {
      tokenizer: tokenizerSeconds,
      tokens: tokensSeconds,
      compile: compileSeconds,
      heads: headsSeconds,
      residual: residualSeconds,
      gate: gateSeconds,
      files: clock(),
    };
    const report = { shape, recipe, trainTokens: tokens.length, trainBytes: bytes, heldOutBits, seconds };
    return { files, tokenizer, report };
  } finally {
    await trainer.stop();
  }
}

async function tokenizerFor(text: () => Chunks, vocabulary: number, hooks: FitHooks): Promise<Tokenizer> {
  if (vocabulary === 256) return byteTokenizer();
  return trainTokenizer(text(), {
    vocabulary,
    ...(hooks.signal && { signal: hooks.signal }),
    onProgress: ({ done, total }) => hooks.onProgress?.({ phase: "tokenizer", done, total }),
  });
}

async function fitHeads(
  trainer: Trainer,
  shape: Shape,
  recipe: Recipe,
  tokens: number,
  hooks: FitHooks,
): Promise<void> {
  const { passes, rate, mass, decay } = recipe.heads;
  const batch = Math.min(recipe.heads.batch, tokens);
  await trainer.all("count", "thread", tokens);
  setPositions(trainer, shape, decay);
  await trainer.all("configureHeads", recipe.seed, batch, rate, mass, recipe.targets === "cipher" ? 1 : 0);
  await trainer.once("initialiseHeads");
  const { heads, documentHeads = 0, stackedHeads = 0 } = shape;
  if (shape.blockAttention) await solveAttention(trainer, tokens, hooks.signal);
  const lower = heads + documentHeads;
  const steps = Math.ceil(tokens / batch) * passes;
  const total = stackedHeads > 0 ? 2 * steps : steps;
  const run = (args: readonly number[], done: number) =>
    runSteps(trainer, "headSteps", "heads", [0, steps], total, hooks, { args, done });
  await run([0, lower], 0);
  // bags are not as independent as tokens are: their weight has to be solved
  const newton = recipe.positions === "newton";
  await solvePositions(trainer, newton ? 0 : heads, lower, tokens);
  if (stackedHeads === 0) return;
  await run([lower, lower + stackedHeads], steps);
  await solvePositions(trainer, lower, lower + stackedHeads, tokens);
}

/** The weights of positions that heads begin with: decaying, and of hidden states shared by the heads that they come from. Attention sets its own. */
function setPositions(trainer: Trainer, { heads, documentHeads = 0, stackedHeads = 0 }: Shape, decay: number): void {
  const all = heads + documentHeads + stackedHeads;
  const each = trainer.constant("POSITIONS_A_HEAD");
  const positions = trainer.view(Float32Array, "POSITIONS", all * each);
  for (let head = 0; head < all; ++head) {
    let weight = head < heads ? 1 : head < heads + documentHeads ? DOCUMENT_WEIGHT : 1 / heads;
    for (let j = 0; j < each; ++j) {
      positions[head * each + j] = weight;
      weight *= decay; // not a power, whose last bits differ between engines
    }
  }
}

/** Newton steps for the position weights of heads [first, end), over the last tokens. */
async function solvePositions(trainer: Trainer, first: number, end: number, tokens: number): Promise<void> {
  if (first === end) return;
  const slice = Math.min(20_000, Math.ceil(tokens / 10));
  await trainer.all("solvePositions", "thread", "threads", first, end, tokens - slice, tokens, 4);
}

/** W of attention over the block's positions: a pass that counts pairs, and one that adds up targets. */
async function solveAttention(trainer: Trainer, tokens: number, signal: AbortSignal | undefined): Promise<void> {
  for (const pass of [0, 1]) {
    for (let from = 0; from < tokens; from += CHUNK) {
      throwIfAborted(signal);
      await trainer.once("attentionSteps", pass, from, Math.min(tokens, from + CHUNK));
    }
  }
}

async function fitResidual(
  trainer: Trainer,
  shape: Shape,
  recipe: Recipe,
  tokens: number,
  hooks: FitHooks,
): Promise<void> {
  if (shape.decoder === "mixture") return; // the heads' own solution is the model
  const { passes, averaged } = recipe.residual;
  if (passes === 0) {
    for (let from = 0; from < tokens; from += CHUNK) {
      throwIfAborted(hooks.signal);
      const to = Math.min(tokens, from + CHUNK);
      await trainer.once("explicitSteps", from, to, recipe.heads.mass, to === tokens ? 1 : 0);
      hooks.onProgress?.({ phase: "residual", done: to, total: tokens });
    }
    return;
  }
  await trainer.once("initialiseResidual", 0);
  await configureResidual(trainer, recipe, recipe.residual.lead);
  const steps = Math.ceil(tokens / recipe.residual.batch);
  const solved = steps * passes;
  const total = shape.weightBits === 4 ? solved + steps : solved;
  const run = (steps: readonly [number, number]) => runSteps(trainer, "residualSteps", "residual", steps, total, hooks);
  await averagedSteps(trainer, residualTables(shape), averaged, [0, solved], run);
  if (total > solved) await solveRounded(trainer, shape, recipe, tokens, solved, 1, hooks);
}

/** Σ −log2 p of `tokens`, which stand at `from` in the trainer, under the f32 stack. */
async function bitsOf(trainer: Trainer, tokens: Uint16Array, from: number, signal: AbortSignal | undefined) {
  let bits = 0;
  for await (const places of evaluated(trainer, tokens, from, signal)) {
    for (const p of trainer.view(Float32Array, "LIKELIHOOD", places)) bits -= Math.log2(p);
  }
  return bits;
}
