/** The watch's module against its oracle: every answer, score, rank, template and bits of words and columns, and all that it remembers, to the bit. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { watchModule } from "../host/compile/watch.ts";
import { VERDICTS, WatchDevice } from "../host/watch/device.ts";
import { planBytes, type WatchShape } from "../host/watch/layout.ts";
import { watchSettings } from "../host/watch/options.ts";
import { generator } from "../tools/generator.ts";
import { type WatchAnswer, WatchOracle } from "./oracle-watch.ts";

type Verdict = 0 | 1 | 2;
interface Given {
  readonly row: Uint8Array | readonly number[];
  readonly model?: number;
  readonly verdict?: Verdict;
}

let module: Uint8Array;
beforeAll(async () => {
  module = await watchModule();
});

function answerOf(device: WatchDevice, flags: number, kind: WatchShape["kind"]): WatchAnswer {
  const words = kind === "lines" ? device.words() : [];
  return {
    flags,
    ...{ total: device.at("bits"), score: device.at("score"), rank: device.at("rank"), ranked: device.at("ranked") },
    ...{ template: device.at("template"), episodes: device.at("episodes") },
    bits: kind === "numbers" ? device.columnBits() : words.map(({ bits }) => bits),
    words: words as never,
  };
}

/** Pushes rows to both; memory is compared every `often` rows, and at the end. */
async function checkRows(shape: WatchShape, rows: readonly Given[], often = 25, memory = true): Promise<void> {
  const device = await WatchDevice.start(module, shape);
  const oracle = new WatchOracle(shape);
  const settings = planBytes(device.plan).subarray(0, 4 * 29);
  const compare = (i: number) => {
    const wanted = oracle.image(settings, device.plan);
    const found = device.save();
    if (Buffer.compare(wanted, found) === 0) return;
    const at = wanted.findIndex((byte, j) => byte !== found[j]);
    expect.fail(`behind row ${i}, memory differs from ${64 + at} on: ${found[at]}, not ${wanted[at]}`);
  };
  if (memory) compare(-1);
  for (const [i, { row, model = 0, verdict = 0 }] of rows.entries()) {
    const cut = row instanceof Uint8Array ? row.subarray(0, shape.most) : row;
    const { words, ...wanted } = oracle.push(cut, model, verdict);
    const flags = row instanceof Uint8Array ? device.pushBytes(row, model, verdict) : device.pushNumbers(row, verdict);
    const { words: found, ...answer } = answerOf(device, flags, shape.kind);
    expect(answer, `row ${i}`).toEqual(wanted);
    expect(found.map(({ start, end }) => [start, end])).toEqual(words.map(({ start, end }) => [start, end]));
    if (memory && i % often === often - 1) compare(i);
  }
  if (memory) compare(rows.length);
}

/** Tables that overflow, windows that pass, queues of every length. */
const small = (kind: WatchShape["kind"]): fc.Arbitrary<WatchShape> =>
  fc.record({
    kind: fc.constant(kind),
    columns: kind === "numbers" ? fc.integer({ min: 1, max: 4 }) : fc.constant(0),
    most: kind === "numbers" ? fc.constant(0) : fc.integer({ min: 1, max: 60 }),
    words: kind === "lines" ? fc.integer({ min: 1, max: 9 }) : fc.constant(0),
    cellBits: fc.integer({ min: 3, max: 6 }),
    window: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(200)),
    one: fc.integer({ min: 1, max: 12 }),
    warmUp: fc.integer({ min: 0, max: 20 }),
    guard: fc.constantFrom(0, 50, 300, 1000),
    delay: fc.integer({ min: 0, max: 10 }),
    gap: fc.integer({ min: 1, max: 5 }),
    kept: kind === "numbers" ? fc.integer({ min: 16, max: 24 }) : fc.constant(0),
    period: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(1000)),
    weight: fc.constantFrom(0, 1, 500, 1000, 1_000_000),
  });

const verdict = fc.oneof({ arbitrary: fc.constant<Verdict>(0), weight: 6 }, fc.constantFrom<Verdict>(1, 2));
const model = fc.oneof(
  { arbitrary: fc.constant(0), weight: 3 },
  fc.nat(4000),
  fc.constantFrom(2 ** 31 - 1, 2 ** 30, 2 ** 22),
);
const latin = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
/** What words are made of: masks and their edges more often than anything else. */
const WORDS = [
  "gateway",
  "Gateway",
  "0",
  "12",
  "beef",
  "beef7",
  "a1b2",
  "g1h",
  "g1h2",
  "x_9",
  "_",
  "jan",
  "Jan",
  "janu",
  "MON",
];
const MORE = [
  "sunday",
  "sun",
  "\u00e9t\u00e9",
  "feb2",
  "zz",
  "9f",
  "0x1f",
  "1g1",
  "deadbeefcafe",
  "@",
  "`",
  "[",
  "{",
  "/",
  ":",
];
const text = fc
  .array(fc.tuple(fc.constantFrom(...WORDS, ...MORE), fc.constantFrom(" ", ": ", "=", "", "-", "\0")), {
    maxLength: 12,
  })
  .map((parts) => latin(parts.flat().join("")));
