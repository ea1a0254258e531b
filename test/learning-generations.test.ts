/** Sums that age: learning does not end, and what can no longer be forgotten is refused by name. */
import { beforeAll, describe, expect, test } from "vitest";
import { type Base, baseOf, formatLearned, parseLearned, type Statistics } from "../host/files/statistics.ts";
import { load, type Model, type ModelFiles } from "../host/index.ts";
import { sumsOfRow } from "../tools/fuzz/plausible-sums.ts";
import { afterObserving, expectSame, learnedBytes, learningModel, lines, noise, SHAPE } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";

let files: ModelFiles;
let base: Base;
beforeAll(async () => {
  files = await learningModel();
  base = await baseOf((await load(files)).config);
});

const sumsOf = async (model: Model) => (await parseLearned(await model.exportStatistics(), base, "s")).statistics;
const fileOf = (statistics: Statistics) => formatLearned({ statistics, pieces: [], correction: undefined }, base);

async function refused(model: Model, run: () => Promise<unknown>, error: object): Promise<void> {
  const before = await learnedBytes(model);
  await expect(run()).rejects.toThrow(error as Error);
  expectSame(await learnedBytes(model), before);
}

describe("ageing", () => {
  test("halves the sums in one step, and the next generation learns and forgets as exactly as the first", async () => {
    const model = await afterObserving(files, [lines(200)]);
    const before = await sumsOf(model);
    expect(await model.age()).toMatchObject({ generation: 1, observedTokens: Math.ceil(before.tokens / 2) });
    const aged = await sumsOf(model);
    expect(aged.observed).toEqual(before.observed.map((sum) => sum >>> 1));
    expect(aged.expected).toEqual(before.expected.map((sum) => sum >>> 1));
    const bytes = await model.exportStatistics();
    expect(await model.observe("and a new one")).toMatchObject({ generation: 1 });
    await model.forget("and a new one");
    expectSame(await model.exportStatistics(), bytes);
    // the generation is in the file
    const again = await load(files, { statistics: (await model.learnedFile())! });
    expect(await again.statistics()).toEqual(await model.statistics());
    expect(await again.age()).toMatchObject({ generation: 2 });
    await model.refit();
  });

  test("keeps what was learned at half its weight: predictions are better than the base's still", async () => {
    const model = await afterObserving(files, [lines(3000)]);
    const rest = lines(300, 7);
    const base = (await load(files)).score(rest).bits;
    await model.reset();
    await model.refit({ pseudoCounts: 100 });
    const before = model.score(rest).bits;
    await model.age();
    await model.refit({ pseudoCounts: 100 });
    const after = model.score(rest).bits;
    expect(before).toBeLessThan(base);
    expect(after).toBeLessThan((before + base) / 2);
  });

  test("on its own, where that is wanted, keeps learning from ending", async () => {
    const full = await fileOf(sumsOfRow(SHAPE, 262_143));
    const model = await load(files, { statistics: full });
    const noisy = noise(60_000);
    await refused(model, () => model.observe(noisy), refusal("STATISTICS_FULL", "age"));
    expect(await model.observe(noisy, { age: true })).toMatchObject({ generation: 1 });
    expect((await model.statistics()).filled).toBeLessThan(0.6);
    // it does not age before there is need
    expect(await (await load(files)).observe(noisy, { age: true })).toMatchObject({ generation: 0 });
    const half = await load(files, { statistics: await fileOf(sumsOfRow(SHAPE, 131_072)) });
    expect(await half.observe("a", { age: true })).toMatchObject({ generation: 0 });
    const more = await load(files, { statistics: await fileOf(sumsOfRow(SHAPE, 131_073)) });
    expect(await more.observe("a", { age: true })).toMatchObject({ generation: 1 });
  });

  test("is taken back with a text that fails", async () => {
    const model = await load(files, { statistics: await fileOf(sumsOfRow(SHAPE, 200_000)) });
    const failing = async function* () {
      yield "a few";
      throw new TypeError("unplugged");
    };
    await refused(model, () => model.observe(failing(), { age: true }), new TypeError("unplugged"));
    expect((await model.statistics()).generation).toBe(0);
  });
});

