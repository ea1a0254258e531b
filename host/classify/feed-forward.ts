/**
 * A classifier: one softmax layer on the active features of an encoding, whose solution is explicit (Williams & Zhao 2023, 2311.07498), or two, one on the
 * other. It is fitted in passes, or from integer sums, and with these it learns, forgets and merges exactly.
 *
 * ```ts
 * const digits = await FeedForward.fit(examples, { encoding: image({ width: 28, height: 28 }), exact: "base" });
 * digits.predict(pixels).label;
 * await digits.observe([{ input: pixels, label: 7 }]);
 * digits.refit();
 * ```
 */
import { checkBytes, checkOptions, invalidOption, SaffuError, shown } from "../errors.ts";
import { KERNEL_FILES, type ModelFiles, STATISTICS } from "../files/config.ts";
import type { ReadFile } from "../files/read.ts";
import { type Segment, withData } from "../model/data-section.ts";
import type { Build } from "../model/kernel.ts";
import { withPages } from "../model/predictor-module.ts";
import { assertWebAssembly, hasExactSimd } from "../model/webassembly.ts";
import { type Correction, Device, imageOf } from "./device.ts";
import { bytesOf } from "./encoding.ts";
import { type Examples, type ReadOptions, readExamples, type Tally } from "./examples.ts";
import {
  baseDigest,
  type Classifier,
  formatClassifier,
  formatLearned,
  mostStatistics,
  parseLearned,
  type RefitSettings,
  readClassifier,
} from "./files.ts";
import {
  type FitModules,
  type FitOptions,
  type FitReport,
  fitClassifier,
  fullSums,
  type HiddenOptions,
} from "./fit.ts";
import { letGo } from "./instances.ts";
import { type Form, PLAN_AT, planOf } from "./layout.ts";

/** The modules of classifiers, by build. */
export interface ClassifierModules {
  readonly scalar: FitModules;
  readonly simd: FitModules;
}

/** What a classifier says of an input. */
export interface Prediction {
  readonly label: string;
  /** Of each of `labels`, in their order. */
  readonly probabilities: Float32Array;
  /** Bits: −log2 of the probability of the label that was given, or of the one that is predicted. */
  readonly surprisal: number;
}

export interface RefitOptions {
  /** Examples (of `base`), values (of `counts`), or the penalty (of `ridge`) that the solution is smoothed by. Default: as at the fit. */
  readonly pseudoCounts?: number | undefined;
  /** The step's length over the mean number of active features (of `base`); what scores are multiplied by (of the others). */
  readonly step?: number | undefined;
}

export interface CompileOptions {
  /** Default "scalar": interpreters have no SIMD. */
  readonly build?: Build | undefined;
  /** Whether it observes, forgets, merges and refits, with the sums that are there. Default false: it encodes and classifies. */
  readonly learning?: boolean | undefined;
}

/** Where a classifier comes from. */
export interface ClassifierSource {
  readonly readFile: ReadFile;
  readStatistics(most: number, signal?: AbortSignal | undefined): Promise<Uint8Array | undefined>;
}

/** What a classifier is, and where it runs. */
export interface State {
  readonly classifier: Classifier;
  readonly device: Device;
  readonly kernels: ModelFiles;
  /** Sums of the fit's own examples. */
  readonly fitted: Uint32Array | undefined;
  readonly correction: Correction | undefined;
  readonly report: FitReport | undefined;
}

/**
 * Fits a classifier to a stream of examples.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_EXAMPLE, UNKNOWN_LABEL, STATISTICS_FULL, OUT_OF_MEMORY, UNSUPPORTED, ABORTED
 */
export async function fitState<Input>(
  modules: ClassifierModules,
  examples: Examples<Input>,
  options: FitOptions<Input>,
): Promise<State> {
  assertWebAssembly();
  const build = hasExactSimd() ? "simd" : "scalar";
  const { classifier, fitted, report } = await fitClassifier(examples, options, modules[build]).finally(() => {
    letGo(modules[build].device);
    letGo(modules[build].solver);
  });
  const kernels = new Map([
    [KERNEL_FILES[0], modules.scalar.device],
    [KERNEL_FILES[1], modules.simd.device],
  ]);
  const device = await Device.start(modules[build].device, classifier.shape, classifier.layer, true);
  if (fitted) device.sums.set(fitted);
  return { classifier, device, kernels, fitted, correction: undefined, report };
}

