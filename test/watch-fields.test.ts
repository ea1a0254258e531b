/** Lines as what is scored: texts and numbers of fields and columns; no line, however broken, is an error. */
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ReaderOptions, reader } from "../host/watch/fields.ts";
import { refusal } from "./model-fixture.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** What a line has, the text as a string, numbers as a list. */
function read(line: string | Uint8Array, options: ReaderOptions = {}) {
  const { text, numbers, ...rest } = reader(options)(typeof line === "string" ? bytesOf(line) : line);
  return { ...(text && { text: Buffer.from(text).toString() }), ...(numbers && { numbers: [...numbers] }), ...rest };
}

describe("a text", () => {
  test("is the line itself, any bytes of it, where no field is named", () => {
    const line = Uint8Array.of(0, 255, 13, 65);
    expect(reader()(line).text).toBe(line);
    expect(reader({})(new Uint8Array(0))).toEqual({ text: new Uint8Array(0) });
  });

  test.each([
    ['{"MESSAGE":"é 🙂\\n"}', "MESSAGE", { text: "é 🙂\n" }],
    ['\ufeff{"a":"x"}', "a", { text: "x" }],
    ['{"a":{"b":{"c":"deep"}}}', "a.b.c", { text: "deep" }],
    ['{"a.b":"a key with a dot","a":{"b":"nested"}}', "a.b", { text: "a key with a dot" }],
    ['{"a":{"x":1},"a.b":{"c.d":"both"}}', "a.b.c.d", { text: "both" }],
    ['{"a":[{"b":"first"},{"b":"second"}]}', "a.1.b", { text: "second" }],
    ['{"a":7.50}', "a", { text: "7.5" }],
    ['{"a":false}', "a", { text: "false" }],
    ['{"a":{"b":[1,"x"]}}', "a", { text: '{"b":[1,"x"]}' }],
    ['{"a":""}', "a", { text: "" }],
    ['{"a":null}', "a", { problem: "MISSING_FIELD" }],
    ['{"a":"x"}', "b", { problem: "MISSING_FIELD" }],
    ['{"a":"x"}', "a.length", { problem: "MISSING_FIELD" }],
    ['{"a":[1]}', "a.length", { problem: "MISSING_FIELD" }],
    ['{"a":"x"}', "__proto__", { problem: "MISSING_FIELD" }],
    ['{"a":"x"}', "toString", { problem: "MISSING_FIELD" }],
    ['{"__proto__":"own"}', "__proto__", { text: "own" }],
    ["7", "a", { problem: "MISSING_FIELD" }],
    ["null", "a", { problem: "MISSING_FIELD" }],
    ['{"a":"cut', "a", { problem: "INVALID_JSON" }],
    ["", "a", { problem: "INVALID_JSON" }],
    ["plain text", "a", { problem: "INVALID_JSON" }],
  ])("of %s at %s", (line, field, found) => {
    expect(read(line, { field })).toEqual(found);
  });

  test("of journald may be a list of bytes", () => {
    const bytes = Uint8Array.of(0x66, 0xfc, 0x72, 0, 0xff); // latin1
    const line = JSON.stringify({ _PID: "1", MESSAGE: [...bytes] });
    expect(reader({ field: "MESSAGE" })(bytesOf(line)).text).toEqual(bytes);
    expect(read('{"MESSAGE":[256]}', { field: "MESSAGE" })).toEqual({ text: "[256]" });
    expect(read('{"MESSAGE":["a","b"]}', { field: "MESSAGE" })).toEqual({ text: '["a","b"]' });
  });

  test("that is no UTF-8 inside JSON is read as far as it can be", () => {
    const line = Uint8Array.from([...bytesOf('{"a":"f'), 0xfc, ...bytesOf('r"}')]);
    expect(read(line, { field: "a" })).toEqual({ text: "f\ufffdr" });
  });

  test("that is nested without end is no JSON, and no crash", () => {
    const deep = `{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
    expect(["INVALID_JSON", undefined]).toContain(read(deep, { field: "a" }).problem);
    expect(read("[".repeat(60_000), { field: "a" })).toEqual({ problem: "INVALID_JSON" });
    const path = Array.from({ length: 5000 }, () => "a").join(".");
    expect(read(`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`, { field: path })).toEqual({ text: "1" });
  });

  test("at any path of any object is the text that is there", () => {
    const key = fc.string({ unit: fc.constantFrom("a", "b", "é", "_"), minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(key, { minLength: 1, maxLength: 5 }),
        fc.string(),
        fc.dictionary(key, fc.jsonValue()),
        (keys, text, others) => {
          const value = keys.reduceRight<unknown>((inner, each) => ({ ...others, [each]: inner }), text);
          const line = bytesOf(JSON.stringify(value));
          expect(reader({ field: keys.join(".") })(line)).toEqual({ text: bytesOf(text) });
        },
      ),
    );
  });
});

describe("numbers", () => {
  test.each([
    ['{"t":18.4,"h":"40"}', ["t", "h"], { numbers: [18.4, 40] }],
    ['{"v":{"t":-1e-3},"h":" +.5 "}', ["v.t", "h"], { numbers: [-0.001, 0.5] }],
    ['{"t":18.4}', ["t", "h"], { numbers: [18.4, Number.NaN], problem: "MISSING_FIELD" }],
    ['{"t":null,"h":"-"}', ["t", "h"], { numbers: [Number.NaN, Number.NaN], problem: "MISSING_FIELD" }],
    ['{"t":"","h":1}', ["t", "h"], { numbers: [Number.NaN, 1], problem: "MISSING_FIELD" }],
    ['{"t":"warm","h":1}', ["t", "h"], { numbers: [Number.NaN, 1], problem: "NOT_A_NUMBER" }],
    ['{"t":"0x10"}', ["t"], { numbers: [Number.NaN], problem: "NOT_A_NUMBER" }],
    ['{"t":1e999}', ["t"], { numbers: [Number.NaN], problem: "NOT_A_NUMBER" }],
    ['{"t":true}', ["t"], { numbers: [Number.NaN], problem: "NOT_A_NUMBER" }],
    ["t=1", ["t"], { numbers: [Number.NaN], problem: "INVALID_JSON" }],
    ['{"1":5,"2":6}', ["2", "1"], { numbers: [6, 5] }],
    ["[5,6,7]", ["1", "3"], { numbers: [5, 7] }],
    ["18.4", ["1"], { numbers: [18.4] }],
    ["  18.4   40  90 ", ["1", "3"], { numbers: [18.4, 90] }],
    ["2026-03-02,18.4,40", ["2", "3"], { numbers: [18.4, 40] }],
    ['"a, ""b""",18.4', ["2"], { numbers: [18.4] }],
    ['"18.4", "40"', ["1", "2"], { numbers: [18.4, 40] }],
    ["18.4;40", ["2"], { numbers: [40] }],
    ["a b\t18.4\t40", ["2", "3"], { numbers: [18.4, 40] }],
    ["1,,3", ["1", "2", "3"], { numbers: [1, Number.NaN, 3], problem: "MISSING_FIELD" }],
    ["1,2", ["3"], { numbers: [Number.NaN], problem: "MISSING_FIELD" }],
    ["time,temp", ["2"], { numbers: [Number.NaN], problem: "NOT_A_NUMBER" }],
    ["", ["1"], { numbers: [Number.NaN], problem: "MISSING_FIELD" }],
    ['{"1":', ["1"], { numbers: [Number.NaN], problem: "NOT_A_NUMBER" }],
  ])("of %s at %j", (line, numbers, found) => {
    expect(read(line, { numbers })).toEqual(found);
  });

  test("may come next to a text, whose problem is named first", () => {
    expect(read('{"m":"x","t":1}', { field: "m", numbers: ["t"] })).toEqual({ text: "x", numbers: [1] });
    expect(read('{"t":"?"}', { field: "m", numbers: ["t"] })).toEqual({
      numbers: [Number.NaN],
      problem: "MISSING_FIELD",
    });
  });

  test("of CSV are those of a reader of CSV", () => {
    const cell = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc
        .string({ unit: fc.constantFrom("a", ",", '"', " ", "1"), maxLength: 6 })
        .map((text) => `"${text.replaceAll('"', '""')}"`),
    );
    fc.assert(
      fc.property(fc.array(cell, { minLength: 2, maxLength: 8 }), (cells) => {
        const line = cells.join(",");
        const [row] = parse(line) as string[][];
        const wanted = row!.map((text) =>
          /\d/.test(text) && Number.isFinite(Number(text)) ? Number(text) : Number.NaN,
        );
        expect(read(line, { numbers: row!.map((_, i) => String(i + 1)) }).numbers).toEqual(wanted);
      }),
    );
  });
});

