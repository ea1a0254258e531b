/**
 * A model, loaded and ready.
 *
 * ```ts
 * const model = await load("models/potato-en");
 * for await (const piece of model.generate("Once upon a time", { maxTokens: 50, seed: 7 })) process.stdout.write(piece);
 * model.score("It was a dark night.").bitsPerByte; // about 2
 * ```
 *
 * Generating and scoring start from an empty context, or behind a newline where the model was fitted to lines, and leave nothing behind, so calls may overlap. What `observe` learns changes
 * the calls that begin after it.
 */
import { joined } from "../bytes.ts";
import { checkBytes, checkOptions, checkPath, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { type FileDigest, type ModelConfig, type ModelFiles, STATISTICS, sha256 } from "../files/config.ts";
import { parseJson } from "../files/json.ts";
import { type ReadFile, type ReadOptions, readVerified, type VerifiedFiles } from "../files/read.ts";
import { sha256Of } from "../files/sha256.ts";
import {
  type Base,
  baseOf,
  CAPACITY,
  type Correction,
  formatLearned,
  type Held,
  type Learned,
  MEMORY,
  MOST_MEMORY,
  mostLearnedBytes,
  parseLearned,
  type SaveOptions,
} from "../files/statistics.ts";
import { greatest } from "../files/sums.ts";
import { Learner } from "../learning/learner.ts";
import type {
  ForgetOptions,
  LearnOptions,
  Merged,
  Observation,
  ObserveOptions,
  RefitOptions,
  RefitReport,
} from "../learning/options.ts";
import { type ArchiveOptions, packArchive, unpackArchive } from "../messages/archive.ts";
import { Channel, type ChannelOptions } from "../messages/channel.ts";
import {
  checkMessageOptions,
  type Language,
  type MessageOptions,
  packInSteps,
  packMessage,
  unpackInSteps,
  unpackMessage,
} from "../messages/message.ts";
import { abortable, inTurns, Pace, unlessAborted } from "../pace.ts";
import { parameters, type Shape } from "../shape.ts";
import { bytesOfText } from "../tokenizer/bytes.ts";
import {
  type Boundary,
  type Chunks,
  checkBoundary,
  encodeSettled,
  encodeStream,
  isIds,
  newlineOf,
  settledPrefix,
  type Text,
  type Tokenizer,
  tokenizerFromJSON,
} from "../tokenizer/index.ts";
import {
  type Candidate,
  type CandidateOptions,
  candidatesOf,
  checkTop,
  continuations,
  coversOf,
  drawContinuation,
  type Healer,
  healed,
} from "./healing.ts";
import type { Build, Predictor } from "./kernel.ts";
import { type KernelOptions, Kernels, kernelFiles } from "./kernels.ts";
import { checkGenerateOptions, type GenerateOptions } from "./sampling.ts";
import { Session, type SessionOptions } from "./session.ts";
import { StopText } from "./stop-text.ts";
import { assertSuggests, checkSuggestOptions, type Suggestion, type SuggestOptions, suggestions } from "./suggest.ts";
import { after, unfinished, WHOLE } from "./utf8.ts";
import { Vocabulary } from "./vocabulary.ts";
import { MOST_TAIL } from "./words.ts";

/** What every load takes: a signal, progress in bytes, and the kernel to run. */
export interface LoadOptions extends ReadOptions, KernelOptions {
  /** A statistics.safetensors to load in place of the directory's own; a browser finds none by itself. */
  readonly statistics?: Uint8Array | undefined;
  /**
   * Tokens that the memory of observed texts has room for, in 0..1,048,576; two bytes each in every predictor. Default 32,768, or what
   * the statistics hold where that is more; 0 where the kernel recalls nothing, as those of bytes without long matches.
   */
  readonly memory?: number | undefined;
}

/** What a model has learned, in numbers. */
export interface StatisticsInfo {
  readonly baseDigest: string;
  /** SHA-256 of `exportStatistics`. */
  readonly statisticsDigest: string;
  /** Tokens in the sums; what was halved counts half. */
  readonly observedTokens: number;
  /** How often the sums were halved. */
  readonly generation: number;
  /** The fullest sum as a part of what it can hold, 0..1: at 1 nothing can be added before the sums are halved. */
  readonly filled: number;
  /** Of `exportStatistics`. */
  readonly bytes: number;
  /** Tokens of observed texts that are kept verbatim, and how many there is room for. */
  readonly memoryTokens: number;
  readonly memoryCapacity: number;
  readonly corrected: boolean;
}

/** How well a model predicts a text. */
export interface Totals {
  readonly tokens: number;
  readonly bytes: number;
  /** Σ −log2 p(token | what came before). */
  readonly bits: number;
  /** 0 of an empty text. */
  readonly bitsPerByte: number;
  /** 2^(bits / tokens); 1 of an empty text. */
  readonly perplexity: number;
}

/** The same, token by token. */
export interface Score extends Totals {
  /** Bits of each token, in order. */
  readonly surprisal: Float32Array;
}

/** What scoring takes. */
export interface ScoreOptions {
  /**
   * "newline": each line is scored as a text of its own, its newline as its last token. "none": the whole as one text. Default what the model was
   * fitted with.
   */
  readonly boundary?: Boundary | undefined;
}

/** What scoring a stream takes. */
export interface StreamOptions extends ScoreOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch of tokens with what has come so far. */
  readonly onProgress?: ((done: { readonly bytes: number; readonly tokens: number }) => void) | undefined;
}

