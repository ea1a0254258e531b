/**
 * Whatever is pushed, skipped, labelled, forgotten, saved and restored, in any order: a watch is, to the byte, one that was given from its beginning only
 * what has not been forgotten.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { labelClassifier, openWatch } from "../host/index.ts";
import type { Label } from "../host/watch/lessons.ts";
import type { LabelClassifier, WatchOptions } from "../host/watch/options.ts";
import type { Watch } from "../host/watch/watch.ts";

/** What has come, rows by their number; what is forgotten has become rows that were not looked at. */
type Came = { row: number; text: string | undefined } | { row: number; label: Label };

interface Model {
  came: Came[];
  lines: number;
}

interface Real {
  watch: Watch;
  classifier: LabelClassifier;
}

/** So small that copies, windows, queues and halvings are passed often. */
const SMALL: WatchOptions = {
  ...{ window: 9, period: 16, delay: 5, countBytes: 4096, warmUp: 3, oneIn: 4, gap: 2, guard: 0.3 },
};
const WORDS = ["door", "window", "opened", "closed", "by", "key", "forced"];

/** What is told from the beginning, without what has been forgotten. */
async function toldAgain({ came }: Model, options: WatchOptions): Promise<Real> {
  const real = await begin(options);
  for (const each of came) {
    if ("label" in each) await real.watch.label(each.row, each.label);
    else if (each.text === undefined) real.watch.skip();
    else real.watch.push(each.text);
  }
  return real;
}

async function begin(options: WatchOptions): Promise<Real> {
  const classifier = await labelClassifier();
  return { watch: await openWatch({ ...options, classifier }), classifier };
}

type Command = fc.AsyncCommand<Model, Real>;

const command = (name: string, run: (model: Model, real: Real) => Promise<void>): Command => ({
  check: () => true,
  run,
  toString: () => name,
});

const push = (text: string) =>
  command(`push ${text}`, async (model, { watch }) => {
    model.lines += 1;
    model.came.push({ row: model.lines, text });
    expect(watch.push(text).line).toBe(model.lines);
  });

const skip = () =>
  command("skip", async (model, { watch }) => {
    model.lines += 1;
    model.came.push({ row: model.lines, text: undefined });
    watch.skip();
  });

/** A row `back` rows ago, if that is within reach. */
const within = (watch: Watch, back: number) => Math.max(watch.lines - back, Math.min(watch.reaches, watch.lines));

const label = (back: number, as: Label) =>
  command(`label ${as} ${back} back`, async (model, { watch }) => {
    if (watch.lines === 0) return;
    const row = within(watch, back);
    const looked = model.came.some((each) => each.row === row && "text" in each && each.text !== undefined);
    expect(await watch.label(row, as)).toBe(looked ? 1 : 0);
    if (looked) model.came.push({ row, label: as });
  });

function forgotten(model: Model, from: number, to: number): void {
  const gone = (row: number) => row >= from && row <= to;
  model.came = model.came
    .filter((each) => !("label" in each && gone(each.row)))
    .map((each) => (gone(each.row) ? { row: each.row, text: undefined } : each));
}

const forget = (back: number, many: number) =>
  command(`forget ${many} from ${back} back`, async (model, { watch }) => {
    if (watch.lines === 0) return;
    const from = within(watch, back);
    const to = Math.min(watch.lines, from + many - 1);
    expect(await watch.forget({ from, to })).toMatchObject({ from, to, rows: to - from + 1 });
    forgotten(model, from, to);
  });

const forgetEpisode = () =>
  command("forget the last episode", async (model, { watch }) => {
    const episode = watch.episodeCount;
    const found = await watch.forget({ episode }).catch((cause) => {
      expect(cause).toMatchObject({ code: "INVALID_OPTION" }); // there is none, or it is out of reach
    });
    if (found) forgotten(model, found.from, found.to);
  });

const saveAndRestore = (options: WatchOptions) =>
  command("save, restore", async (_, real) => {
    const state = await real.watch.save();
    const classifier = await labelClassifier();
    const watch = await openWatch({ ...options, classifier, state });
    expect(Buffer.compare(await watch.save(), state)).toBe(0);
    Object.assign(real, { watch, classifier });
  });

test.each([1, 3, 20])("with a reach of %i rows, only what was not forgotten is there", async (reach) => {
  const options = { ...SMALL, reach };
  const text = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 4 }).map((words) => words.join(" "));
  const back = fc.nat(2 * reach);
  const commands = fc.commands(
    [
      text.map(push),
      text.map(push),
      fc.constant(skip()),
      fc.tuple(back, fc.constantFrom<Label>("alarm", "fine")).map(([rows, as]) => label(rows, as)),
      fc.tuple(back, fc.integer({ min: 1, max: 5 })).map(([rows, many]) => forget(rows, many)),
      fc.constant(forgetEpisode()),
      fc.constant(saveAndRestore(options)),
    ],
    { size: "max", maxCommands: 90 },
  );
  await fc.assert(
    fc.asyncProperty(commands, async (all) => {
      const model: Model = { came: [], lines: 0 };
      const real = await begin(options);
      await fc.asyncModelRun(() => ({ model, real }), all);
      const again = await toldAgain(model, options);
      for (const text of ["door forced", "window closed by key"]) {
        const [a, b] = [real, again].map(({ classifier }) => classifier.predict(text).probabilities);
        expect(a).toEqual(b);
        expect(real.watch.push(text)).toEqual(again.watch.push(text));
      }
      expect(Buffer.compare(await real.watch.save(), await again.watch.save())).toBe(0);
    }),
    { numRuns: 20 },
  );
});

test("of more than 1,024 episodes the last are known by their numbers, and those behind a forgotten one move up", async () => {
  const options: WatchOptions = { ...SMALL, warmUp: 1, oneIn: 2, gap: 1, guard: 0, reach: 5000 };
  const model: Model = { came: [], lines: 0 };
  const real = await begin(options);
  for (let i = 0; real.watch.episodeCount < 1100; ++i) await push(WORDS[(i * i) % 7]!).run(model, real);
  const { watch } = real;
  await expect(watch.forget({ episode: 1100 - 1024 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  for (const episode of [1100, 500, 1100 - 1023]) {
    const { from, to } = await watch.forget({ episode: Math.min(episode, watch.episodeCount) });
    forgotten(model, from, to);
  }
  const again = await toldAgain(model, options);
  expect(watch.episodeCount).toBe(again.watch.episodeCount);
  expect(Buffer.compare(await watch.save(), await again.watch.save())).toBe(0);
});
