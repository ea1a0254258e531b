/** A model that learns: what it observes can be forgotten to the bit, split, ordered and merged at will; a call that fails changes nothing. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type Base, baseOf, CAPACITY, formatLearned, parseLearned, type Statistics } from "../host/files/statistics.ts";
import { load, type Model, type ModelFiles } from "../host/index.ts";
import { sumsOfRow } from "../tools/fuzz/plausible-sums.ts";
import {
  afterObserving,
  anyText,
  expectSame,
  learnedBytes,
  learningModel,
  lines,
  noise,
  otherBase,
  SHAPE,
} from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";
import { LICENCE, messages } from "./texts.ts";

type Text = string | Uint8Array;

const CELLS = SHAPE.vocabulary * SHAPE.groups * SHAPE.units;
const FILE = "statistics.safetensors";

let files: ModelFiles;
let base: Base;

beforeAll(async () => {
  files = await learningModel();
  base = await baseOf((await load(files)).config);
});

const sumsOf = async (model: Model) => (await parseLearned(await model.exportStatistics(), base, FILE)).statistics;

/** A file of sums that some text could have given. */
function fileOf(statistics: Statistics): Promise<Uint8Array> {
  return formatLearned({ statistics, pieces: [], correction: undefined }, base);
}

/** Runs what must fail in this way, and must leave what was learned as it was, and the model at work. */
async function refused(model: Model, run: () => Promise<unknown>, error: object): Promise<void> {
  const before = await learnedBytes(model);
  const score = model.score("the miller").surprisal;
  await expect(run()).rejects.toThrow(error as Error);
  expectSame(await learnedBytes(model), before);
  expect(model.score("the miller").surprisal).toEqual(score);
}