/** What a model is made of. */
export interface ModelInfo {
  readonly shape: Shape;
  readonly parameters: number;
  /** The kernel that runs; "given" where `load` was given one. */
  readonly build: Build | "given";
  /** Linear memory of one predictor in bytes: each call under way has one of its own. Learning takes another instance, with the sums. */
  readonly memoryBytes: number;
  /** Bytes and SHA-256 of `files`: those that were read. */
  readonly files: Readonly<Record<string, FileDigest>>;
  readonly recipe: ModelConfig["recipe"];
}

/** Where a model is read from. */
export interface Source {
  readonly readFile: ReadFile;
  /** Whether files that are not needed to run are read as well, for a save to have them. */
  readonly carried?: boolean;
  /** statistics.safetensors, where there is one, of at most so many bytes. */
  readonly readStatistics?: (most: number, signal: AbortSignal | undefined) => Promise<Uint8Array | undefined>;
  /** The directory, where it is one. */
  readonly directory?: string;
}

/** What Node has and a browser has not: directories to save to. */
export interface Platform {
  /**
   * Writes a model, and its statistics where it has any. Where the same model stands there already, the statistics alone are
   * replaced.
   *
   * @param seen SHA-256 of the statistics that are expected to stand there ("" for none), or undefined for whatever they are
   */
  save(directory: string, files: ModelFiles, statistics: Uint8Array | undefined, options: SaveOptions): Promise<void>;
  /** One name for a directory, however it is spelt. */
  identify(directory: string): string;
}

/** What saving a model takes. */
export interface ModelSaveOptions {
  readonly signal?: AbortSignal | undefined;
  /** @internal */
  readonly lock?: Held | undefined;
}

/** Most tokens in a batch of surprisals. */
const BATCH = 1024;

export class Model {
  /** SHA-256 of the statistics that a directory held when this model last saw it; "" for none. */
  private readonly seen = new Map<string, string>();
  /** One save after another: each has to see what the one before it has left. */
  private saving: Promise<unknown> = Promise.resolve();
  private spelled: Vocabulary | undefined;

  private constructor(
    private readonly verified: VerifiedFiles & { readonly begin: number | undefined },
    readonly tokenizer: Tokenizer,
    private readonly kernels: Kernels,
    private readonly base: Base,
    private readonly learner: Learner,
    private readonly platform: Platform | undefined,
  ) {}

