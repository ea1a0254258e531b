/**
 * A model, loaded and ready.
 *
 * ```ts
 * const model = await load("models/potato-en");
 * for await (const piece of model.generate("Once upon a time", { maxTokens: 50, seed: 7 })) process.stdout.write(piece);
 * model.score("It was a dark night.").bitsPerByte; // about 2
 * ```
 *
 * Every call starts from an empty context and leaves nothing behind, so calls may overlap.
 */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { type Chunks, encodeStream, type Tokenizer, tokenizerFromJSON } from "../tokenizer/index.ts";
import type { FileDigest, ModelConfig, ModelFiles } from "./config.ts";
import { parseJson } from "./json.ts";
import { type Flavour, Kernels } from "./kernel.ts";
import { Pace } from "./pace.ts";
import { type ReadFile, type ReadOptions, readVerified, type VerifiedFiles } from "./read.ts";
import { checkGenerateOptions, type GenerateOptions } from "./sampling.ts";
import { parameters, type Shape } from "./shape.ts";
import { StopText } from "./stop-text.ts";

/** What every load takes: a signal, progress in bytes, and the flavour to run (default: `simd` where the runtime has it). */
export interface LoadOptions extends ReadOptions {
  readonly flavour?: Flavour | undefined;
}

/** How well a model predicts a text. */
export interface Totals {
  readonly tokens: number;
  readonly bytes: number;
  /** Σ −log2 p(token | what came before). */
  readonly bits: number;
  readonly bitsPerByte: number;
  /** 2^(bits / tokens). */
  readonly perplexity: number;
}

/** The same, token by token. */
export interface Score extends Totals {
  /** Bits of each token, in order. */
  readonly surprisal: Float32Array;
}

/** What scoring a stream takes. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch of tokens with what has come so far. */
  readonly onProgress?: ((done: { readonly bytes: number; readonly tokens: number }) => void) | undefined;
}

/** What a model is made of. */
export interface ModelInfo {
  readonly shape: Shape;
  readonly parameters: number;
  readonly flavour: Flavour;
  /** Linear memory of the device module, in bytes. */
  readonly memoryBytes: number;
  /** Bytes and SHA-256 of every file, config.json included. */
  readonly files: Readonly<Record<string, FileDigest>>;
  readonly recipe: ModelConfig["recipe"];
}

/** Writes a model's files to a directory, where the runtime has any. */
export type SaveFiles = (
  directory: string,
  files: ModelFiles,
  options: { signal?: AbortSignal | undefined },
) => Promise<void>;

/** Most tokens in a batch of surprisals. */
const BATCH = 1024;

export class Model {
  private constructor(
    private readonly verified: VerifiedFiles,
    readonly tokenizer: Tokenizer,
    private readonly kernels: Kernels,
    private readonly saveFiles: SaveFiles | undefined,
  ) {}

  /**
   * Reads and verifies the files of a model, and starts its kernel. `load` of the entry points is the way to call it.
   *
   * @throws SaffuError as load does
   */
  static async read(readFile: ReadFile, options: LoadOptions = {}, saveFiles?: SaveFiles): Promise<Model> {
    const verified = await readVerified(readFile, options);
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
    return new Model(verified, tokenizer, await Kernels.start(files, config.shape, options.flavour), saveFiles);
  }

  get config(): ModelConfig {
    return this.verified.config;
  }

  /** All files of the model, as they stand on disk. */
  get files(): ModelFiles {
    return this.verified.files;
  }

