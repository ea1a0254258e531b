/** Watches with what nobody should give them: each is refused by its code, or changes nothing; and what is given stays the caller's. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readTensors, type Tensor } from "../host/files/safetensors.ts";
import { sealTensors } from "../host/files/sealed.ts";
import { labelClassifier, openWatch, SaffuError, watch } from "../host/index.ts";
import type { LabelClassifier, WatchModel, WatchOptions } from "../host/watch/options.ts";
import { formatState, parseState, type WatchState } from "../host/watch/state.ts";
import type { Watch } from "../host/watch/watch.ts";

const SMALL: WatchOptions = { countBytes: 4096, window: 20, warmUp: 3, oneIn: 5, delay: 4, gap: 2, reach: 10 };
const line = (i: number) => (i % 9 === 4 ? `forced ${"abcdefgh"[i % 8]} open` : `door ${i % 2} by key ${i % 7}`);
const told = (opened: Watch, from: number, to: number) => {
  for (let i = from; i < to; ++i) opened.push(line(i));
};
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const refused = (code: string) => expect.objectContaining({ code });

test("what is pushed is copied: a buffer that is filled anew leaves the past as it was", async () => {
  const [a, b] = await Promise.all([openWatch(SMALL), openWatch(SMALL)]);
  const shared = new Uint8Array(new SharedArrayBuffer(32));
  for (const buffer of [Buffer.alloc(32), shared]) {
    for (let i = 0; i < 12; ++i) {
      const bytes = new TextEncoder().encode(line(i));
      buffer.set(bytes);
      a.push(buffer.subarray(0, bytes.length));
      b.push(line(i));
    }
    buffer.fill(120);
  }
  for (const each of [a, b]) await each.forget({ from: each.lines - 5, to: each.lines - 4 });
  expect(same(await a.save(), await b.save())).toBe(true);
});

test("rows of numbers are copied, and every NaN is the same", async () => {
  const options: WatchOptions = { kind: "numbers", columns: ["a", "b"], kept: 16, delay: 3, reach: 10 };
  const [a, b] = await Promise.all([openWatch(options), openWatch(options)]);
  const row = new Float32Array(2);
  const bits = new Uint32Array(row.buffer);
  for (let i = 0; i < 25; ++i) {
    row[0] = i % 3 === 0 ? -0 : i;
    bits[1] = 0xffc12345 + i; // NaNs that differ
    a.push(row);
    b.push([row[0], Number.NaN]);
  }
  row.fill(7);
  for (const each of [a, b]) await each.forget({ from: 20, to: 21 });
  expect(same(await a.save(), await b.save())).toBe(true);
});

test("rows that are none are refused, and nothing has changed", async () => {
  const opened = await openWatch(SMALL);
  const numbers = await openWatch({ kind: "numbers", columns: ["a", "b"], reach: 4 });
  const before = await Promise.all([opened.save(), numbers.save()]);
  for (const row of [null, undefined, 5, {}, [], Symbol("x"), 5n, new Uint16Array(3), new DataView(new ArrayBuffer(2))])
    expect(() => opened.push(row as never)).toThrow(refused("INVALID_TEXT"));
  const none = [
    null,
    "ab",
    [1],
    [1, 2, 3],
    [1, "2"],
    [1, Symbol("x")],
    [1, 5n],
    [1, { valueOf: () => 1 }],
    [1, undefined],
  ];
  for (const row of none) expect(() => numbers.push(row as never)).toThrow(refused("INVALID_TEXT"));
  expect(() => numbers.push({ length: 1e9, 0: 1 })).toThrow(refused("INVALID_TEXT"));
  expect(await Promise.all([opened.save(), numbers.save()])).toEqual(before);
});

test("rows to forget or label, notes and options of any type are refused by name", async () => {
  const opened = await openWatch({ ...SMALL, classifier: await labelClassifier() });
  told(opened, 0, 20);
  const before = await opened.save();
  for (const what of [undefined, null, "episode", 5, {}, { episode: "1" }, { episode: 0.5 }, { from: 20, to: 19 }]) {
    await expect(opened.forget(what as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    if (typeof what !== "number")
      await expect(opened.label(what as never, "fine")).rejects.toMatchObject({ code: "INVALID_OPTION" });
  }
  await expect(opened.label(20, "bad" as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const notes of [circle, { at: 5n }])
    await expect(opened.save(notes)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(same(await opened.save(), before)).toBe(true);
  for (const name of ["model", "classifier", "state", "module"]) {
    for (const value of [null, "", 5, {}, [], () => 1]) {
      await expect(openWatch({ [name]: value })).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringContaining(name),
      });
    }
  }
});

test("a stream of rows of numbers says which, and as many names as it has", async () => {
  const first = (options: object) => watch(["5\n"], options).next();
  await expect(first({ kind: "numbers", columns: ["a"] })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(first({ numbers: ["1", "2"], columns: ["a"] })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(await first({ numbers: ["1"], columns: ["a"] })).toMatchObject({ value: { line: 1, text: "5" } });
});

test("a source that throws, a stream that errs and a signal that fires end the watch with that", async () => {
  const rows = async (source: Parameters<typeof watch>[0], options = {}) => {
    let count = 0;
    try {
      for await (const _ of watch(source, options)) count += 1;
    } catch (cause) {
      return [count, (cause as SaffuError).code ?? (cause as Error).message];
    }
    return [count];
  };
  const lost = new Error("lost");
  async function* source() {
    yield "a\nb\nc";
    throw lost;
  }
  expect(await rows(source())).toEqual([2, "lost"]);
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull: (to) => (sent++ === 0 ? to.enqueue(Buffer.from("a\nb")) : to.error(lost)),
  });
  expect(await rows(stream)).toEqual([1, "lost"]);
  const silent = new ReadableStream<Uint8Array>({ start: (to) => to.enqueue(Buffer.from("a\nb\n")) });
  const control = new AbortController();
  setTimeout(() => control.abort(), 20);
  expect(await rows(silent, { signal: control.signal })).toEqual([2, "ABORTED"]);
  expect(await rows([5 as never])).toEqual([0, "INVALID_TEXT"]);
  expect(await rows(5 as never)).toEqual([0, "INVALID_TEXT"]);
});

/** The real classifier, which fails at the call that is told. */
async function failing(): Promise<{ classifier: LabelClassifier; fail: { at: number; of: string } }> {
  const real = await labelClassifier();
  const fail = { at: -1, of: "" };
  const due = (name: string) => {
    if (fail.of === name && fail.at-- === 0) throw new Error(`no ${name}`);
  };
  const classifier: LabelClassifier = {
    labels: real.labels,
    predict: (text) => {
      due("predict");
      return real.predict(text);
    },
    observe: async (all) => {
      due("observe");
      return real.observe(all);
    },
    forget: async (all) => {
      due("forget");
      return real.forget(all);
    },
    refit: () => {
      due("refit");
      return real.refit();
    },
  };
  return { classifier, fail };
}