  /**
   * Reads and verifies the files of a model, and starts its kernel. `load` of the entry points is the way to call it.
   *
   * @throws SaffuError as load does
   */
  static async read(source: Source, options: LoadOptions = {}, platform?: Platform): Promise<Model> {
    checkOptions(options);
    if (options.statistics !== undefined) checkBytes("statistics", options.statistics);
    const selection = { kernels: kernelFiles(options), carried: source.carried ?? false };
    const verified = await readVerified(source.readFile, options, selection);
    const { files, config } = verified;
    let json: unknown;
    try {
      json = parseJson(files.get("tokenizer.json")!);
    } catch (cause) {
      throw new SaffuError("TOKENIZER_INVALID", "tokenizer.json: not JSON", { cause });
    }
    const tokenizer = tokenizerFromJSON(json);
    const { vocabulary } = config.shape;
    if (tokenizer.vocabularySize !== vocabulary) {
      const what = `tokenizer.json has ${tokenizer.vocabularySize} tokens, the shape wants ${vocabulary}`;
      throw new SaffuError("TOKENIZER_INVALID", what);
    }
    const begin = config.recipe.boundary === "newline" ? newlineIn(tokenizer) : undefined;
    const base = await baseOf(config);
    const most = mostLearnedBytes(config.shape);
    const statistics = options.statistics ?? (await source.readStatistics?.(most, options.signal));
    const learned = statistics && (await parseLearned(statistics, base, STATISTICS));
    const kernels = await Kernels.start(files, config.shape, verified.kernel ?? options.kernel!, {
      recall: checkMemory(options.memory) ?? longMemory(learned),
      begin,
    });
    const room = { capacity: kernels.recall, begin };
    const learner = new Learner(() => kernels.startLearner(), base, tokenizer, learned, room);
    const model = new Model({ ...verified, begin }, tokenizer, kernels, base, learner, platform);
    model.apply();
    if (source.directory !== undefined) model.seen.set(source.directory, statistics ? await sha256(statistics) : "");
    return model;
  }

  private get vocabulary(): Vocabulary {
    this.spelled ??= new Vocabulary(this.tokenizer);
    return this.spelled;
  }

  /** The token that a line ends with, where lines are scored one by one. @throws SaffuError INVALID_OPTION */
  private newline({ boundary = this.boundary }: ScoreOptions): number | undefined {
    return checkBoundary(boundary) === "newline" ? newlineOf(this.tokenizer) : undefined;
  }

  /** "newline" where the model was fitted to lines, each a text of its own; else "none". */
  get boundary(): Boundary {
    return checkBoundary(this.config.recipe.boundary);
  }

  /** The token that every text begins behind, where the model was fitted to lines: the newline. */
  get begin(): number | undefined {
    return this.verified.begin;
  }

  get config(): ModelConfig {
    return this.verified.config;
  }

  /** The model's files that were read: of a directory or a Map all that are there and whole, by http those that are needed to run. */
  get files(): ModelFiles {
    return this.verified.files;
  }

  /**
   * Continues `prompt`, piece by piece. Bytes that are not a whole character yet are held back; so is the text that may be the
   * beginning of a stop string.
   *
   * With `heal` the first token may have begun inside the prompt (healing.ts): its bytes from the prompt's end on are emitted. With
   * `wellFormed` only tokens are drawn that keep the text well-formed UTF-8, before topK and topP: a character that the prompt
   * leaves unfinished is finished, and emitted whole; one that `maxTokens` leaves unfinished is not emitted. Without, bytes that
   * are no character stand as U+FFFD.
   *
   * @throws SaffuError INVALID_OPTION, INVALID_TEXT, ABORTED
   */
  async *generate(prompt: Text = "", options: GenerateOptions = {}): AsyncGenerator<string, void> {
    const { maxTokens, temperature, topK, topP, seed, stop, signal, onToken, heal, wellFormed } =
      checkGenerateOptions(options);
    throwIfAborted(signal);
    const { kernels, tokenizer, vocabulary } = this;
    const kernel = kernels.take();
    try {
      const pace = new Pace();
      const read = async (tokens: Uint16Array) => {
        for (const token of tokens) {
          kernel.feed(token); // not append: what comes next is then what `score` says of it
          if (pace.due()) await pace.rest();
          throwIfAborted(signal);
        }
      };
      if (isIds(prompt)) await read(tokenizer.encode(prompt));
      const bytes = bytesOfText(isIds(prompt) ? "" : prompt);
      const begun = wellFormed ? unfinished(bytes) : bytes.subarray(0, 0);
      let state = after(WHOLE, begun);
      const settled = encodeSettled(tokenizer, [bytes], signal);
      let part = await settled.next();
      for (; !part.done; part = await settled.next()) await read(part.value);
      kernel.seed(seed);
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      decoder.decode(begun, { stream: true });
      const text = new StopText(stop);
      let drawn = 0;
      const emit = (token: number, added: Uint8Array, whole = ""): string => {
        ++drawn;
        onToken?.(token);
        return text.add(whole === "" ? decoder.decode(added, { stream: true }) : whole);
      };
      if (!heal) await read(tokenizer.encode(part.value));
      else {
        const { kept, covers } = coversOf(part.value, this.healer);
        await read(kept);
        if (covers.length === 1) await read(Uint16Array.of(...covers[0]!.before, covers[0]!.token));
        else if (covers.length > 1) {
          const all = continuations(kernel, covers, vocabulary);
          const found = wellFormed ? all.filter(({ added }) => after(state, added) >= 0) : all;
          const { before, token, added } = drawContinuation(kernel, found, [temperature, topK, topP]);
          await read(before);
          kernel.append(token);
          if (wellFormed) state = after(state, added);
          const piece = emit(token, added);
          if (piece !== "") yield piece;
        }
      }
      let decoded = false; // whether the decoder is known to hold nothing back
      while (drawn < maxTokens && !text.stopped) {
        if (pace.due()) await pace.rest();
        throwIfAborted(signal);
        if (wellFormed) kernel.forbid(vocabulary.illFormed(state));
        const token = kernel.sample(temperature, topK, topP);
        kernel.append(token); // not feed: what was drawn says nothing of the text, and a mixture that follows it repeats itself
        const added = vocabulary.spelled[token]!;
        const whole = vocabulary.textOf(token);
        const piece = emit(token, added, decoded ? whole : "");
        const reached = whole === "" && wellFormed ? after(state, added) : WHOLE;
        decoded = whole !== "" || (wellFormed && reached === WHOLE);
        if (wellFormed) state = Math.max(WHOLE, reached);
        if (piece !== "") yield piece;
      }
      const rest = text.add(wellFormed ? "" : decoder.decode()) + text.end();
      if (rest !== "") yield rest;
    } finally {
      kernels.give(kernel);
    }
  }

