/** The safetensors format: what is written, what is read, and that nothing broken is read as whole. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTensors, type Tensor, writeTensors } from "../host/files/safetensors.ts";
import { refusal } from "./model-fixture.ts";

/** A file of a header and `data` bytes of tensors. */
function file(header: unknown, data = 0, padding = ""): Uint8Array {
  const json = new TextEncoder().encode((typeof header === "string" ? header : JSON.stringify(header)) + padding);
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const u8 = (begin: number, end: number, change: object = {}) => ({
  dtype: "U8",
  shape: [end - begin],
  data_offsets: [begin, end],
  ...change,
});

describe("the writer", () => {
  const tensors = new Map<string, Tensor>([
    ["b", { dtype: "I8", shape: [5], data: Int8Array.from([0, 1, 2, 3, 4]) }],
    ["a", { dtype: "F32", shape: [2, 3], data: Float32Array.from([0, 1, 2, 3, 4, 5]) }],
    ["c", { dtype: "U16", shape: [3], data: Uint16Array.from([1, 2, 65535]) }],
  ]);

  test("gives the very bytes of the Python library", () => {
    // safetensors 0.8.0: save({"b": arange(5, int8), "a": arange(6, float32).reshape(2, 3), "c": uint16 [1, 2, 65535]}, {"k": "v"})
    const expected =
      "c0000000000000007b225f5f6d657461646174615f5f223a7b226b223a2276227d2c2261223a7b226474797065223a22463332222c227368617065223a5b322c" +
      "335d2c22646174615f6f666673657473223a5b302c32345d7d2c2263223a7b226474797065223a22553136222c227368617065223a5b335d2c22646174615f6f" +
      "666673657473223a5b32342c33305d7d2c2262223a7b226474797065223a224938222c227368617065223a5b355d2c22646174615f6f666673657473223a5b33" +
      "302c33355d7d7d20000000000000803f0000004000004040000080400000a04001000200ffff0001020304";
    expect(Buffer.from(writeTensors(tensors, { k: "v" })).toString("hex")).toBe(expected);
    expect(Buffer.from(writeTensors(new Map())).toString("hex")).toBe("08000000000000007b7d202020202020");
  });

  test("gives the same bytes whatever the order of tensors and metadata", () => {
    const turned = new Map([...tensors].reverse());
    expect(writeTensors(turned, { y: "2", x: "1" })).toEqual(writeTensors(tensors, { x: "1", y: "2" }));
  });

  test("refuses data that do not fill their shape", () => {
    const wrong = new Map<string, Tensor>([["w", { dtype: "U8", shape: [2, 2], data: new Uint8Array(3) }]]);
    expect(() => writeTensors(wrong)).toThrow(refusal("MODEL_CORRUPT", `"w"`, "[2, 2] of U8"));
  });
});

test("what is written is read back, from any alignment in memory", () => {
  const data = fc.oneof(
    fc.int8Array().map((data) => ({ dtype: "I8" as const, data })),
    fc.uint16Array().map((data) => ({ dtype: "U16" as const, data })),
    fc.int32Array().map((data) => ({ dtype: "I32" as const, data })),
    fc.float32Array().map((data) => ({ dtype: "F32" as const, data })),
    fc.bigUint64Array().map((data) => ({ dtype: "U64" as const, data })),
  );
  const tensor = data.map((given) => ({ ...given, shape: [given.data.length] }) as Tensor);
  const name = fc.string().filter((text) => text !== "__metadata__");
  fc.assert(
    fc.property(fc.dictionary(name, tensor), fc.dictionary(fc.string(), fc.string()), fc.nat(9), (given, notes, at) => {
      const tensors = new Map(Object.entries(given));
      const written = writeTensors(tensors, notes);
      const moved = Buffer.alloc(written.length + at); // a Buffer's slice is a view, unlike an array's
      moved.set(written, at);
      const { tensors: found, metadata } = readTensors(moved.subarray(at), "f");
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(tensors));
      expect({ ...metadata }).toEqual({ ...notes });
    }),
    { numRuns: 500 },
  );
});

