/**
 * A started device module (assembly/device.ts) as the host sees it. There are two kinds of instances: **predictors**, as many as
 * calls overlap, whose memory ends where predicting does; and one **learning kernel** a model, which has the sums as well.
 */
import { SaffuError } from "../errors.ts";
import type { Tensor } from "../files/safetensors.ts";
import { hiddenWidth, type Shape } from "../shape.ts";

/** `scalar` is the WebAssembly MVP alone, `simd` has 128-bit vectors; both give the same bits. */
export type Build = "scalar" | "simd";

/** What predicts, over one instance's own context. It has no room for sums: functions that learn are not to be called. */
export interface Predictor {
  reset(): number;
  feed(token: number): number;
  append(token: number): number;
  predict(): number;
  seed(value: number): void;
  sample(temperature: number, topK: number, topP: number): number;
  /** Everything that a call may change, but for what has been recalled: the context, the generator, what follows the text. */
  save(): Uint8Array;
  /** Makes it what it was at a `save` of the same instance, so long as no correction has been written in between. */
  restore(saved: Uint8Array): void;
  /**
   * p(next token | context), (V) f32: a view that every call may change. −1, written after `predict`, keeps `sample` from a token; then
   * `append` has to follow, or the numbers have to be put back.
   */
  readonly probabilities: Float32Array;
}

/** What learns over the base: sums, and the rows that a refit solves from them. */
export interface LearningKernel {
  reset(): number;
  observe(token: number): number;
  forget(token: number): number;
  merge(row: number, commit: number): number;
  unmerge(row: number, commit: number): number;
  age(): number;
  refit(from: number, to: number, pseudoCounts: number, step: number): number;
  /** Where `merge` looks for sums, (V) u32. */
  readonly staging: Uint32Array;
  /** F and F̂, (V, M) u32 each, and the tokens in them, (1) u32. */
  readonly observed: Uint32Array;
  readonly expected: Uint32Array;
  readonly observedTokens: Uint32Array;
  /** How often the sums were halved, (1) u32. */
  readonly generation: Uint32Array;
  /** The correction's rows, (V, M) i8, and their scales, (V) f32. */
  readonly correctedO: Int8Array;
  readonly correctedScale: Float32Array;
}

const PREDICTS = ["reset", "feed", "append", "predict", "seed", "sample"] as const;
const LEARNS = ["reset", "observe", "forget", "merge", "unmerge", "age", "refit"];

/** An instance of a device module: its functions, and its memory by the names of its addresses. */
export class Instance {
  private readonly exports: WebAssembly.Exports;
  private readonly buffer: ArrayBuffer;

  /**
   * @param file name of the module, for messages
   * @throws SaffuError MODEL_CORRUPT where the memory or a function is missing
   */
  constructor(
    { exports }: WebAssembly.Instance,
    private readonly shape: Shape,
    private readonly file: string,
  ) {
    const { memory } = exports;
    if (!(memory instanceof WebAssembly.Memory)) throw this.corrupt("exports no memory");
    for (const name of PREDICTS) {
      if (typeof exports[name] !== "function") throw this.corrupt(`exports no function ${name}`);
    }
    this.exports = exports;
    this.buffer = memory.buffer;
  }

  /** Linear memory. */
  get bytes(): number {
    return this.buffer.byteLength;
  }

  /** Writes a tensor. @param address the exported global that says where */
  write(address: string, { data }: Tensor): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(this.buffer, this.addressOf(address, bytes.length)).set(bytes);
  }

  /**
   * Writes the memory that attention recalls beside the text.
   *
   * @param place where, behind the module's own memory; 0 for the module's own place
   */
  recall(tokens: Uint16Array, place: number): void {
    if (!((this.global("RECALL") ?? 0) > 0)) return;
    if (place === 0) this.view(Uint16Array, "RECALLED", tokens.length).set(tokens);
    else new Uint16Array(this.buffer, place, tokens.length).set(tokens);
    this.view(Uint32Array, "RECALLED_LENGTH", 1)[0] = tokens.length;
    if (place !== 0) this.view(Uint32Array, "RECALLED_PLACE", 1)[0] = place;
  }

  /** @throws SaffuError MODEL_CORRUPT where a tensor has no room */
  predictor(): Predictor {
    // between the weights and what is recalled; all of the memory where a module of before does not say
    const [from, to] = [this.global("GATE") ?? 0, this.global("RECALLED") ?? this.bytes];
    const state = new Uint8Array(this.buffer).subarray(from, Math.max(from, Math.min(to, this.bytes)));
    return {
      ...(this.functions(PREDICTS) as Pick<Predictor, (typeof PREDICTS)[number]>),
      save: () => state.slice(),
      restore: (saved) => state.set(saved),
      probabilities: this.view(Float32Array, "PROBABILITIES", this.shape.vocabulary),
    };
  }

  /**
   * @throws SaffuError MODEL_CORRUPT where a tensor has no room: of a predictor, and of a module that was compiled without learning;
   * UNSUPPORTED where the module learns by an older rule, whose sums are others
   */
  learner(): LearningKernel {
    if (LEARNS.some((name) => typeof this.exports[name] !== "function")) {
      const what = "learns by the rule of an earlier version, or not at all: fit or tune the model anew to learn";
      throw new SaffuError("UNSUPPORTED", `${this.file} ${what}`);
    }
    const { vocabulary } = this.shape;
    const cells = vocabulary * hiddenWidth(this.shape);
    return {
      ...(this.functions(LEARNS) as Pick<LearningKernel, Calls<LearningKernel>>),
      staging: this.view(Uint32Array, "PROBABILITIES", vocabulary),
      observed: this.view(Uint32Array, "OBSERVED", cells),
      expected: this.view(Uint32Array, "EXPECTED", cells),
      observedTokens: this.view(Uint32Array, "OBSERVED_TOKENS", 1),
      generation: this.view(Uint32Array, "GENERATION", 1),
      correctedO: this.view(Int8Array, "CORRECTED_O", cells),
      correctedScale: this.view(Float32Array, "CORRECTED_O_SCALE", vocabulary),
    };
  }

  private functions(names: readonly string[]): object {
    return Object.fromEntries(names.map((name) => [name, this.exports[name]]));
  }

  private view<T>(type: Elements<T>, name: string, length: number): T {
    return new type(this.buffer, this.addressOf(name, length * type.BYTES_PER_ELEMENT), length);
  }

  private addressOf(name: string, bytes: number): number {
    const address = this.global(name) ?? -1;
    if (address < 0 || address + bytes > this.bytes) throw this.corrupt(`has no room for ${name}`);
    return address;
  }

  /** The value of an exported global; undefined where there is none. */
  private global(name: string): number | undefined {
    const exported = this.exports[name];
    return exported instanceof WebAssembly.Global ? (exported.value as number) : undefined;
  }

  private corrupt(what: string): SaffuError {
    return new SaffuError("MODEL_CORRUPT", `${this.file}: ${what}`);
  }
}

/** The names of an interface's functions. */
type Calls<T> = { [K in keyof T]: T[K] extends (...values: never[]) => unknown ? K : never }[keyof T];

interface Elements<T> {
  new (buffer: ArrayBuffer, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}
