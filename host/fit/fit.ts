/**
 * Fitting a model, end to end: text → tokenizer → tokens → groups → iterative scaling → mixture → int8 files.
 *
 * ```ts
 * const { files, report } = await fit(() => createReadStream("book.txt"), { profile: "potato", signal });
 * await save("models/book", files);
 * ```
 */
import { assertCompilable, compileDevice, compileSolver, deviceRequest, solverRequest } from "../compile/compile.ts";
import { checkTexts, invalidOption, throwIfAborted } from "../errors.ts";
import { type ModelFiles, withConfig } from "../files/config.ts";
import { writeTensors } from "../files/safetensors.ts";
import type { Build } from "../model/kernel.ts";
import { assertSolvable } from "../model/webassembly.ts";
import { abortable } from "../pace.ts";
import type { Shape } from "../shape.ts";
import { byteTokenizer, type Tokenizer, tokenizerFromJSON } from "../tokenizer/index.ts";
import { trainTokenizer } from "../tokenizer/train.ts";
import { modelCard } from "./card.ts";
import { fitGroups } from "./groups.ts";
import { fitMixture } from "./mixture.ts";
import {
  LEAST_SYMBOLS,
  LEAST_VOCABULARY,
  type Recipe,
  type RecipeOptions,
  recipeOf,
  shapeOf,
  vocabulariesOf,
} from "./recipe.ts";
import { fitScaling } from "./scaling.ts";
import { settingsOf } from "./settings.ts";
import { assertFits, Solver } from "./solver.ts";
import {
  assertEnough,
  type Hooks,
  LEAST_TOKENS,
  type PhaseProgress,
  type RunOptions,
  runOptions,
  stopwatch,
  turn,
} from "./steps.ts";
import { type Chunks, encodeAll, evaluated, separated } from "./text.ts";
import { weightsOf } from "./weights.ts";

export { LEAST_TOKENS } from "./steps.ts";

/** How far a fit has come. */
export type FitProgress = PhaseProgress<"tokenizer" | "tokens" | "groups" | "scaling" | "mixture" | "files">;

/** The vocabulary that needs no tokenizer to be trained. */
const BYTES = 256;
/** A model has its kernels in both. */
const BUILDS = ["scalar", "simd"] as const;

type FitHooks = Hooks<FitProgress["phase"]>;

export interface FitOptions extends RecipeOptions, RunOptions, FitHooks {
  /** Texts to score with the network in f32, before it is quantised: `report.heldOutBits`. What int8 costs can be told from it. */
  readonly heldOut?: readonly Uint8Array[] | undefined;
  /** Uses this tokenizer in place of training one, such as of `symbolTokenizer`; V is its size, whatever `vocabulary` says. */
  readonly tokenizer?: Tokenizer | undefined;
}