describe("exactness", () => {
  test("observed and then forgotten, a text leaves the statistics as they were, byte for byte", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { maxLength: 3 }), anyText, async (before, text) => {
        const model = await afterObserving(files, before);
        const bytes = await model.exportStatistics();
        const { tokens } = await model.observe(text);
        expect((await model.statistics()).observedTokens).toBe((await sumsOf(model)).tokens);
        expect(await model.forget(text)).toMatchObject({ tokens, observedTokens: (await sumsOf(model)).tokens });
        expectSame(await model.exportStatistics(), bytes);
      }),
      { numRuns: 100 },
    );
  });

  test("any order, any split over devices and any tree of merges give the same statistics and the same refit", async () => {
    const pieces = fc.array(fc.tuple(anyText, fc.nat(3)), { minLength: 1, maxLength: 6 });
    const shuffled = pieces.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length, maxLength: given.length })),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, fc.infiniteStream(fc.nat(1000)), async ([given, order], choice) => {
        const one = await afterObserving(
          files,
          given.map(([text]) => text),
        );
        let devices = await Promise.all(
          [0, 1, 2, 3].map((device) =>
            afterObserving(
              files,
              order.filter(([, at]) => at === device).map(([text]) => text),
            ),
          ),
        );
        while (devices.length > 1) {
          const [into] = devices.splice(choice.next().value! % devices.length, 1);
          const [from] = devices.splice(choice.next().value! % devices.length, 1);
          await into!.merge(await from!.exportStatistics());
          devices = [...devices, into!];
        }
        const [merged] = devices as [Model];
        expectSame(await merged.exportStatistics(), await one.exportStatistics());
        for (const model of [one, merged]) {
          await model.refit({ pseudoCounts: 10 });
          await model.reset(); // the memory is each device's own
        }
        expect(merged.correction).toEqual(one.correction);
        expectSame(await learnedBytes(merged), await learnedBytes(one));
        expect(merged.predict("grain")).toEqual(one.predict("grain"));
        expect(merged.score("the miller").surprisal).toEqual(one.score("the miller").surprisal);
      }),
      { numRuns: 60 },
    );
  });

  test("a text that comes in chunks is the same piece as the whole", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyText, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (chunks, asynchronous) => {
          const bytes = Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as Uint8Array)));
          const whole = await afterObserving(files, [bytes]);
          const model = await load(files);
          // strings of chunks may hold half a surrogate pair: as bytes they are what they are
          const parts = chunks.map((chunk) => new Uint8Array(Buffer.from(chunk as Uint8Array)));
          async function* slowly() {
            yield* parts;
          }
          const observation = await model.observe(asynchronous ? slowly() : parts);
          expect(observation.bytes).toBe(bytes.length);
          expectSame(await learnedBytes(model), await learnedBytes(whole));
        },
      ),
      { numRuns: 50 },
    );
  });

  test("an observation tells the base's bits, whatever has been learned", async () => {
    const model = await afterObserving(files, [lines(50)]);
    const text = lines(30, 2);
    const { bits, bytes, tokens } = (await load(files)).score(text);
    await model.refit({ pseudoCounts: 1 });
    expect(await model.observe(text)).toMatchObject({ bits, bytes, tokens });
    expect(await model.forget(text)).toMatchObject({ bits, bytes, tokens });
  });

  test("the two builds learn the same", async () => {
    const learned: Uint8Array[] = [];
    for (const build of ["scalar", "simd"] as const) {
      const model = await load(files, { build });
      for (const seed of [1, 2, 3]) await model.observe(lines(60, seed));
      await model.forget(lines(60, 2));
      await model.observe(lines(20, 4));
      await model.refit({ pseudoCounts: 5, step: 0.75 });
      learned.push(await learnedBytes(model));
    }
    expectSame(learned[0]!, learned[1]!);
  });

  test("what was exported is loaded again, and so is everything learned, with correction and recent tokens", async () => {
    const model = await afterObserving(files, [lines(60), lines(60, 2)]);
    await model.refit({ pseudoCounts: 5 });
    const bytes = await model.exportStatistics();
    const again = await load(files, { statistics: bytes });
    expectSame(await again.exportStatistics(), bytes);
    expect(await again.statistics()).toMatchObject({ memoryTokens: 0, corrected: false });
    expect(again.score("grain").surprisal).toEqual((await load(files)).score("grain").surprisal);
    await again.refit({ pseudoCounts: 5 });
    expect(again.correction).toEqual(model.correction);

    const all = (await model.learnedFile())!;
    const whole = await load(files, { statistics: all });
    expectSame(await learnedBytes(whole), all);
    expect(await whole.statistics()).toEqual(await model.statistics());
    expect(whole.score("the miller").surprisal).toEqual(model.score("the miller").surprisal);
    for (const each of [model, whole]) {
      await each.forget(lines(60));
      await each.observe("and on");
      await each.refit();
    }
    expectSame(await learnedBytes(whole), await learnedBytes(model));
  });

  test("the base is never written: with the correction dropped and the recent tokens forgotten, it scores as before", async () => {
    const before = new Map([...files].map(([name, bytes]) => [name, bytes.slice()]));
    const model = await load(files);
    const text = lines(40, 9);
    const score = model.score(text).surprisal;
    for (const step of [1, 4]) {
      await model.observe(lines(80));
      await model.refit({ pseudoCounts: 1, step });
      expect(model.score(text).surprisal).not.toEqual(score);
    }
    const { statisticsDigest } = await model.statistics();
    model.dropCorrection();
    await model.reset();
    expect(model.score(text).surprisal).toEqual(score);
    expect((await model.statistics()).statisticsDigest).toBe(statisticsDigest);
    expect(new Map(model.files)).toEqual(before);
    expect((await load(model.files)).score(text).surprisal).toEqual(score);
  });
});

