/** Models of lines: fitted, scored and tuned line by line, each behind a newline and nothing else; and what is refused. */
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseConfig, withConfig } from "../host/files/config.ts";
import { memoryImage, readMemory } from "../host/files/memory.ts";
import { readTensors } from "../host/files/safetensors.ts";
import { readWeights } from "../host/files/weights.ts";
import { type FitOptions, fit } from "../host/fit/fit.ts";
import { load, type Model, type ModelFiles, symbolTokenizer, tune } from "../host/index.ts";
import { Instance } from "../host/model/kernel.ts";
import { trainTokenizer } from "../host/tokenizer/train.ts";
import { compileQuickly, hooks } from "./compile-warm.ts";
import { BYTES, bytesOf, contents, SMALL, sound, TEXT } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";
import { messages } from "./texts.ts";

compileQuickly();

const LINES = { boundary: "newline" } as const;
/** Lines of many lengths, none among them, and one without an end. */
const TELLING = bytesOf(
  `${Array.from({ length: 80 }, (_, i) => "to be or not to be, that is the question".slice(0, (i * 7) % 41)).join("\n")}\n\n\nthe end`,
);

let lines: ModelFiles;
let model: Model;
beforeAll(async () => {
  ({ files: lines } = await fit(() => [TELLING], { ...SMALL, ...LINES }));
  model = await load(lines);
});

afterEach(() => {
  hooks.compiled.length = 0;
});

/** Each line of a text with its newline. */
const linesOf = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
const recipeOf = (files: ModelFiles) => parseConfig(files.get("config.json")!).recipe;

describe("a fit to lines", () => {
  test("is recorded, and a fit without them is what it was", async () => {
    expect(recipeOf(lines).boundary).toBe("newline");
    expect(model.boundary).toBe("newline");
    const { files } = await fit(() => [TELLING], SMALL);
    expect(contents((await fit(() => [TELLING], { ...SMALL, boundary: "none" })).files)).toEqual(contents(files));
    expect(recipeOf(files)).not.toHaveProperty("boundary");
    expect((await load(files)).boundary).toBe("none");
    expect(contents(files)).not.toEqual(contents(lines));
    await sound(lines, [TELLING, TEXT]);
  });

  test("gives the same bytes however it is run, and however the text is cut", async () => {
    const wanted = contents(lines);
    for (const changes of [{ threads: 2 }, { threads: 3 }, { build: "scalar" }] as FitOptions[]) {
      expect(contents((await fit(() => [TELLING], { ...SMALL, ...LINES, ...changes })).files)).toEqual(wanted);
    }
    const cut = Array.from(TELLING, (_, i) => TELLING.subarray(i, i + 1));
    expect(contents((await fit(() => cut, { ...SMALL, ...LINES })).files)).toEqual(wanted);
  });

  test("predicts lines that it has not seen better than a fit to one text, from an empty context", async () => {
    // what a compiler says in Italian, message by message, in an order of no meaning
    const all = Object.values(JSON.parse(messages("it")) as Record<string, string>).map((each) =>
      each.replace(/\n/g, " "),
    );
    const held = all.filter((_, i) => i % 10 === 9);
    const text = bytesOf(
      `${all
        .filter((_, i) => i % 10 !== 9)
        .slice(0, 900)
        .join("\n")}\n`,
    );
    for (const profile of ["nano", "micro"] as const) {
      const bits = async (boundary: "newline" | "none") => {
        const { files } = await fit(() => [text], { profile, boundary, threads: 0 });
        return (await load(files)).score(`${held.join("\n")}\n`, LINES).bits / held.length;
      };
      const [of, from] = [await bits("newline"), await bits("none")];
      expect(of, `${profile}: ${of} bits a message, ${from} without boundaries`).toBeLessThan(0.99 * from);
    }
  });

  test("takes one long line, lines of nothing, and newlines of Windows", async () => {
    const giant = bytesOf(`${"all in one line, and no end of it. ".repeat(3000)}\n`);
    const nothing = bytesOf("\n".repeat(500));
    const windows = bytesOf("one\r\ntwo\r\nthree\r\n".repeat(60));
    for (const text of [giant, nothing, windows]) {
      const { files } = await fit(() => [text], { ...SMALL, vocabulary: 256, ...LINES });
      await sound(files, [text.subarray(0, 2000), TEXT]);
    }
    const { files } = await fit(() => [nothing], { ...BYTES, ...LINES });
    expect((await load(files)).score("\n").bits).toBeLessThan(0.5);
  });

  test("weighs long matches by what is in the line: where no byte of a line comes twice, there are none", async () => {
    // each line once more right behind itself, which is of no account
    const letters = "abcdefghijklmnopqrstuvwxyz";
    const text = Array.from({ length: 60 }, (_, i) => `${letters.slice(i % 9, 9 + (i % 17))}\n`.repeat(2)).join("");
    const long = async (boundary: "newline" | "none") => {
      const options = { ...BYTES, boundary, longMatches: true, remember: 0 } as const;
      const { files } = await fit(() => [bytesOf(text)], options);
      return readTensors(files.get("model.safetensors")!, "").tensors.get("attention.long")!.data as Float32Array;
    };
    const half = (data: Float32Array) => data.length / 2;
    const found = await long("newline");
    expect(new Set(found.subarray(0, half(found)))).toEqual(new Set([Math.fround(0.15)])); // as they begin
    expect(new Set(found.subarray(half(found)))).toEqual(new Set([0]));
    const joined = await long("none");
    expect(new Set(joined.subarray(0, half(joined))).size).toBeGreaterThan(2);
  });

  test("with a long-term memory: matches are of the line alone, and the memory of all lines", async () => {
    const { files, report } = await fit(() => [TELLING], { ...BYTES, ...LINES, longMatches: true, remember: 1024 });
    expect(report.shape.memory).toBe(1024);
    const remembering = await load(files);
    // a line in the memory: certain after its first bytes, whatever came before it
    const line = "to be or not to be, that is the quest\n";
    const { surprisal } = remembering.score(`zzz\n${line}`);
    expect(surprisal.slice(4)).toEqual(remembering.score(line).surprisal);
    expect(surprisal.slice(14, 30).reduce((sum, bits) => sum + bits, 0)).toBeLessThan(8);
  });
});

