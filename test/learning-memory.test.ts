/** The long-term memory: predictions are those of the pieces that are kept, whatever their order and way; what leaves it is said. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { pieceOf } from "../host/files/pieces.ts";
import { type Base, BREAK, baseOf, parseLearned } from "../host/files/statistics.ts";
import { load, type Model, type ModelFiles } from "../host/index.ts";
import { Memory } from "../host/learning/memory.ts";
import { afterObserving, anyText, expectSame, learnedBytes, learningModel, lines } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";

let files: ModelFiles;
let base: Base;
beforeAll(async () => {
  files = await learningModel();
  base = await baseOf((await load(files)).config);
});

const bytesOf = (text: string | Uint8Array) => (typeof text === "string" ? new TextEncoder().encode(text) : text);
/** Predictions of a model, which its memory has a say in. */
const said = (model: Model) => model.score(lines(60)).surprisal;
const piecesOf = async (model: Model) => {
  const bytes = await model.learnedFile();
  return bytes ? (await parseLearned(bytes, base, "s")).pieces : [];
};

describe("predictions", () => {
  test("after observe(A), observe(B), forget(A) are those of observe(B) alone, to the bit, refitted or not", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { maxLength: 3 }), anyText, fc.boolean(), async (kept, gone, early) => {
        const model = await afterObserving(files, early ? [gone, ...kept] : [...kept, gone]);
        const { memoryTokens } = await model.forget(gone);
        const alone = await afterObserving(files, kept);
        expect(memoryTokens).toBe((await alone.statistics()).memoryTokens);
        expect(said(model)).toEqual(said(alone));
        // of two copies of a piece either may be the one that is left: the file has them in the order in which they came
        const copied = kept.some((text) => Buffer.compare(bytesOf(text), bytesOf(gone)) === 0);
        if (!copied) expectSame(await learnedBytes(model), await learnedBytes(alone));
        for (const each of [model, alone]) await each.refit({ pseudoCounts: 10 });
        expect(said(model)).toEqual(said(alone));
      }),
      { numRuns: 80 },
    );
  });

  test("are the same in whatever order pieces came, and by whichever devices, where memories are merged as well", async () => {
    const shuffled = fc.array(anyText, { minLength: 1, maxLength: 6 }).chain((texts) =>
      fc.record({
        texts: fc.constant(texts),
        order: fc.shuffledSubarray(texts, { minLength: texts.length, maxLength: texts.length }),
        cut: fc.nat(texts.length),
      }),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, async ({ texts, order, cut }) => {
        const one = await afterObserving(files, texts);
        const other = await afterObserving(files, order);
        expect(said(other)).toEqual(said(one));
        const [a, b] = [
          await afterObserving(files, order.slice(0, cut)),
          await afterObserving(files, order.slice(cut)),
        ];
        const exported = await b.exportStatistics({ memory: true });
        const alone = said(a);
        await a.merge(exported);
        expect(said(a)).toEqual(said(one));
        const { memoryTokens } = await a.unmerge(exported);
        expect(said(a)).toEqual(alone);
        expect(memoryTokens).toBe(order.slice(0, cut).reduce((sum, text) => sum + bytesOf(text).length, 0));
      }),
      { numRuns: 60 },
    );
  });

  test("have both copies of a piece that was observed twice, until both are forgotten", async () => {
    const model = await afterObserving(files, [lines(40), lines(40)]);
    const once = said(await afterObserving(files, [lines(40)]));
    await model.forget(lines(40));
    expect(said(model)).toEqual(once);
    await model.forget(lines(40));
    expect(said(model)).toEqual(said(await load(files)));
  });

  test("are the base's after reset, and the sums stay", async () => {
    const model = await afterObserving(files, [lines(40), lines(40, 2)]);
    const sums = await model.exportStatistics();
    await model.reset();
    expect(await piecesOf(model)).toEqual([]);
    expect(said(model)).toEqual(said(await load(files)));
    expectSame(await model.exportStatistics(), sums);
    await (await load(files)).reset();
  });
});