const line = fc.oneof({ arbitrary: text, weight: 5 }, fc.uint8Array({ maxLength: 70 }));
/** Rows of a few, over and over: what a stream is. */
const stream = <T>(row: fc.Arbitrary<T>, most: number): fc.Arbitrary<Given[]> =>
  fc
    .tuple(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(fc.nat(9), row, model, verdict), { maxLength: most, size: "max" }),
    )
    .map(([few, rows]) =>
      rows.map(([which, own, model, verdict]) => ({ row: few[which] ?? own, model, verdict }) as unknown as Given),
    );

test("lines: any bytes, in tables that overflow, with labels and bits of a model", async () => {
  await fc.assert(
    fc.asyncProperty(small("lines"), stream(line, 120), (shape, rows) => checkRows(shape, rows)),
    { numRuns: 60 },
  );
});

test("symbols: few and many", async () => {
  const symbol = fc.oneof(fc.constantFrom("a", "b", "ab", "").map(latin), fc.uint8Array({ maxLength: 20 }));
  await fc.assert(
    fc.asyncProperty(small("symbols"), stream(symbol, 150), (shape, rows) => checkRows(shape, rows)),
    { numRuns: 50 },
  );
});

const EDGES = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  3.4028234e38,
  -3.4028234e38,
  2e38,
  -2e38,
  1e-45,
  -1e-40,
];
const value = fc.oneof(
  { arbitrary: fc.constantFrom(0, 1, 2, 20.5, 20.6), weight: 4 },
  { arbitrary: fc.float({ noNaN: true, min: -50, max: 50 }), weight: 3 },
  fc.constantFrom(...EDGES),
  fc.float(),
);
const column = fc.oneof(
  { arbitrary: value, weight: 2 },
  fc.constantFrom(...EDGES),
  fc.constant(20),
  fc.integer({ min: -3, max: 3 }),
);

test("numbers: absent, beyond f32, constant, alike, huge", async () => {
  const shaped = small("numbers").chain((shape) => {
    const row = fc.array(column, { minLength: shape.columns, maxLength: shape.columns });
    return fc.tuple(fc.constant(shape), stream(row, 120));
  });
  // of 0 and −0, which are alike, no oracle says which stands first
  const plain = (rows: readonly Given[]) =>
    rows.every(({ row }) => Array.from(row).every((each) => !Object.is(Math.fround(each), -0)));
  await fc.assert(
    fc.asyncProperty(shaped, ([shape, rows]) =>
      checkRows(
        { ...shape, weight: 1000 },
        rows.map((row) => ({ ...row, model: 0 })),
        40,
        plain(rows),
      ),
    ),
    { numRuns: 80 },
  );
});

test("numbers at the ends of f32: how far out is never further than the farthest", async () => {
  const shape = watchSettings({ kind: "numbers", columns: ["a"], kept: 16, delay: 0, warmUp: 1 }).shape;
  const rows = Array.from({ length: 60 }, (_, i) => ({ row: [i % 2 === 0 ? 2e38 : -2e38] }));
  const far = [3.3e38, -3.3e38, 1e-45, 3.4028234e38].map((each) => ({ row: [each] }));
  await checkRows(shape, [...rows, ...far]);
});

test("the sizes of a watch that is told nothing, on the log of a gateway; one label in a hundred", async () => {
  const lines = readFileSync("examples/gateway/gateway.log", "latin1").split("\n");
  const next = generator(3);
  const rows = lines.map((each) => ({
    row: latin(each),
    verdict: (next() < 0.01 ? 1 + Math.floor(2 * next()) : 0) as Verdict,
  }));
  expect(rows.length).toBeGreaterThan(500);
  await checkRows(watchSettings({}).shape, rows, 400);
});

test("the sizes of numbers, over more values than are kept", async () => {
  const next = generator(4);
  const rows = Array.from({ length: 1500 }, (_, i) => ({
    row: [20 + Math.sin(i / 40) + next(), i % 7, next() < 0.02 ? Number.NaN : 1e6 * next() ** 8],
  }));
  await checkRows(watchSettings({ kind: "numbers", columns: ["a", "b", "c"], kept: 256 }).shape, rows, 500);
});

test("months and days are numbers, other words of three letters are not", async () => {
  const names = "jan feb mar apr may jun jul aug sep oct nov dec mon tue wed thu fri sat sun".split(" ");
  const others = "jam fab man ape maj jum jug auf seq oct_ nou det mop tub web thy fry say sum".split(" ");
  const rows = [...names, ...names, ...others, ...others].map((name, i) => ({ row: latin(`${name} ${i} of a`) }));
  await checkRows(watchSettings({}).shape, rows, 100);
});

test("verdicts are in the order that the module has them in", () => {
  expect(VERDICTS).toEqual(["unknown", "alarm", "fine"]);
});