describe("after ageing", () => {
  test("what was observed before is refused by name, whether the memory knows it or the caller says so", async () => {
    const model = await afterObserving(files, ["an older text"]);
    await model.age();
    await model.observe("a newer text");
    const aged = (...named: string[]) => refusal("STATISTICS_AGED", "generation", ...named);
    await refused(model, () => model.forget("an older text"), aged("generation 0 can no longer be forgotten"));
    await refused(model, () => model.forget("an older text", { generation: 0 }), aged("generation 0 can no longer"));
    expect(await model.forget("a newer text")).toMatchObject({ generation: 1 });
    // with an empty memory it has to be said
    await model.observe("a newer text");
    await model.reset();
    await refused(model, () => model.forget("a newer text"), aged("say in which one"));
    await model.forget("a newer text", { generation: 1 });
  });

  test("statistics of one generation alone are merged; an empty model takes that of the first", async () => {
    const [young, old] = [await afterObserving(files, [lines(30)]), await afterObserving(files, [lines(30, 2)])];
    await old.age();
    await refused(
      young,
      async () => young.merge(await old.exportStatistics()),
      refusal("STATISTICS_AGED", "generation 1", "of 0"),
    );
    await young.age();
    await young.merge(await old.exportStatistics());
    // a memory of another generation is refused as well, where the sums are empty
    await old.forget(lines(30), { generation: 1 }).catch(() => {});
    const kept = await load(files);
    await kept.age();
    await kept.observe("x");
    const export1 = await kept.exportStatistics();
    await kept.unmerge(export1);
    const first = await afterObserving(files, ["y"]);
    await refused(kept, async () => kept.merge(await first.exportStatistics()), refusal("STATISTICS_AGED"));
    const empty = await load(files);
    await empty.merge(await old.exportStatistics());
    expectSame(await empty.exportStatistics(), await old.exportStatistics());
  });
});

test("what many aged devices learned is merged, saved and read again", async () => {
  const all = await load(files);
  for (let device = 0; device < 20; ++device) {
    const one = await afterObserving(files, [noise(3000, device + 1)]);
    await one.age();
    await one.observe("a line");
    await one.age();
    await all.merge(await one.exportStatistics());
  }
  const again = await load(files, { statistics: (await all.learnedFile())! });
  expect(await again.statistics()).toEqual(await all.statistics());
});

test("forgetting what was never observed is refused where what is left is of no text, and the model can be saved and read", async () => {
  const model = await afterObserving(files, [lines(600)]);
  await model.reset(); // the memory would tell
  for (const text of ["e".repeat(3000), noise(2000)]) {
    const before = await learnedBytes(model);
    const forgotten = await model.forget(text).catch((error) => error.code);
    if (forgotten === "NOT_OBSERVED") expectSame(await learnedBytes(model), before);
    await load(files, { statistics: (await model.learnedFile())! });
  }
});

describe("what was merged", () => {
  test("is taken out again to the bit, in any order", async () => {
    const devices = await Promise.all([1, 2, 3].map((seed) => afterObserving(files, [lines(50, seed)])));
    const [a, b, c] = await Promise.all(devices.map((device) => device.exportStatistics()));
    const model = await load(files, { statistics: a! });
    await model.merge(b!);
    await model.merge(c!);
    await model.unmerge(b!);
    await model.unmerge(c!);
    expectSame(await model.exportStatistics(), a!);
    await model.unmerge(a!);
    expect((await model.statistics()).observedTokens).toBe(0);
  });

  test("and what was not is refused where it can be told, and changes nothing", async () => {
    const model = await afterObserving(files, [lines(50)]);
    const more = await afterObserving(files, [lines(50), "more"]);
    await refused(model, async () => model.unmerge(await more.exportStatistics()), refusal("NOT_OBSERVED"));
    // fewer tokens are left than their sums need
    const light = { ...sumsOfRow(SHAPE, 1), tokens: 60 };
    const heavy = await load(files, { statistics: await fileOf(sumsOfRow(SHAPE, 61)) });
    await refused(heavy, async () => heavy.unmerge(await fileOf(light)), refusal("NOT_OBSERVED"));
  });

  test("and sums that no text can have given are refused before they are added", async () => {
    const model = await afterObserving(files, [lines(50)]);
    const sums = await sumsOf(model);
    const impossible = { ...sums, tokens: 1 };
    await refused(model, async () => model.merge(await fileOf(impossible)), refusal("MODEL_CORRUPT", "1 tokens"));
    const lopsided = { ...sums, expected: sums.expected.map((sum, i) => (i === 0 ? sum + 1 : sum)) };
    await refused(model, async () => model.merge(await fileOf(lopsided)), refusal("MODEL_CORRUPT", "column 0"));
  });
});