describe("forgetting what was never observed", () => {
  const bytesOf = (text: Text): Buffer => (typeof text === "string" ? Buffer.from(text) : Buffer.from(text));
  const hex = (text: Text): string => bytesOf(text).toString("hex");

  /** What was observed, and a text that may be a piece of it, the beginning of one, or neither. */
  const texts = fc.array(anyText, { maxLength: 4 }).chain((given) => {
    const pieces: fc.Arbitrary<Text> = fc.constantFrom<Text[]>(...given, "b");
    const begun = fc.tuple(pieces, fc.integer({ min: 1, max: 40 }));
    const text = fc.oneof(
      anyText,
      pieces,
      begun.map(([piece, end]) => bytesOf(piece).subarray(0, end)),
    );
    return fc.tuple(fc.constant(given), text);
  });

  test("is refused exactly where the memory has every piece, and the text is none, and changes nothing then", async () => {
    const seen = { piece: 0, start: 0, other: 0 };
    await fc.assert(
      fc.asyncProperty(texts, async ([given, text]) => {
        const model = await afterObserving(files, given);
        const bytes = hex(text);
        const pieces = given.map(hex);
        if (pieces.includes(bytes)) {
          ++seen.piece;
          await model.forget(text);
          const others = given.toSpliced(pieces.indexOf(bytes), 1);
          expectSame(await learnedBytes(model), await learnedBytes(await afterObserving(files, others)));
        } else {
          ++seen[pieces.some((piece) => piece.startsWith(bytes)) ? "start" : "other"];
          await refused(model, () => model.forget(text), refusal("NOT_OBSERVED", "never observed"));
        }
      }),
      { numRuns: 100 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(2);
  });

  test("without the memory, is refused exactly where sums would be left that no text gives, and changes nothing then", async () => {
    let [told, untold] = [0, 0];
    const withoutMemory = async (given: readonly Text[]) => {
      const model = await load(files, { memory: 0 });
      for (const text of given) await model.observe(text);
      return model;
    };
    await fc.assert(
      fc.asyncProperty(texts, async ([given, text]) => {
        const model = await withoutMemory(given);
        const [all, one] = [await sumsOf(model), await sumsOf(await withoutMemory([text]))];
        const less = (a: Uint32Array, b: Uint32Array) => Array.from(a, (sum, i) => sum - b[i]!);
        const tokens = all.tokens - one.tokens;
        const [observed, expected] = [less(all.observed, one.observed), less(all.expected, one.expected)];
        const within = (sums: number[], most: number) => sums.every((sum) => sum >= 0 && sum <= most);
        // what the units of a group come to together, over all rows
        const groups = new Array<number>(SHAPE.groups).fill(0);
        for (const [i, sum] of observed.entries()) groups[Math.floor(i / SHAPE.units) % SHAPE.groups]! += sum;
        const rounding = SHAPE.units / 2;
        const possible =
          within(observed, 256 * tokens) &&
          within(expected, 2 ** 14 * tokens) &&
          within(groups, (256 + rounding) * tokens);
        if (!possible || tokens < 0) {
          ++told;
          await refused(model, () => model.forget(text), refusal("NOT_OBSERVED", "never observed"));
        } else {
          ++untold;
          await model.forget(text);
          const left = await sumsOf(model);
          expect([left.tokens, [...left.observed], [...left.expected]]).toEqual([tokens, observed, expected]);
        }
      }),
      { numRuns: 100 },
    );
    expect(Math.min(told, untold)).toBeGreaterThan(5);
  });

  test("is refused at its last token as at its first", async () => {
    const model = await afterObserving(files, [lines(50)]);
    await refused(model, () => model.forget(`${lines(50)}!`), refusal("NOT_OBSERVED"));
    await refused(model, () => model.forget(`!${lines(50)}`), refusal("NOT_OBSERVED"));
    await model.forget(lines(50));
    expect((await model.statistics()).observedTokens).toBe(0);
    await refused(model, () => model.forget("l"), refusal("NOT_OBSERVED"));
  });
});

describe("a call that fails changes nothing", () => {
  let model: Model;
  let statisticsOfOther: Uint8Array;
  /** Long enough to give way, and to be looked at, a few times. */
  const long = lines(8000);
  const start = long.slice(0, 11);

  beforeAll(async () => {
    model = await afterObserving(files, [lines(80), long, lines(800, 2)]);
    await model.refit();
    statisticsOfOther = await (await afterObserving(files, ["other"])).exportStatistics();
  });

  /** Every call that learns, with the options that all of them take. */
  type Options = { signal?: AbortSignal; onProgress?: () => void };
  const calls: [string, (options: Options) => Promise<unknown>][] = [
    ["observe", (options) => model.observe(long, options)],
    ["forget", (options) => model.forget(long, options)],
    ["merge", (options) => model.merge(statisticsOfOther, options)],
    ["refit", (options) => model.refit({ ...options, pseudoCounts: 7 })],
  ];

  test.each(calls)("%s: aborted before it begins", async (_name, call) => {
    await refused(model, () => call({ signal: AbortSignal.abort("enough") }), refusal("ABORTED"));
  });

  test.each(calls)("%s: aborted from its progress, the first time and the last", async (_name, call) => {
    let times = 0;
    await refused(
      model,
      () => {
        const controller = new AbortController();
        const onProgress = () => {
          ++times;
          controller.abort();
        };
        return call({ signal: controller.signal, onProgress });
      },
      refusal("ABORTED"),
    );
    expect(times).toBe(1);
    // the last: where everything is done, but not told yet
    const last = new AbortController();
    const tokens = new TextEncoder().encode(long).length;
    const onProgress = (done?: { tokens?: number; done?: number }) => {
      if (done?.tokens === tokens || done?.tokens === 5 || done?.done === SHAPE.vocabulary) last.abort();
    };
    await refused(model, () => call({ signal: last.signal, onProgress }), refusal("ABORTED"));
  });

  test.each(calls.slice(0, 2))("%s: aborted by a timer while it runs", async (_name, call) => {
    await refused(model, () => call({ signal: AbortSignal.timeout(1) }), refusal("ABORTED"));
  });

  test.each(calls)("%s: its listener throws", async (_name, call) => {
    const fail = () => {
      throw new RangeError("no more room on the screen");
    };
    await refused(model, () => call({ onProgress: fail }), new RangeError("no more room on the screen"));
  });

  const sources: [string, (controller: AbortController) => AsyncIterable<Text> | Iterable<Text>, object][] = [
    [
      "throws at once",
      () => ({
        [Symbol.asyncIterator]: () => {
          throw new TypeError("closed");
        },
      }),
      new TypeError("closed"),
    ],
    [
      "throws in the middle",
      async function* () {
        yield start;
        yield long.slice(start.length, 20_000);
        throw new TypeError("unplugged");
      },
      new TypeError("unplugged"),
    ],
    [
      "throws in the middle, synchronously",
      function* () {
        yield start;
        throw new TypeError("unplugged");
      },
      new TypeError("unplugged"),
    ],
    [
      "aborts in the middle",
      async function* (controller) {
        yield start;
        controller.abort();
        yield long.slice(start.length);
      },
      refusal("ABORTED"),
    ],
    [
      "aborts at its end",
      async function* (controller) {
        yield start;
        controller.abort();
      },
      refusal("ABORTED"),
    ],
    ["gives what is no text", () => [start, 7 as unknown as string], refusal("INVALID_TEXT")],
  ];

  test.each(sources)("observe and forget: the source of chunks %s", async (_what, source, error) => {
    for (const call of ["observe", "forget"] as const) {
      const controller = new AbortController();
      await refused(model, () => model[call](source(controller), { signal: controller.signal }), error);
    }
  });

  test("but an empty text is none: it has no tokens, and changes nothing", async () => {
    for (const text of ["", new Uint8Array(0), [], ["", new Uint8Array(0)]]) {
      const before = await model.learnedFile();
      expect(await model.observe(text)).toMatchObject({ tokens: 0, bytes: 0, bits: 0 });
      expect(await model.learnedFile()).toEqual(before);
      const { statisticsDigest } = await model.statistics();
      expect(await model.forget(text)).toMatchObject({ tokens: 0, bytes: 0, bits: 0 });
      expect(await model.statistics()).toMatchObject({ statisticsDigest });
    }
  });

  test("merge: what is no file of statistics", async () => {
    const cut = statisticsOfOther.slice(0, -1);
    const altered = statisticsOfOther.slice();
    altered[altered.length - 1]! ^= 1;
    await refused(model, () => model.merge(new Uint8Array(0)), refusal("MODEL_CORRUPT", FILE));
    await refused(model, () => model.merge(cut), refusal("MODEL_CORRUPT", FILE));
    await refused(model, () => model.merge(altered), refusal("MODEL_DIGEST", FILE));
  });

  test("merge: statistics of another base, of which the error names both", async () => {
    const other = await load(await otherBase(files));
    await other.observe("other");
    const { baseDigest } = await other.statistics();
    const bytes = await other.exportStatistics();
    expect(baseDigest).not.toBe(base.digest);
    await refused(model, () => model.merge(bytes), refusal("STATISTICS_MISMATCH", baseDigest, base.digest));
    await expect(load(files, { statistics: bytes })).rejects.toThrow(
      refusal("STATISTICS_MISMATCH", baseDigest, base.digest),
    );
  });

  test("and the model learns on", async () => {
    const twin = await load(files, { statistics: (await model.learnedFile())! });
    for (const each of [model, twin]) {
      await each.forget(lines(800, 2));
      await each.observe("and on");
      await each.refit();
    }
    expectSame(await learnedBytes(model), await learnedBytes(twin));
  });
});

describe("statistics that are full", () => {
  const nothing = { generation: 0, observed: new Uint32Array(CELLS), expected: new Uint32Array(CELLS) };

  test("refuse a text that does not fit at its end, and take none of it", async () => {
    // the row of byte 0, which any of these tokens is expected to be now and then: room for less than a token
    const model = await load(files, { statistics: await fileOf(sumsOfRow(SHAPE, 262_143)) });
    const noisy = noise(60_000);
    await refused(model, () => model.observe(noisy), refusal("STATISTICS_FULL", String(CAPACITY), "age"));
    await refused(model, () => model.observe([lines(10), noisy]), refusal("STATISTICS_FULL", String(CAPACITY)));
    await model.observe("a");
    expect((await model.statistics()).observedTokens).toBe(262_144);
  });

  test("refuse a token more than can be counted", async () => {
    const model = await load(files, { statistics: await fileOf({ ...nothing, tokens: CAPACITY - 3 }) });
    await refused(model, () => model.observe("abcd"), refusal("STATISTICS_FULL", String(CAPACITY)));
    await model.observe("abc");
    expect((await model.statistics()).observedTokens).toBe(CAPACITY);
    await refused(model, () => model.observe("a"), refusal("STATISTICS_FULL"));
    await model.forget("abc");
    await model.observe("cba");
  });

  test("refuse to merge what passes a sum, anywhere, and take what just fits", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 262_143 }), async (tokens) => {
        const model = await load(files, { statistics: await fileOf(sumsOfRow(SHAPE, tokens)) });
        const full = await fileOf(sumsOfRow(SHAPE, 262_144 - tokens));
        if (tokens > 1) await refused(model, () => model.merge(full), refusal("STATISTICS_FULL", String(CAPACITY)));
        if (tokens < 262_143) await model.merge(await fileOf(sumsOfRow(SHAPE, 262_143 - tokens)));
        expect(await sumsOf(model)).toEqual(sumsOfRow(SHAPE, 262_143));
      }),
      { numRuns: 30 },
    );
  });

  test("refuse to merge more tokens than can be counted", async () => {
    const model = await load(files, { statistics: await fileOf({ ...nothing, tokens: CAPACITY - 5 }) });
    await refused(
      model,
      async () => model.merge(await fileOf({ ...nothing, tokens: 6 })),
      refusal("STATISTICS_FULL", String(CAPACITY)),
    );
    await model.merge(await fileOf({ ...nothing, tokens: 5 }));
    expect((await model.statistics()).observedTokens).toBe(CAPACITY);
  });
});