  /**
   * Continues `prompt`, piece by piece. Bytes that are not a whole character yet are held back, and at the end of the text stand
   * as U+FFFD; so is the text that may be the beginning of a stop string.
   *
   * @throws SaffuError INVALID_OPTION, INVALID_TEXT, ABORTED
   */
  async *generate(prompt: string | Uint8Array = "", options: GenerateOptions = {}): AsyncGenerator<string, void> {
    const { maxTokens, temperature, topK, topP, seed, stop, signal, onToken } = checkGenerateOptions(options);
    throwIfAborted(signal);
    const { kernels, tokenizer } = this;
    const kernel = kernels.take();
    try {
      const pace = new Pace();
      for await (const tokens of encodeStream(tokenizer, [prompt])) {
        for (const token of tokens) kernel.append(token);
        if (pace.due()) await pace.rest();
        throwIfAborted(signal);
      }
      kernel.seed(seed);
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      const text = new StopText(stop);
      for (let i = 0; i < maxTokens && !text.stopped; ++i) {
        if (pace.due()) await pace.rest();
        throwIfAborted(signal);
        const token = kernel.sample(temperature, topK, topP);
        kernel.append(token);
        onToken?.(token);
        const piece = text.add(decoder.decode(tokenizer.bytesOf(token), { stream: true }));
        if (piece !== "") yield piece;
      }
      const rest = text.add(decoder.decode()) + text.end();
      if (rest !== "") yield rest;
    } finally {
      kernels.give(kernel);
    }
  }

  /**
   * Surprisal of every token of `text`. It does not return before it is done: for long texts there is scoreStream.
   *
   * @throws SaffuError INVALID_TEXT where it is empty
   */
  score(text: string | Uint8Array): Score {
    const kernel = this.kernels.take();
    try {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      const surprisal = Float32Array.from(this.tokenizer.encode(bytes), (token) => kernel.feed(token));
      const sum = new Sum();
      sum.add(surprisal);
      return { ...sum.totals(bytes.length), surprisal };
    } finally {
      this.kernels.give(kernel);
    }
  }

  /**
   * The totals of `score` for a text that arrives in chunks, in memory that does not grow with it. Other work goes on meanwhile;
   * the signal is looked at between chunks and between batches of tokens.
   *
   * @throws SaffuError INVALID_TEXT where it is empty, ABORTED
   */
  async scoreStream(chunks: Chunks, options: StreamOptions = {}): Promise<Totals> {
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
    const { signal, onProgress } = options;
    const { kernels, tokenizer } = this;
    throwIfAborted(signal);
    const kernel = kernels.take();
    try {
      const pace = new Pace();
      let bytes = 0;
      let tokens = 0;
      for await (const all of encodeStream(tokenizer, abortable(chunks, signal))) {
        for (let from = 0; from < all.length; from += BATCH) {
          const batch = all.subarray(from, from + BATCH);
          const surprisal = new Float32Array(batch.length);
          for (let i = 0; i < batch.length; ++i) {
            surprisal[i] = kernel.feed(batch[i]!);
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

  /** The distribution of the token after `context`, (V) f32 of unit sum. @throws SaffuError INVALID_TEXT */
  predict(context: string | Uint8Array): Float32Array {
    const kernel = this.kernels.take();
    try {
      for (const token of this.tokenizer.encode(context)) kernel.append(token);
      kernel.predict();
      return kernel.probabilities.slice();
    } finally {
      this.kernels.give(kernel);
    }
  }

  info(): ModelInfo {
    const { config, digests } = this.verified;
    const { flavour, memoryBytes } = this.kernels;
    const { shape, recipe } = config;
    return { shape, parameters: parameters(shape), flavour, memoryBytes, files: digests, recipe };
  }

  /**
   * Writes the model to a directory, atomically.
   *
   * @throws SaffuError UNWRITABLE, ABORTED; UNSUPPORTED in a browser, which has no directories (`files` holds the bytes)
   */
  async save(directory: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (!this.saveFiles) throw new SaffuError("UNSUPPORTED", "this runtime has no directories to save a model to");
    await this.saveFiles(directory, this.files, options);
  }
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
    if (tokens === 0) throw new SaffuError("INVALID_TEXT", "the text is empty: there is nothing to score");
    return { tokens, bytes, bits, bitsPerByte: bits / bytes, perplexity: 2 ** (bits / tokens) };
  }
}

/** The chunks, with a look at the signal before each. */
async function* abortable(chunks: Chunks, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array | string> {
  for await (const chunk of chunks) {
    throwIfAborted(signal);
    yield chunk;
  }
}
