/** What a watch is told, and what it takes where it is told nothing. */
import { checkBytes, checkOptions, invalidOption } from "../errors.ts";
import type { Pushed } from "../model/session.ts";
import { KINDS, type Kind, type WatchShape } from "./layout.ts";

/** What a watch needs of a language model: a loaded `Model` has it. */
export interface WatchModel {
  session(): { push(text: string): unknown; flush(): unknown; peek(text: Uint8Array): Pushed; close(): void };
}

/** What learns from labels: a `FeedForward` of the encoding `lines`, with the labels "alarm" and "fine", is one. */
export interface LabelClassifier {
  readonly labels: readonly string[];
  predict(line: string): { readonly probabilities: ArrayLike<number> };
  observe(examples: { input: string; label: string }[]): Promise<unknown>;
  forget(examples: { input: string; label: string }[]): Promise<unknown>;
  refit(): unknown;
}

export interface WatchOptions {
  /** What a row is: a line of text, a row of numbers, or a symbol, which is alike or not. Default "lines". */
  readonly kind?: Kind | undefined;
  /** Names of the columns of numbers, 1 to 64. */
  readonly columns?: readonly string[] | undefined;
  /** W: a row is ranked among so many before it, 1 to 65,535. Default 10,000. */
  readonly window?: number | undefined;
  /** One row in so many is an alarm: the highest ⌊n / oneIn⌋ of the n it is ranked among, and at least the highest. Default 200. */
  readonly oneIn?: number | undefined;
  /** Rows before the first may be an alarm. Default 100. */
  readonly warmUp?: number | undefined;
  /** The share of rows, the most surprising, that are held back: learned `delay` rows later. 0 to 1; default 0.05. */
  readonly guard?: number | undefined;
  /** Default 64, of numbers 1,000; at most 65,536. 0 holds nothing back. */
  readonly delay?: number | undefined;
  /** Rows without an alarm that end an episode. Default 20. */
  readonly gap?: number | undefined;
  /** Bytes of the counts, rounded down to a power of two, 4 KiB to 128 MiB. Default 512 KiB. */
  readonly countBytes?: number | undefined;
  /** Bytes of a line that are looked at, 1 to 65,536. Default 4,096. */
  readonly lineBytes?: number | undefined;
  /** Words of a line that are looked at, 1 to 256. Default 64. */
  readonly words?: number | undefined;
  /** Values of a column that the next are compared with, 16 to 65,536. Default 1,024. */
  readonly kept?: number | undefined;
  /** Rows until counts are halved, so that they follow the stream. Default 65,536. */
  readonly period?: number | undefined;
  /** Rows back that can be labelled and forgotten; up to twice as many are kept, and two copies of the watch with them. Default 10,000; 0 keeps none. */
  readonly reach?: number | undefined;
  /** Rows that have a template, and words that surprised: all, or, which is faster, those with an alarm. Default "all". */
  readonly explain?: "all" | "alarms" | undefined;
  /** A language model, whose bits count as well: best one fitted to such lines. */
  readonly model?: WatchModel | undefined;
  /** What its bits are multiplied by, 0 to 1,000. Default 1. */
  readonly modelWeight?: number | undefined;
  /** Learns from labels. Lines alone can have one. */
  readonly classifier?: LabelClassifier | undefined;
  /** Of `save`: a watch that goes on. */
  readonly state?: Uint8Array | undefined;
  /** The module (assembly/watch/), where it is not at hand. */
  readonly module?: Uint8Array | undefined;
}

/** Options that are checked. */
export interface WatchSettings {
  readonly shape: WatchShape;
  readonly columns: readonly string[];
  readonly reach: number;
  /** Whether rows without an alarm are explained. */
  readonly explains: boolean;
}

/** @throws SaffuError INVALID_OPTION */
export function watchSettings(options: WatchOptions): WatchSettings {
  checkOptions(options, []);
  const { kind = "lines", columns = [], reach = 10_000, guard = 0.05, modelWeight = 1 } = options;
  if (!KINDS.includes(kind)) throw invalidOption("kind", `one of ${KINDS.join(", ")}`, kind);
  const names = Array.isArray(columns) && columns.every((name) => typeof name === "string");
  if (!names || columns.length > 64) throw invalidOption("columns", "a list of up to 64 names", columns);
  if ((kind === "numbers") !== columns.length > 0) {
    throw invalidOption("columns", kind === "numbers" ? "a list of names" : "left out but for numbers", columns);
  }
  const whole = (name: keyof WatchOptions, usual: number, least: number, most: number): number => {
    const value = options[name] ?? usual;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw invalidOption(name, `a whole number in ${least}..${most}`, value);
  };
  const between = (name: string, value: unknown, most: number): number => {
    if (typeof value === "number" && value >= 0 && value <= most) return value;
    throw invalidOption(name, `a number in 0..${most}`, value);
  };
  const countBytes = whole("countBytes", 1 << 19, 4096, 1 << 27);
  if (!(Number.isInteger(reach) && reach >= 0 && reach <= 1_000_000)) {
    throw invalidOption("reach", "a whole number in 0..1000000", reach);
  }
  const { explain = "all" } = options;
  if (explain !== "all" && explain !== "alarms") throw invalidOption("explain", '"all" or "alarms"', explain);
  const { model, classifier, state, module } = options;
  if (model !== undefined && typeof model?.session !== "function") {
    throw invalidOption("model", "a model that is loaded", model);
  }
  const learns = ["predict", "observe", "forget", "refit"] as const;
  if (classifier !== undefined && !learns.every((name) => typeof classifier?.[name] === "function")) {
    throw invalidOption("classifier", "one that predicts, observes, forgets and refits", classifier);
  }
  if (state !== undefined) checkBytes("state", state);
  if (module !== undefined) checkBytes("module", module);
  if (options.model !== undefined && kind !== "lines") throw invalidOption("model", "left out but for lines", "one");
  if (options.classifier !== undefined && kind !== "lines")
    throw invalidOption("classifier", "left out but for lines", "one");
  const numbers = kind === "numbers";
  return {
    columns,
    reach,
    explains: explain === "all",
    shape: {
      kind,
      columns: columns.length,
      most: numbers ? 0 : whole("lineBytes", 4096, 1, 65536),
      words: kind === "lines" ? whole("words", 64, 1, 256) : 0,
      cellBits: Math.floor(Math.log2(numbers ? 4096 : countBytes)) - 3,
      window: whole("window", 10_000, 1, 65535),
      one: whole("oneIn", 200, 1, 65535),
      warmUp: whole("warmUp", 100, 1, 65535),
      guard: Math.round(1000 * between("guard", guard, 1)),
      delay: whole("delay", numbers ? 1000 : 64, 0, 65536),
      gap: whole("gap", 20, 1, 1_000_000),
      kept: numbers ? whole("kept", 1024, 16, 65536) : 0,
      period: whole("period", 65536, 1, 2 ** 31),
      weight: Math.round(1000 * between("modelWeight", modelWeight, 1000)),
    },
  };
}
