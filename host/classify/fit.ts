/**
 * Fits a classifier: examples are packed and kept, the encoding is fitted to some of them, all are encoded by the device's own code, and the layer is
 * solved. What has to be chosen (the encoding's size, how sharp an exact form's scores are) is chosen on examples that are held out, and then
 * all are fitted.
 */
import { checkOptions, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { formatJson } from "../files/config.ts";
import { Pace } from "../pace.ts";
import { Device } from "./device.ts";
import { ridged } from "./dual.ts";
import { type Encoder, type Encoding, type Setting, shuffled } from "./encoding.ts";
import { type Examples, type Kept, keepExamples } from "./examples.ts";
import { type Classifier, faultOfHidden, formatConfig, isLabels, type RefitSettings } from "./files.ts";
import {
  bytesOfShape,
  type ClassifierShape,
  FORMS,
  type Form,
  type HiddenLayer,
  inputsOf,
  rowBytes,
} from "./layout.ts";
import { composed, type Encoded, type Layer, SolverRun, scaled } from "./solver.ts";

export interface FitProgress {
  readonly phase: "read" | "choose" | "encode" | "fit";
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
}

export interface FitOptions<Input> {
  readonly encoding: Encoding<Input>;
  /**
   * What of the classifier is learned and forgotten exactly. `none`, the default: passes of iterative scaling; it learns no further. `base`: the same,
   * frozen, and one step of scaling from what is observed later. `counts`, `ridge`: all of it, the fit's own examples among them, from integer sums.
   */
  readonly exact?: Form | undefined;
  /**
   * A layer between the encoding and the classes: `groups` softmax groups of `units` units each, units a multiple of 4, at most 4,096 units together. It
   * learns what features tell only together. It is fitted in passes, whatever `exact` is, which is what the decoder above it learns. Default none.
   */
  readonly hidden?: HiddenOptions | undefined;
  /** Most bytes of weights and encoding: of the encoding's sizes the best on held-out examples is taken. Left out, it has its usual size. */
  readonly bytes?: number | undefined;
  /** 8 or 4; default 4, and 8 where `exact` is `counts` or `ridge`, or at most 500 examples leave room for it. With a hidden layer of its weights, default 4; the decoder's have 8. */
  readonly weightBits?: number | undefined;
  /**
   * Passes over the examples, 1 to 1,000. Default 4, or 10 over at most 5,000 examples; with a hidden layer 6, or 20. At most 500 examples without one
   * are solved without passes, unless they are given.
   */
  readonly passes?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Labels, if not those that come up; others are refused then. */
  readonly labels?: readonly string[] | undefined;
  /** What becomes of a row that is none: the fit stops there, or goes on and counts it. Default `stop`. */
  readonly onBad?: "skip" | "stop" | undefined;
  /** What config.json keeps of where the examples came from: any JSON, read by people and by tools. */
  readonly notes?: Readonly<Record<string, unknown>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FitProgress) => void) | undefined;
}

export interface HiddenOptions {
  readonly groups: number;
  readonly units: number;
}

export interface FitReport {
  readonly examples: number;
  /** Rows that were left out. */
  readonly skipped: number;
  /** What the first of them was refused for. */
  readonly firstSkipped: string | undefined;
  /** Sizes of the encoding that were tried, and ways to solve it, each with the share of held-out examples that got their own label. */
  readonly tried: readonly { readonly setting: Setting; readonly solution: Solution; readonly accuracy: number }[];
  /** The one that was taken. */
  readonly setting: Setting;
  /** Of few examples, what solved the layer; else the form's own way. */
  readonly solution: Solution;
  /** Bytes of weights and encoding. */
  readonly bytes: number;
  /** Active features of an example, on average; with a hidden layer its groups, about. */
  readonly active: number;
  readonly passes: number;
}

/** What a layer is solved by: passes of iterative scaling, counts (naive Bayes), or ridge regression. */
export type Solution = "passes" | "counts" | "ridge";

/** The modules of a fit, of the build that runs. */
export interface FitModules {
  readonly device: Uint8Array;
  readonly solver: Uint8Array;
}

