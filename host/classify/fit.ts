/**
 * Fits a classifier: examples are packed and kept, the encoding is fitted to some of them, all are encoded by the device's own code, and the layer is
 * solved. What has to be chosen (the encoding's size, how sharp an exact form's scores are) is chosen on examples that are held out, and then
 * all are fitted.
 */
import { checkOptions, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { Pace } from "../pace.ts";
import { Device } from "./device.ts";
import { ridged } from "./dual.ts";
import { type Encoder, type Encoding, type Setting, shuffled } from "./encoding.ts";
import { type Examples, type Kept, keepExamples } from "./examples.ts";
import { type Classifier, isLabels, type RefitSettings } from "./files.ts";
import { type ClassifierShape, FORMS, type Form, rowBytes } from "./layout.ts";
import { type Encoded, type Layer, SolverRun, scaled } from "./solver.ts";

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
  /** Most bytes of weights and encoding: of the encoding's sizes the best on held-out examples is taken. Left out, it has its usual size. */
  readonly bytes?: number | undefined;
  /** 8 or 4; default 4, and 8 where `exact` is `counts` or `ridge`. */
  readonly weightBits?: number | undefined;
  /** Passes over the examples, 1 to 1,000. Default 4, or 10 over at most 5,000 examples. */
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
  /** Active features of an example, on average. */
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
/** Bytes of a classifier whose size is not asked for. */
const USUAL_BYTES = 24 * 1024;

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
  const bits = options.weightBits ?? (exact === "counts" || exact === "ridge" ? 8 : 4);
  const room = bytes ?? USUAL_BYTES;
  const settings = packer.asked ? [packer.asked] : packer.settings(room, rowBytes(classes, bits), n);
  if (settings.length === 0) throw invalidOption("bytes", "enough for the smallest size of the encoding", room);
  const order = shuffled(n, seed);
  const held = order.slice(0, Math.min(MOST_HELD, Math.floor(n * HELD_SHARE)));
  const sample = Array.from(order.slice(0, packer.sample ?? ENCODING_SAMPLE).sort(), (i) => kept.row(i));
  const encoderFor = async (setting: Setting) =>
    packer.fit(sample, setting, await SolverRun.start(modules.solver), seed);
  const job: Job = { modules, kept, exact, bits, seed, passes: options.passes, signal, onProgress };
  const candidates = await fittingEncoders(settings, encoderFor, exact, bytes === undefined || held.length === 0);
  const solutions: readonly Solution[] = isFew(n, job)
    ? packer.few
      ? [packer.few]
      : ["ridge", "counts"]
    : [usualSolution(job)];
  const tried: Trial[] = [];
  const pairs = candidates.flatMap((candidate) => solutions.map((solution) => ({ ...candidate, solution })));
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
  const { features, parameters } = encoder.plan;
  const bytesOf = (bits: number) => features * rowBytes(classes, bits) + parameters.length;
  const whole = n <= FEW && options.weightBits === undefined && bytesOf(8) <= room;
  const last = whole ? { ...job, bits: 8 } : job;
  const solved = await solve(encoder, solution, order.slice().sort(), held, last);
  const { layer, refit, fitted, passes, active } = solved;
  const shape = shapeOf(encoder, last);
  const recipe = { examples: n, passes, seed, setting, solution, ...(options.notes ? { notes: options.notes } : {}) };
  const report: FitReport = {
    ...{ ...kept.tally, setting, solution, active, passes, bytes: bytesOf(shape.bits) },
    tried: tried.map(({ setting, solution, accuracy }) => ({ setting, solution, accuracy })),
  };
  const classifier = { encoder: encoder as Encoder<unknown>, labels: kept.labels, shape, layer, refit, recipe };
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
  exact: Form,
  first: boolean,
): Promise<{ setting: Setting; encoder: Encoder<Input> }[]> {
  // what is chosen among is solved many times
  const most = exact !== "ridge" ? MOST_FEATURES : settings.length > 1 ? MOST_RIDGE / 2 : MOST_RIDGE;
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
    `at most ${most} features with exact: "${exact}" (bytes: less gives fewer)`,
    least,
  );
}

