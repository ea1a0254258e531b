/** The solver of classifiers (assembly/classify/solver.ts): principal directions, and passes of iterative scaling. An instance for each job. */
import { throwIfAborted } from "../errors.ts";
import { Pace } from "../pace.ts";
import { aligned } from "../shape.ts";
import { giveBack, startInstance } from "./instances.ts";
import { type HiddenLayer, rowBytes, strideOf } from "./layout.ts";

const [JOB_AT, WINDOWS_AT, DECODER_AT, FREE_AT] = [64, 256, 384, 512];
const PAGE = 65536;
/** Windows that are added at once, in bytes. */
const WINDOW_BYTES = 1 << 20;
/** Values of a window at the most. */
const MOST_SIZE = 64;
const MOST_DIRECTIONS = 8;

interface Exports {
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
  beginHidden(): void;
  composeSteps(from: number, until: number): void;
}

/** Directions of the largest variance, and what the mean window's product with each is. */
export interface Directions {
  /** (nf, size). */
  readonly directions: Int8Array;
  readonly thresholds: Int32Array;
}

/** Addresses one behind the other, on 16-byte boundaries. */
class Places {
  end = FREE_AT;
  place(bytes: number): number {
    const at = this.end;
    this.end = aligned(at + bytes);
    return at;
  }
}