/** @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH, UNSUPPORTED, OUT_OF_MEMORY, ABORTED */
export async function readState(source: ClassifierSource, signal?: AbortSignal | undefined): Promise<State> {
  assertWebAssembly();
  const { classifier, files } = await readClassifier(source.readFile, signal);
  const kernels = new Map(KERNEL_FILES.flatMap((name) => (files.has(name) ? [[name, files.get(name)!] as const] : [])));
  const [scalar, simd] = KERNEL_FILES.map((name) => kernels.get(name));
  const module = (hasExactSimd() ? simd : undefined) ?? scalar;
  if (module === undefined)
    throw new SaffuError("UNSUPPORTED", "this runtime has no SIMD, and the classifier no kernel without");
  const { shape, layer } = classifier;
  const bytes = shape.form === "none" ? undefined : await source.readStatistics(mostStatistics(shape), signal);
  const learned = bytes && (await parseLearned(bytes, classifier, STATISTICS));
  const whole = shape.form === "base" || learned !== undefined;
  const device = await Device.start(module, shape, layer, whole); // without its sums one of another form predicts alone
  if (learned) device.sums.set(learned.sums);
  if (learned?.correction) device.correct(learned.correction);
  return { classifier, device, kernels, fitted: learned?.fitted, correction: learned?.correction, report: undefined };
}

/** What every runtime has; fitting, loading and saving are its entry's. */
export class FeedForward {
  private readonly classifier: Classifier;
  private readonly device: Device;
  private readonly kernels: ModelFiles;
  private readonly fitted: Uint32Array | undefined;
  private correction: Correction | undefined;
  /** Of the fit; undefined where the classifier was loaded. */
  readonly report: FitReport | undefined;

  /** Not to be called: `fit` and `load` do. */
  constructor(state: State) {
    ({ classifier: this.classifier, device: this.device, kernels: this.kernels } = state);
    ({ fitted: this.fitted, correction: this.correction, report: this.report } = state);
  }

  /** The labels that it tells apart, in order. */
  get labels(): readonly string[] {
    return this.classifier.labels;
  }

  /** What of it is learned exactly. */
  get exact(): Form {
    return this.classifier.shape.form;
  }

  /** The encoding: its kind and sizes. */
  get encoding(): Readonly<Record<string, unknown>> {
    const { kind, spec } = this.classifier.encoder;
    return { kind, ...spec };
  }

  /** Its hidden layer; undefined where it has none. */
  get hidden(): HiddenOptions | undefined {
    const { hidden } = this.classifier.shape;
    return hidden && { groups: hidden.groups, units: hidden.units };
  }

  /** How it was made, as config.json has it. */
  get recipe(): Readonly<Record<string, unknown>> {
    return this.classifier.recipe;
  }

  /** Bytes that its statistics can have. */
  get mostStatistics(): number {
    return mostStatistics(this.classifier.shape);
  }

  /** What it is made of, for tools: encoder, layer, sizes. */
  get parts(): Classifier {
    return this.classifier;
  }

  /** The sums as they are now; copied. */
  get sums(): Uint32Array {
    return this.device.sums.slice();
  }

  /** Bytes of the sums; 0 of a classifier that was fitted in passes. */
  get sumBytes(): number {
    return this.device.sums.byteLength;
  }

  /** Examples in the sums. */
  get examples(): number {
    return this.device.sums[0] ?? 0;
  }

  /**
   * Classifies an input.
   *
   * @param label of which the surprisal is told, in place of the predicted one
   * @param row what the input is called in messages
   * @throws SaffuError INVALID_EXAMPLE, UNKNOWN_LABEL
   */
  predict(input: unknown, label?: string | number, row = 1): Prediction {
    const { device, classifier, labels } = this;
    const wanted = label === undefined ? undefined : this.classOf(String(label), row);
    device.encode(classifier.encoder.pack(input, row));
    const best = device.predict();
    const probabilities = device.probabilities.slice();
    return { label: labels[best]!, probabilities, surprisal: -Math.log2(probabilities[wanted ?? best]!) };
  }

