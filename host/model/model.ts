/**
 * A model, loaded and ready.
 *
 * ```ts
 * const model = await load("models/potato-en");
 * for await (const piece of model.generate("Once upon a time", { maxTokens: 50, seed: 7 })) process.stdout.write(piece);
 * model.score("It was a dark night.").bitsPerByte; // about 2
 * ```
 *
 * A call starts from an empty context and leaves nothing behind, and calls do not run at the same time: a generation that has
 * been started is finished, left (break) or aborted before the next call.
 */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { type Chunks, encodeStream, type Tokenizer, tokenizerFromJSON } from "../tokenizer/index.ts";
import type { ModelConfig } from "./config.ts";
import { parseJson } from "./json.ts";
import { type Flavour, type Kernel, startKernel } from "./kernel.ts";
import type { ReadFile, ReadOptions, VerifiedFiles } from "./read.ts";
import { readVerified } from "./read.ts";
import { checkGenerateOptions, type GenerateOptions } from "./sampling.ts";
import { parameters, type Shape } from "./shape.ts";
import { StopText } from "./stop-text.ts";

/** What every load takes: a signal, progress in bytes, and the flavour to run (default: `simd` where the runtime has it). */
export interface LoadOptions extends ReadOptions {
  readonly flavour?: Flavour | undefined;
}

/** How well a model predicts a text. */
export interface Score {
  readonly tokens: number;
  readonly bytes: number;
  /** Σ −log2 p(token | what came before). */
  readonly bits: number;
  readonly bitsPerByte: number;
  /** 2^(bits / tokens). */
  readonly perplexity: number;
  /** Bits of each token, in order. */
  readonly surprisal: Float32Array;
}

/** What a model is made of. */
export interface ModelInfo {
  readonly shape: Shape;
  readonly parameters: number;
  readonly flavour: Flavour;
  /** Linear memory of the device module, in bytes. */
  readonly memoryBytes: number;
  /** Bytes and SHA-256 of every file but config.json. */
  readonly files: ModelConfig["files"];
  readonly recipe: ModelConfig["recipe"];
}

/** Tokens between two turns of the event loop. */
const TOKENS_A_TURN = 32;
const SCORED_A_TURN = 4096;

export class Model {
  private busy = false;

  private constructor(
    readonly config: ModelConfig,
    /** All files of the model, as they stand on disk. */
    readonly files: ReadonlyMap<string, Uint8Array>,
    readonly tokenizer: Tokenizer,
    private readonly kernel: Kernel,
  ) {}

  /** Reads and verifies the files of a model, and starts its kernel. `load` of the entry points is the way to call it. */
  static async read(readFile: ReadFile, options: LoadOptions = {}): Promise<Model> {
    return Model.start(await readVerified(readFile, options), options.flavour);
  }

  private static async start({ config, files }: VerifiedFiles, flavour: Flavour | undefined): Promise<Model> {
    let json: unknown;
    try {
      json = parseJson(files.get("tokenizer.json")!);
    } catch (cause) {
      throw new SaffuError("TOKENIZER_INVALID", "tokenizer.json: not JSON", { cause });
    }
    const tokenizer = tokenizerFromJSON(json);
    if (tokenizer.vocabularySize !== config.shape.vocabulary) {
      const { vocabularySize } = tokenizer;
      throw new SaffuError(
        "TOKENIZER_INVALID",
        `tokenizer.json has ${vocabularySize} tokens, the shape wants ${config.shape.vocabulary}`,
      );
    }
    return new Model(config, files, tokenizer, await startKernel(files, config.shape, flavour));
  }

