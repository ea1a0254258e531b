/** A model that refits: what its correction follows from, its options and its search, and that the base always comes back. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { load, type Model, type ModelFiles, type RefitOptions } from "../host/index.ts";
import { afterObserving, anyText, expectSame, learnedBytes, learningModel, lines, SHAPE } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";

/** What a search tries. */
const STEPS = [0, 0.25, 0.5, 0.75, 1, 1.5];
/** Share of the newest piece that a search holds out. */
const TAIL = 0.2;

let files: ModelFiles;

beforeAll(async () => {
  files = await learningModel();
});

const bitsOf = (model: Model, text: string | Uint8Array, from = 0) =>
  model.score(text).surprisal.reduce((sum, bits, i) => (i >= from ? sum + bits : sum), 0);

describe("a refit of the decoder", () => {
  test("predicts other text of the kind better, and says what it was solved from", async () => {
    const model = await afterObserving(files, [lines(400), lines(400, 2)]);
    await model.reset(); // what is recalled must not help
    const text = lines(200, 3);
    const before = bitsOf(model, text);
    const { observedTokens } = await model.statistics();
    expect(await model.refit()).toEqual({ scope: "decoder", mass: 3000, step: 1, tokens: observedTokens });
    expect(bitsOf(model, text)).toBeLessThan(before);
    const little = bitsOf(model, text);
    expect(await model.refit({ mass: 30, step: 0.75 })).toMatchObject({ mass: 30, step: 0.75 });
    expect(bitsOf(model, text)).toBeLessThan(little);
    expect([...model.correction!.keys()]).toEqual(["decoder.O", "decoder.O.scale"]);
  });

  test("follows from the sums alone: neither from a correction in force nor from what is recalled", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 3 }), async (texts) => {
        const one = await afterObserving(files, texts);
        const other = await load(files, { statistics: await one.exportStatistics() });
        await other.refit({ mass: 1, step: 4 });
        await other.observe("for a while");
        await other.refit({ mass: 7 });
        await other.forget("for a while");
        for (const model of [one, other]) await model.refit();
        expect(other.correction).toEqual(one.correction);
      }),
      { numRuns: 40 },
    );
  });

  test.each(["decoder", "all"] as const)(
    "of what has been forgotten again is the base: refit, scope %s",
    async (scope) => {
      const model = await afterObserving(files, [lines(100)]);
      const base = (await load(files)).score("grain").surprisal;
      await model.refit({ mass: 1 });
      await model.forget(lines(100));
      expect(model.score("grain").surprisal).not.toEqual(base);
      expect(await model.refit({ scope })).toMatchObject({ scope, tokens: 0 });
      expect(model.correction).toBeUndefined();
      expect(model.score("grain").surprisal).toEqual(base);
      expect(await model.learnedFile()).toBeUndefined();
    },
  );

  test.each<RefitOptions>([{}, { search: true }, { scope: "all" }])(
    "before anything was observed, and again after all of it was forgotten, is the base: %j",
    async (options) => {
      const model = await load(files);
      expect(await model.refit(options)).toMatchObject({ tokens: 0 });
      await model.observe("x");
      await model.forget("x");
      for (const _ of [1, 2]) expect(await model.refit(options)).toMatchObject({ tokens: 0 });
      expect(model.correction).toBeUndefined();
      expect(await model.learnedFile()).toBeUndefined();
    },
  );

  test("stays in force through observe and forget, until the next refit or dropCorrection", async () => {
    const model = await afterObserving(files, [lines(100)]);
    const base = (await load(files)).score("grain").surprisal;
    await model.refit({ mass: 1 });
    const first = model.correction;
    await model.forget(lines(100));
    expect(model.correction).toBe(first);
    const corrected = model.score("grain").surprisal;
    expect(corrected).not.toEqual(base);
    await model.observe("x");
    await model.reset();
    expect(model.score("grain").surprisal).toEqual(corrected);
    await model.refit({ mass: 1 });
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
    [{ mass: 0 }, ["mass", "0.000001..1e9", "got 0"]],
    [{ mass: -1 }, ["mass", "-1"]],
    [{ mass: 9e-7 }, ["mass", "0.000001..1e9", "9e-7"]],
    [{ mass: 1.001e9 }, ["mass", "1e9"]],
    [{ mass: Number.NaN }, ["mass", "NaN"]],
    [{ mass: Number.POSITIVE_INFINITY }, ["mass", "Infinity"]],
    [{ mass: "300" as unknown as number }, ["mass", `"300"`]],
    [{ step: -0.01 }, ["step", "0..4", "-0.01"]],
    [{ step: 4.001 }, ["step", "0..4", "4.001"]],
    [{ step: Number.NaN }, ["step", "NaN"]],
    [{ step: null as unknown as number }, ["step", "null"]],
    [{ scope: "lower" as "all" }, ["scope", `"decoder" or "all"`, `"lower"`]],
    [{ scope: 1 as unknown as "all" }, ["scope", "1"]],
    [{ search: "yes" as unknown as boolean }, ["search", "true or false", `"yes"`]],
  ])("for the options %j, which the error names with their bounds", async (options, named) => {
    const model = await afterObserving(files, [lines(50)]);
    await model.refit({ mass: 5 });
    const before = await learnedBytes(model);
    await expect(model.refit(options)).rejects.toThrow(refusal("INVALID_OPTION", ...named));
    await expect(model.refit({ scope: "all", ...options })).rejects.toThrow(refusal("INVALID_OPTION", ...named));
    expectSame(await learnedBytes(model), before);
  });

  test("of all layers where no recent token is kept", async () => {
    const model = await load(files);
    await model.observe("x");
    await model.reset();
    await expect(model.refit({ scope: "all" })).rejects.toThrow(refusal("INVALID_TEXT", "recent"));
    expect(model.correction).toBeUndefined();
  });

  test("by the mixture decoder, which learns and forgets all the same", async () => {
    const model = await load(await learningModel({ ...SHAPE, decoder: "mixture" }));
    await model.observe(lines(50));
    const before = await learnedBytes(model);
    for (const options of [{}, { search: true }, { scope: "all" }] as const) {
      await expect(model.refit(options)).rejects.toThrow(refusal("UNSUPPORTED", "mixture"));
    }
    expectSame(await learnedBytes(model), before);
    await model.forget(lines(50));
    expect((await model.statistics()).observedTokens).toBe(0);
  });

  test("takes the bounds themselves", async () => {
    const model = await afterObserving(files, [lines(50)]);
    for (const mass of [1e-6, 1e9]) {
      for (const step of [0, 4]) {
        await model.refit({ mass, step });
        expect(model.score(lines(20)).bits).toBeGreaterThan(0);
      }
    }
  });
});