test("a classifier that fails in the middle of a label or of forgetting leaves the watch as it was", async () => {
  for (const of of ["predict", "observe", "forget", "refit"]) {
    for (const at of [0, 1, 2, 4]) {
      const { classifier, fail } = await failing();
      const opened = await openWatch({ ...SMALL, classifier });
      told(opened, 0, 14);
      await opened.label(12, "alarm");
      await opened.label(13, "fine");
      told(opened, 14, 17);
      await opened.label(11, "fine");
      const before = await opened.save();
      const text = line(4);
      const says = Array.from(classifier.predict(text).probabilities);
      for (const call of [
        () => opened.label({ episode: opened.episodeCount }, "alarm"),
        () => opened.forget({ from: 12, to: 12 }),
      ]) {
        Object.assign(fail, { at, of });
        const failed = await call().then(
          () => false,
          (cause) => cause.message === `no ${of}`,
        );
        Object.assign(fail, { at: -1, of: "" });
        if (!failed) break; // it was called less often
        expect(same(await opened.save(), before)).toBe(true);
        expect(Array.from(classifier.predict(text).probabilities)).toEqual(says);
      }
    }
  }
});

test("while a label is learned, or rows are forgotten, whatever else is asked is refused; closing twice is once", async () => {
  const opened = await openWatch({ ...SMALL, classifier: await labelClassifier() });
  told(opened, 0, 20);
  for (const work of [() => opened.label(18, "fine"), () => opened.forget({ from: 15, to: 15 })]) {
    const pending = work();
    expect(() => opened.push("a")).toThrow(refused("BUSY"));
    expect(() => opened.skip()).toThrow(refused("BUSY"));
    await expect(opened.save()).rejects.toMatchObject({ code: "BUSY" });
    await expect(opened.forget({ from: 15, to: 15 })).rejects.toMatchObject({ code: "BUSY" });
    await pending;
    expect(opened.lines).toBe(20);
  }
  opened.close();
  opened.close();
});

test("a state that is refused closes the model's session", async () => {
  let open = 0;
  const model: WatchModel = {
    session: () => {
      open += 1;
      return {
        push: () => 0,
        flush: () => 0,
        peek: () => ({ bits: 0, pieces: [] }) as never,
        close: () => (open -= 1),
      };
    },
  };
  await expect(openWatch({ model, state: new Uint8Array(9) })).rejects.toBeInstanceOf(SaffuError);
  expect(open).toBe(0);
});