async function instantiate(solver: Uint8Array, bytes: number): Promise<Exports> {
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

  private constructor(
    private readonly solver: Uint8Array,
    private readonly exports: Exports,
  ) {}

  static async start(solver: Uint8Array): Promise<SolverRun> {
    return new SolverRun(solver, await instantiate(solver, WINDOW_BYTES + 8 * PAGE));
  }

  /** Gives the instance back: no other call may follow. */
  close(): void {
    giveBack(this.solver, this.exports);
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

/** Fields of a job (assembly/classify/job.ts), in order: whole numbers and addresses, and those that are f32. */
const JOB_FIELDS = [
  ...["examples", "features", "classes", "stride", "valued", "batch", "steps", "averageFrom", "seed"],
  ...["unit", "step", "rate", "pseudoCounts", "priorPseudoCounts"],
  ...["offsets", "ids", "values", "labels", "weights", "averages", "prior", "bias", "probabilities", "rows", "scales"],
  ...["bits", "samples", "ratio", "group"],
] as const;
type JobField = (typeof JOB_FIELDS)[number];
const REAL = new Set<string>(["unit", "step", "rate", "pseudoCounts", "priorPseudoCounts"]);

/** What a solve is about: the examples in the solver's memory, and where its tables stand. */
export class Solve {
  private readonly places = new Places();
  private readonly job: Record<string, number> = {};
  private readonly copies: [number, ArrayBufferView][] = [];
  private exports: Exports | undefined;
  private solver: Uint8Array | undefined;

  /** @param columns of the table that is solved */
  constructor(
    private readonly data: Encoded,
    readonly columns: number,
    settings: { readonly passes: number; readonly seed: number; readonly rate: number; readonly bits: number },
  ) {
    const { features, unit, offsets, ids, values, labels } = data;
    const examples = labels.length;
    const stride = strideOf(columns);
    const batch = Math.max(1, Math.min(MOST_BATCH, Math.floor(examples / LEAST_BATCHES)));
    const steps = settings.passes * Math.ceil(examples / batch);
    const { seed, rate, bits } = settings;
    const at = {
      ...{ offsets: this.copied(offsets), ids: this.copied(ids), labels: this.copied(labels) },
      values: values ? this.copied(values) : 0,
      ...{ weights: this.place(12 * features * stride), averages: this.place(8 * features * stride) },
      ...{ prior: this.place(stride * 4), bias: this.place(stride * 4), probabilities: this.place(stride * 4) },
      ...{ rows: this.place(features * rowBytes(columns, bits)), scales: this.place(stride * 4) },
      ratio: this.place(16),
    };
    const sizes = { examples, features, classes: columns, stride, valued: values ? 1 : 0, batch, steps, bits };
    this.set({ ...sizes, averageFrom: Math.floor(steps / 2), seed, rate, unit: 1 / unit, samples: 0, ...at });
  }

  place(bytes: number): number {
    return this.places.place(bytes);
  }

  private copied(values: ArrayBufferView): number {
    const at = this.place(values.byteLength);
    this.copies.push([at, values]);
    return at;
  }

  /** Features of an example, or the sum of their values, on average. */
  get active(): number {
    const { ids, values, unit, labels } = this.data;
    const total = values ? values.reduce((sum, value) => sum + value, 0) / unit : ids.length;
    return Math.max(1, total / labels.length);
  }

  get(field: JobField): number {
    return this.job[field]!;
  }

  /** Changes what the solver is told. */
  set(fields: Partial<Record<JobField, number>>): void {
    Object.assign(this.job, fields);
    if (this.exports === undefined) return;
    const view = new DataView(this.exports.memory.buffer, JOB_AT);
    for (const [i, name] of JOB_FIELDS.entries()) {
      if (REAL.has(name)) view.setFloat32(4 * i, this.job[name]!, true);
      else view.setUint32(4 * i, this.job[name]!, true);
    }
  }

  /** Starts the solver, once all places are taken. */
  async start(solver: Uint8Array): Promise<Exports> {
    this.solver = solver;
    this.exports = await instantiate(solver, this.places.end);
    for (const [at, { buffer, byteOffset, byteLength }] of this.copies)
      new Uint8Array(this.exports.memory.buffer, at).set(new Uint8Array(buffer, byteOffset, byteLength));
    this.set({});
    return this.exports;
  }

  /** Gives the instance back: no other call may follow. */
  close(): void {
    giveBack(this.solver!, this.exports!);
  }

  /** Makes all steps, with a look at the clock now and then. @throws SaffuError ABORTED */
  async run(
    steps: (from: number, until: number) => void,
    signal: AbortSignal | undefined,
    onStep: ((done: number, total: number) => void) | undefined,
  ): Promise<void> {
    const all = this.get("steps");
    const pace = new Pace();
    for (let step = 0; step < all; step += STEPS_A_TURN) {
      const until = Math.min(all, step + STEPS_A_TURN);
      steps(step, until);
      if (pace.due()) await pace.rest();
      throwIfAborted(signal);
      onStep?.(until, all);
    }
  }

  floats(field: JobField): Float32Array {
    return new Float32Array(this.exports!.memory.buffer, this.get(field), this.columns).slice();
  }

  /** What was solved; the instance is given back. */
  layer(): Layer {
    const [prior, bias, scales] = [this.floats("prior"), this.floats("bias"), this.floats("scales")];
    const layer = { prior, bias, scales, rows: this.rows() };
    this.close();
    return layer;
  }

  rows(): Uint8Array {
    const bytes = this.data.features * rowBytes(this.columns, this.get("bits"));
    return new Uint8Array(this.exports!.memory.buffer, this.get("rows"), bytes).slice();
  }
}

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
  const { pseudoCounts, priorPseudoCounts } = settings;
  const solve = new Solve(data, data.classes, settings);
  solve.set({ step: settings.step / solve.active, pseudoCounts, priorPseudoCounts, group: data.classes });
  const exports = await solve.start(solver);
  exports.solvePrior();
  await solve.run(exports.scaleSteps, signal, onStep);
  exports.quantise();
  return solve.layer();
}

/** How a hidden layer and the decoder above it are solved together. */
export interface CompositionSettings extends ScalingSettings {
  readonly groups: number;
  readonly units: number;
  /** β of hidden targets. */
  readonly sharpness: number;
  /** Root mean square of the first logits. */
  readonly spread: number;
  readonly decoder: Pick<ScalingSettings, "step" | "pseudoCounts" | "priorPseudoCounts">;
}

/**
 * Passes of iterative scaling of a hidden layer and a decoder above it, of which the hidden layer is kept.
 *
 * @throws SaffuError ABORTED, UNSUPPORTED
 */
export async function composed(
  solver: Uint8Array,
  data: Encoded,
  settings: CompositionSettings,
  signal?: AbortSignal | undefined,
  onStep?: ((done: number, total: number) => void) | undefined,
): Promise<HiddenLayer> {
  const { groups, units, bits, sharpness, decoder } = settings;
  const columns = groups * units;
  const solve = new Solve(data, columns, settings);
  const stride = strideOf(data.classes);
  const at = {
    ...{ weights: solve.place(12 * columns * stride), prior: solve.place(4 * stride), bias: solve.place(4 * stride) },
    ...{ probabilities: solve.place(4 * stride), targets: solve.place(4 * columns), generator: solve.place(16) },
  };
  const { pseudoCounts, priorPseudoCounts, step } = settings;
  solve.set({ pseudoCounts, priorPseudoCounts: priorPseudoCounts * sharpness, group: units });
  solve.set({ step: step / sharpness / solve.active });
  const exports = await solve.start(solver);
  // the decoder's classes, how often each is
  const own = { prior: solve.get("prior"), bias: solve.get("bias"), classes: columns, stride: columns };
  solve.set({ prior: at.prior, bias: at.bias, classes: data.classes, stride });
  exports.solvePrior();
  solve.set(own);
  const { buffer } = exports.memory;
  const whole = [units, stride, at.weights, at.prior, at.bias, at.probabilities, at.targets, at.generator];
  new Uint32Array(buffer, DECODER_AT, whole.length).set(whole);
  const real = [decoder.step / groups, decoder.pseudoCounts, decoder.priorPseudoCounts, sharpness, settings.spread];
  new Float32Array(buffer, DECODER_AT + 4 * whole.length, real.length).set(real);
  exports.beginHidden();
  await solve.run(exports.composeSteps, signal, onStep);
  exports.quantise();
  const { bias, scales, rows } = solve.layer();
  return { groups, units, bits, bias, scales, rows };
}
