/** Classifiers from files that say anything, with digests that agree, and calls with anything: an answer, or a SaffuError; no crash, no half of a change. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { baseDigest, formatLearned, type Learned } from "../host/classify/files.ts";
import { sumCells } from "../host/classify/layout.ts";
import { STATISTICS, sha256 } from "../host/files/config.ts";
import { FeedForward, features, image, lines, SaffuError, series, table } from "../host/index.ts";
import { logLines, parities, rows, shapes, waves } from "./classify-fixture.ts";

const FORMS = ["none", "base", "counts", "ridge"] as const;
const KINDS = {
  image: { encoding: image({ width: 12, height: 12, patch: 3, bits: 3, regions: 2 }), data: shapes(60, 1) },
  series: { encoding: series({ length: 40, bits: 3, segments: 2, dilations: 2 }), data: waves(60, 1) },
  table: {
    encoding: table({ columns: ["a", "b", "colour"], categorical: ["colour"], bins: 4, ferns: 2 }),
    data: rows(60, 1),
  },
  lines: { encoding: lines({ bits: 5, length: 60, words: 12 }), data: logLines(60, 1) },
  features: { encoding: features({ features: 12, most: 6 }), data: parities(60, 1, 6, 2) },
} as const;
const SUBJECTS = (Object.keys(KINDS) as (keyof typeof KINDS)[]).flatMap((kind, i) => [
  { kind, exact: FORMS[i % 4]!, hidden: undefined },
  { kind, exact: FORMS[(i + 1) % 4]!, hidden: { groups: 2, units: 4 } },
]);
type Subject = (typeof SUBJECTS)[number];

const made = new Map<Subject, Promise<Map<string, Uint8Array>>>();
function filesOf(subject: Subject): Promise<Map<string, Uint8Array>> {
  const { kind, exact, hidden } = subject;
  if (!made.has(subject)) {
    const fit = async () => {
      const { encoding, data } = KINDS[kind] as unknown as (typeof KINDS)["image"];
      const classifier = await FeedForward.fit(data, { encoding, exact, hidden });
      if (exact !== "none") {
        await classifier.observe(data.slice(0, 5));
        classifier.refit();
      }
      return classifier.files();
    };
    made.set(subject, fit());
  }
  return made.get(subject)!;
}

/** Loads and uses a classifier. @returns whether it was one */
async function used(files: Map<string, Uint8Array>, kind: keyof typeof KINDS): Promise<boolean> {
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (cause) {
      expect(cause, String((cause as Error).stack)).toBeInstanceOf(SaffuError);
      return undefined;
    }
  };
  const classifier = await attempt(() => FeedForward.load(files));
  if (classifier === undefined) return false;
  const some = KINDS[kind].data.slice(0, 2);
  for (const { input } of some) {
    const found = await attempt(() => classifier.predict(input));
    if (found === undefined) continue;
    expect(classifier.labels).toContain(found.label);
    for (const p of found.probabilities) expect(p >= 0 && p <= 1).toBe(true);
  }
  const before = classifier.sums;
  if ((await attempt(() => classifier.observe(some))) !== undefined)
    expect((await attempt(() => classifier.forget(some))) !== undefined).toBe(true);
  expect(classifier.sums).toEqual(before);
  await attempt(() => classifier.refit());
  await attempt(() => classifier.exportStatistics());
  for (const learning of [false, true]) {
    const module = await attempt(() => classifier.compile({ learning }));
    if (module) expect(WebAssembly.validate(module as BufferSource)).toBe(true);
  }
  return true;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, "", "x", [], {}, -1, 0, 1, 0.5, 3, 64, 256, 65536, 2 ** 31, 2 ** 53, 1e300),
  fc.integer({ min: -4, max: 70 }),
);

/** Every place in a JSON value: what holds it, and its name. */
function placesOf(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== "object" || value === null) return [];
  const record = value as Record<string, unknown>;
  return Object.keys(record).flatMap((name) => [[record, name] as [typeof record, string], ...placesOf(record[name])]);
}