  /**
   * Continues `prompt`, piece by piece. A character that is not whole yet is held back.
   *
   * @throws SaffuError INVALID_OPTION, ABORTED
   */
  async *generate(prompt: string | Uint8Array = "", options: GenerateOptions = {}): AsyncGenerator<string, void> {
    const { maxTokens, temperature, topK, topP, seed, stop, signal } = checkGenerateOptions(options);
    throwIfAborted(signal);
    this.begin();
    try {
      const { kernel, tokenizer } = this;
      kernel.reset();
      kernel.seed(seed);
      for (const token of tokenizer.encode(prompt)) kernel.append(token);
      const decoder = new TextDecoder();
      const text = new StopText(stop);
      for (let i = 0; i < maxTokens && !text.stopped; ++i) {
        if (i % TOKENS_A_TURN === TOKENS_A_TURN - 1) await turn();
        throwIfAborted(signal);
        const token = kernel.sample(temperature, topK, topP);
        kernel.append(token);
        const piece = text.add(decoder.decode(tokenizer.bytesOf(token), { stream: true }));
        if (piece !== "") yield piece;
      }
      const rest = text.add(decoder.decode()) + text.end();
      if (rest !== "") yield rest;
    } finally {
      this.busy = false;
    }
  }

  /**
   * Surprisal of every token of `text`. Long texts: scoreStream, which gives way to other work.
   *
   * @throws SaffuError INVALID_TEXT where it is empty
   */
  score(text: string | Uint8Array): Score {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.begin();
    try {
      this.kernel.reset();
      const tokens = this.tokenizer.encode(bytes);
      const surprisal = Float32Array.from(tokens, (token) => this.kernel.feed(token));
      return scoreOf(surprisal, bytes.length);
    } finally {
      this.busy = false;
    }
  }

  /**
   * The same for a text that arrives in chunks.
   *
   * @throws SaffuError INVALID_TEXT where it is empty, ABORTED
   */
  async scoreStream(
    chunks: Chunks,
    options: {
      signal?: AbortSignal | undefined;
      onProgress?: ((done: { bytes: number; tokens: number }) => void) | undefined;
    } = {},
  ): Promise<Score> {
    const { signal, onProgress } = options;
    this.begin();
    try {
      this.kernel.reset();
      const parts: Float32Array[] = [];
      let bytes = 0;
      let tokens = 0;
      for await (const piece of encodeStream(this.tokenizer, chunks)) {
        for (let from = 0; from < piece.length; from += SCORED_A_TURN) {
          throwIfAborted(signal);
          const part = piece.subarray(from, from + SCORED_A_TURN);
          parts.push(Float32Array.from(part, (token) => this.kernel.feed(token)));
          for (const token of part) bytes += this.tokenizer.bytesOf(token).length;
          tokens += part.length;
          onProgress?.({ bytes, tokens });
          await turn();
        }
      }
      const surprisal = new Float32Array(tokens);
      let at = 0;
      for (const part of parts) {
        surprisal.set(part, at);
        at += part.length;
      }
      return scoreOf(surprisal, bytes);
    } finally {
      this.busy = false;
    }
  }

  /** The distribution of the token after `context`, (V) f32 of unit sum. */
  predict(context: string | Uint8Array): Float32Array {
    this.begin();
    try {
      this.kernel.reset();
      for (const token of this.tokenizer.encode(context)) this.kernel.append(token);
      this.kernel.predict();
      return this.kernel.probabilities.slice();
    } finally {
      this.busy = false;
    }
  }

  info(): ModelInfo {
    const { shape, recipe, files } = this.config;
    const { flavour, memoryBytes } = this.kernel;
    return { shape, parameters: parameters(shape), flavour, memoryBytes, files, recipe };
  }

  private begin(): void {
    if (this.busy) throw new SaffuError("UNSUPPORTED", "the model is generating: finish, leave or abort that first");
    this.busy = true;
  }
}

function scoreOf(surprisal: Float32Array, bytes: number): Score {
  const tokens = surprisal.length;
  if (tokens === 0) throw new SaffuError("INVALID_TEXT", "the text is empty: there is nothing to score");
  let bits = 0;
  for (const value of surprisal) bits += value;
  return { tokens, bytes, bits, bitsPerByte: bits / bytes, perplexity: 2 ** (bits / tokens), surprisal };
}

/** One turn of the event loop, so that timers, signals and input are served. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
