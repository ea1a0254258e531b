/**
 * Classifiers on every runtime: inputs are put into the module word by word, classified, observed, solved and forgotten; classes and checksums are those
 * of the oracle (test/oracle-classify.ts).
 */
import { imageOf } from "../../host/classify/device.ts";
import type { Encoding } from "../../host/classify/encoding.ts";
import { bytesOf } from "../../host/classify/encoding.ts";
import { inputsOf, PLAN_AT, planOf } from "../../host/classify/layout.ts";
import { FeedForward, features, image, lines, series, table } from "../../host/index.ts";
import type { Build } from "../../host/model/kernel.ts";
import { type Labelled, logLines, rows, shapes, waves } from "../../test/classify-fixture.ts";
import {
  expectedShares,
  fnv32,
  hiddenStates,
  type ImageSpec,
  imageFeatures,
  lineFeatures,
  probabilitiesOf,
  refitOf,
  type SeriesSpec,
  seriesFeatures,
  type TableSpec,
  tableFeatures,
} from "../../test/oracle-classify.ts";
import { type ModuleCase, moduleDriver } from "./driver-module.ts";
import type { Answer, Step } from "./script.ts";

type Form = "counts" | "base" | "ridge";

interface Made {
  readonly encoding: Encoding<never>;
  readonly data: readonly Labelled<unknown>[];
  readonly exact: Form;
  readonly hidden?: { readonly groups: number; readonly units: number };
  readonly weightBits?: number;
}

const MADE = {
  "images, base": () => ({
    encoding: image({ width: 12, height: 12, patch: 5, bits: 6, regions: 3, across: 2 }),
    data: shapes(120, 1),
    exact: "base",
  }),
  "series, ridge": () => ({
    encoding: series({ length: 40, bits: 4, segments: 2, dilations: 2, parts: 5, levels: 4 }),
    data: waves(120, 2),
    exact: "ridge",
  }),
  "tables, counts": () => ({
    encoding: table({ columns: ["a", "b", "colour"], categorical: ["colour"], bins: 8, ferns: 4 }),
    data: rows(120, 3),
    exact: "counts",
  }),
  "lines, base": () => ({ encoding: lines({ bits: 7, length: 80, words: 20 }), data: logLines(120, 4), exact: "base" }),
  "features, counts": () => ({
    encoding: features({ features: 64, most: 8 }),
    data: rows(120, 5).map(({ label }, i) => ({ input: { ids: [i % 64, (7 * i) % 64, label.length] }, label })),
    exact: "counts",
  }),
  "images, hidden layer, base": () => ({
    encoding: image({ width: 12, height: 12, patch: 4, bits: 5, regions: 2 }),
    ...{ data: shapes(120, 6), exact: "base", hidden: { groups: 3, units: 8 } },
  }),
  "series, hidden layer, counts": () => ({
    encoding: series({ length: 40, bits: 4, segments: 1, dilations: 2 }),
    ...{ data: waves(120, 7), exact: "counts", hidden: { groups: 5, units: 4 }, weightBits: 8 },
  }),
  "features, hidden layer, ridge": () => ({
    encoding: features({ features: 64, most: 8 }),
    data: rows(120, 8).map(({ label }, i) => ({ input: { ids: [i % 64, (5 * i) % 64, label.length] }, label })),
    ...{ exact: "ridge", hidden: { groups: 2, units: 12 } },
  }),
} as const;

export type ClassifierName = keyof typeof MADE;
export const CLASSIFIERS = Object.keys(MADE) as ClassifierName[];

/** Inputs that are classified, and of them those that are observed. */
const [CLASSIFIED, OBSERVED] = [8, 5];