describe("its room", () => {
  test("is the kernel's, or an option up to 1,048,576 tokens, breaks included; the oldest pieces give way, and that is said", async () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.constantFrom(undefined, 0, 1, 100, 512, 513, 2000), async (lengths, memory) => {
        const model = await load(files, { memory });
        const capacity = memory ?? 512;
        expect((await model.statistics()).memoryCapacity).toBe(capacity);
        const all: number[] = [];
        let [came, lost] = [0, 0];
        for (const [i, length] of lengths.entries()) {
          const text = new Uint8Array(length).map((_, at) => (at * 7 + i) % 251);
          const { evictedTokens, memoryTokens } = await model.observe(text);
          came += length;
          lost += evictedTokens;
          expect(memoryTokens).toBe(came - lost);
          all.push(BREAK, ...text);
        }
        // the newest with their breaks; a break alone, or a piece without one, is not kept
        const newest = all.slice(-capacity);
        const first = newest[0] === BREAK || capacity === 0 ? newest : newest.slice(1);
        const kept = (await piecesOf(model)).flatMap(({ tokens }) => [BREAK, ...tokens]);
        const wanted = capacity === 0 ? [] : [...(newest[0] === BREAK || newest[1] === BREAK ? [] : [BREAK]), ...first];
        expect(kept.filter((token) => token !== BREAK)).toEqual(wanted.filter((token) => token !== BREAK));
        expect(kept.length).toBeLessThanOrEqual(capacity);
        const again = await load(files, { memory, statistics: (await model.learnedFile())! });
        expect(said(again)).toEqual(said(model));
      }),
      {
        numRuns: 40,
        examples: [
          [[511], undefined],
          [[512], undefined],
          [[513, 1], undefined],
          [[1, 510], 512],
        ],
      },
    );
  });

  test("of a long memory is behind the kernel's own, and holds what a short one loses", async () => {
    const texts = [lines(200), lines(200, 2), lines(200, 3)];
    const [short, long] = [await load(files), await load(files, { memory: 100_000 })];
    for (const model of [short, long]) for (const text of texts) await model.observe(text);
    expect(long.info().memoryBytes).toBeGreaterThan(short.info().memoryBytes);
    expect((await short.statistics()).memoryTokens).toBe(511);
    expect((await long.statistics()).memoryTokens).toBe(texts.join("").length);
    expect(long.score(texts[0]!).bits).toBeLessThan(short.score(texts[0]!).bits);
    // what fits in both is recalled alike
    const [a, b] = [await load(files), await load(files, { memory: 100_000 })];
    for (const model of [a, b]) await model.observe(lines(40));
    expect(said(a)).toEqual(said(b));
  });

  test("that a shorter memory lacks is taken from what a file holds, the oldest first", async () => {
    const model = await load(files, { memory: 3000 });
    for (const text of [lines(200), lines(20, 2)]) await model.observe(text);
    const short = await load(files, { memory: 300, statistics: (await model.learnedFile())! });
    expect((await short.statistics()).memoryTokens).toBe(298);
    expect(said(short)).toEqual(said(await load(files, { memory: 300, statistics: (await short.learnedFile())! })));
  });

  test("out of bounds, or beyond what a kernel can, is refused by name", async () => {
    for (const memory of [-1, 1.5, 2 ** 20 + 1, Number.NaN, "9" as unknown as number]) {
      await expect(load(files, { memory })).rejects.toThrow(refusal("INVALID_OPTION", "memory", "0..1048576"));
    }
    await expect(load("test/models/nano-before", { memory: 8 })).rejects.toThrow(
      refusal("UNSUPPORTED", "recalls nothing"),
    );
    expect((await (await load("test/models/nano-before")).statistics()).memoryCapacity).toBe(0);
    expect((await (await load("models/nano-en")).statistics()).memoryCapacity).toBe(32_768);
  });

  test("knows what was never observed, where it has all that was; a text can be taken out of it alone, whatever its generation", async () => {
    const model = await afterObserving(files, ["a line\n", "another\n"]);
    for (const text of ["a line", "another", "a"]) {
      await expect(model.forget(text)).rejects.toThrow(refusal("NOT_OBSERVED"));
    }
    await model.age();
    await expect(model.forget("a line\n")).rejects.toThrow(refusal("STATISTICS_AGED"));
    const sums = await model.exportStatistics();
    expect(await model.forget("a line\n", { memoryOnly: true })).toMatchObject({ tokens: 7, memoryTokens: 8 });
    expectSame(await model.exportStatistics(), sums);
    await expect(model.forget("a line\n", { memoryOnly: true })).rejects.toThrow(refusal("NOT_OBSERVED", "memory"));
    const alone = await load(files);
    await alone.observe("another\n");
    expect(said(model)).toEqual(said(alone));
  });

  test("that is smaller than a file's says what it drops", async () => {
    const model = await load(files, { memory: 3000 });
    for (const seed of [1, 2]) await model.observe(lines(100, seed));
    const { memoryTokens } = await model.statistics();
    const short = await load(files, { memory: 300, statistics: (await model.learnedFile())! });
    expect((await short.statistics()).memoryTokens).toBe(299);
    expect(await short.observe("x")).toMatchObject({ memoryTokens: 298, evictedTokens: memoryTokens + 1 - 298 });
  });

  test("is kept when a call fails, with all that was in it", async () => {
    const model = await afterObserving(files, [lines(40)]);
    const before = said(model);
    const failing = async function* () {
      yield lines(300);
      throw new TypeError("unplugged");
    };
    await expect(model.observe(failing())).rejects.toThrow("unplugged");
    await expect(model.forget("never seen")).rejects.toThrow(refusal("NOT_OBSERVED"));
    expect(said(model)).toEqual(before);
  });
});