/** What was fitted and how long each phase took; the times are in no file. */
export interface FitReport {
  readonly shape: Shape;
  readonly recipe: Recipe;
  /** V as it was asked for; `shape.vocabulary` is less where no further pair of the text's pieces occurs twice. */
  readonly wantedVocabulary: number;
  readonly trainTokens: number;
  readonly trainBytes: number;
  /** Σ −log2 p over `heldOut` under the f32 network, without history attention. */
  readonly heldOutBits: number;
  readonly seconds: {
    tokenizer: number;
    tokens: number;
    compile: number;
    groups: number;
    scaling: number;
    mixture: number;
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
 * @param text called twice, to train the tokenizer and to encode; each time it gives the whole text in order, as bytes, or as ids where
 * `tokenizer` is one of symbols
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function fit(text: () => Chunks, options: FitOptions = {}): Promise<FitResult> {
  // bad options are refused before any work
  if (typeof text !== "function")
    throw invalidOption("text", "a function that gives the whole text, each time anew", text);
  const { threads, build } = runOptions(options);
  const { signal, onProgress } = options;
  checkTexts("heldOut", options.heldOut ?? []);
  if (options.tokenizer !== undefined) checkTokenizer(options.tokenizer);
  const least = options.tokenizer === undefined ? LEAST_VOCABULARY : LEAST_SYMBOLS;
  const wanted = shapeOf({ ...options, vocabulary: options.tokenizer?.vocabularySize ?? options.vocabulary }, least);
  recipeOf(options, LEAST_TOKENS, wanted);
  assertFits(wanted, LEAST_TOKENS);
  throwIfAborted(signal);
  assertSolvable(build);
  // a tokenizer to be trained may come out smaller, and the shape with it
  if (options.tokenizer !== undefined || wanted.vocabulary === BYTES) {
    const modules = [...BUILDS.map((each) => deviceRequest(wanted, each)), solverRequest(wanted, build, threads > 0)];
    await assertCompilable(modules, wanted);
  }
  const clock = stopwatch();

  const tokenizer = options.tokenizer ?? (await tokenizerFor(text, wanted.vocabulary, options));
  const vocabulary = tokenizer.vocabularySize; // a short text has fewer pairs to merge than were wanted
  const shape = shapeOf({ ...options, vocabulary, bits: Math.min(wanted.bits, vocabulary) }, least);
  const tokenizerSeconds = clock();
  const { tokens, bytes } = await encodeAll(text(), tokenizer, { signal, onProgress });
  assertEnough(tokens.length, "a fit");
  const recipe = recipeOf(options, tokens.length, shape);
  const tokensSeconds = clock();

  const heldOut = await separated(options.heldOut ?? [], tokenizer, shape.window, signal);
  await turn(signal);
  const scalar = await compileDevice(shape, "scalar", {}, signal);
  await turn(signal);
  const simd = await compileDevice(shape, "simd", {}, signal);
  await turn(signal);
  const wasm = await compileSolver(shape, build, threads > 0, signal);
  await turn(signal);
  const solver = await Solver.start(wasm, shape, tokens.length + heldOut.length, threads, signal);
  const compileSeconds = clock();
  try {
    const places = solver.view(Uint16Array, "TOKENS", tokens.length + heldOut.length);
    places.set(tokens);
    places.set(heldOut, tokens.length);
    const trained = tokens.length - (shape.history === 0 ? 0 : recipe.mixture.tokens);
    const settings = settingsOf(recipe, trained);
    await solver.configure(settings);
    await fitGroups(solver, shape, recipe, settings, options);
    const groupsSeconds = clock();
    const rounded = await fitScaling(solver, shape, recipe, settings, options);
    const scalingSeconds = clock();
    await fitMixture(solver, shape, recipe.mixture.sweeps, trained, tokens.length, options);
    const mixtureSeconds = clock();
    const heldOutBits = await bitsOf(solver, heldOut, tokens.length, signal);
    throwIfAborted(signal);
    onProgress?.({ phase: "files", done: 0, total: 1 });
    if (!rounded) await solver.once("storeHidden");
    await solver.once("storeDecoder");
    const weights = writeTensors(weightsOf(solver, shape));
    throwIfAborted(signal);
    const facts = { trainTokens: tokens.length, trainBytes: bytes };
    const files = await filesOf({ shape, recipe, facts, weights, tokenizer, kernels: { scalar, simd } });
    onProgress?.({ phase: "files", done: 1, total: 1 });
    const seconds = {
      tokenizer: tokenizerSeconds,
      tokens: tokensSeconds,
      compile: compileSeconds,
      groups: groupsSeconds,
      scaling: scalingSeconds,
      mixture: mixtureSeconds,
      files: clock(),
    };
    return {
      files,
      tokenizer,
      report: { shape, recipe, wantedVocabulary: wanted.vocabulary, ...facts, heldOutBits, seconds },
    };
  } finally {
    await solver.stop();
  }
}

function checkTokenizer(tokenizer: Tokenizer): void {
  const methods = ["encode", "decode", "bytesOf", "toJSON"] as const;
  if (!Number.isInteger(tokenizer?.vocabularySize) || methods.some((name) => typeof tokenizer[name] !== "function")) {
    throw invalidOption("tokenizer", "a tokenizer, as of tokenizerFromJSON", tokenizer);
  }
  // a model that cannot be loaded again is of no use
  const again = tokenizerFromJSON(JSON.parse(JSON.stringify(tokenizer.toJSON() ?? null)));
  if (again.vocabularySize !== tokenizer.vocabularySize) {
    throw invalidOption(
      "tokenizer",
      `one whose toJSON has its ${tokenizer.vocabularySize} tokens`,
      again.vocabularySize,
    );
  }
}

async function tokenizerFor(text: () => Chunks, vocabulary: number, options: FitOptions): Promise<Tokenizer> {
  if (vocabulary === BYTES) return byteTokenizer();
  return trainTokenizer(abortable(text(), options.signal), {
    vocabulary,
    sizes: vocabulariesOf(options),
    ...(options.signal && { signal: options.signal }),
    onProgress: ({ done, total }) => options.onProgress?.({ phase: "tokenizer", done, total }),
  });
}

/** The directory of a fitted model. */
function filesOf({ shape, recipe, facts, weights, tokenizer, kernels }: Fitted): Promise<ModelFiles> {
  const encoder = new TextEncoder();
  return withConfig(
    new Map([
      ["model.safetensors", weights],
      ["tokenizer.json", encoder.encode(`${JSON.stringify(tokenizer.toJSON())}\n`)],
      ["README.md", encoder.encode(modelCard(shape, recipe, { ...facts, weightBytes: weights.length }))],
      ["kernel.scalar.wasm", kernels.scalar],
      ["kernel.simd.wasm", kernels.simd],
    ]),
    shape,
    { ...recipe, ...facts },
  );
}

/** What a model's directory is made of. */
interface Fitted {
  readonly shape: Shape;
  readonly recipe: Recipe;
  readonly facts: { readonly trainTokens: number; readonly trainBytes: number };
  readonly weights: Uint8Array;
  readonly tokenizer: Tokenizer;
  readonly kernels: Readonly<Record<Build, Uint8Array>>;
}

/** Σ −log2 p of `tokens`, which stand at `from` in the solver, under the f32 network. */
async function bitsOf(solver: Solver, tokens: Uint16Array, from: number, signal: AbortSignal | undefined) {
  let bits = 0;
  for await (const places of evaluated(solver, tokens, from, signal)) {
    for (const p of solver.view(Float32Array, "LIKELIHOOD", places)) bits -= Math.log2(p);
  }
  return bits;
}
