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
import { SaffuError, shown, throwIfAborted } from "../errors.ts";
import { type ModelFiles, withConfig } from "../model/config.ts";
import { Pace } from "../model/pace.ts";
import { type Tensor, writeTensors } from "../model/safetensors.ts";
import { type Shape, tensorSpecs } from "../model/shape.ts";
import { byteTokenizer, encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import { trainTokenizer } from "../tokenizer/train.ts";
import { modelCard } from "./card.ts";
import { type Recipe, type RecipeOptions, recipeOf, shapeOf } from "./recipe.ts";
import { outOfMemory, Trainer } from "./trainer.ts";

/** How far a fit has come. `total` is 0 where it is not known. */
export interface FitProgress {
  readonly phase: "tokenizer" | "tokens" | "heads" | "residual" | "gate" | "files";
  readonly done: number;
  readonly total: number;
}

export interface FitOptions extends RecipeOptions {
  /** Worker threads; 0 fits in the calling thread. Default 2 under Node. The result does not depend on it. */
  readonly threads?: number | undefined;
  /** `scalar` fits where SIMD is missing; the result is the same. */
  readonly flavour?: "simd" | "scalar" | undefined;
  /** Texts to score with the stack in f32, before it is quantised: `report.heldOutBits`. What int8 costs can be told from it. */
  readonly heldOut?: readonly Uint8Array[] | undefined;
  /** Uses this tokenizer in place of training one; V is its size, whatever `vocabulary` says. */
  readonly tokenizer?: Tokenizer | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FitProgress) => void) | undefined;
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

/** Fewest tokens that a model is fitted to: below it there is nothing to count. */
export const LEAST_TOKENS = 16;
/** Steps run between two looks at the signal: a fraction of a second of work. */
const STEPS_A_CALL = 16;

/**
 * Fits a model.
 *
 * @param text called twice, to train the tokenizer and to encode; each time it gives the whole text in order, as bytes
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function fit(
  text: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: FitOptions = {},
): Promise<FitResult> {
  const { signal, onProgress, flavour = "simd" } = options;
  // bad options are refused before any work
  if (flavour !== "simd" && flavour !== "scalar") {
    throw new SaffuError("INVALID_OPTION", `flavour must be "simd" or "scalar", got ${shown(flavour)}`);
  }
  const threads = threadsOf(options.threads);
  const wanted = shapeOf({ ...options, vocabulary: options.tokenizer?.vocabularySize ?? options.vocabulary });
  recipeOf(options, LEAST_TOKENS);
  const bytesNeeded = trainerBytesNeeded(wanted) + 2 * LEAST_TOKENS;
  if (bytesNeeded > MOST_BYTES) throw outOfMemory(bytesNeeded);
  throwIfAborted(signal);
  const clock = stopwatch();

  const tokenizer = options.tokenizer ?? (await tokenizerFor(text, wanted.vocabulary, { signal, onProgress }));
  const vocabulary = tokenizer.vocabularySize; // a short text has fewer pairs to merge than were wanted
  const shape = shapeOf({ ...options, vocabulary, bits: Math.min(wanted.bits, vocabulary) });
  const tokenizerSeconds = clock();
  const { tokens, bytes } = await encodeAll(text(), tokenizer, { signal, onProgress });
  if (tokens.length < LEAST_TOKENS) {
    throw new SaffuError("INVALID_TEXT", `the text has ${tokens.length} tokens, a fit needs at least ${LEAST_TOKENS}`);
  }
  const recipe = recipeOf(options, tokens.length);
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
    await fitGate(trainer, shape, recipe, trained, tokens.length, options);
    const gateSeconds = clock();
    const heldOutBits = await bitsOf(trainer, heldOut, tokens.length, options);
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

function threadsOf(threads: number | undefined): number {
  if (threads === undefined) return typeof process === "undefined" ? 0 : 2;
  if (!Number.isInteger(threads) || threads < 0 || threads > 16) {
    throw new SaffuError("INVALID_OPTION", `threads must be an integer in 0..16, got ${shown(threads)}`);
  }
  return threads;
}

type Hooks = Pick<FitOptions, "signal" | "onProgress">;

async function tokenizerFor(text: Parameters<typeof fit>[0], vocabulary: number, hooks: Hooks): Promise<Tokenizer> {
  if (vocabulary === 256) return byteTokenizer();
  return trainTokenizer(text(), {
    vocabulary,
    ...(hooks.signal && { signal: hooks.signal }),
    onProgress: ({ done, total }) => hooks.onProgress?.({ phase: "tokenizer", done, total }),
  });
}

async function encodeAll(
  text: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  tokenizer: Tokenizer,
  { signal, onProgress }: Hooks,
): Promise<{ tokens: Uint16Array; bytes: number }> {
  let bytes = 0;
  async function* counted() {
    for await (const chunk of text) {
      throwIfAborted(signal);
      bytes += chunk.length;
      onProgress?.({ phase: "tokens", done: bytes, total: 0 });
      yield chunk;
    }
  }
  let tokens = new Uint16Array(1 << 16);
  let length = 0;
  const pace = new Pace();
  for await (const piece of encodeStream(tokenizer, counted())) {
    while (length + piece.length > tokens.length) {
      const grown = new Uint16Array(tokens.length * 2);
      grown.set(tokens);
      tokens = grown;
    }
    tokens.set(piece, length);
    length += piece.length;
    if (pace.due()) await pace.rest(); // a chunk may be a whole library
    throwIfAborted(signal);
  }
  return { tokens: tokens.subarray(0, length), bytes };
}

/** Lets timers, signals and input be served between two long pieces of work. @throws SaffuError ABORTED */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  throwIfAborted(signal);
}