/** s, the rate at which steps become smaller, α in batches and κ in examples: chosen on the last 10,000 images of MNIST's train. */
const SCALING = { step: 10, rate: 0.2, batchPseudoCounts: 5, priorPseudoCounts: 30 };
const PASSES = { few: 10, many: 4, until: 5000 };
/**
 * Of a hidden layer and the decoder above it: s of both, κ of the hidden layer, β, the root mean square of the first logits: chosen on parities,
 * chequers and rings of drawn points, and on the last 10,000 images of MNIST's train.
 */
const HIDDEN = { step: 20, decoderStep: 2, priorPseudoCounts: 7, sharpness: 0.25, spread: 1, few: 20, many: 6 };
/** Cells of a hidden layer's table at the most: a fit takes 20 bytes each. */
const MOST_CELLS = 1 << 24;
/** So few examples are solved by ridge regression, or from counts: both are tried on folds, with each size, the fewer examples the more often. */
const [FEW, FOLDS, REPEATS] = [500, 5, 10];
/** Examples that an encoding is fitted to, unless it says how many. */
const ENCODING_SAMPLE = 1000;
/** Held-out examples: their share of all, and how many at the most; and with how many others sizes are tried, in so many passes. */
const [HELD_SHARE, MOST_HELD, MOST_TRIED, TRIED_PASSES] = [0.2, 10_000, 20_000, 2];
/** Features at the most, and of ridge, whose sums are of pairs. */
const [MOST_FEATURES, MOST_RIDGE] = [65_536, 2048];
/** What scores of an exact form are multiplied by, and its pseudo-counts. */
const SHARPNESS = [0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1, 2, 4, 8, 16];
/** Held-out examples that pseudo-counts of counts are chosen by. */
const ENOUGH = 20;
const PSEUDO_COUNTS = { counts: [0.03, 0.3, 1], ridge: [1, 10, 100, 1000] };
/** Of one step over a frozen base: α in examples, and s. */
const STEP = { pseudoCounts: 30, step: 5 };
/** Bytes of a classifier whose size is not asked for, and of one whose size is, at the most. */
const [USUAL_BYTES, MOST_BYTES] = [24 * 1024, 1 << 24];

/** What a fit gives. */
export interface Fitted {
  readonly classifier: Classifier;
  /** Sums of the fit's own examples, of `counts` and `ridge`. */
  readonly fitted: Uint32Array | undefined;
  readonly report: FitReport;
}