describe("a search", () => {
  /** A piece as bytes, cut where the search cuts it. */
  const cut = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    const head = bytes.length - Math.floor(bytes.length * TAIL);
    return { bytes, head };
  };

  /** Bits of the tail after a refit from the other pieces and the head alone, for each step. */
  async function trials(before: string[], text: string, mass: number): Promise<number[]> {
    const { bytes, head } = cut(text);
    const model = await afterObserving(files, [...before, bytes.subarray(0, head)]);
    await model.reset(); // the search does not recall
    const bits: number[] = [];
    for (const step of STEPS) {
      await model.refit({ mass, step });
      bits.push(bitsOf(model, bytes, head));
    }
    return bits;
  }

  test("takes the step of its list that predicts the held-out tail best, never one worse than none", async () => {
    const taken = new Set<number>();
    const kinds = [
      (seed: number) => lines(60, seed), // a tail like the head
      (seed: number) => lines(60, seed) + "QXZ%&/()=?§".repeat(8), // a tail of what the head has not
      (seed: number) => "ab".repeat(120) + lines(5, seed), // a tail of another kind
    ];
    const given = fc.tuple(
      fc.array(fc.nat(50), { maxLength: 2 }),
      fc.constantFrom(...kinds),
      fc.nat(1000),
      fc.constantFrom(1, 30, 300, 3000),
    );
    await fc.assert(
      fc.asyncProperty(given, async ([seeds, kind, seed, mass]) => {
        const before = seeds.map((each) => lines(30, each));
        const text = kind(seed);
        const model = await afterObserving(files, [...before, text]);
        const sums = await model.exportStatistics();
        const { step, tokens } = await model.refit({ mass, search: true });
        const bits = await trials(before, text, mass);
        expect(step).toBe(STEPS[bits.indexOf(Math.min(...bits))]);
        expect(bits[STEPS.indexOf(step)]).toBeLessThanOrEqual(bits[0]!);
        taken.add(step);
        // the solution is of all that was observed, the tail too, and the sums are as they were
        expectSame(await model.exportStatistics(), sums);
        const { correction } = model;
        expect(await model.refit({ mass, step })).toMatchObject({ step, tokens });
        expect(correction).toEqual(model.correction);
      }),
      { numRuns: 40 },
    );
    expect(taken.size).toBeGreaterThan(1);
  });

  test("takes no step where the base knows best: in what it says itself", async () => {
    const tokens: number[] = [];
    const options = { maxTokens: 1500, seed: 1, temperature: 1, onToken: (token: number) => tokens.push(token) };
    for await (const _ of (await load(files)).generate("", options));
    const model = await afterObserving(files, [Uint8Array.from(tokens)]);
    expect((await model.refit({ mass: 1, search: true })).step).toBe(0);
  });

  test("keeps to 1 where the newest piece is too short, too long, or not known", async () => {
    // a fifth of 159 is 31 tokens, one fewer than can tell; with its break a piece of 32,768 does not fit
    for (const [length, step] of [
      [159, 1],
      [160, 1.5],
      [32_767, 1.5],
      [32_768, 1],
    ] as const) {
      const model = await afterObserving(files, [lines(7000, 4).slice(0, length)]);
      expect((await model.refit({ mass: 30, search: true })).step, `${length} tokens`).toBe(step);
      await model.reset();
      expect((await model.refit({ mass: 30, search: true })).step).toBe(1);
    }
  });
});