/** Runs steps [0, total) of an exported function in calls of bounded work. */
async function runSteps(
  trainer: Trainer,
  name: string,
  phase: FitProgress["phase"],
  first: number,
  total: number,
  { signal, onProgress }: Hooks,
): Promise<void> {
  for (let from = first; from < total; from += STEPS_A_CALL) {
    throwIfAborted(signal);
    const to = Math.min(total, from + STEPS_A_CALL);
    await trainer.all(name, "thread", "threads", from, to);
    onProgress?.({ phase, done: to, total });
  }
}

async function fitHeads(trainer: Trainer, shape: Shape, recipe: Recipe, tokens: number, hooks: Hooks): Promise<void> {
  const { passes, rate, mass, decay } = recipe.heads;
  const batch = Math.min(recipe.heads.batch, tokens);
  await trainer.all("count", "thread", tokens);
  const positions = trainer.view(Float32Array, "POSITIONS", shape.heads * shape.block);
  for (let i = 0, weight = 1; i < positions.length; ++i) {
    weight = i % shape.block === 0 ? 1 : weight * decay; // not a power, whose last bits differ between engines
    positions[i] = weight;
  }
  await trainer.all("configureHeads", recipe.seed, batch, rate, mass, recipe.targets === "cipher" ? 1 : 0);
  await trainer.once("initialiseHeads");
  const steps = Math.ceil(tokens / batch) * passes;
  await runSteps(trainer, "headSteps", "heads", 0, steps, hooks);
  if (recipe.positions === "newton") {
    const slice = Math.min(20_000, Math.ceil(tokens / 10));
    await trainer.all("solvePositions", "thread", "threads", tokens - slice, tokens, 4);
  }
}