/**
 * Fits a classifier to examples.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_EXAMPLE, UNKNOWN_LABEL, STATISTICS_FULL, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function fitClassifier<Input>(
  examples: Examples<Input>,
  options: FitOptions<Input>,
  modules: FitModules,
): Promise<Fitted> {
  const { encoding, exact = "none", bytes, seed = 1, signal, onProgress } = checkFitOptions(options);
  const packer = encoding.packer();
  const pack = (input: Input, row: number) => packer.pack(input, row);
  const onRow = (done: number) => onProgress?.({ phase: "read", done, total: 0 });
  const kept = await keepExamples(examples, pack, options.labels, options, onRow);
  const classes = kept.labels.length;
  const n = kept.classOf.length;
  const hidden = options.hidden && { ...options.hidden, bits: options.weightBits ?? 4 };
  const bits = hidden ? 8 : (options.weightBits ?? (exact === "counts" || exact === "ridge" ? 8 : 4));
  const columns = hidden ? hidden.groups * hidden.units : 0;
  const [above, row] = hidden ? [columns * classes, rowBytes(columns, hidden.bits)] : [0, rowBytes(classes, bits)];
  const settingsIn = (room: number) => (packer.asked ? [packer.asked] : packer.settings(room - above, row, n));
  let settings = settingsIn(bytes ?? USUAL_BYTES);
  // what has many columns, or classes, needs more than the usual
  for (let room = USUAL_BYTES; bytes === undefined && settings.length === 0 && room < MOST_BYTES; room *= 2)
    settings = settingsIn(2 * room);
  if (settings.length === 0)
    throw invalidOption("bytes", "enough for the smallest size of the encoding", bytes ?? MOST_BYTES);
  const order = shuffled(n, seed);
  const held = order.slice(0, Math.min(MOST_HELD, Math.floor(n * HELD_SHARE)));
  const sample = Array.from(order.slice(0, packer.sample ?? ENCODING_SAMPLE).sort(), (i) => kept.row(i));
  const encoderFor = async (setting: Setting) => {
    const run = await SolverRun.start(modules.solver);
    const encoder = await packer.fit(sample, setting, run, seed);
    run.close();
    return encoder;
  };
  const job: Job = { modules, kept, exact, hidden, bits, seed, passes: options.passes, signal, onProgress };
  // what is chosen among is solved many times
  const mostRidge = settings.length > 1 ? MOST_RIDGE / 2 : MOST_RIDGE;
  const most = hidden ? Math.floor(MOST_CELLS / columns) : exact === "ridge" ? mostRidge : MOST_FEATURES;
  const bytesOfEncoder = ({ plan }: Encoder<never>) =>
    plan.parameters.length +
    (hidden
      ? plan.features * rowBytes(columns, hidden.bits) + columns * classes
      : plan.features * rowBytes(classes, bits));
  const candidates = await fittingEncoders(settings, encoderFor, most, bytes === undefined || held.length === 0);
  const fitting = candidates.filter(({ encoder }) => bytes === undefined || bytesOfEncoder(encoder) <= bytes);
  if (fitting.length === 0) {
    const least = Math.min(...candidates.map(({ encoder }) => bytesOfEncoder(encoder)));
    throw invalidOption("bytes", `at least ${least} with the encoding's sizes`, bytes);
  }
  const solutions: readonly Solution[] = isFew(n, job)
    ? packer.few
      ? [packer.few]
      : ["ridge", "counts"]
    : [usualSolution(job)];
  const tried: Trial[] = [];
  const pairs = fitting.flatMap((candidate) => solutions.map((solution) => ({ ...candidate, solution })));
  if (pairs.length > 1) {
    const parts =
      n <= FEW ? folds(n, seed) : [{ test: held, train: order.slice(held.length, held.length + MOST_TRIED).sort() }];
    for (const { setting, encoder, solution } of pairs) {
      const total = { right: 0, error: 0 };
      let all = 0;
      for (const { test, train } of parts) {
        const { right, error } = await tally(encoder, solution, train, test, job);
        total.right += right;
        total.error += error;
        all += test.length;
      }
      tried.push({ setting, solution, accuracy: total.right / all, error: total.error / all });
      onProgress?.({ phase: "choose", done: tried.length, total: pairs.length });
    }
  }
  const best = tried.reduce((best, trial, i) => (isBetter(trial, tried[best]!) ? i : best), 0);
  const { setting, encoder, solution } = pairs[best]!;
  // with few examples there is mostly room for whole weights
  const inWhole = encoder.plan.features * classes + encoder.plan.parameters.length;
  const whole = !hidden && n <= FEW && options.weightBits === undefined && inWhole <= (bytes ?? USUAL_BYTES);
  const last = whole ? { ...job, bits: 8 } : job;
  const solved = await solve(encoder, solution, order.slice().sort(), held, last);
  const { layer, refit, fitted, passes, active } = solved;
  const shape = shapeOf(encoder, last, solved.hidden);
  const recipe = { examples: n, passes, seed, setting, solution, ...(options.notes ? { notes: options.notes } : {}) };
  const report: FitReport = {
    ...{ ...kept.tally, setting, solution, active, passes, bytes: bytesOfShape(shape) },
    tried: tried.map(({ setting, solution, accuracy }) => ({ setting, solution, accuracy })),
  };
  const classifier = { encoder: encoder as Encoder<unknown>, labels: kept.labels, shape, layer, refit, recipe };
  formatConfig(classifier, {}); // what could not be read again is told before anybody works with it
  return { classifier, fitted, report };
}

/**
 * Encoders of the sizes that the form can be of: all of them, or the first.
 *
 * @throws SaffuError INVALID_OPTION where there is none
 */