/** The module with learning, the steps, and what the oracle answers. */
export async function classifierCase(name: ClassifierName, build: Build): Promise<ModuleCase> {
  const { encoding, data, ...options } = MADE[name]() as unknown as Made;
  const { exact } = options;
  const classifier = await FeedForward.fit(data.slice(0, 100) as Labelled<never>[], { encoding, ...options });
  const module = classifier.compile({ build, learning: true });
  const steps: Step[] = [];
  const wanted: Answer[] = [];
  const call = (answer: number, name: string, ...values: number[]) => {
    steps.push({ do: "call", function: name, arguments: values });
    wanted.push({ values: [answer], seconds: 0 });
  };
  const { encoder, layer, shape, refit } = classifier.parts;
  const { plan } = planOf(shape, true);
  const segments = [
    [PLAN_AT, imageOf(shape, layer, true, refit)],
    [plan.sums, bytesOf(classifier.sums)],
  ] as const;
  const { classes, bits } = shape;
  const { parameters } = encoder.plan;
  const { features: D, unit } = inputsOf(shape);
  const sums = classifier.sums;
  const spec = encoder.spec as never;
  const idsOf = (input: unknown, packed: Uint8Array): number[] => {
    if (encoder.kind === "image") return imageFeatures(spec as ImageSpec, parameters, input as Uint8Array);
    if (encoder.kind === "series") return seriesFeatures(spec as SeriesSpec, parameters, input as number[]);
    if (encoder.kind === "table")
      return tableFeatures(spec as TableSpec, parameters, new Float32Array(packed.slice().buffer));
    if (encoder.kind === "features") return Array.from((input as { ids: number[] }).ids);
    const { bits, length, words } = spec as { bits: number; length: number; words: number };
    return lineFeatures(bits, length, words, input as string);
  };
  let current: { bias: Float32Array; scales: Float32Array; rows: Uint8Array; bits: number } = { ...layer, bits };
  const put = (packed: Uint8Array) => {
    for (let at = 0; at < packed.length; at += 4) {
      const word = new Uint8Array(4);
      word.set(packed.subarray(at, at + 4));
      call(0, "put", at, new DataView(word.buffer).getInt32(0, true));
    }
  };
  const classify = ({ input }: Labelled<unknown>) => {
    const packed = encoder.pack(input, 1);
    put(packed);
    const found = idsOf(input, packed);
    const { ids, values } = shape.hidden
      ? hiddenStates(shape.hidden, found, undefined, 1)
      : { ids: found, values: undefined };
    const probabilities = probabilitiesOf(current, current.bits, ids, values, unit);
    call(probabilities.indexOf(Math.max(...probabilities)), "classify", encoder.kind === "features" ? found.length : 0);
    call(fnv32(Float32Array.from(probabilities)), "checksum", 0);
    return { ids, values };
  };
  const learn = (verb: "observe" | "forget", example: Labelled<unknown>) => {
    const { ids, values } = classify(example);
    const label = classifier.labels.indexOf(example.label);
    call(1, verb, label);
    const by = verb === "observe" ? 1 : -1;
    const shares =
      exact === "base" ? expectedShares(probabilitiesOf(layer, bits, ids, values, unit), ids, values, label) : [];
    const second = 1 + classes + D * classes;
    sums[0]! += by;
    sums[1 + label]! += by;
    for (const [i, id] of ids.entries()) {
      const value = values?.[i] ?? 1;
      sums[1 + classes + id * classes + label]! += by * value;
      for (const [c, share] of shares.entries()) sums[second + id * classes + c]! += by * value * share;
    }
    if (exact !== "ridge") return;
    const times = new Map<number, number>();
    for (const [i, id] of ids.entries()) times.set(id, (times.get(id) ?? 0) + (values?.[i] ?? 1));
    for (const [i, a] of times)
      for (const [j, b] of times) if (j <= i) sums[second + (i * (i + 1)) / 2 + j]! += by * a * b;
  };
  const solve = () => {
    call(1, "refit");
    const solved = refitOf(
      { form: exact, features: D, classes, unit, sums },
      layer,
      bits,
      refit.pseudoCounts,
      refit.step,
    );
    call(fnv32(sums), "checksum", 1);
    call(fnv32(solved.bias, solved.scales, solved.rows), "checksum", 2);
    current = { bias: solved.bias, scales: solved.scales, rows: new Uint8Array(solved.rows.buffer), bits: 8 };
  };
  call(-1, "predict"); // before it has begun
  call(0, "begin");
  const [tests, learned] = [
    data.slice(100, 100 + CLASSIFIED),
    data.slice(100 + CLASSIFIED, 100 + CLASSIFIED + OBSERVED),
  ];
  for (const test of tests) classify(test);
  for (const example of learned) learn("observe", example);
  solve();
  for (const test of tests) classify(test);
  for (const example of learned) learn("forget", example);
  solve();
  for (const test of tests) classify(test);
  call(-4, "observe", classes); // a class that is none
  return { module, steps, wanted, driver: () => moduleDriver("classify/device", build, segments, plan.end, steps) };
}
