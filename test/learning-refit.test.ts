/** A model that refits: what its correction follows from, its options, and that the base always comes back. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { load, type Model, type ModelFiles, type RefitOptions } from "../host/index.ts";
import { afterObserving, anyText, expectSame, learnedBytes, learningModel, lines, SHAPE } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";

let files: ModelFiles;

beforeAll(async () => {
  files = await learningModel();
});

const bitsOf = (model: Model, text: string | Uint8Array, from = 0) =>
  model.score(text).surprisal.reduce((sum, bits, i) => (i >= from ? sum + bits : sum), 0);

describe("a refit", () => {
  test("predicts other text of the kind better, and says what it was solved from", async () => {
    const model = await afterObserving(files, [lines(400), lines(400, 2)]);
    await model.reset(); // what is recalled must not help
    const text = lines(200, 3);
    const before = bitsOf(model, text);
    const { observedTokens } = await model.statistics();
    expect(await model.refit()).toEqual({ pseudoCounts: 3000, step: 1, tokens: observedTokens });
    expect(bitsOf(model, text)).toBeLessThan(before);
    const little = bitsOf(model, text);
    expect(await model.refit({ pseudoCounts: 30, step: 0.75 })).toMatchObject({ pseudoCounts: 30, step: 0.75 });
    expect(bitsOf(model, text)).toBeLessThan(little);
    expect([...model.correction!.keys()]).toEqual(["decoder.O", "decoder.O.scale"]);
  });

  test("follows from the sums alone: neither from a correction in force nor from what is recalled", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 3 }), async (texts) => {
        const one = await afterObserving(files, texts);
        const other = await load(files, { statistics: await one.exportStatistics() });
        await other.refit({ pseudoCounts: 1, step: 4 });
        await other.observe("for a while");
        await other.refit({ pseudoCounts: 7 });
        await other.forget("for a while");
        for (const model of [one, other]) await model.refit();
        expect(other.correction).toEqual(one.correction);
      }),
      { numRuns: 40 },
    );
  });

  test("of what has been forgotten again is the base", async () => {
    const model = await afterObserving(files, [lines(100)]);
    const base = (await load(files)).score("grain").surprisal;
    await model.refit({ pseudoCounts: 1 });
    await model.forget(lines(100));
    expect(model.score("grain").surprisal).not.toEqual(base);
    expect(await model.refit()).toMatchObject({ tokens: 0 });
    expect(model.correction).toBeUndefined();
    expect(model.score("grain").surprisal).toEqual(base);
    expect(await model.learnedFile()).toBeUndefined();
  });

  test("before anything was observed, and again after all of it was forgotten, is the base", async () => {
    const model = await load(files);
    expect(await model.refit()).toMatchObject({ tokens: 0 });
    await model.observe("x");
    await model.forget("x");
    for (const _ of [1, 2]) expect(await model.refit()).toMatchObject({ tokens: 0 });
    expect(model.correction).toBeUndefined();
    expect(await model.learnedFile()).toBeUndefined();
  });

  test("stays in force through observe and forget, until the next refit or dropCorrection", async () => {
    const model = await afterObserving(files, [lines(100)]);
    const base = (await load(files)).score("grain").surprisal;
    await model.refit({ pseudoCounts: 1 });
    const first = model.correction;
    await model.forget(lines(100));
    expect(model.correction).toBe(first);
    const corrected = model.score("grain").surprisal;
    expect(corrected).not.toEqual(base);
    await model.observe("x");
    await model.reset();
    expect(model.score("grain").surprisal).toEqual(corrected);
    await model.refit({ pseudoCounts: 1 });
    expect(model.correction).not.toEqual(first);
    const sums = await model.exportStatistics();
    model.dropCorrection();
    expect(model.correction).toBeUndefined();
    expect((await model.statistics()).corrected).toBe(false);
    expect(model.score("grain").surprisal).toEqual(base);
    expectSame(await model.exportStatistics(), sums);
    (await load(files)).dropCorrection(); // nothing to drop
  });

  test("tells its progress, up to the last row", async () => {
    const model = await afterObserving(files, [lines(50)]);
    const seen: { done: number; total: number }[] = [];
    await model.refit({ onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ done: SHAPE.vocabulary, total: SHAPE.vocabulary });
  });
});

describe("a refit is refused", () => {
  test.each<[RefitOptions, string[]]>([
    [{ pseudoCounts: 0 }, ["pseudoCounts", "0.000001..1e9", "got 0"]],
    [{ pseudoCounts: -1 }, ["pseudoCounts", "-1"]],
    [{ pseudoCounts: 9e-7 }, ["pseudoCounts", "0.000001..1e9", "9e-7"]],
    [{ pseudoCounts: 1.001e9 }, ["pseudoCounts", "1e9"]],
    [{ pseudoCounts: Number.NaN }, ["pseudoCounts", "NaN"]],
    [{ pseudoCounts: Number.POSITIVE_INFINITY }, ["pseudoCounts", "Infinity"]],
    [{ pseudoCounts: "300" as unknown as number }, ["pseudoCounts", `"300"`]],
    [{ step: -0.01 }, ["step", "0..4", "-0.01"]],
    [{ step: 4.001 }, ["step", "0..4", "4.001"]],
    [{ step: Number.NaN }, ["step", "NaN"]],
    [{ step: null as unknown as number }, ["step", "null"]],
    // what was an option once, whatever its value: with what replaces it
    [{ scope: "all" } as never, ["scope is no longer an option", "decoder alone", "anew"]],
    [{ scope: "decoder" } as never, ["scope is no longer an option"]],
    [{ search: true } as never, ["search is no longer an option", "`step`"]],
    [{ search: false, step: 1 } as never, ["search is no longer an option"]],
  ])("for the options %j, which the error names with their bounds", async (options, named) => {
    const model = await afterObserving(files, [lines(50)]);
    await model.refit({ pseudoCounts: 5 });
    const before = await learnedBytes(model);
    await expect(model.refit(options)).rejects.toThrow(refusal("INVALID_OPTION", ...named));
    expectSame(await learnedBytes(model), before);
  });

  test("takes the bounds themselves", async () => {
    const model = await afterObserving(files, [lines(50)]);
    for (const pseudoCounts of [1e-6, 1e9]) {
      for (const step of [0, 4]) {
        await model.refit({ pseudoCounts, step });
        expect(model.score(lines(20)).bits).toBeGreaterThan(0);
      }
    }
  });
});

test("a refit that is aborted changes nothing", async () => {
  const model = await afterObserving(files, [lines(800)]);
  await model.refit({ pseudoCounts: 30 });
  const before = await learnedBytes(model);
  const controller = new AbortController();
  const refit = model.refit({ signal: controller.signal, onProgress: () => controller.abort() });
  await expect(refit).rejects.toThrow(refusal("ABORTED"));
  await expect(model.refit({ signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
  expectSame(await learnedBytes(model), before);
});