  /**
   * Surprisal of every token of `text`; of an empty one there are none. It does not return before it is done: for long texts there
   * is scoreStream.
   *
   * @throws SaffuError INVALID_TEXT where it is neither a string, bytes nor ids; TOKEN_OUT_OF_RANGE; INVALID_OPTION
   */
  score(text: Text, options: ScoreOptions = {}): Score {
    checkOptions(options);
    const newline = this.newline(options);
    const kernel = this.kernels.take();
    try {
      const { tokenizer } = this;
      const tokens = tokenizer.encode(text);
      const bytes = tokenizer.decode(tokens).length;
      const surprisal = Float32Array.from(tokens, (token) => scored(kernel, token, newline));
      const sum = new Sum();
      sum.add(surprisal);
      return { ...sum.totals(bytes), surprisal };
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * The totals of `score` for a text that arrives in chunks, in memory that does not grow with it. Other work goes on meanwhile;
   * the signal is looked at between chunks and between batches of tokens.
   *
   * @throws SaffuError INVALID_TEXT where a chunk is neither a string nor bytes, ABORTED
   */
  async scoreStream(chunks: Chunks, options: StreamOptions = {}): Promise<Totals> {
    checkOptions(options);
    let bytes = 0;
    const sum = new Sum();
    const onProgress: StreamOptions["onProgress"] = (done) => {
      bytes = done.bytes;
      options.onProgress?.(done);
    };
    for await (const batch of this.surprisals(chunks, { ...options, onProgress })) sum.add(batch);
    return sum.totals(bytes);
  }

  /**
   * Surprisal in bits of every token of a text that arrives in chunks, in batches as they can be told. Together they are what
   * `score` gives for the whole text; nothing for an empty one.
   *
   * @throws SaffuError INVALID_TEXT where a chunk is neither a string nor bytes, ABORTED
   */
  async *surprisals(chunks: Chunks, options: StreamOptions = {}): AsyncGenerator<Float32Array, void> {
    checkOptions(options);
    const { signal, onProgress } = options;
    const { kernels, tokenizer } = this;
    const newline = this.newline(options);
    throwIfAborted(signal);
    const kernel = kernels.take();
    try {
      const pace = new Pace();
      let bytes = 0;
      let tokens = 0;
      for await (const all of encodeStream(tokenizer, abortable(chunks, signal), signal)) {
        for (let from = 0; from < all.length; from += BATCH) {
          const batch = all.subarray(from, from + BATCH);
          const surprisal = new Float32Array(batch.length);
          for (let i = 0; i < batch.length; ++i) {
            surprisal[i] = scored(kernel, batch[i]!, newline);
            if (pace.due()) await pace.rest();
          }
          throwIfAborted(signal);
          bytes += tokenizer.decode(batch).length;
          tokens += batch.length;
          onProgress?.({ bytes, tokens });
          yield surprisal;
        }
      }
    } finally {
      kernels.give(kernel);
    }
  }

  /**
   * The distribution of the token after the tokens of `context`, (V) f32 of unit sum. Where the context ends inside a word, that is not
   * what follows it: see `candidates`.
   *
   * @throws SaffuError INVALID_TEXT
   */
  predict(context: Text): Float32Array {
    const kernel = this.kernels.take();
    try {
      for (const token of this.tokenizer.encode(context)) kernel.feed(token);
      kernel.predict();
      return kernel.probabilities.slice();
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * What may follow `context`, as bytes, the likeliest first. The context's end is healed: a candidate is what is left of a token that
   * began inside the context, or the token after it. No two are alike, and together their probabilities are 1.
   *
   * @throws SaffuError INVALID_TEXT; INVALID_OPTION
   */
  candidates(context: Text, options: CandidateOptions = {}): Candidate[] {
    const top = checkTop(options);
    return this.atEnd(context, (kernel, end) => candidatesOf(healed(kernel, end, this.healer), top));
  }

  /**
   * The likeliest words that `text` may go on with, the likeliest first: the rest of the word that it ends in, or the next word where it ends between
   * words. Its end is healed, as that of `candidates`.
   *
   * @throws SaffuError INVALID_TEXT; TOKEN_OUT_OF_RANGE; INVALID_OPTION; UNSUPPORTED where tokens are symbols, which make no words, or the kernel's
   * state cannot be told from its memory
   */
  suggest(text: Text, options: SuggestOptions = {}): Suggestion[] {
    const bounds = checkSuggestOptions(options);
    const { healer } = this;
    assertSuggests(healer);
    const tail = (isIds(text) ? this.tokenizer.decode(text) : bytesOfText(text)).slice(-MOST_TAIL);
    return this.atEnd(text, (kernel, end) =>
      suggestions(kernel, healed(kernel, end, healer), healer.vocabulary, tail, bounds),
    );
  }

  private get language(): Language {
    return { tokenizer: this.tokenizer, newline: this.begin };
  }

  private get healer(): Healer {
    const { kernels, tokenizer, vocabulary } = this;
    return { kernels, tokenizer, vocabulary };
  }

  /** Reads a text up to its end, the bytes that what follows could make other tokens of. */
  private atEnd<T>(context: Text, look: (kernel: Predictor, end: Uint8Array) => T): T {
    const { tokenizer } = this;
    const bytes = bytesOfText(isIds(context) ? "" : context);
    const settled = settledPrefix(tokenizer, bytes);
    const tokens = tokenizer.encode(isIds(context) ? context : bytes.subarray(0, settled));
    const kernel = this.kernels.take();
    try {
      for (const token of tokens) kernel.feed(token);
      return look(kernel, bytes.subarray(settled));
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * The fewest bytes that say a message to whoever has the same model in the same state, and how many they are: a frame, which whatever carries it
   * knows the length of. Never more than a byte longer than the message, and none for an empty one.
   *
   * @throws SaffuError INVALID_TEXT where it is neither a string nor bytes, or has more than `maxBytes`; INVALID_OPTION
   */
  pack(message: string | Uint8Array, options: MessageOptions = {}): Uint8Array {
    checkOptions(options);
    const settings = checkMessageOptions(options);
    const bytes = bytesOfText(message);
    const kernel = this.kernels.take();
    try {
      return packMessage(bytes, this.language, kernel, settings);
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * The message of a frame of `pack`, by the same model in the same state: base, correction and what it has observed. A frame that is damaged
   * gives another message, or an error.
   *
   * @throws SaffuError INVALID_MESSAGE where no message has it, or one of more than `maxBytes`; INVALID_OPTION
   */
  unpack(frame: Uint8Array, options: MessageOptions = {}): Uint8Array {
    checkOptions(options);
    const settings = checkMessageOptions(options);
    checkBytes("frame", frame);
    const kernel = this.kernels.take();
    try {
      return unpackMessage(frame, this.language, kernel, settings);
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * `pack` of a string or bytes, or `unpack`, in turns: other work goes on meanwhile, and a signal ends it.
   *
   * @internal
   */
  async messageInTurns(
    way: "pack" | "unpack",
    given: Uint8Array,
    options: MessageOptions,
    { pace, signal }: { readonly pace: Pace; readonly signal?: AbortSignal | undefined },
  ): Promise<Uint8Array> {
    const settings = checkMessageOptions(options);
    const kernel = this.kernels.take();
    try {
      const steps = way === "pack" ? packInSteps : unpackInSteps;
      return await inTurns(steps(given, this.language, kernel, settings), pace, signal);
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * The archive of a text of any length that arrives in chunks, in pieces; `unpackStream` is the way back. Its blocks are coded behind one
   * another, and it ends with a checksum. The same text gives the same archive, however it is cut.
   *
   * @throws SaffuError INVALID_TEXT where a chunk is neither a string nor bytes; ABORTED
   */
  async *packStream(chunks: Chunks, options: ArchiveOptions = {}): AsyncGenerator<Uint8Array, void> {
    yield* this.archived(packArchive, chunks, options);
  }

  /**
   * The text of an archive of the same model in the same state, in pieces. What has come before an error is of the text, but for what a checksum
   * alone finds at the end.
   *
   * @throws SaffuError INVALID_MESSAGE where it is no archive, of another model, cut or damaged; ABORTED
   */
  async *unpackStream(chunks: Chunks, options: ArchiveOptions = {}): AsyncGenerator<Uint8Array, void> {
    yield* this.archived(unpackArchive, chunks, options);
  }

  private async *archived(
    way: typeof packArchive,
    chunks: Chunks,
    options: ArchiveOptions,
  ): AsyncGenerator<Uint8Array, void> {
    checkOptions(options);
    throwIfAborted(options.signal);
    const { tokenizer, kernels } = this;
    const kernel = kernels.take();
    try {
      yield* way(chunks, { tokenizer, digest: await this.stateDigest() }, kernel, options);
    } finally {
      kernels.give(kernel);
    }
  }

  /**
   * One end of a channel: packs and unpacks messages in the context of those before, and learns what both ends have, if it is told to.
   *
   * @throws SaffuError INVALID_OPTION; OUT_OF_MEMORY; UNSUPPORTED where the kernel's state cannot be told from its memory
   */
  async channel(options: ChannelOptions = {}): Promise<Channel> {
    checkOptions(options);
    this.assertRestores("channels");
    const { kernels, tokenizer, begin } = this;
    const newline = bytesOfText("\n");
    const [end, ...more] = tokenizer.encode(newline);
    const piece = (message: Uint8Array) => (more.length === 0 ? joined(message, newline) : message);
    const lessons = {
      observe: (message: Uint8Array) => this.observe(piece(message)),
      forget: (message: Uint8Array) => this.forget(piece(message)),
      refit: () => this.refit(),
    };
    const digest = await this.stateDigest();
    return new Channel(
      {
        predictors: kernels,
        tokenizer,
        newline: begin,
        end: more.length === 0 ? end : undefined,
        digest,
        lessons,
        version: () => kernels.state,
      },
      options,
    );
  }

  /** Digest of what predictions are made from: the base, and all that was learned. */
  private async stateDigest(): Promise<Uint8Array> {
    return sha256Of(joined(bytesOfText(this.base.digest), await this.learnedFile()));
  }

  private assertRestores(what: string): void {
    if (this.kernels.restores) return;
    throw new SaffuError("UNSUPPORTED", `the kernel of this model keeps no ${what}: fit or tune it anew`);
  }

  /**
   * A stream that is read on and on: its context is kept from call to call, and through refits.
   *
   * @throws SaffuError INVALID_OPTION; OUT_OF_MEMORY; UNSUPPORTED where the kernel's state cannot be told from its memory
   */
  session(options: SessionOptions = {}): Session {
    checkOptions(options);
    this.assertRestores("sessions");
    const { kernels, tokenizer, base, vocabulary } = this;
    const observe = (piece: Uint16Array, learning: ObserveOptions) => this.observe(piece, learning);
    return new Session({ kernels, tokenizer, base: base.digest, vocabulary, observe }, options);
  }

  info(): ModelInfo {
    const { config, digests } = this.verified;
    const { build = "given", memoryBytes } = this.kernels;
    const { shape, recipe } = config;
    return { shape, parameters: parameters(shape), build, memoryBytes, files: digests, recipe };
  }

  /** What the last refit solved, if it is in force. */
  get correction(): Correction | undefined {
    return this.learner.learned.correction;
  }

  /**
   * Learns a text: adds it to the statistics, as a piece of its own, and keeps it in the memory, which history attention sees in every
   * later call. What the statistics hold works with the next `refit`.
   *
   * @throws SaffuError INVALID_TEXT, STATISTICS_FULL, ABORTED; then nothing has changed
   */
  async observe(text: Text | Chunks, options: ObserveOptions = {}): Promise<Observation> {
    checkOptions(options);
    const observation = await this.learner.observe(text, options);
    this.apply();
    return observation;
  }

  /**
   * Takes a text away that was observed as a piece, to the last bit: from the statistics and from the memory. What was solved from it
   * before stays in the correction until the next `refit` or `dropCorrection`.
   *
   * @throws SaffuError INVALID_TEXT; NOT_OBSERVED where it can be told; STATISTICS_AGED where the sums were halved since, or may have
   * been; ABORTED; then nothing has changed
   */
  async forget(text: Text | Chunks, options: ForgetOptions = {}): Promise<Observation> {
    checkOptions(options);
    const observation = await this.learner.forget(text, options);
    this.apply();
    return observation;
  }

  /**
   * Halves the sums, so that there is room for more; the next generation begins. What was observed before weighs half as much from
   * then on, and can no longer be forgotten. The memory stays.
   *
   * @throws SaffuError UNSUPPORTED where the kernel does not learn
   */
  age(): Promise<Merged> {
    return this.learner.age();
  }

  /**
   * Adds the statistics of another device that learned over the same base, and its memory where the file has it.
   *
   * @param statistics of exportStatistics, or a statistics.safetensors
   * @throws SaffuError STATISTICS_MISMATCH, naming both bases; STATISTICS_AGED where they are of another generation; STATISTICS_FULL;
   * MODEL_CORRUPT where no tokens come to such sums; MODEL_VERSION, MODEL_DIGEST; ABORTED; then nothing has changed
   */
  async merge(statistics: Uint8Array, options: LearnOptions = {}): Promise<Merged> {
    checkOptions(options);
    checkBytes("statistics", statistics);
    const merged = await this.learner.merge(await parseLearned(statistics, this.base, STATISTICS), options);
    this.apply();
    return merged;
  }

  /**
   * Takes away what `merge` added, to the last bit.
   *
   * @throws SaffuError as merge; NOT_OBSERVED where a sum would fall below what it can be
   */
  async unmerge(statistics: Uint8Array, options: LearnOptions = {}): Promise<Merged> {
    checkOptions(options);
    checkBytes("statistics", statistics);
    const merged = await this.learner.unmerge(await parseLearned(statistics, this.base, STATISTICS), options);
    this.apply();
    return merged;
  }

  /**
   * Solves a correction of the base from what was learned, and predicts with it from the next call on. The base stays as it is. Where
   * nothing was learned, or all of it has been forgotten again, there is no correction from then on.
   *
   * @throws SaffuError INVALID_OPTION; UNSUPPORTED where the kernel does not learn; ABORTED
   */
  async refit(options: RefitOptions = {}): Promise<RefitReport> {
    checkOptions(options);
    const report = await this.learner.refit(options);
    this.apply();
    return report;
  }

  /** Predicts with the base alone again. Statistics and memory stay. */
  dropCorrection(): void {
    this.learner.dropCorrection();
    this.apply();
  }

  /** Forgets the memory. Statistics and correction stay. */
  async reset(): Promise<void> {
    await this.learner.reset();
    this.apply();
  }

  /**
   * The statistics as a file to hand to `merge`: sums, count and generation, no correction. The same sums, the same bytes.
   *
   * @param options `memory`: whether the memory is in it, which is verbatim text. Default false
   */
  async exportStatistics(options: { readonly memory?: boolean | undefined } = {}): Promise<Uint8Array> {
    checkOptions(options, []);
    const { memory = false } = options;
    const { statistics, pieces } = this.learner.learned;
    return formatLearned({ statistics, pieces: memory ? pieces : [], correction: undefined }, this.base);
  }

  /** What has been learned, in numbers. */
  async statistics(): Promise<StatisticsInfo> {
    const { statistics, pieces, correction } = this.learner.learned; // one state, whatever is learned meanwhile
    const bytes = await formatLearned({ statistics, pieces: [], correction: undefined }, this.base);
    return {
      baseDigest: this.base.digest,
      statisticsDigest: await sha256(bytes),
      observedTokens: statistics.tokens,
      generation: statistics.generation,
      filled: greatest([statistics.observed, statistics.expected]) / CAPACITY,
      bytes: bytes.length,
      memoryTokens: pieces.reduce((sum, { tokens }) => sum + tokens.length, 0),
      memoryCapacity: this.kernels.recall,
      corrected: correction !== undefined,
    };
  }

  /**
   * Writes the model, and what it has learned, to a directory. Where the same model stands there already, its statistics alone are
   * replaced: one file, written and flushed beside the old one, then renamed over it. It waits for another that writes there.
   *
   * @param options.lock the directory's lock, where the caller holds it
   * @throws SaffuError UNWRITABLE, also where another has changed the statistics of the directory since this model was loaded from
   * it; ABORTED; UNSUPPORTED in a browser, which has no directories (`files` and `learnedFile` hold the bytes)
   */
  async save(directory: string, options: ModelSaveOptions = {}): Promise<void> {
    checkPath("directory", directory);
    checkOptions(options);
    const before = this.saving;
    const saved = unlessAborted(before, options.signal).then(() => this.saveNow(directory, options));
    this.saving = Promise.allSettled([before, saved]);
    return saved;
  }

  private async saveNow(directory: string, options: ModelSaveOptions): Promise<void> {
    if (!this.platform) throw new SaffuError("UNSUPPORTED", "this runtime has no directories to save a model to");
    const statistics = await this.learnedFile();
    const place = this.platform.identify(directory);
    await this.platform.save(directory, this.files, statistics, { ...options, seen: this.seen.get(place) });
    this.seen.set(place, statistics ? await sha256(statistics) : "");
  }

  /** The bytes of statistics.safetensors as `save` writes it; undefined where nothing was learned. */
  async learnedFile(): Promise<Uint8Array | undefined> {
    return this.learner.empty ? undefined : formatLearned(this.learner.learned, this.base);
  }

  /** Calls from now on run with what has been learned so far. */
  private apply(): void {
    this.kernels.use({ correction: this.correction, recalled: this.learner.recalled });
  }
}

/** The newline of a model that was fitted to lines. @throws SaffuError TOKENIZER_INVALID where no token is a newline by itself */
function newlineIn(tokenizer: Tokenizer): number {
  try {
    return newlineOf(tokenizer);
  } catch (cause) {
    const what = `config.json says that lines are pieces, and newlines are no tokens of their own`;
    throw new SaffuError("TOKENIZER_INVALID", `tokenizer.json: ${what}`, { cause });
  }
}

/** Bits of a token in its context; behind a newline, where one is given, the next text begins. */
function scored(kernel: Predictor, token: number, newline: number | undefined): number {
  const bits = kernel.feed(token);
  if (token === newline) kernel.reset();
  return bits;
}

/** Tokens of a memory that is longer than the usual, so that a load without the option loses nothing of it. */
function longMemory(learned: Learned | undefined): number | undefined {
  const size = learned?.pieces.reduce((sum, { tokens }) => sum + tokens.length + 1, 0) ?? 0;
  return size > MEMORY ? size : undefined;
}

/** The option of `load`. @throws SaffuError INVALID_OPTION */
function checkMemory(memory: number | undefined): number | undefined {
  if (memory === undefined) return undefined;
  if (!Number.isInteger(memory) || memory < 0 || memory > MOST_MEMORY) {
    throw invalidOption("memory", `an integer in 0..${MOST_MEMORY}`, memory);
  }
  return memory;
}

/** Bits and tokens so far. */
class Sum {
  private bits = 0;
  private tokens = 0;

  add(surprisal: Float32Array): void {
    for (const bits of surprisal) this.bits += bits;
    this.tokens += surprisal.length;
  }

  totals(bytes: number): Totals {
    const { bits, tokens } = this;
    return { tokens, bytes, bits, bitsPerByte: bits / (bytes || 1), perplexity: 2 ** (bits / (tokens || 1)) };
  }
}
