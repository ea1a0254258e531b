/** Everything that is measured: what it is called, what it may choose on dev, and how it is run. */

import type { ModelFiles } from "../../../host/files/config.ts";
import { shapeOf } from "../../../host/fit/recipe.ts";
import { DATA_SOURCES, type LoadedData, VOCABULARY } from "./data.ts";
import type { Job, Options, Result } from "./job.ts";
import { KNESER_NEY_SOURCES, kneserNey, NAIVE_BAYES_SOURCES, naiveBayes } from "./kinds/counting.ts";
import {
  EXPLICIT_SOURCES,
  explicit,
  explicitModel,
  PARAMETERS,
  POTATO,
  recipeOfJob,
  SHAPE,
  weightBytes,
} from "./kinds/explicit.ts";
import { NEURAL_SOURCES, neural, neuralIsThere } from "./kinds/neural.ts";
import { TUNE_SOURCES, tuned, tunedModel } from "./kinds/tune.ts";

export interface System {
  readonly name: string;
  readonly title: string;
  readonly family: "explicit" | "tuned" | "counting" | "neural";
  /** Files and folders that decide a result; more than that, of a saffu model, does no harm (code.ts). */
  readonly sources: readonly string[];
  /** Of a saffu model: what a job makes, before it is measured. */
  readonly model?: (job: Job, data: LoadedData) => Promise<{ readonly files: ModelFiles }>;
  /** Of a saffu model: the settings that follow from a job's amount of text, which the probe does not see. */
  readonly settings?: (job: Job) => unknown;
  /** Whether a seed makes a difference. */
  readonly seeded: boolean;
  /** How many seeds are run from a budget on, in tokens, where a job takes so long that not all are. */
  readonly seedsFrom?: Readonly<Record<number, number>>;
  /** Tokens from which on nothing is searched: options are what the next smaller budget chose. */
  readonly settledFrom?: number;
  /** Axes of numbers of which a settled budget tries, beside what the next smaller one chose, only less: more text wants less of them. */
  readonly lessAt?: Readonly<Record<string, number>>;
  /** Options from a budget on, in tokens, in place of what the next smaller one chose, where that tells nothing of it. */
  readonly chosenFrom?: Readonly<Record<number, Options>>;
  /** Options that are not searched. */
  readonly fixed: Options;
  /** What is searched on dev, one axis after the other, each from the best so far; first values stand in for axes not yet searched. */
  readonly axes: Readonly<Record<string, Options[string][]>>;
  /** What it needs and is missing, if anything. */
  readonly missing?: () => string | undefined;
  /** Part of the quick form. */
  readonly quick?: boolean;
  readonly run: (job: Job, data: LoadedData) => Result | Promise<Result>;
}

const { groups, units } = SHAPE;
/** What every job loads and is measured by. */
const COMMON = [...DATA_SOURCES, "tools/lab/evidence/kinds/measure.ts"];
/** potato as it is fitted by default. */
const { window, groups: windowGroups, documentGroups = 0, documentSpan = 0, windowAttention = false } = POTATO;
const CONTEXTS = { window, groups: windowGroups, documentGroups, documentSpan, windowAttention };
/** potato with twice the groups: below 2 MB as it is stored, and fitted in a few minutes at a million tokens. */
const WIDE_CONTEXTS = { ...CONTEXTS, groups: 2 * windowGroups, documentGroups: 2 * documentGroups };
const WIDE = shapeOf({ vocabulary: VOCABULARY, units, ...WIDE_CONTEXTS });
/** History attention reaches back so far; what counts gets a cache as long. */
const CACHE = { cache: SHAPE.history };
const RATES = [0.001, 0.0002, 0.0005, 0.002, 0.004, 0.008];

const closed = (name: string, title: string, fixed: Options, quick = false): System => ({
  name,
  title,
  family: "explicit",
  sources: [...COMMON, ...EXPLICIT_SOURCES],
  model: explicitModel,
  settings: recipeOfJob,
  seeded: true,
  fixed,
  axes: {},
  quick,
  run: explicit,
});

const counted = (name: string, title: string, rest: Pick<System, "fixed" | "axes" | "run">, quick = false): System => ({
  name,
  title,
  family: "counting",
  sources: [...COMMON, ...(rest.run === naiveBayes ? NAIVE_BAYES_SOURCES : KNESER_NEY_SOURCES)],
  seeded: false,
  quick,
  ...rest,
});

const pruned = (name: string, bytes: number, quick = false): System =>
  counted(
    name,
    `Kneser-Ney pruned, ≤ ${bytes.toLocaleString("en")} bytes`,
    { fixed: { bytes, ...CACHE }, axes: { order: [3, 5] }, run: kneserNey },
    quick,
  );

