/** Whatever a public function is given, what it throws is a SaffuError that fits on a line. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { load as loadInBrowser } from "../host/browser.ts";
import { compileDevice } from "../host/compile/compile.ts";
import * as api from "../host/index.ts";
import { type Model, SaffuError } from "../host/index.ts";
import { randomModel, refusal, SHAPE } from "./model-fixture.ts";

/** Most characters of a message. */
const LONGEST = 260;

let home: string;
let before: string;
let model: Model;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-junk-"));
  before = process.cwd();
  await compileDevice(SHAPE, "scalar"); // kept, for those that follow
  model = await api.load(await randomModel());
  process.chdir(home); // some junk is a path
});

afterAll(async () => {
  process.chdir(before);
  await rm(home, { recursive: true, force: true });
});

const long = "x".repeat(5000);
/** What is no value of anything, and what nearly is one. */
const junk = fc.oneof(
  fc.anything({
    maxDepth: 1,
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withNullPrototype: true,
    withSparseArray: true,
  }),
  fc.constantFrom<unknown>(
    ...[
      undefined,
      null,
      5,
      -1,
      Number.NaN,
      true,
      "",
      "text",
      long,
      `${long}/${long}`,
      "a\0b",
      "http://",
      "http:",
      "file:",
      "file://host/x",
    ],
    ...[
      Symbol("s"),
      1n,
      () => 5,
      () => [],
      () => [5],
      async () => {},
      [],
      [5],
      [[]],
      {},
      new Map(),
      new Map([[1, 2]]),
      new Map([["a", "b"]]),
    ],
    ...[
      new Map([["config.json", new Uint8Array(3)]]),
      new Uint8Array(0),
      new Uint8Array(9),
      Promise.resolve([]),
      Symbol.iterator,
      new Date(Number.NaN),
    ],
    ...[
      { signal: 5 },
      { signal: {} },
      { signal: null },
      { onProgress: "x" },
      { onToken: 5 },
      { build: Symbol("b") },
      { statistics: "x" },
      { lock: undefined },
    ],
    ...[
      { vocabulary: 1n },
      { profile: Symbol("p") },
      { threads: "2" },
      { heldOut: 5 },
      { heldOut: ["x"] },
      { tokenizer: {} },
      { tokenizer: 5 },
      { seed: long },
    ],
    ...[
      { dev: "x" },
      { checkpoint: 5 },
      { target: {} },
      { correction: {} },
      { recall: "8" },
      { history: Symbol("h") },
      { stop: 5 },
      { stop: [5] },
      { temperature: "x" },
    ],
  ),
);

const drained = async (items: AsyncIterable<unknown>) => {
  for await (const _ of items);
};
const of = (value: unknown) => value as never;
type Call = (a: never, b: never, c: never) => unknown;