test("no bytes make a reader throw or hang", () => {
  const readers = [{ field: "a" }, { numbers: ["a.b", "c"] }, { numbers: ["1", "2"] }].map(reader);
  const json = fc.string({ unit: fc.constantFrom(...'{}[]":,;\t 019.e-a\\u\0') });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), json.map(bytesOf)), (line) => {
      for (const each of readers) {
        const { text, numbers, problem } = each(line);
        expect(text !== undefined || numbers !== undefined || problem !== undefined).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
  const hostile = bytesOf('"'.repeat(60_000) + ",".repeat(5000));
  for (const each of readers) each(hostile);
});

test("bad options are refused", () => {
  for (const [options, ...named] of [
    [7, "options"],
    [{ field: "" }, "field"],
    [{ field: 7 }, "field"],
    [{ numbers: [] }, "numbers"],
    [{ numbers: "a,b" }, "numbers"],
    [{ numbers: ["a", ""] }, "numbers"],
  ] as const) {
    expect(() => reader(options as never)).toThrow(refusal("INVALID_OPTION", ...named) as never);
  }
});

test("several fields follow one another; those that are missing are left out, unless all are; fields that are kept are as they were", () => {
  const read = reader({ field: "who, what", keep: ["at", "deep.er", "absent"] });
  const of = (value: unknown) => {
    const { text, ...rest } = read(Buffer.from(JSON.stringify(value)));
    return { text: text && Buffer.from(text).toString(), ...rest };
  };
  const at = { at: 5, "deep.er": [1] };
  expect(of({ who: "sshd", what: "opened", at: 5, deep: { er: [1] } })).toEqual({ text: "sshd opened", kept: at });
  expect(of({ what: [104, 105] })).toEqual({ text: "hi", kept: {} });
  expect(of({ at: 5 })).toEqual({ text: undefined, problem: "MISSING_FIELD", kept: { at: 5 } });
  expect(read(Buffer.from("no json"))).toEqual({ problem: "INVALID_JSON", kept: {} });
  expect(() => reader({ keep: ["a"] })).toThrow(/keep/);
  expect(() => reader({ field: "a,,b" })).toThrow(/field/);
});
