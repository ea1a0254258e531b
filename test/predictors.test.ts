/** Instances of a model: predictors without sums that stay through refits, and one learner, started when there is something to learn. */
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { bytesNeeded, PAGE, predictorBytes } from "../host/compile/layout.ts";
import { withConfig } from "../host/files/config.ts";
import { readTensors, writeTensors } from "../host/files/safetensors.ts";
import { formatLearned, parseLearned } from "../host/files/statistics.ts";
import { load, type Model, type ModelFiles } from "../host/index.ts";
import { withPages } from "../tools/module/inspect.ts";
import { anyText, expectSame, learnedBytes, learningModel, lines, SHAPE } from "./learning-fixture.ts";
import { refusal } from "./model-fixture.ts";

const TEXT = "the miller weighs grain by the stair";

let files: ModelFiles;
beforeAll(async () => {
  files = await learningModel();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const { Instance, instantiate } = WebAssembly;
afterEach(() => {
  Object.assign(WebAssembly, { Instance, instantiate });
});

/** The pages of every instance that is started from now on. */
function started(): number[] {
  const pages: number[] = [];
  const noted = (instance: WebAssembly.Instance) => {
    pages.push((instance.exports.memory as WebAssembly.Memory).buffer.byteLength / PAGE);
    return instance;
  };
  WebAssembly.Instance = new Proxy(Instance, { construct: (type, given) => noted(Reflect.construct(type, given)) });
  WebAssembly.instantiate = (async (given: WebAssembly.Module) => {
    const result: unknown = await instantiate(given);
    noted((result as WebAssembly.WebAssemblyInstantiatedSource).instance ?? result);
    return result;
  }) as typeof instantiate;
  return pages;
}

/** What a freshly loaded model that has learned the same predicts. */
async function fresh(model: Model): Promise<Model> {
  const statistics = await model.learnedFile();
  return load(files, statistics && { statistics });
}

async function expectAsFresh(model: Model): Promise<void> {
  expectAlike(model, await fresh(model));
}

/** Without recent tokens: as a model whose base has the corrected rows. */
async function expectAsItsRows(model: Model): Promise<void> {
  const { tensors } = readTensors(files.get("model.safetensors")!, "f");
  const weights = writeTensors(new Map([...tensors, ...(model.correction ?? [])]));
  expectAlike(model, await load(await withConfig(new Map(files).set("model.safetensors", weights), SHAPE, {})));
}

function expectAlike(model: Model, wanted: Model): void {
  expect(model.score(TEXT).surprisal).toEqual(wanted.score(TEXT).surprisal);
  expect(model.predict(TEXT)).toEqual(wanted.predict(TEXT));
}

describe("what is started", () => {
  test("predicting takes predictors alone, of the pages that they need; learning takes one instance of the whole", async () => {
    const wide = await learningModel({ ...SHAPE, groups: 16 });
    const pages = started();
    const model = await load(wide);
    const options = { recall: 512 };
    const shape = model.config.shape;
    const predictor = Math.ceil(predictorBytes(shape, options) / PAGE);
    const whole = Math.ceil(bytesNeeded(shape, options) / PAGE);
    expect(whole).toBeGreaterThan(predictor);
    model.score(TEXT);
    await model.statistics();
    await model.exportStatistics();
    expect(await model.refit()).toMatchObject({ tokens: 0 });
    expect(pages).toEqual([predictor]);
    expect(model.info().memoryBytes).toBe(predictor * PAGE);
    for (let i = 0; i < 5; ++i) {
      await model.observe(lines(20, i));
      await model.refit();
    }
    expect(pages).toEqual([predictor, whole]);
  });

  test("statistics of a file start no learner until they are changed, and then are what they were", async () => {
    const before = await load(files);
    await before.observe(lines(50));
    await before.refit({ pseudoCounts: 30 });
    const bytes = await learnedBytes(before);
    const pages = started();
    const model = await load(files, { statistics: bytes });
    expectSame(await learnedBytes(model), bytes);
    expect(model.score(TEXT).surprisal).toEqual(before.score(TEXT).surprisal);
    expect(pages.length).toBe(1);
    await model.observe("and on");
    await before.observe("and on");
    expect(pages.length).toBe(2);
    expectSame(await learnedBytes(model), await learnedBytes(before));
  });

  test("a learner that does not start leaves everything as it was, and is started by the next call", async () => {
    const model = await load(files, { statistics: await learnedBytes(await observed("once")) });
    const before = await learnedBytes(model);
    vi.spyOn(WebAssembly, "instantiate").mockRejectedValueOnce(new RangeError("could not allocate memory"));
    await expect(model.observe("more")).rejects.toThrow(refusal("OUT_OF_MEMORY", "could not allocate"));
    expectSame(await learnedBytes(model), before);
    await model.observe("more");
    await model.forget("more");
    expect((await model.statistics()).observedTokens).toBe("once".length);
  });

  test("kernels of older models, which do not say where a predictor ends, are used whole and give the same", async () => {
    const older = new Map(files);
    for (const name of ["kernel.scalar.wasm", "kernel.simd.wasm"]) {
      const text = Buffer.from(files.get(name)!).toString("latin1");
      expect(text).toContain("PREDICTOR_END");
      older.set(name, new Uint8Array(Buffer.from(text.replace("PREDICTOR_END", "PREDICTOR_XYZ"), "latin1")));
    }
    const [model, wanted] = [await load(await withConfig(older, SHAPE, {})), await load(files)];
    for (const each of [model, wanted]) {
      await each.observe(lines(60));
      await each.refit({ pseudoCounts: 10 });
    }
    expect(model.score(TEXT).surprisal).toEqual(wanted.score(TEXT).surprisal);
    expectSame(await learnedBytes(model), await learnedBytes(wanted));
  });

  test("a kernel whose memory is smaller than it says is refused as corrupt", async () => {
    const small = await withPages(files.get("kernel.simd.wasm")!, 0);
    const model = await withConfig(new Map(files).set("kernel.simd.wasm", small), SHAPE, {});
    await expect(load(model)).rejects.toThrow(refusal("MODEL_CORRUPT", "kernel.simd.wasm", "PREDICTOR_END"));
  });
});

describe("predictors through what is learned", () => {
  test("stay: refits, forgetting and dropping start no other, however many calls there were at once", async () => {
    const model = await load(files);
    await model.observe(lines(20));
    const paused = [0, 1, 2].map((seed) => model.generate(TEXT, { seed, maxTokens: 40 }));
    for (const each of paused) await each.next();
    for (const each of paused) await each.return();
    const pages = started();
    for (let i = 0; i < 60; ++i) {
      await model.observe(lines(10, i));
      await model.refit({ pseudoCounts: 1 + i });
      if (i % 3 === 0) model.dropCorrection();
      if (i % 5 === 0) await model.forget(lines(10, i));
      model.score(TEXT);
      model.predict(TEXT);
    }
    expect(pages).toEqual([]);
    await expectAsFresh(model);
  });

  test("give what a freshly loaded model gives, to the bit, after any calls in any order", async () => {
    const call = fc.oneof(
      anyText.map((text) => (model: Model) => model.observe(text)),
      anyText.map((text) => (model: Model) => model.observe(text).then(() => model.forget(text))),
      fc.constantFrom(0.5, 30, 3000).map((pseudoCounts) => (model: Model) => model.refit({ pseudoCounts })),
      fc.constant((model: Model) => model.reset()),
      fc.constant(async (model: Model) => model.dropCorrection()),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 8 }), fc.nat(3), async (calls, skipped) => {
        const model = await load(files);
        for (const [i, each] of calls.entries()) {
          await each(model);
          // predictors that miss some of what is learned catch up with all of it
          if (i % (skipped + 1) === skipped) await expectAsFresh(model);
        }
        await expectAsFresh(model);
        await model.reset();
        await expectAsItsRows(model);
      }),
      { numRuns: 40 },
    );
  });

  test("a generation goes on with what it began with, and its predictor is right afterwards", async () => {
    const options = { maxTokens: 80, seed: 5 };
    const collect = async (pieces: AsyncGenerator<string>) => {
      let text = "";
      for await (const piece of pieces) text += piece;
      return text;
    };
    const model = await observed(lines(60));
    await model.refit({ pseudoCounts: 30 });
    const wanted = await collect((await fresh(model)).generate(TEXT, options));
    const changes: ((of: Model) => Promise<unknown>)[] = [
      async (of) => {
        await of.observe(lines(200, 9));
        await of.refit({ pseudoCounts: 1 });
      },
      async (of) => of.dropCorrection(),
      async (of) => of.forget(lines(60)),
      async (of) => of.reset(),
    ];
    for (const change of changes) {
      const own = await fresh(model);
      const running = own.generate(TEXT, options);
      let text = (await running.next()).value as string;
      await change(own);
      const meanwhile = started(); // a second call has a predictor of its own, which knows the news
      await expectAsFresh(own);
      expect(meanwhile.length).toBe(2); // that one, and the fresh model's
      Object.assign(WebAssembly, { Instance, instantiate });
      text += await collect(running);
      expect(text).toBe(wanted);
      const again = [own.generate(TEXT, options), own.generate(TEXT, options)];
      const now = await collect((await fresh(own)).generate(TEXT, options));
      const firsts = await Promise.all(again.map((each) => each.next())); // both predictors at once
      for (const [i, each] of again.entries()) expect(firsts[i]!.value + (await collect(each))).toBe(now);
    }
  });

  test("a file with a refit of all layers, as earlier versions had it, predicts as the base; its sums are there to refit", async () => {
    const model = await observed(lines(80));
    const plain = await learnedBytes(model);
    await model.refit({ pseudoCounts: 30 });
    const { files: base, config } = await load(files);
    const { baseDigest, observedTokens } = await model.statistics();
    const weights = readTensors(base.get("model.safetensors")!, "f").tensors;
    const layers = ["block.U", "block.U.scale"].map((name) => [name, weights.get(name)!] as const);
    const own = { digest: baseDigest, shape: config.shape };
    const learned = await parseLearned(await learnedBytes(model), own, "s");
    const older = await formatLearned({ ...learned, correction: new Map([...layers, ...learned.correction!]) }, own);
    const read = await load(files, { statistics: older });
    expect(await read.statistics()).toMatchObject({ observedTokens, corrected: false });
    expectSame(await learnedBytes(read), plain);
    await read.refit({ pseudoCounts: 30 });
    expectSame(await learnedBytes(read), await learnedBytes(model));
    await expectAsFresh(read);
  });
});

async function observed(text: string): Promise<Model> {
  const model = await load(files);
  await model.observe(text);
  return model;
}