/** Public functions that take values; what runs long is given options that end it. */
const CALLS: Record<string, Call> = {
  "load(junk)": (a, b) => api.load(a, b),
  "load(model, junk)": (a) => api.load(of(model.files), a),
  "load in a browser": (a, b) => loadInBrowser(a, b),
  "save(junk)": (a, b, c) => api.save(a, b, c),
  "save(directory, junk)": (a, b) => api.save(join(home, "saved"), a, b),
  "save(directory, files, junk)": (a) => api.save(join(home, "saved"), model.files, a),
  "fit(junk)": (a, b) => api.fit(a, b),
  "fit(text, junk)": (a) => api.fit(() => ["a"] as never, a),
  "fit(() => junk)": (a) => api.fit(() => a, { profile: "nano" }),
  "tune(junk)": (a, b, c) => api.tune(a, b, c),
  "tune(base, junk)": (a, b) => api.tune(model.files, a, b),
  "tune(base, text, junk)": (a) => api.tune(model.files, () => [new Uint8Array(3)], a),
  "tune(base, () => junk)": (a) => api.tune(model.files, () => a),
  "packageModel(junk)": (a, b) => api.packageModel(a, b),
  "packageModel(model, junk)": (a) => api.packageModel(of({ config: model.config, files: new Map() }), a),
  "onnxModel(junk)": (a, b) => api.onnxModel(a, b),
  "onnxModel(model, junk)": (a) => api.onnxModel(model, a),
  "onnxModel(model, { correction: junk })": (a) => api.onnxModel(model, { correction: a }),
  "model.pack(junk)": async (a, b) => model.pack(a, b),
  "model.pack(text, junk)": async (a) => model.pack("x", a),
  "model.unpack(junk)": async (a, b) => model.unpack(a, b),
  "model.unpack(frame, junk)": async (a) => model.unpack(Uint8Array.of(1), a),
  "cHeader(junk)": (a, b) => api.cHeader(a, b),
  "bytesNeeded(junk)": (a, b) => api.bytesNeeded(a, b),
  "bytesNeeded(shape, junk)": (a) => api.bytesNeeded(SHAPE, a),
  "predictorBytes(junk)": (a, b) => api.predictorBytes(a, b),
  "parameters(junk)": (a) => api.parameters(a),
  "validateShape(junk)": (a) => api.validateShape(a),
  "tokenizerFromJSON(junk)": (a) => api.tokenizerFromJSON(a),
  "trainTokenizer(junk)": (a, b) => api.trainTokenizer(a, b),
  "trainTokenizer(text, junk)": (a) => api.trainTokenizer(["a text"], a),
  "trainTokenizer(junk, options)": (a) => api.trainTokenizer(a, { vocabulary: 264 }),
  "symbolTokenizer(junk)": (a) => void api.symbolTokenizer(a),
  "chunksOf(junk)": (a) => drained(api.chunksOf(a)),
  "textStream(junk)": (a) => void api.textStream(a),
  "surprisalStream(junk)": (a, b) => void api.surprisalStream(a, b),
  "surprisalStream(model, junk)": (a) => void api.surprisalStream(model, a),
  "model.generate(junk)": (a, b) => drained(model.generate(a, b)),
  "model.generate(prompt, junk)": (a) => drained(model.generate("a", a)),
  "model.score(junk)": (a) => model.score(a),
  "model.scoreStream(junk)": (a, b) => model.scoreStream(a, b),
  "model.scoreStream(text, junk)": (a) => model.scoreStream(["a"], a),
  "model.surprisals(junk)": (a, b) => drained(model.surprisals(a, b)),
  "model.surprisals(text, junk)": (a) => drained(model.surprisals(["a"], a)),
  "model.predict(junk)": (a) => model.predict(a),
  "model.candidates(junk)": (a, b) => model.candidates(a, b),
  "model.candidates(context, junk)": (a) => model.candidates("a", a),
  "model.session(junk)": (a) => model.session(a),
  "session.push(junk)": (a) => model.session().push(a),
  "session.candidates(junk)": (a) => model.session().candidates(a),
  "session.observe(junk)": async (a) => {
    const session = model.session();
    session.push("a text");
    await session.observe(a);
  },
  "model.unmerge(junk)": (a, b) => model.unmerge(a, b),
  "model.exportStatistics(junk)": (a) => model.exportStatistics(a),
  "encodeStream(junk)": (a, b) => drained(api.encodeStream(a, b)),
  "encodeStream(tokenizer, junk)": (a) => drained(api.encodeStream(model.tokenizer, a)),
  "model.observe(junk)": (a, b) => model.observe(a, b),
  "model.observe(text, junk)": (a) => model.observe("a", a),
  "model.forget(junk)": (a, b) => model.forget(a, b),
  "model.merge(junk)": (a, b) => model.merge(a, b),
  "model.merge(statistics, junk)": async (a) => model.merge(await model.exportStatistics(), a),
  "model.refit(junk)": (a) => model.refit(a),
  "model.save(junk)": (a, b) => model.save(a, b),
  "model.save(directory, junk)": (a) => model.save(join(home, "kept"), a),
};

/** @throws AssertionError where `call` throws what is not one of ours */
async function expectTyped(call: () => unknown): Promise<void> {
  try {
    await call();
  } catch (error) {
    expect(error, String((error as Error)?.stack)).toBeInstanceOf(SaffuError);
    expect((error as Error).message.length).toBeLessThanOrEqual(LONGEST);
  }
}

