/** The solver of classifiers (assembly/classify/solver.ts): principal directions, and passes of iterative scaling. An instance for each job. */
import { throwIfAborted } from "../errors.ts";
import { Pace } from "../pace.ts";
import { aligned } from "../shape.ts";
import { startInstance } from "./instances.ts";
import { rowBytes, strideOf } from "./layout.ts";

export const JOB_AT = 64;
const [WINDOWS_AT, FREE_AT] = [256, 512];
const PAGE = 65536;
/** Windows that are added at once, in bytes. */
const WINDOW_BYTES = 1 << 20;
/** Values of a window at the most. */
const MOST_SIZE = 64;
const MOST_DIRECTIONS = 8;

export interface Exports {
  readonly memory: WebAssembly.Memory;
  addWindows(): void;
  solveDirections(): void;
  solvePrior(): void;
  scaleSteps(from: number, until: number): void;
  quantise(): void;
  addPairs(from: number, until: number): void;
  centreGram(): void;
  solveDual(penalty: number): number;
  takeDual(): void;
}

/** Directions of the largest variance, and what the mean window's product with each is. */
export interface Directions {
  /** (nf, size). */
  readonly directions: Int8Array;
  readonly thresholds: Int32Array;
}

/** Addresses one behind the other, on 16-byte boundaries. */
export class Places {
  end = FREE_AT;
  place(bytes: number): number {
    const at = this.end;
    this.end = aligned(at + bytes);
    return at;
  }
}

export async function instantiate(solver: Uint8Array, bytes: number): Promise<Exports> {
  return (await startInstance(solver, bytes)) as unknown as Exports;
}

/** Sums of windows, and their principal directions. */
export class SolverRun {
  private total = 0;
  private readonly at = new Places();
  private readonly places = {
    windows: this.at.place(WINDOW_BYTES),
    first: this.at.place(8 * MOST_SIZE),
    second: this.at.place(8 * MOST_SIZE ** 2),
    matrix: this.at.place(8 * MOST_SIZE ** 2),
    vectors: this.at.place(8 * MOST_SIZE ** 2),
    out: this.at.place(MOST_DIRECTIONS * MOST_SIZE),
    thresholds: this.at.place(4 * MOST_DIRECTIONS),
    variances: this.at.place(8 * MOST_DIRECTIONS),
  };

  private constructor(private readonly exports: Exports) {}

  static async start(solver: Uint8Array): Promise<SolverRun> {
    return new SolverRun(await instantiate(solver, WINDOW_BYTES + 8 * PAGE));
  }

  /** @param windows (windows, size) */
  addWindows(windows: Int32Array, size: number): void {
    const most = Math.floor(WINDOW_BYTES / 4 / size) * size;
    for (let from = 0; from < windows.length; from += most) {
      const part = windows.subarray(from, from + most);
      new Int32Array(this.exports.memory.buffer, this.places.windows, part.length).set(part);
      this.tell(size, 0, part.length / size);
      this.exports.addWindows();
      this.total += part.length / size;
    }
  }

  directions(size: number, many: number): Directions {
    this.tell(size, many, 0);
    this.exports.solveDirections();
    const { buffer } = this.exports.memory;
    return {
      directions: new Int8Array(buffer, this.places.out, many * size).slice(),
      thresholds: new Int32Array(buffer, this.places.thresholds, many).slice(),
    };
  }

  private tell(size: number, directions: number, count: number): void {
    const { windows, first, second, matrix, vectors, out, thresholds, variances } = this.places;
    const fields = [
      size,
      directions,
      windows,
      count,
      this.total,
      first,
      second,
      matrix,
      vectors,
      out,
      thresholds,
      variances,
    ];
    new Uint32Array(this.exports.memory.buffer, WINDOWS_AT, fields.length).set(fields);
  }
}

/** Examples as their active features. */
export interface Encoded {
  readonly features: number;
  readonly classes: number;
  /** What a value of 1 is; 1 where there are no values. */
  readonly unit: number;
  /** (n + 1): where each example's features begin. */
  readonly offsets: Uint32Array;
  readonly ids: Uint16Array;
  readonly values: Uint16Array | undefined;
  /** (n) class of each example. */
  readonly labels: Uint16Array;
}