  /**
   * Adds examples to the sums: all of them, or none where one is refused, a sum has no room, or the signal fires. Predictions change with the next refit.
   *
   * @throws SaffuError INVALID_EXAMPLE, UNKNOWN_LABEL, STATISTICS_FULL, UNSUPPORTED, INVALID_OPTION, ABORTED
   */
  async observe(examples: Examples<unknown>, options: ReadOptions = {}): Promise<Tally> {
    return this.learn(examples, options, (label) => {
      if (!this.device.observe(label)) throw fullSums();
    });
  }

  /**
   * Takes examples out of the sums again, to the bit: all of them, or none.
   *
   * @throws SaffuError NOT_OBSERVED where the sums do not hold one, and as observe
   */
  async forget(examples: Examples<unknown>, options: ReadOptions = {}): Promise<Tally> {
    return this.learn(examples, options, (label, row) => {
      if (this.device.forget(label)) return;
      throw new SaffuError("NOT_OBSERVED", `row ${row} was not observed with its label: nothing has been taken away`);
    });
  }

  private busy = false;

  /** What reads the sums waits for who changes them: no half of a call is ever seen. @throws SaffuError BUSY */
  private assertIdle(): void {
    if (this.busy) throw new SaffuError("BUSY", "another call learns: wait for it to end");
  }

  private async learn(
    examples: Examples<unknown>,
    options: ReadOptions,
    change: (label: number, row: number) => void,
  ): Promise<Tally> {
    this.assertLearns();
    checkOptions(options);
    const { onBad } = options;
    if (onBad !== undefined && onBad !== "skip" && onBad !== "stop")
      throw invalidOption("onBad", `"skip" or "stop"`, onBad);
    this.assertIdle();
    this.busy = true;
    const before = this.device.sums.slice();
    try {
      return await readExamples(examples, options, (input, label, row) => {
        const own = this.classOf(label, row);
        this.device.encode(this.classifier.encoder.pack(input, row));
        change(own, row);
      });
    } catch (cause) {
      this.device.sums.set(before);
      throw cause;
    } finally {
      this.busy = false;
    }
  }

  /**
   * Adds what others have observed, in their statistics, to the sums: what is beyond what the fit itself had observed.
   *
   * @throws SaffuError STATISTICS_MISMATCH, STATISTICS_FULL (with nothing changed), MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, UNSUPPORTED
   */
  async merge(...statistics: readonly Uint8Array[]): Promise<void> {
    await this.mergeAll(statistics, 1);
  }

  /** Takes statistics that were merged out again, to the bit. @throws SaffuError as merge */
  async unmerge(...statistics: readonly Uint8Array[]): Promise<void> {
    await this.mergeAll(statistics, -1);
  }

  private async mergeAll(statistics: readonly Uint8Array[], add: 1 | -1): Promise<void> {
    this.assertLearns();
    const digest = await baseDigest(this.classifier, this.fitted);
    const learned = [];
    for (const bytes of statistics) {
      checkBytes("statistics", bytes);
      learned.push(await parseLearned(bytes, this.classifier, STATISTICS, digest));
    }
    this.assertIdle();
    const before = this.device.sums.slice();
    try {
      for (const { sums, fitted } of learned) {
        // what was observed since the fit, and what of the fit was forgotten
        const more = fitted ? sums.map((sum, i) => Math.max(0, sum - fitted[i]!)) : sums;
        const less = fitted?.map((sum, i) => Math.max(0, sum - sums[i]!));
        if (!this.device.merge(more, add) || (less && !this.device.merge(less, -add as 1 | -1))) throw fullSums();
      }
    } catch (cause) {
      this.device.sums.set(before);
      throw cause;
    }
  }

  /**
   * Solves the layer from the sums; it predicts with that from now on, until `reset`.
   *
   * @throws SaffuError INVALID_OPTION, UNSUPPORTED, BUSY
   */
  refit(options: RefitOptions = {}): RefitSettings {
    this.assertLearns();
    this.assertIdle();
    checkOptions(options);
    const { refit } = this.classifier;
    const { pseudoCounts = refit.pseudoCounts, step = refit.step } = options;
    for (const [name, value] of Object.entries({ pseudoCounts, step })) {
      if (!(typeof value === "number" && value > 0 && value < 1e9))
        throw invalidOption(name, "a number above 0, below 1e9", value);
    }
    this.device.refit(pseudoCounts, step);
    this.correction = this.device.correction;
    return { pseudoCounts, step };
  }

