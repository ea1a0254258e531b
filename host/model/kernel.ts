/**
 * A started device module (assembly/device.ts) as the host sees it. There are two kinds of instances: **predictors**, as many as
 * calls overlap, whose memory ends where predicting does; and one **learning kernel** a model, which has the sums as well.
 */
import { SaffuError } from "../errors.ts";
import { memoryRecord } from "../files/memory.ts";
import type { Tensor } from "../files/safetensors.ts";
import { faultOf } from "../files/weights.ts";
import { hiddenWidth, type Shape, tensorBytes, tensorSpecs } from "../shape.ts";

/** `scalar` is the WebAssembly MVP alone, `simd` has 128-bit vectors; both give the same bits. */
export type Build = "scalar" | "simd";

/** A weight that keeps `sample` from a token. */
const FORBIDDEN = -1;

/** What predicts, over one instance's own context. It has no room for sums: functions that learn are not to be called. */
export interface Predictor {
  /** Begins a text: with an empty context, or behind the token that every text of the model begins behind. */
  reset(): number;
  feed(token: number): number;
  append(token: number): number;
  predict(): number;
  seed(value: number): void;
  sample(temperature: number, topK: number, topP: number): number;
  /** Keeps the next `sample` from some tokens; then `append` or `feed` has to follow. */
  forbid(tokens: Uint16Array): void;
  /** Everything that a call may change, but for what has been recalled: the context, the generator, what follows the text. */
  save(): Uint8Array;
  /** Makes it what it was at a `save` of the same instance, so long as no correction has been written in between. */
  restore(saved: Uint8Array): void;
  /** Predicts anew at the next call: what it is made from was written to. */
  forgetPrediction(): void;
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
/** What learning answers in place of a result is −1 to −4. */
const LAST_REFUSAL = -4;
const LEARNS = ["reset", "observe", "forget", "merge", "unmerge", "age", "refit"];

/** Least of a surprisal: −log2 of a probability, which rounding may take beyond 1. */
const LEAST_BITS = -1e-3;
/** Weights stand back to back, each on such a boundary: it tells whether a kernel is of the shape. */
const BOUNDARY = 16;

/**
 * An instance of a device module: its functions, and its memory by the names of its addresses.
 *
 * A kernel is a file, and can be anything: what it answers is looked at, and a trap is an error like any other. It has no imports, so
 * it reaches nothing but its own memory; but it can take its time.
 */
export class Instance {
  private readonly exports: WebAssembly.Exports;
  private readonly buffer: ArrayBuffer;

  /**
   * @param file name of the module, for messages
   * @throws SaffuError MODEL_CORRUPT where the memory or a function is missing, or the kernel is of another shape
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
    this.checkShape();
  }

  /** The addresses of the weights tell their sizes, and so the shape that the kernel was compiled for. */
  private checkShape(): void {
    const specs = tensorSpecs(this.shape);
    const most = 2 ** 24 + 32 * specs.reduce((sum, spec) => sum + tensorBytes(spec), 0);
    if (this.bytes > most)
      throw this.corrupt(`has a memory of ${this.bytes} bytes, a model of the shape at most ${most}`);
    const { history, vocabulary } = this.shape;
    for (const [i, spec] of specs.entries()) {
      const bytes = tensorBytes(spec);
      const at = this.addressOf(spec.address, bytes);
      const next = specs[i + 1];
      const room = next && this.addressOf(next.address, 0) - at;
      const wanted = Math.ceil(bytes / BOUNDARY) * BOUNDARY;
      if (room !== undefined && room !== wanted) {
        throw this.corrupt(`is of another shape: ${room} bytes for ${spec.name}, config.json's wants ${wanted}`);
      }
    }
    const probabilities = this.addressOf("PROBABILITIES", 4 * vocabulary);
    if (history === 0) return;
    // the mixture is the last of the weights; then come the history, and what predictions need
    const mixture = this.addressOf("GATE", 0) + tensorBytes(specs.at(-1)!);
    const ring = this.addressOf("RING", 2 * history);
    if (ring < mixture || ring + 2 * history > probabilities) {
      throw this.corrupt(`is of another shape: it has no room for a history of ${history} tokens and its mixture`);
    }
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
    if (place !== 0) this.view(Uint32Array, "RECALLED_AT", 1)[0] = place;
  }

  /**
   * Writes the long-term memory, and where it stands.
   *
   * @param image of memoryImage
   * @param shape whose memory it is
   * @param place undefined for the end of the module's own memory
   * @throws SaffuError MODEL_CORRUPT where it has no room
   */
  remember(image: Uint8Array, shape: Shape, place = this.global("END") ?? this.bytes): void {
    if (place + image.length > this.bytes) throw this.corrupt(`has no room for a memory of ${image.length} bytes`);
    new Uint8Array(this.buffer, place, image.length).set(image);
    const record = memoryRecord(shape, place);
    this.view(Uint32Array, "MEMORY_RECORD", record.length).set(record);
  }