describe("a refit of all layers", () => {
  test("solves the lower layers too, from the recent tokens; dropCorrection drops all of it", async () => {
    const model = await afterObserving(files, [lines(500), lines(500, 2)]);
    const base = await load(files);
    const sums = await model.exportStatistics();
    const { recentTokens } = await model.statistics();
    const seen: number[] = [];
    const report = await model.refit({ scope: "all", mass: 30, onProgress: ({ done }) => seen.push(done) });
    expect(report).toEqual({ scope: "all", mass: 30, step: 1, tokens: recentTokens });
    expect(seen.length).toBeGreaterThan(0);
    expect([...model.correction!.keys()].sort()).toEqual(["block.U", "block.U.scale", "decoder.O", "decoder.O.scale"]);
    const first = model.correction;
    await model.refit({ scope: "all", mass: 30 });
    expect(model.correction).toEqual(first);
    expectSame(await model.exportStatistics(), sums);
    const again = await load(files, { statistics: (await model.learnedFile())! });
    expect(again.score("grain").surprisal).toEqual(model.score("grain").surprisal);

    await model.reset();
    expect(bitsOf(model, lines(200, 3))).toBeLessThan(bitsOf(base, lines(200, 3)));
    // observations are the base's still
    const { bits } = await model.observe(lines(50, 5));
    expect(bits).toBe(base.score(lines(50, 5)).bits);
    await model.reset();
    model.dropCorrection();
    expect(model.score(lines(50)).surprisal).toEqual(base.score(lines(50)).surprisal);
    expect(new Map(model.files)).toEqual(new Map(base.files));
  });

  test("is replaced as a whole by one of the decoder", async () => {
    const model = await afterObserving(files, [lines(300)]);
    await model.refit({ mass: 30 });
    const decoder = model.correction;
    await model.refit({ scope: "all", mass: 30 });
    await model.refit({ mass: 30 });
    expect(model.correction).toEqual(decoder);
  });

  test("aborted, it changes nothing", async () => {
    const model = await afterObserving(files, [lines(800)]);
    await model.refit({ mass: 30 });
    const before = await learnedBytes(model);
    const controller = new AbortController();
    const refit = model.refit({ scope: "all", signal: controller.signal, onProgress: () => controller.abort() });
    await expect(refit).rejects.toThrow(refusal("ABORTED"));
    const aborted = { scope: "all", signal: AbortSignal.abort() } as const;
    await expect(model.refit(aborted)).rejects.toThrow(refusal("ABORTED"));
    expectSame(await learnedBytes(model), before);
  });
});