describe("calls at the same time", () => {
  test("do what they do one after the other", async () => {
    const texts = [lines(30), lines(12, 2), "never observed, at no time", lines(200, 4)];
    type Call = (model: Model) => Promise<unknown>;
    const call: fc.Arbitrary<Call> = fc.oneof(
      fc.constantFrom(...texts).map(
        (text): Call =>
          (model) =>
            model.observe(text),
      ),
      fc.constantFrom(...texts).map(
        (text): Call =>
          (model) =>
            model.forget(text),
      ),
      fc.constantFrom(1, 300).map(
        (pseudoCounts): Call =>
          (model) =>
            model.refit({ pseudoCounts }),
      ),
      fc.constant<Call>((model) => model.reset()),
    );
    const outcome = (result: PromiseSettledResult<unknown>) =>
      result.status === "fulfilled" ? result.value : (result.reason as Error).message;
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 2, maxLength: 7 }), async (calls) => {
        const [one, other] = [await afterObserving(files, [texts[0]!]), await afterObserving(files, [texts[0]!])];
        const inTurn: unknown[] = [];
        for (const each of calls) inTurn.push(outcome((await Promise.allSettled([each(one)]))[0]!));
        const together = (await Promise.allSettled(calls.map((each) => each(other)))).map(outcome);
        expect(together).toEqual(inTurn);
        expectSame(await learnedBytes(other), await learnedBytes(one));
        expect(other.score("the miller").surprisal).toEqual(one.score("the miller").surprisal);
      }),
      { numRuns: 60 },
    );
  });

  test("merge as one after the other, too", async () => {
    const [one, other] = [await load(files), await load(files)];
    const devices = await Promise.all([1, 2, 3, 4].map((seed) => afterObserving(files, [lines(20, seed)])));
    const exported = await Promise.all(devices.map((device) => device.exportStatistics()));
    for (const bytes of exported) await one.merge(bytes);
    await one.observe("meanwhile");
    await Promise.all([...exported.map((bytes) => other.merge(bytes)), other.observe("meanwhile")]);
    expectSame(await learnedBytes(other), await learnedBytes(one));
  });

  test("scores and generations that have begun go on with what was learned then", async () => {
    const model = await load(files);
    const quiet = await load(files);
    const options = { maxTokens: 60, seed: 3 };
    const collect = async (pieces: AsyncGenerator<string>) => {
      let text = "";
      for await (const piece of pieces) text += piece;
      return text;
    };
    const wanted = await collect(quiet.generate("the miller ", options));
    const score = quiet.score("the miller weighs").surprisal;
    const running = model.generate("the miller ", options);
    const first = await running.next();
    const learning = Promise.all([
      model.observe(lines(3000)),
      model.refit({ pseudoCounts: 10 }),
      model.observe(lines(500, 2)),
    ]);
    expect(model.score("the miller weighs").surprisal).toEqual(score);
    const streamed = model.scoreStream(["the miller", " weighs"]);
    expect(first.value + (await collect(running))).toBe(wanted);
    expect((await streamed).bits).toBe(quiet.score("the miller weighs").bits);
    await learning;
    expect(model.score("the miller weighs").surprisal).not.toEqual(score);
    expect(await collect(model.generate("the miller ", options))).not.toBe(wanted);
  });

  test("what is exported meanwhile is what was learned by calls that are done", async () => {
    const model = await afterObserving(files, [lines(50)]);
    const before = await learnedBytes(model);
    const exported = await model.exportStatistics();
    let looks = 0;
    const look = async () => {
      ++looks;
      const [all, sums] = [learnedBytes(model), model.exportStatistics()];
      expectSame(await all, before);
      expectSame(await sums, exported);
    };
    const pending: Promise<void>[] = [];
    async function* source() {
      for (let i = 0; i < 4; ++i) {
        yield lines(1500, i);
        pending.push(look());
      }
    }
    await model.observe(source(), { onProgress: () => void pending.push(look()) });
    await Promise.all(pending);
    expect(looks).toBeGreaterThan(4);
    expect(Buffer.compare(await learnedBytes(model), before)).not.toBe(0);

    // a refit leaves the sums alone
    const sums = await model.exportStatistics();
    const refit = model.refit();
    for (let i = 0; i < 20; ++i) {
      expectSame(await model.exportStatistics(), sums);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await refit;
    // bytes that are being made do not change under the digest, whatever begins meanwhile
    const making = model.learnedFile();
    const observing = model.observe(lines(10));
    await load(files, { statistics: (await making)! });
    await observing;
  });
});

