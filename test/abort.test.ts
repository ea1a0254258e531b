/** A signal ends every wait of the library: for a chunk that does not come, for another call's turn, for a compiler. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { chunksOf, fit, load, type Model, packageModel, surprisalStream, tune } from "../host/index.ts";
import { refusal } from "./model-fixture.ts";

vi.unmock("../host/compile/compile.ts"); // the real compiler

const TEXT = new TextEncoder().encode("the boiler is on, the door is open. ".repeat(200));

let model: Model;
beforeAll(async () => {
  model = await load("models/nano-en");
});

/** A text that begins, and then is silent for ever. */
function silent() {
  const closed = vi.fn();
  async function* chunks() {
    try {
      yield TEXT;
      await new Promise(() => {});
    } finally {
      closed();
    }
  }
  return { chunks, closed };
}

const drained = async (items: AsyncIterable<unknown>) => {
  for await (const _ of items);
};

describe("a silent text is waited for until the signal", () => {
  test.each<[string, (chunks: () => AsyncGenerator<Uint8Array>, signal: AbortSignal) => Promise<unknown>]>([
    ["scoreStream", (chunks, signal) => model.scoreStream(chunks(), { signal })],
    ["surprisals", (chunks, signal) => drained(model.surprisals(chunks(), { signal }))],
    ["observe", (chunks, signal) => model.observe(chunks(), { signal })],
    ["forget", (chunks, signal) => model.forget(chunks(), { signal })],
    ["fit, for its tokenizer", (chunks, signal) => fit(chunks, { signal })],
    ["fit, for its tokens", (chunks, signal) => fit(chunks, { profile: "nano", signal })],
    ["tune", (chunks, signal) => tune("nano-en", chunks, { signal })],
  ])("%s", async (_what, call) => {
    const controller = new AbortController();
    const { chunks } = silent();
    const before = await model.statistics();
    const ending = call(chunks, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 300);
    await expect(ending).rejects.toEqual(refusal("ABORTED"));
    expect(await model.statistics()).toEqual(before);
    await model.observe("it goes on");
    await model.forget("it goes on");
  });

  test("of a web stream, which is cancelled", async () => {
    const cancelled = vi.fn();
    const stream = new ReadableStream<Uint8Array>({ start: (control) => control.enqueue(TEXT), cancel: cancelled });
    const signal = AbortSignal.timeout(200);
    await expect(model.scoreStream(chunksOf(stream), { signal })).rejects.toEqual(refusal("ABORTED"));
    expect(cancelled).toHaveBeenCalledTimes(1);
  });

  test("of a transform", async () => {
    const stream = new ReadableStream<Uint8Array>({ start: (control) => control.enqueue(TEXT) });
    const bits = stream.pipeThrough(surprisalStream(model, { signal: AbortSignal.timeout(200) }));
    await expect(drained(chunksOf(bits as unknown as ReadableStream<Uint8Array>))).rejects.toEqual(refusal("ABORTED"));
  });
});

test("leaving a silent web stream cancels it", async () => {
  const cancelled = vi.fn();
  const chunks = chunksOf(new ReadableStream<Uint8Array>({ cancel: cancelled }));
  const next = chunks.next();
  await chunks.return(undefined);
  expect(cancelled).toHaveBeenCalledTimes(1);
  expect(await next).toEqual({ done: true, value: undefined });
});

test("a call that waits for its turn ends with its signal, and the one before it goes on", async () => {
  const before = (await model.statistics()).observedTokens;
  const long = model.observe("and on ".repeat(50_000));
  const signal = AbortSignal.timeout(20);
  const waiting = ["b", "c"].map((text) => model.observe(text, { signal }));
  for (const each of waiting) await expect(each).rejects.toEqual(refusal("ABORTED"));
  const refitting = model.refit({ signal });
  await expect(refitting).rejects.toEqual(refusal("ABORTED"));
  expect((await model.statistics()).observedTokens).toBe(before); // the first is still at it
  const { tokens } = await long;
  expect((await model.statistics()).observedTokens).toBe(before + tokens);
  await model.forget("and on ".repeat(50_000));
});

test("a compiler is not waited for, and is gone", async () => {
  const compilers = () => process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length;
  const before = compilers();
  const controller = new AbortController();
  vi.stubEnv("SAFFU_MODULES", "");
  const packaging = packageModel(model, { history: 32, recall: 24, signal: controller.signal });
  setTimeout(() => {
    expect(compilers()).toBe(before + 1);
    controller.abort();
  }, 500);
  await expect(packaging).rejects.toEqual(refusal("ABORTED"));
  vi.unstubAllEnvs();
  await vi.waitFor(() => expect(compilers()).toBe(before), { timeout: 20_000 });
});

describe("a compiler in a process of its own gives the same module as in this one", () => {
  const options = { history: 32, recall: 24, learning: false };
  let wanted: string;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "saffu-abort-"));
    vi.stubEnv("SAFFU_MODULES", "");
    wanted = (await packageModel(model, { ...options, signal: new AbortController().signal })).digest;
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });

  test.each([
    ["no other can be started", undefined],
    ["the other prints nothing", "cat > /dev/null"],
    ["the other prints, too, before", `echo ready; exec "${process.execPath}" "$@"`],
    ["the other prints, too, behind", `"${process.execPath}" "$@"; echo done`],
    ["the other prints less than it says", "cat > /dev/null; printf '\\9\\0\\0\\0\\0asm'"],
    ["the other ends before it has read", "exit 0"],
  ])("where %s", async (_what, script) => {
    const { execPath } = process;
    process.execPath = script === undefined ? "/usr/bin/another-runtime" : join(folder, "node");
    if (script !== undefined) writeFileSync(process.execPath, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    try {
      expect((await packageModel(model, options)).digest).toBe(wanted);
    } finally {
      process.execPath = execPath;
    }
  });
});

describe("what is learned from may itself learn", () => {
  test("a text observes others while it is read: each is a piece, whatever is called within it", async () => {
    const apart = await load("models/nano-en");
    const within = await load("models/nano-en");
    for (const text of ["outer text", "inner", "innermost"]) await apart.observe(text);
    await within.observe(
      (async function* () {
        yield "outer ";
        await within.observe(
          (async function* () {
            await within.observe("innermost");
            await within.refit();
            yield "inner";
          })(),
        );
        yield "text";
      })(),
    );
    expect(await within.exportStatistics()).toEqual(await apart.exportStatistics());
  });

  test("calls at the same time, in any number, with texts in any chunks, add up", async () => {
    const texts = fc.array(fc.array(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (pieces) => {
        const [apart, together] = [await load("models/nano-en"), await load("models/nano-en")];
        for (const chunks of pieces) await apart.observe(chunks.join(""));
        await Promise.all(pieces.map((chunks, i) => together.observe(i % 2 === 0 ? chunks : chunks.join(""))));
        expect(await together.exportStatistics()).toEqual(await apart.exportStatistics());
      }),
      { numRuns: 10 },
    );
  });
});
