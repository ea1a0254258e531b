/**
 * A model's instances: where the host starts WebAssembly to run a model. Each call borrows a predictor of its own, so that a
 * generation that is paused, or never finished, is in nobody's way. What is learnt is written into the predictors that are there:
 * into each when it is next taken, and only what has changed since it was last.
 */
import { invalidOption, SaffuError } from "../errors.ts";
import { memoryImage, readMemory } from "../files/memory.ts";
import type { Tensor } from "../files/safetensors.ts";
import type { Correction } from "../files/statistics.ts";
import { MEMORY } from "../files/statistics.ts";
import { readWeights } from "../files/weights.ts";
import { memoryBytes, type Shape, type TensorSpec } from "../shape.ts";
import { type Build, Instance, type LearningKernel, type Predictor } from "./kernel.ts";
import { assertContained, keepsStateInMemory, type PredictorModule, predictorModule } from "./predictor-module.ts";
import { assertWebAssembly, compileModule, hasExactSimd } from "./webassembly.ts";

/** What predictions are made from beside the base. Neither part is ever written to: what is new is another one. */
export interface Learnt {
  /** Tensors in place of the base's. */
  readonly correction: Correction | undefined;
  /** Tokens that attention sees beside the text itself, BREAK before each text; no more than `recall`. */
  readonly recalled: Uint16Array;
}

const NOTHING: Learnt = { correction: undefined, recalled: new Uint16Array(0) };

/** A model's weights, and the long-term memory as its instances have it. */
interface Base {
  readonly weights: readonly (readonly [TensorSpec, Tensor])[];
  readonly memory: Uint8Array;
}

/** Which kernel runs. */
export interface KernelOptions {
  /** Default `simd` where the runtime has it and the model has its file. */
  readonly build?: Build | undefined;
  /** The model's kernel, compiled already, for runtimes that compile nothing; none is read then. */
  readonly kernel?: WebAssembly.Module | undefined;
}

/**
 * The kernels that run here, by file, the best first; none where the caller has one.
 *
 * @throws SaffuError INVALID_OPTION; UNSUPPORTED where the runtime runs no WebAssembly, or not the build that is asked for
 */
export function kernelFiles({ build, kernel }: KernelOptions): string[] {
  if (build !== undefined && build !== "scalar" && build !== "simd") {
    throw invalidOption("build", `"scalar" or "simd"`, build);
  }
  assertWebAssembly();
  if (kernel !== undefined) {
    if (Object.prototype.toString.call(kernel) !== "[object WebAssembly.Module]") {
      throw invalidOption("kernel", "a WebAssembly.Module, compiled from a kernel of the model", kernel);
    }
    if (build !== undefined) throw invalidOption("build", "left out where a kernel is given", build);
    return [];
  }
  const simd = build !== "scalar" && hasExactSimd();
  if (build === "simd" && !simd) {
    throw new SaffuError(
      "UNSUPPORTED",
      `this runtime has no SIMD, or one that rounds small numbers to zero: it does not run ${fileOf("simd")}`,
    );
  }
  return build !== undefined ? [fileOf(build)] : simd ? [fileOf("simd"), fileOf("scalar")] : [fileOf("scalar")];
}

/** What every predictor of a model has room for, and where its texts begin. */
export interface Places {
  readonly recall?: number | undefined;
  readonly begin?: number | undefined;
}

/** A predictor's instance, and what is in its memory. */
interface Started {
  readonly instance: Instance;
  learnt: Learnt;
}

/** Predictors kept for later calls; more calls at once are rare. */
const MOST_IDLE = 4;
const WEIGHTS = "model.safetensors";

export class Kernels {
  private readonly idle: Predictor[] = [];
  private readonly started = new WeakMap<Predictor, Started>();
  private learnt = NOTHING;
  private size = 0;