describe("the reader refuses by name", () => {
  const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  test.each([
    ["a tensor", `{"w":${entry},"w":${entry}}`, '"w"'],
    ["a tensor, spelt in two ways", `{"w":${entry},"\\u0077":${entry}}`, '"w"'],
    ["a tensor's field", `{"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, '"dtype"'],
    ["the metadata", `{"__metadata__":{},"__metadata__":{"a":"b"},"w":${entry}}`, '"__metadata__"'],
    ["a field of the metadata", `{"__metadata__":{"a":"1","b":"{\\"a\\":","a":"2"},"w":${entry}}`, '"a"'],
  ])("%s that is there twice", (_what, header, named) => {
    const bytes = new TextEncoder().encode(header);
    const whole = new Uint8Array(8 + bytes.length + 1);
    new DataView(whole.buffer).setBigUint64(0, BigInt(bytes.length), true);
    whole.set(bytes, 8);
    expect(() => readTensors(whole, "f")).toThrow(refusal("MODEL_CORRUPT", "f: ", named, "twice"));
  });

  test("but not the same key in two objects, or what looks like one in a text", () => {
    const header = `{"__metadata__":{"w":"{\\"w\\":1,\\"w\\":2}","shape":"w"},"w":${entry}}`;
    const bytes = new TextEncoder().encode(header);
    const whole = new Uint8Array(8 + bytes.length + 1);
    new DataView(whole.buffer).setBigUint64(0, BigInt(bytes.length), true);
    whole.set(bytes, 8);
    expect([...readTensors(whole, "f").tensors.keys()]).toEqual(["w"]);
  });

  test.each<[string, Uint8Array, string[]]>([
    ["nothing", new Uint8Array(0), ["0 bytes are too few"]],
    ["half a length", new Uint8Array(7), ["7 bytes are too few"]],
    ["a header longer than the file", file("{}").subarray(0, 9), ["header of 2 bytes exceeds 1"]],
    ["a header of 2^64 − 1 bytes", new Uint8Array(64).fill(255), ["exceeds 56"]],
    ["a header over 1 MiB", file({}, 0, " ".repeat(1 << 20)), ["header of 1048578 bytes exceeds 1048576"]],
    ["a header that is not JSON", file("{"), ["not JSON"]],
    ["a header that is not UTF-8", Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 34, 255, 34), ["not JSON"]],
    ["a header that is a list", file([]), ["not an object"]],
    ["metadata that are not strings", file({ __metadata__: { a: 1 } }), ["metadata"]],
    ["a tensor that is no object", file({ w: 1 }), [`"w"`]],
    ["an unknown dtype", file({ w: u8(0, 1, { dtype: "Q4" }) }, 1), [`"w"`, "Q4"]],
    ["a dtype of the prototype", file({ w: u8(0, 1, { dtype: "toString" }) }, 1), [`"w"`, "toString"]],
    ["a negative size", file({ w: u8(0, 1, { shape: [-1] }) }, 1), [`"w"`, "shape"]],
    ["a size that is no whole number", file({ w: u8(0, 1, { shape: [0.5] }) }, 1), [`"w"`, "shape"]],
    ["sizes whose product overflows", file({ w: u8(0, 1, { shape: [2 ** 50, 2 ** 50] }) }, 1), [`"w"`]],
    ["offsets that are no pair", file({ w: u8(0, 1, { data_offsets: [0] }) }, 1), [`"w"`, "offsets"]],
    ["offsets in reverse", file({ w: u8(0, 1, { data_offsets: [1, 0] }) }, 1), [`"w"`, "1..0"]],
    ["offsets beyond the end", file({ w: u8(0, 2) }, 1), [`"w"`, "0..2", "the file's 1"]],
    ["a size other than the shape's", file({ w: u8(0, 2, { shape: [1] }) }, 2), [`"w"`, "[1] of U8"]],
    ["overlapping tensors", file({ v: u8(0, 2), w: u8(1, 3) }, 3), [`"w"`, "overlaps"]],
    ["the same bytes twice", file({ v: u8(0, 2), w: u8(0, 2) }, 2), [`"w"`, "overlaps"]],
    ["a gap", file({ v: u8(0, 1), w: u8(2, 3) }, 3), [`"w"`, "gap"]],
    ["bytes at the end", file({ w: u8(0, 1) }, 2), ["1 bytes at the end"]],
    [
      "a misaligned tensor",
      file({ v: u8(0, 1), w: { dtype: "F32", shape: [1], data_offsets: [1, 5] } }, 5),
      [`"w"`, "aligned"],
    ],
  ])("%s", (_what, bytes, named) => {
    expect(() => readTensors(bytes, "some.safetensors")).toThrow(
      refusal("MODEL_CORRUPT", "some.safetensors", ...named),
    );
  });

  test("anything else that is broken: arbitrary bytes, arbitrary headers, and files with bytes changed", () => {
    const shapes = fc.oneof(fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 3 }), fc.anything());
    const entry = fc.record({
      dtype: fc.oneof(fc.constantFrom("U8", "F32", "U16", "I64"), fc.string()),
      shape: shapes,
      data_offsets: fc.oneof(fc.tuple(fc.nat(20), fc.nat(20)), fc.anything()),
    });
    const header = fc.dictionary(fc.oneof(fc.string(), fc.constant("__metadata__")), fc.oneof(entry, fc.anything()));
    const headers = fc.tuple(header, fc.nat(20)).map(([given, data]) => {
      const json = JSON.stringify(given, (_key, value) => (typeof value === "bigint" ? Number(value) : value));
      return file(json, data);
    });
    const whole = writeTensors(
      new Map<string, Tensor>([
        ["a", { dtype: "F32", shape: [3], data: new Float32Array(3) }],
        ["b", { dtype: "I8", shape: [5], data: new Int8Array(5) }],
      ]),
    );
    const changed = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const damaged = changed.map((changes) => {
      const bytes = whole.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
    const cut = fc.nat(whole.length - 1).map((length) => whole.slice(0, length));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), headers, damaged, cut), (bytes) => {
        try {
          for (const { shape, data } of readTensors(bytes, "f").tensors.values()) {
            // what is read holds together, though its bytes may be others
            expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
          }
        } catch (error) {
          expect(error).toEqual(refusal("MODEL_CORRUPT", "f: "));
        }
      }),
      { numRuns: 5000 },
    );
  });
});