async function fittingEncoders<Input>(
  settings: readonly Setting[],
  encoderFor: (setting: Setting) => Promise<Encoder<Input>>,
  most: number,
  first: boolean,
): Promise<{ setting: Setting; encoder: Encoder<Input> }[]> {
  const found: { setting: Setting; encoder: Encoder<Input> }[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const setting of settings) {
    const encoder = await encoderFor(setting);
    least = Math.min(least, encoder.plan.features);
    if (encoder.plan.features <= most) found.push({ setting, encoder });
    if (first && found.length > 0) break;
  }
  if (found.length > 0) return found;
  throw invalidOption(
    "the encoding's size",
    `at most ${most} features with this form and hidden layer (bytes: less gives fewer)`,
    least,
  );
}

function checkFitOptions<Input>(options: FitOptions<Input>): FitOptions<Input> {
  checkOptions(options);
  const { encoding, exact, hidden, bytes, weightBits, passes, seed, labels, onBad, notes } = options;
  if (notes !== undefined && !isPlain(notes)) throw invalidOption("notes", "an object that JSON can hold", notes);
  if (typeof encoding?.packer !== "function") {
    throw invalidOption("encoding", "one of image, series, table, lines, features", encoding);
  }
  if (exact !== undefined && !FORMS.includes(exact)) throw invalidOption("exact", FORMS.join(", "), exact);
  if (hidden !== undefined) checkHidden(hidden, exact);
  const whole = (name: string, value: number | undefined, least: number, most: number) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      throw invalidOption(name, `an integer in ${least}..${most}`, value);
    }
  };
  whole("bytes", bytes, 64, MOST_BYTES);
  whole("passes", passes, 1, 1000);
  whole("seed", seed, 0, 0xffffffff);
  if (weightBits !== undefined && weightBits !== 8 && weightBits !== 4)
    throw invalidOption("weightBits", "8 or 4", weightBits);
  if (weightBits === 4 && !hidden && (exact === "counts" || exact === "ridge")) {
    throw invalidOption("weightBits", `8 where exact is ${exact}`, weightBits);
  }
  if (labels !== undefined && !isLabels(labels)) throw invalidOption("labels", "2 to 256 texts, each once", labels);
  if (onBad !== undefined && onBad !== "skip" && onBad !== "stop")
    throw invalidOption("onBad", `"skip" or "stop"`, onBad);
  return options;
}

function isPlain(notes: unknown): boolean {
  try {
    formatJson(notes as object);
    return typeof notes === "object" && !Array.isArray(notes);
  } catch {
    return false;
  }
}

/** @throws SaffuError INVALID_OPTION */
function checkHidden(hidden: HiddenOptions, exact: Form | undefined): void {
  checkOptions(hidden, []);
  const { groups, units } = hidden;
  const fault = faultOfHidden(groups, units);
  if (fault !== undefined) throw invalidOption("hidden", `{ groups, units }: ${fault}`, `${groups}x${units}`);
  if (exact === "ridge" && groups * units > MOST_RIDGE)
    throw invalidOption("hidden", `at most ${MOST_RIDGE} units with exact: "ridge"`, groups * units);
}

/** What is the same for every encoder that is tried. */
interface Job {
  readonly modules: FitModules;
  readonly kept: Kept;
  readonly exact: Form;
  readonly hidden: (HiddenOptions & { readonly bits: number }) | undefined;
  readonly bits: number;
  readonly seed: number;
  readonly passes: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
}

interface Solved {
  readonly hidden: HiddenLayer | undefined;
  readonly layer: Layer;
  readonly refit: RefitSettings;
  readonly fitted: Uint32Array | undefined;
  readonly passes: number;
  readonly active: number;
}

function shapeOf(
  { plan }: Encoder<never>,
  { kept, bits, exact }: Job,
  hidden: HiddenLayer | undefined,
): ClassifierShape {
  return { encoding: plan, hidden, classes: kept.labels.length, bits, form: exact };
}

/** More right, or as much with less square error. */
function isBetter(a: Trial, b: Trial): boolean {
  return a.accuracy > b.accuracy || (a.accuracy === b.accuracy && a.error < b.error);
}

interface Trial {
  readonly setting: Setting;
  readonly solution: Solution;
  readonly accuracy: number;
  /** Mean square error of the probabilities. */
  readonly error: number;
}