  private constructor(
    /** What the kernel is called in messages. */
    private readonly name: string,
    /** The module with all its memory. */
    private readonly learning: () => Promise<WebAssembly.Module>,
    private readonly predicting: WebAssembly.Module,
    private readonly places: Omit<PredictorModule, "wasm">,
    private readonly base: Base,
    private readonly shape: Shape,
    /** The token that every text begins behind. */
    private readonly begin: number | undefined,
    /** Whether a predictor's `save` and `restore` are all of its state. */
    readonly restores: boolean,
  ) {}

  /**
   * Compiles the kernel and starts a first predictor.
   *
   * @param files of a verified model
   * @param kernel name of its kernel that is to run, or a module of the caller's, which is checked for what can be seen from outside:
   * imports, exports, and that it is of this shape
   * @param places `recall`: tokens that predictors have room to recall, undefined for as many as the kernel has; `begin`: the token that every
   * text begins behind, undefined for none
   * @throws SaffuError MODEL_CORRUPT, naming the file or tensor; OUT_OF_MEMORY; UNSUPPORTED where the runtime forbids to compile, or the
   * kernel cannot recall so many; INVALID_OPTION where the caller's module is no kernel of this model
   */
  static async start(
    files: ReadonlyMap<string, Uint8Array>,
    shape: Shape,
    kernel: string | WebAssembly.Module,
    places: Places = {},
  ): Promise<Kernels> {
    const bytes = files.get(WEIGHTS)!;
    const memory = memoryImage(readMemory(bytes, shape, WEIGHTS), shape);
    const base = { weights: readWeights(bytes, shape, WEIGHTS), memory };
    return typeof kernel === "string"
      ? Kernels.startFile(kernel, files.get(kernel)!, base, shape, places)
      : Kernels.startGiven(kernel, base, shape, places);
  }

  private static async startFile(
    name: string,
    wasm: Uint8Array,
    base: Base,
    shape: Shape,
    { recall, begin }: Places,
  ): Promise<Kernels> {
    assertContained(wasm, name);
    try {
      const { wasm: rewritten, ...places } = predictorModule(
        wasm,
        name,
        recall,
        memoryBytes(shape),
        shape.longMatches ? MEMORY : 0,
      );
      const predicting = await compileModule(rewritten);
      const restores = keepsStateInMemory(wasm);
      const kernels = new Kernels(name, () => compileModule(wasm), predicting, places, base, shape, begin, restores);
      kernels.idle.push(kernels.predictor(await WebAssembly.instantiate(predicting)));
      return kernels;
    } catch (cause) {
      throw startError(name, cause);
    }
  }

  /** Predictors have all the memory of the module then: what is compiled already cannot be rewritten for less. */
  private static async startGiven(
    kernel: WebAssembly.Module,
    base: Base,
    shape: Shape,
    { recall, begin }: Places,
  ): Promise<Kernels> {
    try {
      assertNoImports(kernel);
      const instance = await WebAssembly.instantiate(kernel);
      const own = Number((instance.exports.RECALL as WebAssembly.Global | undefined)?.value ?? 0);
      if (recall !== undefined && recall > own) {
        throw new SaffuError("UNSUPPORTED", `a memory of ${recall} tokens: the kernel given recalls ${own}`);
      }
      const places = { recall: recall ?? own, place: 0, memoryAt: undefined };
      const restores = "age" in instance.exports; // modules of today: all that their calls change stands in memory
      const kernels = new Kernels("kernel", async () => kernel, kernel, places, base, shape, begin, restores);
      kernels.idle.push(kernels.predictor(instance));
      return kernels;
    } catch (cause) {
      const error = startError("kernel", cause);
      if (error.code !== "MODEL_CORRUPT") throw error;
      throw new SaffuError("INVALID_OPTION", `the kernel given is none of this model: ${error.message}`, { cause });
    }
  }

  /** The build that runs; undefined where the caller gave the kernel. */
  get build(): Build | undefined {
    return this.name === fileOf("scalar") ? "scalar" : this.name === fileOf("simd") ? "simd" : undefined;
  }

  /** Bytes of linear memory of one predictor. */
  get memoryBytes(): number {
    return this.size;
  }