const backPropagated = (name: "warm" | "cold", title: string, given: Options, axes: System["axes"]): System => ({
  name,
  title,
  family: "tuned",
  sources: [...COMMON, ...EXPLICIT_SOURCES, ...TUNE_SOURCES],
  model: tunedModel,
  // a random start is no fit
  ...(name === "warm" && { settings: recipeOfJob }),
  seeded: true,
  fixed: { init: name, groups, units, ...given },
  axes,
  seedsFrom: { 300000: 3 },
  // up to 300,000 tokens no option gains anything: these were found beside the matrix (docs/tuning.md)
  ...(name === "warm" && { settledFrom: 1_000_000, chosenFrom: { 1000000: { rate: 0.003, epochs: 10, batch: 1024 } } }),
  quick: true,
  run: tuned,
});

const network = (model: string, title: string, rest: Pick<System, "seedsFrom" | "lessAt">, quick = false): System => ({
  name: model,
  title,
  family: "neural",
  sources: [...COMMON, ...NEURAL_SOURCES],
  seeded: true,
  fixed: { model, parameters: PARAMETERS },
  axes: { rate: RATES, tied: [false, true], dropout: [0.3, 0.1, 0.5, 0.7, 0.85] },
  settledFrom: 300_000,
  ...rest,
  missing: () => (neuralIsThere() ? undefined : "tools/lab/.venv (`npm run baselines --prefix tools/lab`)"),
  quick,
  run: neural,
});

export const SYSTEMS: readonly System[] = [
  { ...closed("explicit", `explicit, ${groups} × ${units}`, { groups, units }, true), seedsFrom: { 300000: 3 } },
  // what the rest of the architecture adds, at as many parameters or fewer, but for one
  ...(
    [
      ["attended", "attention over the window", { groups, windowAttention: true }],
      ["document", "document", { groups: groups - 1, documentGroups: 2, documentSpan: 8 }],
      ["contexts", "attention and document (potato's shape)", CONTEXTS],
      ["explicit-wide", "attention and document (twice potato's groups)", WIDE_CONTEXTS],
      ["remembering", "attention, document and long-term memory (potato)", { ...CONTEXTS, longMatches: true }],
      ["two-layers", "second layer", { groups: groups - 1, secondGroups: 3, secondWindow: 2 }],
    ] as const
  ).map(([name, title, options]) => ({
    ...closed(name, `explicit, ${options.groups} × ${units}, ${title}`, { units, ...options }),
    seedsFrom: name === "contexts" ? { 100000: 3 } : { 100000: 3, 1000000: 1 },
  })),
  // nothing of it is drawn
  {
    ...closed("plain", "plain formula, cipher targets", {
      ...{ targets: "cipher", passes: 0 },
      ...{ groups: 1, units: groups * units }, // a label cipher has to name every token
    }),
    seeded: false,
  },
  backPropagated(
    "warm",
    `explicit ${groups} × ${units}, then Adam (warm)`,
    { soften: 0.5 },
    { rate: [0.003, 0.001, 0.01], epochs: [3, 1, 10], batch: [256, 512] },
  ),
  backPropagated(
    "cold",
    `random ${groups} × ${units}, then Adam (cold)`,
    {},
    {
      rate: [0.01, 0.003, 0.03, 0.1],
      epochs: [30, 10, 3, 100],
      batch: [512, 128],
    },
  ),
  ...[2, 3, 4, 5].map((order) =>
    counted(
      `kneser-ney-${order}`,
      `Kneser-Ney ${order}`,
      { fixed: { order, ...CACHE }, axes: {}, run: kneserNey },
      order === 3,
    ),
  ),
  pruned("pruned", weightBytes(SHAPE), true),
  pruned("pruned-wide", weightBytes(WIDE)),
  counted(
    "naive-bayes",
    "naive Bayes over positions",
    { fixed: CACHE, axes: { window: [3, 2, 1, 5], pseudoCounts: [100, 10, 30, 300, 1000] }, run: naiveBayes },
    true,
  ),
  network(
    "feed-forward",
    "feed-forward ReLU",
    { seedsFrom: { 30000: 3, 1000000: 1 }, lessAt: { dropout: 300_000 } },
    true,
  ),
  network("transformer", "transformer", { seedsFrom: { 10000: 3, 100000: 1 }, lessAt: { dropout: 300_000 } }),
  network("lstm", "LSTM", { seedsFrom: { 30000: 3, 300000: 1 } }),
];

/** The models of `npm run ablation --prefix tools/lab`: networks alone, one option set each. */
export const ABLATION: System = {
  ...closed("ablation", "explicit network", { history: 0 }),
};

export function systemOf(name: string): System {
  const found = [...SYSTEMS, ABLATION].find((system) => system.name === name);
  if (found === undefined) throw new Error(`there is no system ${name}`);
  return found;
}

/** The system as the quick form has it: two learning rates and the fewest epochs of what is tuned, first values of all else. */
export function quickened(system: System): System {
  const kept = (axis: string, values: Options[string][]) => {
    if (axis === "epochs") return [Math.min(...values.map(Number))];
    return values.slice(0, system.family === "tuned" && axis === "rate" ? 2 : 1);
  };
  const axes = Object.entries(system.axes).map(([axis, values]) => [axis, kept(axis, values)]);
  return { ...system, axes: Object.fromEntries(axes) };
}