describe("a text begins behind a newline", () => {
  const NEWLINE = 10;
  /** The model's kernel as a device has it, with nothing in between. */
  const kernelOf = async (of: Model) => {
    const { shape } = of.config;
    const instance = new Instance(
      await WebAssembly.instantiate(await WebAssembly.compile(of.files.get("kernel.scalar.wasm")! as BufferSource)),
      shape,
      "kernel",
    );
    const bytes = of.files.get("model.safetensors")!;
    for (const [{ address }, tensor] of readWeights(bytes, shape, "weights")) instance.write(address, tensor);
    const memory = memoryImage(readMemory(bytes, shape, "weights"), shape);
    if (memory.length > 0) instance.remember(memory, shape);
    return instance;
  };

  test("which a device appends to the empty context: whatever the host reads, it reads so", async () => {
    expect(model.begin).toBe(model.tokenizer.encode("\n")[0]);
    const { files } = await fit(() => [TELLING], { ...BYTES, ...LINES, longMatches: true, remember: 512 });
    const of = await load(files);
    expect(of.begin).toBe(NEWLINE);
    const kernel = await kernelOf(of);
    const device = kernel.predictor();
    const text = "to be or not\n";
    const begin = () => [device.reset(), device.append(NEWLINE)];
    begin();
    const wanted = [...bytesOf(text)].map((byte) => device.feed(byte));
    expect([...of.score(text).surprisal]).toEqual(wanted);
    expect([...of.score(text + text).surprisal]).toEqual([...wanted, ...wanted]);
    expect([...of.score(text, { boundary: "none" }).surprisal]).toEqual(wanted);
    const session = of.session();
    expect([...session.push(bytesOf(text)).pieces, ...session.flush().pieces].map(({ bits }) => bits)).toEqual(wanted);
    session.close();
    begin();
    device.predict();
    expect(of.predict("")).toEqual(device.probabilities.slice());
    expect(of.candidates("", { top: 1 })[0]!.probability).toBeCloseTo(Math.max(...device.probabilities), 6);
    const drawn: number[] = [];
    device.seed(3);
    for (let i = 0; i < 8; ++i) {
      drawn.push(device.sample(1, 0, 1));
      device.append(drawn[i]!);
    }
    const written: number[] = [];
    for await (const _ of of.generate("", { maxTokens: 8, seed: 3, onToken: (token) => written.push(token) }));
    expect(written).toEqual(drawn);
    // what is learned is learned behind it, and taken away
    const sums = kernel.learner();
    sums.reset();
    device.append(NEWLINE);
    for (const byte of bytesOf(text)) sums.observe(byte);
    await of.observe(text);
    const learned = readTensors((await of.learnedFile())!, "").tensors;
    expect(learned.get("observed")!.data).toEqual(sums.observed.slice());
    expect(learned.get("expected")!.data).toEqual(sums.expected.slice());
    await of.forget(text);
    expect(await of.learnedFile()).toBeUndefined();
  });

  test("and what was observed is recalled behind one: the begin of a line tells how it goes on", async () => {
    const { files } = await fit(() => [TELLING], { profile: "micro", ...LINES, threads: 0 });
    const of = await load(files);
    const second = () => of.score("zebras\n").surprisal[1]!; // two tokens that match are the least that recalls anything
    const before = second();
    await of.observe("zebras come first\n");
    expect(second()).toBeLessThan(before - 0.5);
    await of.forget("zebras come first\n");
    expect(second()).toBe(before);
  });
});