describe("the memory", () => {
  test("make what was observed likelier at once, before any refit", async () => {
    const model = await load("models/potato-en");
    const text = LICENCE.slice(1000, 3000);
    const before = model.score(text).bits;
    await model.observe(text);
    // a copy of the text stands in its memory: most of it is foretold
    expect(model.score(text).bits).toBeLessThan(before / 2);
    await model.reset();
    expect(model.score(text).bits).toBe(before);
  });
});

test("potato-en learns a long text piece by piece, on two devices, and forgets it to the byte", async () => {
  const text = messages("fr");
  const pieces = [0, 1, 2, 3].map((i) => text.slice(i * 9000, (i + 1) * 9000));
  const rest = text.slice(36_000, 60_000);
  const one = await load("models/potato-en", { build: "scalar" });
  const before = one.score(rest);
  for (const piece of pieces) await one.observe(piece);
  const [a, b] = [await load("models/potato-en"), await load("models/potato-en")];
  await Promise.all([b.observe(pieces[3]!), a.observe(pieces[2]!), b.observe(pieces[0]!), a.observe(pieces[1]!)]);
  await a.merge(await b.exportStatistics());
  expectSame(await a.exportStatistics(), await one.exportStatistics());
  for (const model of [a, one]) {
    await model.refit();
    await model.reset();
  }
  expectSame(await learnedBytes(a), await learnedBytes(one));
  const after = one.score(rest);
  expect(a.score(rest).surprisal).toEqual(after.surprisal);
  expect(after.bits).toBeLessThan(before.bits);
  for (const i of [2, 3, 0, 1]) await a.forget(pieces[i]!);
  const { statisticsDigest, observedTokens } = await a.statistics();
  expect(observedTokens).toBe(0);
  expect(statisticsDigest).toBe((await (await load("models/potato-en")).statistics()).statisticsDigest);
  a.dropCorrection();
  expect(a.score(rest).surprisal).toEqual(before.surprisal);
});

