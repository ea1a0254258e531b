/**
 * A device module with a model's weights in its memory: the one place where the host touches WebAssembly to run a model.
 * Everything numerical happens inside.
 */
import { SaffuError, shown } from "../errors.ts";
import { readTensors, type Tensor } from "../files/safetensors.ts";
import type { Correction } from "../files/statistics.ts";
import { faultOf } from "../files/weights.ts";
import { hiddenWidth, type Shape, type TensorSpec, tensorSpecs } from "../shape.ts";

/** `scalar` is the WebAssembly MVP alone, `simd` has 128-bit vectors; both give the same bits. */
export type Flavour = "scalar" | "simd";

/** The functions of assembly/device.ts, over one instance's own context. */
export interface Kernel {
  reset(): void;
  feed(token: number): number;
  append(token: number): number;
  predict(): void;
  seed(value: number): void;
  sample(temperature: number, topK: number, topP: number): number;
  observe(token: number): number;
  forget(token: number): number;
  merge(row: number, commit: number): number;
  refit(from: number, to: number, mass: number, step: number): number;
  correct(on: number): number;
  /** p(next token | context), (V) f32: a view that every call of the kernel may change. */
  readonly probabilities: Float32Array;
  /** Where `merge` looks for sums: the same memory as u32. */
  readonly staging: Uint32Array;
  /** F and F̂, (V, M) u32 each, and the tokens in them, (1) u32. */
  readonly observed: Uint32Array;
  readonly expected: Uint32Array;
  readonly observedTokens: Uint32Array;
  /** The correction's rows, (V, M) i8, and their scales, (V) f32. */
  readonly correctedO: Int8Array;
  readonly correctedScale: Float32Array;
}

/** What predictions are made from beside the base. */
export interface Learnt {
  readonly correction: Correction | undefined;
  /** Tokens that self-attention sees beside the text itself, oldest first, BREAK between texts. */
  readonly recent: Uint16Array;
}

const NOTHING: Learnt = { correction: undefined, recent: new Uint16Array(0) };

const FUNCTIONS = [
  "reset",
  "feed",
  "append",
  "predict",
  "seed",
  "sample",
  "observe",
  "forget",
  "merge",
  "refit",
  "correct",
] as const;
/** Instances kept for later calls; more than so many at once are rare. */
const MOST_IDLE = 4;
const WEIGHTS = "model.safetensors";

/**
 * A model's kernel, compiled once and instantiated as often as calls overlap: each call borrows an instance of its own, so that a
 * generation that is paused, or never finished, stands in nobody's way.
 */
export class Kernels {
  private idle: Kernel[] = [];
  private size = 0;
  private learnt = NOTHING;
  /** Those that predict with what is learnt now. */
  private current = new WeakSet<Kernel>();

  private constructor(
    readonly flavour: Flavour,
    private readonly module: WebAssembly.Module,
    private readonly weights: readonly (readonly [TensorSpec, Tensor])[],
    private readonly shape: Shape,
  ) {}

  /**
   * Compiles the kernel, `simd` where the runtime has it unless `flavour` asks for one, and starts a first instance.
   *
   * @param files of a verified model
   * @throws SaffuError MODEL_CORRUPT, naming the file or tensor; OUT_OF_MEMORY; UNSUPPORTED where `flavour` cannot run here
   */
  static async start(
    files: ReadonlyMap<string, Uint8Array>,
    shape: Shape,
    flavour?: Flavour | undefined,
  ): Promise<Kernels> {
    if (flavour !== undefined && flavour !== "scalar" && flavour !== "simd") {
      throw new SaffuError("INVALID_OPTION", `flavour must be "scalar" or "simd", got ${shown(flavour)}`);
    }
    const runnable = flavour !== "scalar" && WebAssembly.validate(files.get("kernel.simd.wasm")! as BufferSource);
    if (flavour === "simd" && !runnable) {
      throw new SaffuError("UNSUPPORTED", "this runtime does not run kernel.simd.wasm");
    }
    const used = runnable ? "simd" : "scalar";
    const weights = readWeights(files.get(WEIGHTS)!, shape);
    try {
      const module = await WebAssembly.compile(files.get(fileOf(used))! as BufferSource);
      const kernels = new Kernels(used, module, weights, shape);
      kernels.idle.push(kernels.fill(await WebAssembly.instantiate(module), NOTHING));
      return kernels;
    } catch (cause) {
      throw startError(used, cause);
    }
  }

  /** Bytes of linear memory of one instance. */
  get memoryBytes(): number {
    return this.size;
  }

  /** An instance with an empty context, for one call. @throws SaffuError OUT_OF_MEMORY */
  take(): Kernel {
    const kernel = this.idle.pop() ?? this.start(this.learnt);
    kernel.reset();
    return kernel;
  }

  /** Gives an instance back once its call is over. */
  give(kernel: Kernel): void {
    if (this.current.has(kernel) && this.idle.length < MOST_IDLE) this.idle.push(kernel);
  }

  /** An instance of the base alone, whatever is learnt, to keep. @throws SaffuError OUT_OF_MEMORY */
  takeBase(): Kernel {
    return this.start(NOTHING);
  }