  /** Predicts as it was fitted, until the next refit. The sums stay. */
  reset(): void {
    this.correction = undefined;
    if (this.exact !== "none") this.device.correct(undefined);
  }

  /**
   * Statistics to be merged elsewhere.
   *
   * @throws SaffuError UNSUPPORTED, BUSY
   */
  async exportStatistics(): Promise<Uint8Array> {
    this.assertLearns();
    this.assertIdle();
    return this.learned(undefined);
  }

  private async learned(correction: Correction | undefined): Promise<Uint8Array> {
    const { fitted, classifier } = this;
    const learned = { sums: this.device.sums.slice(), fitted, correction };
    return formatLearned(learned, classifier.shape, await baseDigest(classifier, fitted));
  }

  /** Its files: the directory that `save` writes. @throws SaffuError BUSY */
  async files(): Promise<Map<string, Uint8Array>> {
    this.assertIdle();
    const learned = this.device.sums.length > 0 ? this.learned(this.correction) : undefined; // as it is now
    const files = await formatClassifier(this.classifier, this.kernels);
    if (learned) files.set(STATISTICS, await learned);
    return files;
  }

  /**
   * The classifier as one WebAssembly module without imports, for a board or any other host (docs/classify.md): what it predicts with is its data.
   *
   * @throws SaffuError INVALID_OPTION, UNSUPPORTED, BUSY
   */
  compile(options: CompileOptions = {}): Uint8Array {
    checkOptions(options, []);
    const { build = "scalar", learning = false } = options;
    if (build !== "scalar" && build !== "simd") throw invalidOption("build", `"scalar" or "simd"`, build);
    if (typeof learning !== "boolean") throw invalidOption("learning", "true or false", learning);
    if (learning) {
      this.assertLearns();
      this.assertIdle();
    }
    const kernel = this.kernels.get(build === "simd" ? KERNEL_FILES[1] : KERNEL_FILES[0]);
    if (kernel === undefined) throw new SaffuError("UNSUPPORTED", `the classifier has no kernel of the build ${build}`);
    const { classifier, correction, device } = this;
    const { refit } = classifier;
    if (!learning) {
      // what the last refit solved takes the base's place
      const layer = correction
        ? { ...classifier.layer, ...correction, rows: bytesOf(correction.rows) }
        : classifier.layer;
      const shape = { ...classifier.shape, form: "none" as const, bits: correction ? 8 : classifier.shape.bits };
      const { pages } = planOf(shape, false);
      return withData(withPages(kernel, pages), [[PLAN_AT, imageOf(shape, layer, false)]]);
    }
    const { shape, layer } = classifier;
    const { plan, pages } = planOf(shape, true);
    const image = imageOf(shape, layer, true, { ...refit, corrected: correction ? 1 : 0 });
    const segments: Segment[] = [[PLAN_AT, image]];
    if (correction) {
      segments.push([plan.liveBias, bytesOf(correction.bias)], [plan.liveScales, bytesOf(correction.scales)]);
      segments.push([plan.live, bytesOf(correction.rows)]);
    }
    if (this.examples > 0) segments.push([plan.sums, bytesOf(device.sums)]);
    return withData(withPages(kernel, pages), segments);
  }

  private classOf(label: string, row: number): number {
    const found = this.labels.indexOf(label);
    if (found >= 0) return found;
    throw new SaffuError(
      "UNKNOWN_LABEL",
      `row ${row}: the label ${shown(label)} is none of the ${this.labels.length} that were fitted`,
    );
  }

  private assertLearns(): void {
    if (this.exact === "none") {
      throw new SaffuError(
        "UNSUPPORTED",
        `a classifier fitted in passes has no sums: fit it with exact "base", "counts" or "ridge"`,
      );
    }
    if (this.device.sums.length > 0) return;
    throw new SaffuError("UNSUPPORTED", `the classifier's ${STATISTICS} is not there: it predicts, and does not learn`);
  }
}