test.each(Object.entries(CALLS))("%s", async (_name, call) => {
  await fc.assert(
    fc.asyncProperty(junk, junk, junk, (a, b, c) => expectTyped(() => call(of(a), of(b), of(c)))),
    { numRuns: 250 },
  );
});

describe("what a newcomer gets wrong is refused by its name", () => {
  test.each<[string, () => unknown, string, string[]]>([
    ["load(5)", () => api.load(5 as never), "INVALID_OPTION", ["source", "got 5"]],
    ["load() of http://", () => api.load("http://"), "INVALID_OPTION", ["source", "http://"]],
    ["load() with null", () => api.load("nano-en", null as never), "INVALID_OPTION", ["options", "null"]],
    ["tune(directory, text)", () => api.tune("nano-en", "text" as never), "INVALID_OPTION", ["text", "a function"]],
    ["model.save(3)", () => model.save(3 as never), "INVALID_OPTION", ["directory", "got 3"]],
    ["model.merge(path)", () => model.merge("x" as never), "INVALID_OPTION", ["statistics", "Uint8Array"]],
    ["model.observe(5)", () => model.observe(5 as never), "INVALID_TEXT", ["got 5"]],
    ["model.scoreStream(null)", () => model.scoreStream(null as never), "INVALID_TEXT", ["null"]],
    ["save() outside", () => api.save("x", new Map([["../y", new Uint8Array(1)]])), "INVALID_OPTION", ['"../y"']],
    ["fit() of held-out text", () => api.fit(() => [], { heldOut: ["x"] as never }), "INVALID_OPTION", ["heldOut"]],
    ["a signal that is none", () => model.observe("a", { signal: 5 as never }), "INVALID_OPTION", ["signal"]],
  ])("%s", async (_what, call, code, named) => {
    await expect((async () => call())()).rejects.toEqual(refusal(code, ...named));
  });
});

describe("messages", () => {
  test("are at most 260 characters, of any text, and keep begin and end", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000, unit: "binary" }), (text) => {
        const { message } = new SaffuError("UNWRITABLE", `name ${text} bound`);
        expect(message.length).toBeLessThanOrEqual(LONGEST);
        expect(message.startsWith("name ")).toBe(true);
        expect(message.endsWith(" bound")).toBe(true);
        if (text.length <= LONGEST - 11) expect(message).toBe(`name ${text} bound`);
      }),
      { numRuns: 1000 },
    );
  });

  test("name the option and the bound, however long the value", async () => {
    for (const value of [long, "x ".repeat(5000), '"'.repeat(9000), "\u{1f600}".repeat(3000)]) {
      const error = await api.fit(() => [], { seed: value as never }).catch((cause: Error) => cause);
      expect(error).toEqual(refusal("INVALID_OPTION", "seed must be an integer in 0..4294967295, got "));
      expect((error as Error).message.isWellFormed?.() ?? true).toBe(true);
    }
  });

  test("name the file and the reason, however long the path", async () => {
    const deep = join(home, ...Array.from({ length: 30 }, (_, i) => `a folder of some length ${i}`), "model");
    await expect(api.load(deep)).rejects.toEqual(refusal("MODEL_MISSING_FILE", "config.json is missing"));
  });
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["null", null],
  ["a number", 5],
  ["an object", {}],
  ["a list", []],
  ["an empty text", ""],
  [
    "what throws where it is looked at",
    {
      get href() {
        throw new Error("no");
      },
    },
  ],
  ["an address with nothing below", new URL("data:,x")],
])("on a page, too, %s is no address, and nothing is asked for", async (_what, source) => {
  vi.stubGlobal("location", new URL("http://127.0.0.1/page?query"));
  const asked = vi.spyOn(globalThis, "fetch");
  try {
    await expect(loadInBrowser(source as string)).rejects.toEqual(refusal("INVALID_OPTION", "source"));
    expect(asked).not.toHaveBeenCalled();
  } finally {
    asked.mockRestore();
    vi.unstubAllGlobals();
  }
});

test("nothing was written but where it was meant", async () => {
  expect((await readdir(home)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});