describe("files that say anything", () => {
  test("config.json with other values, names and lengths of lists", async () => {
    let [loaded, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SUBJECTS),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom("set", "delete", "rename", "double"), odd), {
          minLength: 1,
          maxLength: 2,
        }),
        async (subject, changes) => {
          const files = new Map(await filesOf(subject));
          const config = JSON.parse(text(files.get("config.json")!));
          for (const [at, how, value] of changes) {
            const places = placesOf(config).filter(([record]) => record !== config.files);
            const [record, name] = places[at % places.length]!;
            if (how === "set") record[name] = value;
            else if (how === "delete") delete record[name];
            else if (how === "double" && Array.isArray(record)) record.push(record[0]);
            else {
              record[`${name}s`] = record[name];
              if (!Array.isArray(record)) delete record[name];
            }
          }
          files.set("config.json", bytesOf(config));
          if (await used(files, subject.kind)) loaded += 1;
          else refused += 1;
        },
      ),
      { numRuns: 500 },
    );
    expect(
      [loaded, refused].every((many) => many > 20),
      `${loaded}, ${refused}`,
    ).toBe(true);
  }, 120_000);

  test("weights with other bytes, whose digest agrees", async () => {
    let [loaded, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SUBJECTS),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() }),
        async (subject, changes, near, cut) => {
          const files = new Map(await filesOf(subject));
          if (!near) files.delete(STATISTICS); // of the form base they are of other weights
          let weights = files.get("model.safetensors")!.slice();
          // in the header, or in the numbers behind it
          const header = 8 + Number(new DataView(weights.buffer).getBigUint64(0, true));
          for (const [at, by] of changes) {
            weights[near ? at % header : header + (at % (weights.length - header))]! ^= by;
          }
          if (cut !== null) weights = weights.slice(0, cut % weights.length);
          const config = JSON.parse(text(files.get("config.json")!));
          config.files["model.safetensors"] = { bytes: weights.length, sha256: await sha256(weights) };
          files.set("model.safetensors", weights).set("config.json", bytesOf(config));
          if (await used(files, subject.kind)) loaded += 1;
          else refused += 1;
        },
      ),
      { numRuns: 400 },
    );
    expect(
      [loaded, refused].every((many) => many > 20),
      `${loaded}, ${refused}`,
    ).toBe(true);
  }, 120_000);

  test("statistics that are sealed and say sums that cannot be, or can", async () => {
    let [loaded, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SUBJECTS.filter(({ exact }) => exact !== "none")),
        fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(4), fc.constantFrom(0xffffffff, 2 ** 31))), { maxLength: 3 }),
        fc.constantFrom("sums", "fitted", "both"),
        fc.boolean(),
        async (subject, changes, which, corrected) => {
          const files = new Map(await filesOf(subject));
          const classifier = await FeedForward.load(files);
          const { parts } = classifier;
          const cells = sumCells(parts.shape);
          const sums = classifier.sums;
          const fitted = subject.exact === "base" ? undefined : new Uint32Array(cells);
          for (const [at, value] of changes) {
            if (which !== "fitted") sums[at % cells] = value;
            if (which !== "sums" && fitted) fitted[at % cells] = value;
          }
          const { bias, scales } = parts.layer;
          const columns = parts.shape.classes;
          const width = subject.hidden ? 8 : parts.shape.encoding.features;
          const correction = corrected ? { bias, scales, rows: new Int8Array(width * columns).fill(-128) } : undefined;
          const learned: Learned = { sums, fitted, correction };
          const bytes = await formatLearned(learned, parts.shape, await baseDigest(parts, fitted));
          if (await used(files.set(STATISTICS, bytes), subject.kind)) loaded += 1;
          else refused += 1;
          const other = await FeedForward.load(await filesOf(subject));
          const stood = other.sums;
          const code = await other.merge(bytes).then(
            () => undefined,
            (cause) => cause.code,
          );
          if (code === undefined) return;
          expect(["MODEL_CORRUPT", "STATISTICS_MISMATCH", "STATISTICS_FULL"]).toContain(code);
          expect(other.sums).toEqual(stood);
        },
      ),
      { numRuns: 200 },
    );
    expect(
      [loaded, refused].every((many) => many > 20),
      `${loaded}, ${refused}`,
    ).toBe(true);
  }, 120_000);
});

describe("inputs that say nothing, or as much as can be", () => {
  const half = <Input>(count: number, input: (i: number) => Input) =>
    Array.from({ length: count }, (_, i) => ({ input: input(i), label: i % 2 }));
  const own = features({ features: 20, most: 5, values: true });
  const CASES: Readonly<Record<string, [Parameters<typeof FeedForward.fit>[1]["encoding"], unknown[], unknown]>> = {
    "blank images": [
      KINDS.image.encoding as never,
      half(40, () => new Uint8Array(144)),
      new Uint8Array(144).map((_, i) => (i * 37) % 256),
    ],
    "no ids": [own as never, half(40, () => ({ ids: [], values: [] })), { ids: [1, 2], values: [1, 4095] }],
    "values of 0": [own as never, half(40, (i) => ({ ids: [i % 2], values: [0] })), { ids: [1], values: [4095] }],
    "values at their bound": [
      own as never,
      half(40, (i) => ({ ids: [i % 2, 3], values: [4095, i % 3] })),
      { ids: [1], values: [0.0625] },
    ],
    "flat series": [
      KINDS.series.encoding as never,
      half(40, (i) => new Array(40).fill(i)),
      KINDS.series.data[0]!.input,
    ],
    "tables without a cell": [table({ columns: ["a", "b"] }) as never, half(40, () => [null, null]), [5, null]],
    "two lines": [KINDS.lines.encoding as never, half(2, (i) => `word${"s".repeat(i)}`), "word words"],
  };

  test.each(
    Object.keys(CASES).flatMap((name) =>
      FORMS.flatMap((exact) => [false, true].map((layered) => [name, exact, layered] as const)),
    ),
  )("%s, %s, a hidden layer: %j", async (name, exact, layered) => {
    const [encoding, examples, other] = CASES[name]!;
    const hidden = layered ? { groups: 3, units: 8 } : undefined;
    const fit = FeedForward.fit(examples as never, { encoding, exact, hidden });
    const classifier = await fit.catch((cause) => {
      expect([exact, cause.code]).toEqual(["ridge", "STATISTICS_FULL"]); // squares of the largest values
    });
    if (!classifier) return;
    const { layer, shape } = classifier.parts;
    const numbers = [
      layer.bias,
      layer.scales,
      layer.prior,
      ...(shape.hidden ? [shape.hidden.bias, shape.hidden.scales] : []),
    ];
    for (const number of numbers.flatMap((some) => [...some])) expect(Number.isFinite(number)).toBe(true);
    for (const input of [other, (examples[0] as { input: unknown }).input]) {
      const { probabilities } = classifier.predict(input);
      expect(probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 5);
    }
  });
});