test("many pieces are added and taken away in one step as one by one", () => {
  const piece = fc.array(fc.nat(3), { maxLength: 5 }).map((tokens) => pieceOf(Uint16Array.from(tokens), 0));
  const pieces = fc.array(piece, { maxLength: 12 });
  fc.assert(
    fc.property(pieces, pieces, pieces, fc.integer({ min: 0, max: 60 }), (first, added, removed, capacity) => {
      let [one, evicted] = [Memory.of({ capacity }, first), 0];
      const all = one.withAll(added);
      for (const each of added) {
        const next = one.with(each);
        one = next.memory;
        evicted += next.evicted;
      }
      expect(all.evicted).toBe(evicted);
      expect(all.memory.pieces).toEqual(one.pieces);
      const less = one.withoutAll(removed);
      for (const each of removed) one = one.without(each);
      expect(less.pieces).toEqual(one.pieces);
      expect(less.laid).toEqual(one.laid);
    }),
    { numRuns: 500 },
  );
});

test("where texts begin behind a token, that stands once before each piece whose begin is kept", () => {
  const pieces = fc.array(
    fc.array(fc.constantFrom(1, 2, 7), { minLength: 1, maxLength: 6 }).map((all) => pieceOf(Uint16Array.from(all), 0)),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(pieces, fc.integer({ min: 0, max: 40 }), (all, capacity) => {
      const memory = Memory.of({ capacity, begin: 7 }, all);
      const cut = memory.pieces.filter(({ tokens, length }) => tokens.length < length);
      expect(cut.length).toBeLessThanOrEqual(1); // the oldest alone
      const places = (laid: Uint16Array) => Array.from(laid, (token) => (token === 0xffff ? "|" : `${token}`)).join("");
      const apart = places(Memory.of({ capacity }, all).laid);
      const cutAt = cut[0] && `|${cut[0].tokens.join("")}`;
      const behind = places(memory.laid);
      // a piece that is cut and a whole one of the same tokens cannot be told apart here
      if (cutAt === undefined)
        expect(behind).toBe(
          apart.replaceAll("|", "7").replace(/7(?=7)/g, (_, at) => (apart[at + 1] === "|" ? "" : "7")),
        );
      else expect(behind).toContain(cutAt);
    }),
  );
});

test("a memory is sorted as it changes as it is when sorted anew", () => {
  const piece = fc
    .array(fc.nat(5), { minLength: 1, maxLength: 6 })
    .map((tokens) => pieceOf(Uint16Array.from(tokens), 0));
  const step = fc.record({ piece, add: fc.boolean(), look: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 0, max: 40 }), (steps, capacity) => {
      let memory = new Memory({ capacity });
      for (const { piece, add, look } of steps) {
        memory = add ? memory.with(piece).memory : memory.without(piece);
        if (look) expect(memory.laid).toEqual(Memory.of({ capacity }, memory.pieces).laid);
        expect(memory.laid.length).toBeLessThanOrEqual(capacity);
      }
      expect(memory.laid).toEqual(Memory.of({ capacity }, memory.pieces).laid);
    }),
    { numRuns: 300 },
  );
});