  /** Predicts with what is learnt from the next call on. What runs already goes on as it began. */
  use(learnt: Learnt): void {
    this.learnt = learnt;
    this.idle = [];
    this.current = new WeakSet();
  }

  private start(learnt: Learnt): Kernel {
    try {
      return this.fill(new WebAssembly.Instance(this.module), learnt);
    } catch (cause) {
      throw startError(this.flavour, cause);
    }
  }

  /** Writes the weights where the instance wants them. */
  private fill({ exports }: WebAssembly.Instance, learnt: Learnt): Kernel {
    const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${fileOf(this.flavour)}: ${what}`);
    const { memory } = exports;
    if (!(memory instanceof WebAssembly.Memory)) throw corrupt("exports no memory");
    for (const name of FUNCTIONS) {
      if (typeof exports[name] !== "function") throw corrupt(`exports no function ${name}`);
    }
    const { buffer } = memory;
    const addressOf = (name: string, bytes: number): number => {
      const exported = exports[name];
      const address = exported instanceof WebAssembly.Global ? (exported.value as number) : -1;
      if (address < 0 || address + bytes > buffer.byteLength) throw corrupt(`has no room for ${name}`);
      return address;
    };
    for (const [{ name, address }, base] of this.weights) {
      const { data } = learnt.correction?.get(name) ?? base;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      new Uint8Array(buffer, addressOf(address, bytes.length)).set(bytes);
    }
    this.size = buffer.byteLength;
    const { vocabulary } = this.shape;
    const cells = vocabulary * hiddenWidth(this.shape);
    const at = <T>(type: Elements<T>, name: string, length: number): T =>
      new type(buffer, addressOf(name, length * type.BYTES_PER_ELEMENT), length);
    const functions = exports as unknown as Pick<Kernel, (typeof FUNCTIONS)[number]>;
    const kernel: Kernel = {
      ...functions,
      probabilities: at(Float32Array, "PROBABILITIES", vocabulary),
      staging: at(Uint32Array, "PROBABILITIES", vocabulary),
      observed: at(Uint32Array, "OBSERVED", cells),
      expected: at(Uint32Array, "EXPECTED", cells),
      observedTokens: at(Uint32Array, "OBSERVED_TOKENS", 1),
      correctedO: at(Int8Array, "CORRECTED_O", cells),
      correctedScale: at(Float32Array, "CORRECTED_O_SCALE", vocabulary),
    };
    const { value: room } = exports.RECALL as WebAssembly.Global;
    if (room > 0) {
      const recent = learnt.recent.slice(-room);
      at(Uint16Array, "RECALLED", room).set(recent);
      at(Uint32Array, "RECALLED_LENGTH", 1)[0] = recent.length;
    }
    if (learnt === this.learnt) this.current.add(kernel);
    return kernel;
  }
}

interface Elements<T> {
  new (buffer: ArrayBuffer, offset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** The tensors that the shape wants, checked for what could lead the kernel astray. */
function readWeights(bytes: Uint8Array, shape: Shape): (readonly [TensorSpec, Tensor])[] {
  const { tensors } = readTensors(bytes, WEIGHTS);
  return tensorSpecs(shape).map((spec) => {
    const { name } = spec;
    const tensor = tensors.get(name);
    const expected = `${spec.dtype} (${spec.shape.join(", ")})`;
    const found = tensor ? `${tensor.dtype} (${tensor.shape.join(", ")})` : "missing";
    if (tensor === undefined || found !== expected) {
      throw new SaffuError("MODEL_CORRUPT", `${WEIGHTS}: ${name} is ${found}, the shape wants ${expected}`);
    }
    const fault = faultOf(name, tensor);
    if (fault !== undefined) throw new SaffuError("MODEL_CORRUPT", `${WEIGHTS}: ${name} ${fault}`);
    if (name === "cipher") checkCipher(tensor.data as Uint16Array, spec.shape[1]!, shape.bits);
    return [spec, tensor] as const;
  });
}

/** Every row names bits below `bits`, at least one, before its padding of 0xffff. */
function checkCipher(cipher: Uint16Array, width: number, bits: number): void {
  for (let at = 0; at < cipher.length; ++at) {
    const padding = at % width > 0 && cipher[at] === 0xffff;
    const afterPadding = at % width > 0 && cipher[at - 1] === 0xffff;
    if (!padding && (cipher[at]! >= bits || afterPadding)) {
      throw new SaffuError(
        "MODEL_CORRUPT",
        `${WEIGHTS}: cipher names no set of ${bits} bits for token ${Math.floor(at / width)}`,
      );
    }
  }
}

function startError(flavour: Flavour, cause: unknown): SaffuError {
  if (cause instanceof SaffuError) return cause;
  // engines refuse memory with a RangeError, and bytes that are no module with errors of WebAssembly's own
  const message = String((cause as Error).message);
  // a page's Content-Security-Policy may forbid WebAssembly: then the file is not to blame
  const forbidden = /unsafe-eval|Content Security Policy/i.test(message);
  const code = cause instanceof RangeError ? "OUT_OF_MEMORY" : forbidden ? "UNSUPPORTED" : "MODEL_CORRUPT";
  return new SaffuError(code, `${fileOf(flavour)}: ${message}`, { cause });
}

function fileOf(flavour: Flavour): string {
  return `kernel.${flavour}.wasm`;
}
