/**
 * A model's instances: where the host starts WebAssembly to run a model. Each call borrows a predictor of its own, so that a
 * generation that is paused, or never finished, is in nobody's way. What is learnt is written into the predictors that are there:
 * into each when it is next taken, and only what has changed since it was last.
 */
import { invalidOption, SaffuError } from "../errors.ts";
import type { Tensor } from "../files/safetensors.ts";
import type { Correction } from "../files/statistics.ts";
import { readWeights } from "../files/weights.ts";
import type { Shape, TensorSpec } from "../shape.ts";
import { type Build, Instance, type LearningKernel, type Predictor } from "./kernel.ts";
import { assertContained, predictorModule } from "./predictor-module.ts";

/** What predictions are made from beside the base. Neither part is ever written to: what is new is another one. */
export interface Learnt {
  /** Tensors in place of the base's. */
  readonly correction: Correction | undefined;
  /** Tokens that attention sees beside the text itself, oldest first, BREAK between texts. */
  readonly recent: Uint16Array;
}

const NOTHING: Learnt = { correction: undefined, recent: new Uint16Array(0) };

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
    readonly build: Build,
    private readonly wasm: Uint8Array,
    private readonly predicting: WebAssembly.Module,
    private readonly weights: readonly (readonly [TensorSpec, Tensor])[],
    private readonly shape: Shape,
  ) {}

  /**
   * Compiles the kernel, `simd` where the runtime has it unless `build` asks for one, and starts a first predictor.
   *
   * @param files of a verified model
   * @throws SaffuError MODEL_CORRUPT, naming the file or tensor; OUT_OF_MEMORY; UNSUPPORTED where `build` cannot run here
   */
  static async start(
    files: ReadonlyMap<string, Uint8Array>,
    shape: Shape,
    build?: Build | undefined,
  ): Promise<Kernels> {
    if (build !== undefined && build !== "scalar" && build !== "simd") {
      throw invalidOption("build", `"scalar" or "simd"`, build);
    }
    const runnable = build !== "scalar" && WebAssembly.validate(files.get("kernel.simd.wasm")! as BufferSource);
    if (build === "simd" && !runnable) {
      throw new SaffuError("UNSUPPORTED", "this runtime does not run kernel.simd.wasm");
    }
    const used = runnable ? "simd" : "scalar";
    const weights = readWeights(files.get(WEIGHTS)!, shape, WEIGHTS);
    const wasm = files.get(fileOf(used))!;
    assertContained(wasm, fileOf(used));
    try {
      const predicting = await WebAssembly.compile(predictorModule(wasm, fileOf(used)) as BufferSource);
      const kernels = new Kernels(used, wasm, predicting, weights, shape);
      kernels.idle.push(kernels.predictor(await WebAssembly.instantiate(predicting)));
      return kernels;
    } catch (cause) {
      throw startError(used, cause);
    }
  }

  /** Bytes of linear memory of one predictor. */
  get memoryBytes(): number {
    return this.size;
  }

  /** A predictor with an empty context that knows what is learnt, for one call. @throws SaffuError OUT_OF_MEMORY */
  take(): Predictor {
    const predictor = this.idle.pop() ?? this.another();
    this.bring(this.started.get(predictor)!);
    predictor.reset();
    return predictor;
  }

  /** Gives a predictor back once its call is over. */
  give(predictor: Predictor): void {
    if (this.idle.length < MOST_IDLE) this.idle.push(predictor);
  }

  /** Predicts with what is learnt from the next call on. What runs already goes on as it began. */
  use(learnt: Learnt): void {
    this.learnt = learnt;
  }

  /** An instance of the base that learns, to keep: a model needs one at most. @throws SaffuError OUT_OF_MEMORY, MODEL_CORRUPT */
  async startLearner(): Promise<LearningKernel> {
    try {
      const { instance } = await WebAssembly.instantiate(this.wasm as BufferSource);
      return this.fill(instance).learner();
    } catch (cause) {
      throw startError(this.build, cause);
    }
  }

  private another(): Predictor {
    try {
      return this.predictor(new WebAssembly.Instance(this.predicting));
    } catch (cause) {
      throw startError(this.build, cause);
    }
  }

  private predictor(started: WebAssembly.Instance): Predictor {
    const instance = this.fill(started);
    this.size = instance.bytes;
    instance.recall(NOTHING.recent); // tells a module without room for its tokens now, not at the first call
    const predictor = instance.predictor();
    this.started.set(predictor, { instance, learnt: NOTHING });
    return predictor;
  }

  /** Writes the base's weights where the instance wants them. */
  private fill(started: WebAssembly.Instance): Instance {
    const instance = new Instance(started, this.shape, fileOf(this.build));
    for (const [{ address }, tensor] of this.weights) instance.write(address, tensor);
    return instance;
  }

  /** Writes what has been learnt since the predictor was last taken: rows that a refit solved, or the base's again, and recent tokens. */
  private bring(started: Started): void {
    const { learnt: before, instance } = started;
    const { correction, recent } = this.learnt;
    if (before.correction !== correction) {
      for (const [{ name, address }, base] of this.weights) {
        if (before.correction?.has(name) || correction?.has(name)) {
          instance.write(address, correction?.get(name) ?? base);
        }
      }
    }
    if (before.recent !== recent) instance.recall(recent);
    started.learnt = this.learnt;
  }
}

function startError(build: Build, cause: unknown): SaffuError {
  if (cause instanceof SaffuError) return cause;
  // engines refuse memory with a RangeError, and bytes that are no module with errors of WebAssembly's own
  const message = String((cause as Error).message);
  // a page's Content-Security-Policy may forbid WebAssembly: then the file is not to blame
  const forbidden = /unsafe-eval|Content Security Policy/i.test(message);
  const code = cause instanceof RangeError ? "OUT_OF_MEMORY" : forbidden ? "UNSUPPORTED" : "MODEL_CORRUPT";
  return new SaffuError(code, `${fileOf(build)}: ${message}`, { cause });
}

function fileOf(build: Build): string {
  return `kernel.${build}.wasm`;
}