  /** A copy of the first weights of the long matches as the text so far has them. */
  longWeights(many: number): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.view(Float32Array, "LONG_SUMS", many));
  }

  /**
   * @param begin the token that every text begins behind; undefined for none
   * @throws SaffuError MODEL_CORRUPT where a tensor has no room; so do its calls, where the kernel traps or answers what is no answer
   */
  predictor(begin?: number): Predictor {
    const { vocabulary } = this.shape;
    const calls = this.functions(PREDICTS) as Pick<Predictor, (typeof PREDICTS)[number]>;
    const probabilities = this.view(Float32Array, "PROBABILITIES", vocabulary);
    // between the weights and what is recalled; all of the memory where a module of before does not say
    const [from, to] = [this.global("GATE") ?? 0, this.global("RECALLED") ?? this.bytes];
    const state = new Uint8Array(this.buffer).subarray(from, Math.max(from, Math.min(to, this.bytes)));
    // a predictor has the correction's rows in place of the base's: it is never told to use others, but this drops what it predicted
    const { correct } = this.exports;
    const forgetPrediction = () => {
      if (typeof correct === "function") correct(0);
    };
    return {
      ...calls,
      reset: resetTo(begin, calls.reset, calls.append),
      feed: (token) => this.expect("feed", calls.feed(token), (bits) => bits >= LEAST_BITS),
      sample: (temperature, topK, topP) => {
        const token = calls.sample(temperature, topK, topP);
        return this.expect("sample", token, () => Number.isInteger(token) && token >= 0 && token < vocabulary);
      },
      predict: () => {
        const answer = calls.predict();
        let sum = 0;
        for (const p of probabilities) sum += p >= 0 ? p : Number.NaN;
        this.expect("predict", sum, (all) => Math.abs(all - 1) < 0.01);
        return answer;
      },
      forbid: (tokens) => {
        calls.predict(); // not looked at, as nothing of it is handed out
        for (let i = 0; i < tokens.length; ++i) probabilities[tokens[i]!] = FORBIDDEN;
      },
      save: () => state.slice(),
      restore: (saved) => state.set(saved),
      forgetPrediction,
      probabilities,
    };
  }

  /**
   * @param begin as of predictor()
   * @throws SaffuError MODEL_CORRUPT where a tensor has no room: of a predictor, and of a module that was compiled without learning; and
   * as predictor(). UNSUPPORTED where the module learns by an older rule, whose sums are others
   */
  learner(begin?: number): LearningKernel {
    if (LEARNS.some((name) => typeof this.exports[name] !== "function")) {
      const what = "learns by the rule of an earlier version, or not at all: fit or tune the model anew to learn";
      throw new SaffuError("UNSUPPORTED", `${this.file} ${what}`);
    }
    const { vocabulary } = this.shape;
    const cells = vocabulary * hiddenWidth(this.shape);
    const calls = this.functions(LEARNS) as Pick<LearningKernel, Calls<LearningKernel>>;
    const correctedScale = this.view(Float32Array, "CORRECTED_O_SCALE", vocabulary);
    const refused = (answer: number) => Number.isInteger(answer) && answer < 0 && answer >= LAST_REFUSAL;
    const bits = (name: string, answer: number) => this.expect(name, answer, (bits) => bits >= 0 || refused(bits));
    const done = (name: string, answer: number) => this.expect(name, answer, (code) => code >= 0 || refused(code));
    return {
      reset: resetTo(begin, calls.reset, this.guarded("append")),
      observe: (token) => bits("observe", calls.observe(token)),
      forget: (token) => bits("forget", calls.forget(token)),
      merge: (row, commit) => done("merge", calls.merge(row, commit)),
      unmerge: (row, commit) => done("unmerge", calls.unmerge(row, commit)),
      age: () => done("age", calls.age()),
      refit: (from, to, pseudoCounts, step) => {
        const answer = done("refit", calls.refit(from, to, pseudoCounts, step));
        const data = correctedScale.subarray(from, to);
        const fault = faultOf("decoder.O.scale", { dtype: "F32", shape: [data.length], data });
        if (fault !== undefined) throw this.corrupt(`refit: decoder.O.scale ${fault}`);
        return answer;
      },
      staging: this.view(Uint32Array, "PROBABILITIES", vocabulary),
      observed: this.view(Uint32Array, "OBSERVED", cells),
      expected: this.view(Uint32Array, "EXPECTED", cells),
      observedTokens: this.view(Uint32Array, "OBSERVED_TOKENS", 1),
      generation: this.view(Uint32Array, "GENERATION", 1),
      correctedO: this.view(Int8Array, "CORRECTED_O", cells),
      correctedScale,
    };
  }

  private functions(names: readonly string[]): object {
    return Object.fromEntries(names.map((name) => [name, this.guarded(name)]));
  }

  /** An exported function, whose traps are errors. */
  private guarded(name: string): (...values: number[]) => number {
    const exported = this.exports[name] as (...values: number[]) => number;
    return (...values) => {
      try {
        return exported(...values);
      } catch (cause) {
        throw this.corrupt(`${name} traps: ${(cause as Error).message}`, cause);
      }
    };
  }

  private expect(name: string, answer: number, isOne: (answer: number) => boolean): number {
    if (Number.isFinite(answer) && isOne(answer)) return answer;
    throw this.corrupt(`${name} answers ${String(answer)}`);
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

  private corrupt(what: string, cause?: unknown): SaffuError {
    return new SaffuError("MODEL_CORRUPT", `${this.file}: ${what}`, { cause });
  }
}

/** Empties the context, up to the token that every text begins behind. */
function resetTo(begin: number | undefined, reset: () => number, append: (token: number) => number): () => number {
  if (begin === undefined) return reset;
  return () => {
    const answer = reset();
    return answer < 0 ? answer : append(begin);
  };
}

/** The names of an interface's functions. */
type Calls<T> = { [K in keyof T]: T[K] extends (...values: never[]) => unknown ? K : never }[keyof T];

interface Elements<T> {
  new (buffer: ArrayBuffer, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}
