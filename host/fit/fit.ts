/**
 * Fitting a model, end to end: text → tokenizer → tokens → groups → iterative scaling → mixture → int8 files.
 *
 * ```ts
 * const { files, report } = await fit(() => createReadStream("book.txt"), { profile: "potato", signal });
 * await save("models/book", files);
 * ```
 */
import {
  assertCompilable,
  compileDevices,
  compileSolver,
  deviceRequest,
  sizedFor,
  solverRequest,
} from "../compile/compile.ts";
import { checkTexts, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { type ModelFiles, withConfig } from "../files/config.ts";
import { type Tensor, writeTensors } from "../files/safetensors.ts";
import type { Build } from "../model/kernel.ts";
import { assertSolvable, hasExactSimd } from "../model/webassembly.ts";
import { abortable } from "../pace.ts";
import { hiddenWidth, MAX_NGRAM_VOCABULARY, type Shape } from "../shape.ts";
import { byteTokenizer, checkBoundary, newlineOf, type Tokenizer, tokenizerFromJSON } from "../tokenizer/index.ts";
import { trainTokenizer } from "../tokenizer/train.ts";
import { modelCard } from "./card.ts";
import { fitGroups } from "./groups.ts";
import { fitLongMatches } from "./long-matches.ts";
import { fitMixture } from "./mixture.ts";
import { fitNgrams } from "./ngrams.ts";
import {
  LEAST_SYMBOLS,
  LEAST_VOCABULARY,
  memoryOf,
  type Recipe,
  type RecipeOptions,
  recipeOf,
  shapeOf,
  vocabularyRule,
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
import { type Chunks, encodeInto, encodeSeparated, evaluated, Tokens } from "./text.ts";
import { weightsOf } from "./weights.ts";

export { LEAST_TOKENS } from "./steps.ts";

/** How far a fit has come. */
export type FitProgress = PhaseProgress<
  "tokenizer" | "tokens" | "groups" | "scaling" | "mixture" | "ngrams" | "memory" | "files"
>;

/** The vocabulary that needs no tokenizer to be trained. */
const BYTES = 256;
/** Builds of a model's kernels. */
const BUILDS = ["scalar", "simd"] as const;

type FitHooks = Hooks<FitProgress["phase"]>;

export interface FitOptions extends RecipeOptions, RunOptions, FitHooks {
  /** Texts to score with the network in f32, before it is quantised: `report.heldOutBits`. What int8 costs can be told from it. */
  readonly heldOut?: readonly Uint8Array[] | undefined;
  /** Uses this tokenizer in place of training one, such as of `symbolTokenizer`; V is its size, whatever `vocabulary` says. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Kernels that the model gets. By default both: `scalar` runs everywhere, `simd` is faster. */
  readonly kernels?: readonly Build[] | undefined;
}

/** What was fitted and how long each phase took; the times are in no file. */
export interface FitReport {
  readonly shape: Shape;
  readonly recipe: Recipe;
  /** V as it was asked for, or the profile's; `shape.vocabulary` is less where no further pair of the text's pieces occurs twice, or 20 times where none was asked for. */
  readonly wantedVocabulary: number;
  readonly trainTokens: number;
  readonly trainBytes: number;
  /** Bytes of the solver's memory: what the shape takes, and four a token of `text` and `heldOut`. */
  readonly memoryBytes: number;
  /** Σ −log2 p over `heldOut` under the f32 network, without history attention. */
  readonly heldOutBits: number;
  readonly seconds: {
    tokenizer: number;
    tokens: number;
    compile: number;
    groups: number;
    scaling: number;
    mixture: number;
    ngrams: number;
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
  const { signal, onProgress, kernels = BUILDS } = options;
  checkKernels(kernels);
  checkTexts("heldOut", options.heldOut ?? []);
  if (options.tokenizer !== undefined) checkTokenizer(options.tokenizer);
  const least = options.tokenizer === undefined ? LEAST_VOCABULARY : LEAST_SYMBOLS;
  const wanted = shapeOf({ ...options, vocabulary: options.tokenizer?.vocabularySize ?? options.vocabulary }, least);
  if (options.tokenizer !== undefined) checkReadable(options.tokenizer);
  const boundary = checkBoundary(options.boundary);
  if (options.tokenizer !== undefined && boundary === "newline") newlineOf(options.tokenizer);
  recipeOf(options, LEAST_TOKENS, wanted);
  memoryOf(options, wanted);
  assertFits(wanted, LEAST_TOKENS);
  throwIfAborted(signal);
  assertSolvable(build);
  const runs = hasExactSimd() && kernels.includes("simd") ? "simd" : "scalar";
  const builds = [...new Set([...kernels, ...(wanted.longMatches ? [runs] : [])])] as Build[];
  const modulesOf = (shape: Shape) => [
    solverRequest(shape, build, threads > 0),
    ...builds.map((each) => deviceRequest(shape, each)),
  ];
  // a tokenizer to be trained may come out smaller, and the shape with it
  if (options.tokenizer !== undefined || wanted.vocabulary === BYTES) await assertCompilable(modulesOf(wanted), wanted);
  const clock = stopwatch();

  const tokenizer = options.tokenizer ?? (await tokenizerFor(text, wanted.vocabulary, options));
  const vocabulary = tokenizer.vocabularySize; // a short text has fewer pairs to merge than were wanted
  const shape = shapeOf({ ...options, vocabulary, bits: Math.min(wanted.bits, vocabulary) }, least);
  const tokenizerSeconds = clock();
  const tokens = new Tokens();
  const trainBytes = await encodeInto(tokens, text(), tokenizer, { signal, onProgress });
  const trainTokens = tokens.length;
  assertEnough(trainTokens, "a fit");
  const newline = boundary === "newline" ? newlineOf(tokenizer) : undefined;
  if (newline !== undefined && !tokens.includes(newline)) {
    const what = `the text has no newline, and with boundary "newline" each line of it is a piece`;
    throw new SaffuError("INVALID_TEXT", `${what}: leave the option out for one long text`);
  }
  const recipe = recipeOf(options, trainTokens, shape);
  await encodeSeparated(tokens, options.heldOut ?? [], tokenizer, shape.window, signal);
  const tokensSeconds = clock();

  const memoryBytes = assertFits(shape, tokens.length);
  await assertCompilable(modulesOf(shape), shape);
  await turn(signal);
  const wasm = await compileSolver(shape, build, threads > 0, signal);
  await turn(signal);
  const all = tokens.length;
  const workers =
    options.threads === undefined && isLittle(recipe, trainTokens, shape) ? Math.min(1, threads) : threads;
  const solver = await Solver.start(wasm, shape, all, workers, signal);
  const solverSeconds = clock();
  const seconds = { tokenizer: tokenizerSeconds, tokens: tokensSeconds, groups: 0, scaling: 0, mixture: 0, ngrams: 0 };
  const room = memoryOf(options, shape);
  const memory = Math.min(trainTokens, room.tokens);
  let heldOutBits: number;
  let tensors: ReadonlyMap<string, Tensor>;
  let end: Uint16Array; // of the training text
  let ngrams: Uint8Array | undefined;
  try {
    tokens.moveTo(solver.view(Uint16Array, "TOKENS", all));
    const trained = trainTokens - (shape.history === 0 ? 0 : recipe.mixture.tokens);
    const settings = settingsOf(recipe, trained, newline);
    await solver.configure(settings);
    await fitGroups(solver, shape, recipe, settings, options);
    seconds.groups = clock();
    const rounded = await fitScaling(solver, shape, recipe, settings, options);
    seconds.scaling = clock();
    await fitMixture(solver, shape, recipe.mixture.sweeps, trained, trainTokens, options);
    seconds.mixture = clock();
    // of what a memory does not hold whole, and of tokens that an entry has room for
    if (room.bytes > 0 && memory < trained && shape.vocabulary <= MAX_NGRAM_VOCABULARY) {
      const seen = solver.view(Uint16Array, "TOKENS", trained);
      ngrams = await fitNgrams({ solver, shape, tokens: seen, bytes: room.bytes, newline }, options);
    }
    seconds.ngrams = clock();
    heldOutBits = await bitsOf(solver, trainTokens, all, signal);
    throwIfAborted(signal);
    if (!rounded) await solver.once("storeHidden");
    await solver.once("storeDecoder");
    tensors = weightsOf(solver, shape);
    const long = shape.longMatches ? Math.min(trainTokens, memory + recipe.mixture.tokens) : 0;
    end = solver.view(Uint16Array, solver.address("TOKENS") + 2 * (trainTokens - long), long).slice();
  } finally {
    await solver.stop();
  }
  const facts = { trainTokens, trainBytes };
  const filesSeconds = clock();
  await turn(signal);
  // with room for the largest memory, so that any can be tried
  const largest = { ...shape, ...(memory > 0 && { memory }), ...(ngrams && { ngrams: ngrams.length }) };
  const compiled = await compileDevices(largest, builds, {}, signal);
  await turn(signal);
  const compile = solverSeconds + clock();
  const unseen = Math.min(end.length, recipe.mixture.tokens);
  const asked = options.remember !== undefined;
  const made = shape.longMatches
    ? await fitLongMatches(
        { shape, module: compiled.get(runs)!, tensors, tokens: end, unseen, memory, ngrams, asked, newline },
        options,
      )
    : { shape, tensors };
  seconds.mixture += clock();
  throwIfAborted(signal);
  onProgress?.({ phase: "files", done: 0, total: 1 });
  throwIfAborted(signal);
  const modules = new Map(kernels.map((each) => [each, sizedFor(made.shape, compiled.get(each)!)]));
  const weights = writeTensors(made.tensors);
  const files = await filesOf({ shape: made.shape, recipe, facts, weights, tokenizer, kernels: modules });
  onProgress?.({ phase: "files", done: 1, total: 1 });
  const { vocabulary: wantedVocabulary } = wanted;
  return {
    files,
    tokenizer,
    report: {
      ...{ shape: made.shape, recipe, wantedVocabulary, ...facts, memoryBytes, heldOutBits },
      seconds: { ...seconds, compile, files: filesSeconds + clock() },
    },
  };
}

/** Multiply-adds of a fit that one thread has done before a second has started: half a second's. */
const LITTLE = 2.5e9;

function isLittle({ scaling }: Recipe, tokens: number, shape: Shape): boolean {
  return 3 * scaling.passes * tokens * shape.vocabulary * hiddenWidth(shape) < LITTLE;
}

function checkKernels(kernels: readonly Build[]): void {
  const known = Array.isArray(kernels) && kernels.length > 0 && kernels.every((each) => BUILDS.includes(each));
  if (!known || new Set(kernels).size < kernels.length)
    throw invalidOption("kernels", `of "scalar" and "simd"`, kernels);
}

function checkTokenizer(tokenizer: Tokenizer): void {
  const methods = ["encode", "decode", "bytesOf", "toJSON"] as const;
  if (!Number.isInteger(tokenizer?.vocabularySize) || methods.some((name) => typeof tokenizer[name] !== "function")) {
    throw invalidOption("tokenizer", "a tokenizer, as of tokenizerFromJSON", tokenizer);
  }
}

/** A model that cannot be loaded again is of no use. @throws SaffuError TOKENIZER_INVALID, INVALID_OPTION */
function checkReadable(tokenizer: Tokenizer): void {
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
    ...vocabularyRule(options),
    boundary: options.boundary,
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
      ...BUILDS.filter((each) => kernels.has(each)).map((each) => [`kernel.${each}.wasm`, kernels.get(each)!] as const),
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
  readonly kernels: ReadonlyMap<Build, Uint8Array>;
}

/** Σ −log2 p of the tokens at [from, end) in the solver, under the f32 network. */
async function bitsOf(solver: Solver, from: number, end: number, signal: AbortSignal | undefined) {
  const tokens = solver.view(Uint16Array, solver.address("TOKENS") + 2 * from, end - from);
  let bits = 0;
  for await (const places of evaluated(solver, tokens, from, signal)) {
    for (const p of solver.view(Float32Array, "LIKELIHOOD", places)) bits -= Math.log2(p);
  }
  return bits;
}