/** Whether there are so few examples that passes are not what solves them best. */
function isFew(n: number, { exact, hidden, passes }: Job): boolean {
  return !hidden && (exact === "none" || exact === "base") && n <= FEW && n >= 2 * FOLDS && passes === undefined;
}

function usualSolution({ exact }: Job): Solution {
  return exact === "counts" || exact === "ridge" ? exact : "passes";
}

/** How many held-out examples get their own label, and the square error of their probabilities (Brier 1950). */
async function tally<I>(
  encoder: Encoder<I>,
  solution: Solution,
  train: Uint32Array,
  held: Uint32Array,
  job: Job,
): Promise<{ right: number; error: number }> {
  const passes = job.passes ?? TRIED_PASSES;
  const { layer, hidden } = await solve(encoder, solution, train, held, { ...job, passes, onProgress: undefined });
  const shape = { ...shapeOf(encoder, job, hidden), form: "none" as const };
  const device = await Device.start(job.modules.device, shape, layer, false);
  const found = { right: 0, error: 0 };
  const pace = new Pace();
  for (const i of held) {
    device.encode(job.kept.row(i));
    const own = job.kept.classOf[i]!;
    if (device.predict() === own) found.right += 1;
    for (const [c, p] of device.probabilities.entries()) found.error += (p - (c === own ? 1 : 0)) ** 2;
    if (pace.due()) await pace.rest();
  }
  device.close();
  return found;
}

/** Encodes some of the examples, and solves the layers from them, from the inputs upwards. */
async function solve<I>(
  encoder: Encoder<I>,
  solution: Solution,
  places: Uint32Array,
  held: Uint32Array,
  job: Job,
): Promise<Solved> {
  const hidden = job.hidden && (await solveHidden(encoder, places, job));
  const data = await encoded(encoder, places, job, hidden);
  const { exact, modules, kept, signal, onProgress } = job;
  const total = data.values ? data.values.reduce((sum, value) => sum + value, 0) / data.unit : data.ids.length;
  const active = Math.max(1, total / data.labels.length);
  if (exact === "counts" || exact === "ridge") {
    const device = await Device.start(modules.device, shapeOf(encoder, job, hidden), undefined, true);
    const passes = hidden ? hiddenPasses(data.labels.length, job) : 1;
    return { ...(await solveExact(device, data, places, held, exact, kept)), hidden, passes, active };
  }
  if (solution !== "passes") {
    let layer: Layer;
    if (solution === "ridge") layer = await ridged(modules.solver, data, job.bits, signal);
    else {
      const shape = { ...shapeOf(encoder, job, hidden), bits: 8, form: solution };
      const device = await Device.start(modules.device, shape, undefined, true);
      ({ layer } = await solveExact(device, data, places, held, solution, kept));
      layer = inBits(layer, job.bits, data.classes);
    }
    return { hidden, layer, refit: stepOf(active, hidden), fitted: undefined, passes: 0, active };
  }
  const n = data.labels.length;
  const passes = hidden ? hiddenPasses(n, job) : (job.passes ?? (n > PASSES.until ? PASSES.many : PASSES.few));
  const step = hidden ? HIDDEN.decoderStep : SCALING.step;
  const settings = { ...scalingOf(n, job), passes, step, bits: job.bits };
  const onStep = (done: number, total: number) => onProgress?.({ phase: "fit", done, total });
  const layer = await scaled(modules.solver, data, settings, signal, onStep);
  return { hidden, layer, refit: stepOf(active, hidden), fitted: undefined, passes, active };
}

/** What passes over n examples have in common. */
function scalingOf(n: number, { seed }: Job) {
  const { rate, batchPseudoCounts, priorPseudoCounts } = SCALING;
  const batch = Math.max(1, Math.min(512, Math.floor(n / 8)));
  return { rate, priorPseudoCounts, seed, pseudoCounts: (batchPseudoCounts * n) / batch };
}

function hiddenPasses(n: number, { passes }: Job): number {
  return passes ?? (n > PASSES.until ? HIDDEN.many : HIDDEN.few);
}