async function fitResidual(
  trainer: Trainer,
  shape: Shape,
  recipe: Recipe,
  tokens: number,
  hooks: Hooks,
): Promise<void> {
  if (shape.decoder === "mixture") return; // the heads' own solution is the model
  const { passes, batch, rate, lead, decoderMass, hiddenMass, decoderStep, hiddenStep } = recipe.residual;
  if (passes === 0) {
    const chunk = 16384;
    for (let from = 0; from < tokens; from += chunk) {
      throwIfAborted(hooks.signal);
      const to = Math.min(tokens, from + chunk);
      await trainer.once("explicitSteps", from, to, recipe.heads.mass, to === tokens ? 1 : 0);
      hooks.onProgress?.({ phase: "residual", done: to, total: tokens });
    }
    return;
  }
  await trainer.once("initialiseResidual", 0);
  const masses = [decoderMass, hiddenMass, decoderStep, hiddenStep] as const;
  await trainer.all("configureResidual", recipe.seed, batch, lead, rate, ...masses);
  const steps = Math.ceil(tokens / batch);
  await runSteps(trainer, "residualSteps", "residual", 0, steps * passes, hooks);
  if (shape.weightBits !== 4) return;
  // one pass more, of the decoder alone, on hidden layers as the device has them
  await trainer.once("roundHidden");
  await trainer.all("configureResidual", recipe.seed, batch, steps * (passes + 1), rate, ...masses);
  await runSteps(trainer, "residualSteps", "residual", steps * passes, steps * (passes + 1), hooks);
}

/** The gate is solved on the text's tail, which the stack has not seen. */
async function fitGate(
  trainer: Trainer,
  shape: Shape,
  recipe: Recipe,
  from: number,
  to: number,
  { signal, onProgress }: Hooks,
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
  await trainer.once("gateSolve", to - from, recipe.gate.sweeps);
}

/** Marks a place before a text's start: no token. */
const ABSENT = 0xffff;

/** Tokens of some texts, each after as many absent tokens as the block sees, so that no context reaches from one into the next. */
function separated(texts: readonly Uint8Array[], tokenizer: Tokenizer, block: number): Uint16Array {
  const parts = texts.flatMap((text) => [new Uint16Array(block).fill(ABSENT), tokenizer.encode(text)]);
  const all = new Uint16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Σ −log2 p of `tokens`, which stand at `from` in the trainer, under the f32 stack. Absent tokens are context alone. */
async function bitsOf(trainer: Trainer, tokens: Uint16Array, from: number, { signal }: Hooks): Promise<number> {
  const chunk = trainer.constant("BATCH");
  let bits = 0;
  for (let start = 0, end = 0; end < tokens.length; start = end) {
    throwIfAborted(signal);
    while (tokens[start] === ABSENT) ++start;
    end = start;
    while (end < tokens.length && tokens[end] !== ABSENT && end - start < chunk) ++end;
    await trainer.once("evaluate", from + start, end - start);
    for (const p of trainer.view(Float32Array, "LIKELIHOOD", end - start)) bits -= Math.log2(p);
  }
  return bits;
}

/** The tensors of model.safetensors, copied out of the trainer. */
export function weightsOf(trainer: Trainer, shape: Shape): Map<string, Tensor> {
  const addresses: Record<string, string> = {
    cipher: "CIPHER",
    "block.U": "U_INT8",
    "block.U.levels": "U_LEVELS",
    "block.U.scale": "U_SCALE",
    "block.u0": "U0",
    "decoder.O": "O_INT8",
    "decoder.O.scale": "O_SCALE",
    "decoder.o0": "O0",
    "attention.gate": "GATE",
  };
  const arrays = { I8: Int8Array, U8: Uint8Array, U16: Uint16Array, F32: Float32Array };
  return new Map(
    tensorSpecs(shape).map(({ name, dtype, shape: dimensions }) => {
      const type = arrays[dtype as keyof typeof arrays];
      const length = dimensions.reduce((product, size) => product * size, 1);
      const view = trainer.view<Int8Array | Uint8Array | Uint16Array | Float32Array>(type, addresses[name]!, length);
      return [name, { dtype, shape: dimensions, data: view.slice() } as Tensor];
    }),
  );
}

/** Seconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