/** How passes are made. */
export interface ScalingSettings {
  readonly passes: number;
  /** s. */
  readonly step: number;
  /** Step i counts (i + 2)^−rate. */
  readonly rate: number;
  /** α and κ, in examples. */
  readonly pseudoCounts: number;
  readonly priorPseudoCounts: number;
  readonly bits: number;
  readonly seed: number;
}

/** A fitted layer. */
export interface Layer {
  /** (C) f32, log π. */
  readonly bias: Float32Array;
  /** π. */
  readonly prior: Float32Array;
  readonly scales: Float32Array;
  /** (D, C) i8, or pairs of codes of four bits. */
  readonly rows: Uint8Array;
}

/** Batches are of at most so many examples, and the examples of at least so many batches. */
const [MOST_BATCH, LEAST_BATCHES] = [512, 8];
/** Between two looks at the clock. */
const STEPS_A_TURN = 4;

/**
 * Passes of iterative scaling over the examples.
 *
 * @throws SaffuError ABORTED, UNSUPPORTED
 */
export async function scaled(
  solver: Uint8Array,
  data: Encoded,
  settings: ScalingSettings,
  signal?: AbortSignal | undefined,
  onStep?: ((done: number, total: number) => void) | undefined,
): Promise<Layer> {
  const { features, classes, unit, offsets, ids, values, labels } = data;
  const examples = labels.length;
  const stride = strideOf(classes);
  const cells = features * stride;
  const places = new Places();
  const at = {
    offsets: places.place(offsets.byteLength),
    ids: places.place(ids.byteLength),
    values: places.place(values?.byteLength ?? 0),
    labels: places.place(labels.byteLength),
    weights: places.place(3 * cells * 4),
    averages: places.place(cells * 8),
    prior: places.place(stride * 4),
    bias: places.place(stride * 4),
    probabilities: places.place(stride * 4),
    rows: places.place(features * rowBytes(classes, settings.bits)),
    scales: places.place(stride * 4),
    ratio: places.place(16),
  };
  const exports = await instantiate(solver, places.end);
  const { buffer } = exports.memory;
  new Uint32Array(buffer, at.offsets, offsets.length).set(offsets);
  new Uint16Array(buffer, at.ids, ids.length).set(ids);
  if (values) new Uint16Array(buffer, at.values, values.length).set(values);
  new Uint16Array(buffer, at.labels, labels.length).set(labels);
  const batch = Math.max(1, Math.min(MOST_BATCH, Math.floor(examples / LEAST_BATCHES)));
  const steps = settings.passes * Math.ceil(examples / batch);
  const total = values ? values.reduce((sum, value) => sum + value, 0) / unit : ids.length;
  const active = Math.max(1, total / examples);
  const whole = new Uint32Array(buffer, JOB_AT, 28);
  const real = new Float32Array(buffer, JOB_AT, 28);
  whole.set([examples, features, classes, stride, values ? 1 : 0, batch, steps, Math.floor(steps / 2), settings.seed]);
  real.set([1 / unit, settings.step / active, settings.rate, settings.pseudoCounts, settings.priorPseudoCounts], 9);
  const { weights, averages, probabilities, rows, scales, ratio } = at;
  whole.set(
    [at.offsets, at.ids, at.values, at.labels, weights, averages, at.prior, at.bias, probabilities, rows, scales],
    14,
  );
  whole.set([settings.bits, 0, ratio], 25);
  exports.solvePrior();
  const pace = new Pace();
  for (let step = 0; step < steps; step += STEPS_A_TURN) {
    exports.scaleSteps(step, Math.min(steps, step + STEPS_A_TURN));
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
    onStep?.(Math.min(steps, step + STEPS_A_TURN), steps);
  }
  exports.quantise();
  return {
    prior: new Float32Array(buffer, at.prior, classes).slice(),
    bias: new Float32Array(buffer, at.bias, classes).slice(),
    scales: new Float32Array(buffer, scales, classes).slice(),
    rows: new Uint8Array(buffer, rows, features * rowBytes(classes, settings.bits)).slice(),
  };
}