describe("what is scored", () => {
  test("is each line by itself: the whole is its lines, to the bit, by any call and in any cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("to be", " or not", "\n", "\n\n", "é", "\r\n", "zz"), { maxLength: 30 }),
        fc.array(fc.nat(200), { maxLength: 5 }),
        async (words, places) => {
          const text = words.join("");
          const wanted = linesOf(text).flatMap((line) => [...model.score(line).surprisal]);
          expect([...model.score(text).surprisal]).toEqual(wanted);
          expect([...model.score(model.tokenizer.encode(text)).surprisal]).toEqual(wanted);
          const at = [0, ...places.filter((place) => place < text.length).sort((a, b) => a - b), text.length];
          const cut = at.slice(1).map((to, i) => text.slice(at[i], to));
          const streamed: number[] = [];
          for await (const batch of model.surprisals(cut)) streamed.push(...batch);
          expect(streamed).toEqual(wanted);
          const { surprisal: _, ...totals } = model.score(text);
          expect(await model.scoreStream(cut)).toEqual(totals);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("as one text where that is asked for, and line by line of any model", async () => {
    const text = "to be or\nto be or\nto be or\n";
    const joined = model.score(text, { boundary: "none" });
    expect(joined.bits).toBeLessThan(model.score(text).bits); // what was repeated is known from the line before
    expect(await model.scoreStream([text], { boundary: "none" })).toMatchObject({ bits: joined.bits });
    const other = await load((await fit(() => [TELLING], BYTES)).files);
    const wanted = linesOf(text).flatMap((line) => [...other.score(line).surprisal]);
    expect([...other.score(text, LINES).surprisal]).toEqual(wanted);
    expect([...other.score(text).surprisal]).not.toEqual(wanted);
  });

  test("not what is read on: a session and a prompt are what the caller makes of them", async () => {
    const session = model.session();
    const pushed = [session.push("to be or\n"), session.push("to be or\n"), session.flush()];
    const bits = pushed.flatMap(({ pieces }) => pieces.map((piece) => Math.fround(piece.bits)));
    expect(bits).toEqual([...model.score("to be or\nto be or\n", { boundary: "none" }).surprisal]);
    session.close();
    expect(model.predict("to be\n")).not.toEqual(model.predict(""));
  });
});

describe("is refused by name", () => {
  test("an option that is none of the two", async () => {
    for (const boundary of ["line", "", "\n", true, 10, null]) {
      const wanted = refusal("INVALID_OPTION", `boundary must be "newline" or "none"`);
      await expect(fit(() => [TELLING], { ...SMALL, boundary: boundary as "none" })).rejects.toEqual(wanted);
      expect(() => model.score("x", { boundary: boundary as "none" })).toThrow(wanted as Error);
      await expect(model.scoreStream(["x"], { boundary: boundary as "none" })).rejects.toEqual(wanted);
    }
  });

  test("a tokenizer without a newline, or with one in a longer token", async () => {
    const read = () => expect.fail("the text was read");
    const symbols = { profile: "nano", tokenizer: symbolTokenizer(12), ...LINES } as const;
    await expect(fit(read, symbols)).rejects.toEqual(refusal("INVALID_OPTION", "boundary", "no token"));
    const tokenizer = await trainTokenizer(["\n\nabcdefgh\n\n".repeat(40)], { vocabulary: 264 });
    await expect(fit(read, { ...SMALL, vocabulary: undefined, tokenizer, ...LINES })).rejects.toEqual(
      refusal("INVALID_OPTION", "boundary", "holds a newline and more"),
    );
    const { files } = await fit(() => [Uint16Array.from({ length: 200 }, (_, i) => i % 7)], {
      ...{ profile: "nano", tokenizer: symbolTokenizer(12), threads: 0 },
    });
    const of = await load(files);
    expect(() => of.score("1 2\n3", LINES)).toThrow(refusal("INVALID_OPTION", "boundary", "no token") as Error);
  });

  test("a text without a newline", async () => {
    for (const text of ["no end to it at all. ".repeat(50), "\r".repeat(100)]) {
      await expect(fit(() => [bytesOf(text)], { ...BYTES, ...LINES })).rejects.toEqual(
        refusal("INVALID_TEXT", "no newline", "boundary"),
      );
    }
  });

  test("a config.json that says something else, or of a tokenizer without lines", async () => {
    const { shape, recipe } = model.config;
    for (const boundary of ["line", true, null, {}]) {
      const files = await withConfig(lines, shape, { ...recipe, boundary });
      await expect(load(files)).rejects.toEqual(refusal("MODEL_CORRUPT", "config.json", "recipe.boundary"));
    }
    expect((await load(await withConfig(lines, shape, { ...recipe, boundary: "none" }))).boundary).toBe("none");
    const { files } = await fit(() => [Uint16Array.from({ length: 200 }, (_, i) => i % 7)], {
      ...{ profile: "nano", tokenizer: symbolTokenizer(12), threads: 0 },
    });
    const of = await load(files);
    const wrong = await withConfig(files, of.config.shape, { ...of.config.recipe, boundary: "newline" });
    await expect(load(wrong)).rejects.toEqual(refusal("TOKENIZER_INVALID", "tokenizer.json", "newlines"));
  });
});

test("tuning goes on line by line, from any start, and keeps what the model is of", async () => {
  const options = { threads: 0, batch: 64, dev: [TELLING] };
  const more = { ...SMALL, ...LINES, longMatches: false, weightBits: 8 } as const;
  const { files: base } = await fit(() => [TELLING], more);
  for (const init of ["warm", "cold"] as const) {
    const { files, report } = await tune(base, () => [TELLING], { ...options, init, epochs: init === "warm" ? 1 : 3 });
    expect(recipeOf(files).boundary).toBe("newline");
    const tuned = await load(files);
    expect(tuned.boundary).toBe("newline");
    if (init === "cold") expect(report.devBitsPerByte.at(-1)!).toBeLessThan(report.devBitsPerByte[0]!);
  }
  // what the start costs is what the network says of each line by itself
  const { files: plain } = await fit(() => [TELLING], { ...more, history: 0, matchLength: 0 });
  const { report } = await tune(plain, () => [TELLING], { ...options });
  const { bitsPerByte } = (await load(plain)).score(TELLING);
  expect(report.devBitsPerByte[0]! / bitsPerByte).toBeCloseTo(1, 1);
  const joined = (await load(plain)).score(TELLING, { boundary: "none" }).bitsPerByte;
  expect(Math.abs(report.devBitsPerByte[0]! - bitsPerByte)).toBeLessThan(
    Math.abs(report.devBitsPerByte[0]! - joined) / 4,
  );
});