test("a reach of 0 keeps nothing of a state's past, nor of what comes behind it", async () => {
  const a = await openWatch(SMALL);
  told(a, 0, 15);
  const b = await openWatch({ ...SMALL, reach: 0, state: await a.save() });
  expect(b.reaches).toBe(Number.POSITIVE_INFINITY);
  const once = await b.save();
  told(b, 15, 40);
  const later = await b.save();
  expect(later.length).toBeLessThan(once.length + 1000); // a past of 25 rows has 17 bytes a row and the row
  await expect(b.forget({ from: 40, to: 40 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
});

test("a past of a hundred thousand rows and more is saved", async () => {
  const opened = await openWatch({ ...SMALL, reach: 1_000_000 });
  for (let i = 0; i < 200_000; ++i) opened.skip();
  const again = await openWatch({ ...SMALL, reach: 1_000_000, state: await opened.save() });
  expect(again.reaches).toBe(1);
});

/** The state with parts of it changed, and sealed again. */
async function altered(state: Uint8Array, change: (tensors: Map<string, Tensor>) => void): Promise<Uint8Array> {
  const { tensors, metadata } = readTensors(new Uint8Array(state), "state");
  const own = new Map(tensors);
  change(own);
  const { sha256: _, ...rest } = metadata;
  return sealTensors(own, rest as Record<string, string>, "state");
}

test("a state whose bytes are altered and sealed again is refused by its code, or is one that goes on, forgets and saves", async () => {
  const a = await openWatch({ ...SMALL, classifier: await labelClassifier() });
  told(a, 0, 24);
  await a.label(20, "alarm");
  const state = await a.save();
  const names = ["about", "lessons", "now", "past.0", "events.0", "events.1"];
  const tries = { refused: 0, gone: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.oneof(fc.nat(), fc.nat(300)),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (name, place, by, cut) => {
        const bytes = await altered(state, (tensors) => {
          const { data } = tensors.get(name)!;
          const at = place % data.length;
          const other = Uint8Array.from(data as Uint8Array, (byte, i) => (i === at ? byte ^ by : byte));
          const kept = cut ? other.slice(0, at) : other;
          if (kept.length === 0) tensors.delete(name);
          else tensors.set(name, { dtype: "U8", shape: [kept.length], data: kept } as Tensor);
        });
        try {
          const opened = await openWatch({ ...SMALL, classifier: await labelClassifier(), state: bytes });
          told(opened, 24, 30);
          await opened.forget({ from: opened.reaches, to: opened.lines });
          told(opened, 30, 36);
          await openWatch({ ...SMALL, classifier: await labelClassifier(), state: await opened.save() });
          tries.gone += 1;
        } catch (cause) {
          expect(cause).toMatchObject({ code: expect.stringMatching(/^(MODEL_CORRUPT|STATISTICS_MISMATCH)$/) });
          tries.refused += 1;
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(Math.min(tries.refused, tries.gone)).toBeGreaterThan(0);
});

test("a past that cannot have come to the watch is refused", async () => {
  const a = await openWatch(SMALL);
  told(a, 0, 24);
  const state = await parseState(await a.save());
  const [first, second] = state.past as [(typeof state.past)[0], (typeof state.past)[0]];
  const open = async (other: Partial<WatchState>) =>
    openWatch({ ...SMALL, state: await formatState({ ...state, ...other }) });
  expect((await open({})).lines).toBe(24);
  const [row, ...rows] = second.events;
  const withEvents = (...events: typeof second.events) => ({ past: [first, { ...second, events }] });
  const { copy } = second;
  const others: [string, Partial<WatchState>][] = [
    ["MODEL_CORRUPT", { line: 25 }],
    ["MODEL_CORRUPT", { past: [second, first] }],
    ["MODEL_CORRUPT", { past: [{ ...first, after: first.after - 1 }, second] }],
    ["MODEL_CORRUPT", withEvents(...rows)],
    ["MODEL_CORRUPT", withEvents(row!, row!, ...rows)],
    ["MODEL_CORRUPT", withEvents({ ...row!, do: "row", input: Buffer.from("a"), model: 2 ** 31 }, ...rows)],
    [
      "MODEL_CORRUPT",
      withEvents({ do: "label", row: 30, lesson: { text: "a", label: "fine", template: 1 } }, row!, ...rows),
    ],
    [
      "MODEL_CORRUPT",
      withEvents(row!, { do: "label", row: 11, lesson: { text: "a", label: "x" as never, template: 1 } }, ...rows),
    ],
    ["STATISTICS_MISMATCH", withEvents({ ...row!, do: "row", input: Float32Array.of(1), model: 0 }, ...rows)],
    ["STATISTICS_MISMATCH", withEvents({ ...row!, do: "row", input: new Uint8Array(5000), model: 0 }, ...rows)],
    ["STATISTICS_MISMATCH", { past: [first, { ...second, copy: { ...copy, episodes: copy.episodes.slice(1) } }] }],
    ["STATISTICS_MISMATCH", { now: { ...state.now, episodes: [] } }],
  ];
  for (const [code, other] of others) await expect(open(other)).rejects.toMatchObject({ code });
});