describe("a text whose next chunk does not come", () => {
  async function* stalling(): AsyncGenerator<string> {
    yield "grain ".repeat(20);
    await new Promise(() => {});
  }

  test("is given up where the signal fires, nothing has changed, and what waits behind it goes on", async () => {
    const model = await load(files);
    await model.observe("sea shells");
    const { statisticsDigest } = await model.statistics();
    const observed = model.observe(stalling(), { signal: AbortSignal.timeout(30) });
    const refitted = model.refit();
    await expect(observed).rejects.toMatchObject({ code: "ABORTED" });
    expect((await refitted).tokens).toBe(10);
    expect((await model.statistics()).statisticsDigest).toBe(statisticsDigest);
    await expect(model.scoreStream(stalling(), { signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });

  test("closes its source where the reader stops, and passes on what the source throws", async () => {
    const model = await load(files);
    const { signal } = new AbortController();
    let closed = 0;
    async function* source(broken: boolean): AsyncGenerator<string> {
      try {
        for (;;) {
          yield "grain ";
          if (broken) throw new RangeError("the line is cut");
        }
      } finally {
        ++closed;
      }
    }
    for await (const _ of model.surprisals(source(false), { signal })) break;
    expect(closed).toBe(1);
    await expect(model.observe(source(true), { signal })).rejects.toThrow("the line is cut");
    expect(closed).toBe(2);
  });
});

test("statistics asked for while a text is observed are those of one moment", async () => {
  const model = await load(files);
  const before = await model.statistics();
  const asked = model.statistics();
  await model.observe("sea shells");
  expect(await asked).toEqual(before);
});