/** The hidden layer, from the encoding's features of the examples at `places`. */
async function solveHidden<I>(encoder: Encoder<I>, places: Uint32Array, job: Job): Promise<HiddenLayer> {
  const data = withoutRepeats(await encoded(encoder, places, job, undefined));
  const n = data.labels.length;
  const { step, decoderStep, priorPseudoCounts, sharpness, spread } = HIDDEN;
  const scaling = scalingOf(n, job);
  const settings = {
    ...{ ...scaling, ...job.hidden!, passes: hiddenPasses(n, job), step, priorPseudoCounts, sharpness, spread },
    decoder: { ...scaling, step: decoderStep },
  };
  const onStep = (done: number, total: number) => job.onProgress?.({ phase: "fit", done, total });
  return composed(job.modules.solver, data, settings, job.signal, onStep);
}

/** A feature that comes more than once in an example, once with the sum of its values, as far as there is room in 16 bits. */
function withoutRepeats(data: Encoded): Encoded {
  const { offsets, ids, values, unit } = data;
  const places = new Int32Array(data.features).fill(-1);
  const merged = { offsets: new Uint32Array(offsets.length), ids: new Uint16Array(ids.length) };
  const sums = new Uint16Array(ids.length);
  let end = 0;
  for (let i = 0; i + 1 < offsets.length; ++i) {
    const from = end;
    for (let at = offsets[i]!; at < offsets[i + 1]!; ++at) {
      const [id, value] = [ids[at]!, values ? values[at]! : unit];
      const place = places[id]!;
      if (place >= from && sums[place]! + value <= 0xffff) sums[place]! += value;
      else {
        places[id] = end;
        merged.ids[end] = id;
        sums[end] = value;
        end += 1;
      }
    }
    merged.offsets[i + 1] = end;
  }
  return { ...data, offsets: merged.offsets, ids: merged.ids.subarray(0, end), values: sums.subarray(0, end) };
}

function stepOf(active: number, hidden: HiddenLayer | undefined): RefitSettings {
  return { pseudoCounts: STEP.pseudoCounts, step: (hidden ? HIDDEN.decoderStep : STEP.step) / active };
}

/** Each fold, and what is not in it; of few examples several times over, in different orders. */
function folds(n: number, seed: number): { readonly test: Uint32Array; readonly train: Uint32Array }[] {
  const repeats = Math.max(1, Math.min(REPEATS, Math.round(FEW / n)));
  return Array.from({ length: repeats * FOLDS }, (_, i) => {
    const order = shuffled(n, (seed + Math.floor(i / FOLDS) * 0x9e3779b9) >>> 0);
    return {
      test: order.filter((_, at) => at % FOLDS === i % FOLDS),
      train: order.filter((_, at) => at % FOLDS !== i % FOLDS).sort(),
    };
  });
}

/** A layer of int8 in as many bits. */
function inBits(layer: Layer, bits: number, classes: number): Layer {
  if (bits === 8) return layer;
  const width = rowBytes(classes, bits);
  const rows = new Uint8Array((layer.rows.length / classes) * width).fill(0x88);
  const signed = new Int8Array(layer.rows.buffer, layer.rows.byteOffset, layer.rows.length);
  for (const [i, weight] of signed.entries()) {
    const [d, c] = [Math.floor(i / classes), i % classes];
    const level = Math.round((weight * 7) / 127) + 8;
    const at = d * width + (c >> 1);
    rows[at] = c % 2 === 0 ? (rows[at]! & 0xf0) | level : (rows[at]! & 15) | (level << 4);
  }
  return { ...layer, rows, scales: layer.scales.map((scale) => (scale * 127) / 7) };
}