  /** Tokens that predictors have room to recall. */
  get recall(): number {
    return this.places.recall;
  }

  /** A predictor at the begin of a text that knows what is learnt, for one call. @throws SaffuError OUT_OF_MEMORY */
  take(): Predictor {
    const predictor = this.idle.pop() ?? this.another();
    this.bring(this.started.get(predictor)!);
    predictor.reset();
    return predictor;
  }

  /** Brings what was learnt since a predictor was taken to it, which keeps its context. */
  renew(predictor: Predictor): void {
    const started = this.started.get(predictor)!;
    if (started.learnt === this.learnt) return;
    this.bring(started);
    predictor.forgetPrediction();
  }

  /** Gives a predictor back once its call is over. */
  give(predictor: Predictor): void {
    if (this.idle.length < MOST_IDLE) this.idle.push(predictor);
  }

  /** What calls that begin now predict with: another object for each change. */
  get state(): Learnt {
    return this.learnt;
  }

  /** Predicts with what is learnt from the next call on. What runs already goes on as it began. */
  use(learnt: Learnt): void {
    this.learnt = learnt;
  }

  /** An instance of the base that learns, to keep: a model needs one at most. @throws SaffuError OUT_OF_MEMORY, MODEL_CORRUPT */
  async startLearner(): Promise<LearningKernel> {
    try {
      return this.fill(await WebAssembly.instantiate(await this.learning())).learner(this.begin);
    } catch (cause) {
      throw startError(this.name, cause);
    }
  }

  private another(): Predictor {
    try {
      return this.predictor(new WebAssembly.Instance(this.predicting));
    } catch (cause) {
      throw startError(this.name, cause);
    }
  }

  private predictor(started: WebAssembly.Instance): Predictor {
    const instance = this.fill(started, this.places.memoryAt);
    this.size = instance.bytes;
    instance.recall(NOTHING.recalled, this.places.place); // tells a module without room for its tokens now, not at the first call
    const predictor = instance.predictor(this.begin);
    this.started.set(predictor, { instance, learnt: NOTHING });
    return predictor;
  }

  /** Writes the base's weights where the instance wants them. */
  private fill(started: WebAssembly.Instance, memoryAt?: number): Instance {
    const instance = new Instance(started, this.shape, this.name);
    const { weights, memory } = this.base;
    if (memory.length > 0) instance.remember(memory, this.shape, memoryAt);
    for (const [{ address }, tensor] of weights) instance.write(address, tensor);
    return instance;
  }

  /** Writes what has been learnt since the predictor was last taken: rows that a refit solved, or the base's again, and the memory. */
  private bring(started: Started): void {
    const { learnt: before, instance } = started;
    const { correction, recalled } = this.learnt;
    if (before.correction !== correction) {
      for (const [{ name, address }, base] of this.base.weights) {
        if (before.correction?.has(name) || correction?.has(name)) {
          instance.write(address, correction?.get(name) ?? base);
        }
      }
    }
    if (before.recalled !== recalled) instance.recall(recalled, this.places.place);
    started.learnt = this.learnt;
  }
}

/** @throws SaffuError MODEL_CORRUPT */
function assertNoImports(kernel: WebAssembly.Module): void {
  const [first] = WebAssembly.Module.imports(kernel);
  if (first === undefined) return;
  throw new SaffuError(
    "MODEL_CORRUPT",
    `kernel: imports ${first.module}.${first.name}, a device module imports nothing`,
  );
}

function startError(name: string, cause: unknown): SaffuError {
  if (cause instanceof SaffuError) return cause;
  // engines refuse memory with a RangeError, and bytes that are no module with errors of WebAssembly's own
  const code = cause instanceof RangeError ? "OUT_OF_MEMORY" : "MODEL_CORRUPT";
  return new SaffuError(code, `${name}: ${(cause as Error).message}`, { cause });
}

function fileOf(build: Build): string {
  return `kernel.${build}.wasm`;
}