function checkFitOptions<Input>(options: FitOptions<Input>): FitOptions<Input> {
  checkOptions(options);
  const { encoding, exact, bytes, weightBits, passes, seed, labels, onBad } = options;
  if (typeof encoding?.packer !== "function") {
    throw invalidOption("encoding", "one of image, series, table, lines, features", encoding);
  }
  if (exact !== undefined && !FORMS.includes(exact)) throw invalidOption("exact", FORMS.join(", "), exact);
  const whole = (name: string, value: number | undefined, least: number, most: number) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      throw invalidOption(name, `an integer in ${least}..${most}`, value);
    }
  };
  whole("bytes", bytes, 64, 1 << 24);
  whole("passes", passes, 1, 1000);
  whole("seed", seed, 0, 0xffffffff);
  if (weightBits !== undefined && weightBits !== 8 && weightBits !== 4)
    throw invalidOption("weightBits", "8 or 4", weightBits);
  if (weightBits === 4 && (exact === "counts" || exact === "ridge")) {
    throw invalidOption("weightBits", `8 where exact is ${exact}`, weightBits);
  }
  if (labels !== undefined && !isLabels(labels)) throw invalidOption("labels", "2 to 256 texts, each once", labels);
  if (onBad !== undefined && onBad !== "skip" && onBad !== "stop")
    throw invalidOption("onBad", `"skip" or "stop"`, onBad);
  return options;
}

/** What is the same for every encoder that is tried. */
interface Job {
  readonly modules: FitModules;
  readonly kept: Kept;
  readonly exact: Form;
  readonly bits: number;
  readonly seed: number;
  readonly passes: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
}

interface Solved {
  readonly layer: Layer;
  readonly refit: RefitSettings;
  readonly fitted: Uint32Array | undefined;
  readonly passes: number;
  readonly active: number;
}

function shapeOf({ plan }: Encoder<never>, { kept, bits, exact }: Job): ClassifierShape {
  return { encoding: plan, classes: kept.labels.length, bits, form: exact };
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
function isFew(n: number, { exact, passes }: Job): boolean {
  return (exact === "none" || exact === "base") && n <= FEW && n >= 2 * FOLDS && passes === undefined;
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
  const { layer } = await solve(encoder, solution, train, held, { ...job, passes, onProgress: undefined });
  const shape = { ...shapeOf(encoder, job), form: "none" as const };
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
  return found;
}

/** Encodes some of the examples, and solves the layer from them. */
async function solve<I>(
  encoder: Encoder<I>,
  solution: Solution,
  places: Uint32Array,
  held: Uint32Array,
  job: Job,
): Promise<Solved> {
  const data = await encoded(encoder, places, job);
  const { exact, modules, kept, signal, onProgress } = job;
  const total = data.values ? data.values.reduce((sum, value) => sum + value, 0) / data.unit : data.ids.length;
  const active = Math.max(1, total / data.labels.length);
  if (exact === "counts" || exact === "ridge") {
    const device = await Device.start(modules.device, shapeOf(encoder, job), undefined, true);
    return { ...(await solveExact(device, data, places, held, exact, kept)), passes: 1, active };
  }
  if (solution !== "passes") {
    let layer: Layer;
    if (solution === "ridge") layer = await ridged(modules.solver, data, job.bits, signal);
    else {
      const shape = { ...shapeOf(encoder, job), bits: 8, form: solution };
      const device = await Device.start(modules.device, shape, undefined, true);
      ({ layer } = await solveExact(device, data, places, held, solution, kept));
      layer = inBits(layer, job.bits, data.classes);
    }
    return { layer, refit: stepOf(active), fitted: undefined, passes: 0, active };
  }
  const n = data.labels.length;
  const passes = job.passes ?? (n > PASSES.until ? PASSES.many : PASSES.few);
  const batch = Math.max(1, Math.min(512, Math.floor(n / 8)));
  const { step, rate, batchPseudoCounts, priorPseudoCounts } = SCALING;
  const settings = {
    ...{ passes, step, rate, priorPseudoCounts, bits: job.bits, seed: job.seed },
    pseudoCounts: (batchPseudoCounts * n) / batch,
  };
  const onStep = (done: number, total: number) => onProgress?.({ phase: "fit", done, total });
  const layer = await scaled(modules.solver, data, settings, signal, onStep);
  return {
    layer,
    refit: stepOf(active),
    fitted: undefined,
    passes,
    active,
  };
}

function stepOf(active: number): RefitSettings {
  return { pseudoCounts: STEP.pseudoCounts, step: STEP.step / active };
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

/** The examples at `places` as the device encodes them. */
async function encoded<I>(encoder: Encoder<I>, places: Uint32Array, job: Job): Promise<Encoded> {
  const { kept, modules, signal, onProgress } = job;
  const { features, unit } = encoder.plan;
  const classes = kept.labels.length;
  const device = await Device.start(modules.device, { ...shapeOf(encoder, job), form: "none" }, undefined, false);
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