/** The examples at `places` as the device encodes them: what the decoder reads. */
async function encoded<I>(
  encoder: Encoder<I>,
  places: Uint32Array,
  job: Job,
  hidden: HiddenLayer | undefined,
): Promise<Encoded> {
  const { kept, modules, signal, onProgress } = job;
  const shape = { ...shapeOf(encoder, job, hidden), form: "none" as const };
  const { features, unit } = inputsOf(shape);
  const classes = kept.labels.length;
  const device = await Device.start(modules.device, shape, undefined, false);
  const offsets = new Uint32Array(places.length + 1);
  let ids = new Uint16Array(1 << 12);
  let values = new Uint16Array(unit > 1 ? ids.length : 0);
  const grown = (old: Uint16Array<ArrayBuffer>, least: number) => {
    const larger = new Uint16Array(Math.max(old.length * 2, least));
    larger.set(old);
    return larger;
  };
  let end = 0;
  const pace = new Pace();
  for (const [i, place] of places.entries()) {
    const count = device.encode(kept.row(place));
    if (end + count > ids.length) {
      ids = grown(ids, end + count);
      if (unit > 1) values = grown(values, end + count);
    }
    ids.set(device.ids, end);
    if (unit > 1) values.set(device.values, end);
    end += count;
    offsets[i + 1] = end;
    if (!pace.due()) continue;
    await pace.rest();
    throwIfAborted(signal);
    onProgress?.({ phase: "encode", done: i + 1, total: places.length });
  }
  device.close();
  return {
    ...{ features, classes, unit, offsets, ids: ids.subarray(0, end) },
    values: unit > 1 ? values.subarray(0, end) : undefined,
    labels: Uint16Array.from(places, (i) => kept.classOf[i]!),
  };
}

/**
 * Observes all but the held-out examples, chooses pseudo-counts and sharpness by the square error of the held-out examples' probabilities (Brier
 * 1950), observes those, too, and solves.
 */
async function solveExact(
  device: Device,
  data: Encoded,
  places: Uint32Array,
  held: Uint32Array,
  exact: "counts" | "ridge",
  kept: Kept,
): Promise<Pick<Solved, "layer" | "refit" | "fitted">> {
  const out = new Set(held);
  const at = new Map(Array.from(places, (place, i) => [place, i]));
  const recall = (i: number) => {
    const [from, until] = [data.offsets[i]!, data.offsets[i + 1]!];
    device.recall(data.ids.subarray(from, until), data.values?.subarray(from, until));
  };
  const observe = (wanted: (place: number) => boolean) => {
    for (const [i, place] of places.entries()) {
      if (!wanted(place)) continue;
      recall(i);
      if (!device.observe(data.labels[i]!)) throw fullSums();
    }
  };
  observe((place) => !out.has(place));
  // those held out that were encoded, too; of a trial they are others, and what is tried first is taken
  const tests = Array.from(held).filter((place) => at.has(place));
  let best = { pseudoCounts: PSEUDO_COUNTS[exact][1]!, step: 1, error: Number.POSITIVE_INFINITY };
  const pace = new Pace();
  const few = exact === "counts" && tests.length < ENOUGH;
  for (const pseudoCounts of tests.length === 0 ? [] : few ? [best.pseudoCounts] : PSEUDO_COUNTS[exact]) {
    device.refit(pseudoCounts, 1);
    const plain = device.correction;
    for (const step of SHARPNESS) {
      const times = (values: Float32Array) => values.map((value) => value * step);
      device.correct({ bias: times(plain.bias), scales: times(plain.scales), rows: plain.rows });
      let error = 0;
      for (const place of tests) {
        recall(at.get(place)!);
        device.predict();
        const own = kept.classOf[place]!;
        for (const [c, p] of device.probabilities.entries()) error += (p - (c === own ? 1 : 0)) ** 2;
      }
      if (error < best.error) best = { pseudoCounts, step, error };
      if (pace.due()) await pace.rest();
    }
  }
  observe((place) => out.has(place));
  device.refit(best.pseudoCounts, best.step);
  const { bias, scales, rows } = device.correction;
  const fitted = device.sums.slice();
  device.close();
  const share = (c: number) => (fitted[1 + c]! + 1) / (data.labels.length + data.classes);
  const prior = Float32Array.from({ length: data.classes }, (_, c) => share(c));
  const layer = { bias, scales, prior, rows: new Uint8Array(rows.buffer, rows.byteOffset, rows.length) };
  return { layer, refit: { pseudoCounts: best.pseudoCounts, step: best.step }, fitted };
}

/** The error for sums that have no room. */
export function fullSums(): SaffuError {
  const what = "a sum would pass 4294967295: nothing of it has been added";
  return new SaffuError("STATISTICS_FULL", `${what}; fit on fewer examples, or merge what others observe less often`);
}
