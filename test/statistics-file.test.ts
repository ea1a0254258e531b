/** statistics.safetensors: what is written is read back to the bit, and nothing that is cut, altered or another model's is read at all. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { readTensors, type Tensor, writeTensors } from "../host/files/safetensors.ts";
import { BREAK, CAPACITY, formatLearned, type Learned, MOST_RECENT, parseLearned } from "../host/files/statistics.ts";
import { hiddenWidth, type Shape, tensorSpecs, validateShape } from "../host/shape.ts";
import { partsOf, sealed, withHeader } from "../tools/fuzz/mutations.ts";
import { refusal } from "./model-fixture.ts";

/** The smallest shapes, with and without a cipher and history attention: files of which every bit can be tried. */
const SHAPE = validateShape({
  vocabulary: 8,
  bits: 8,
  window: 1,
  groups: 2,
  units: 4,
  history: 0,
  matchLength: 0,
});
const CIPHERED = validateShape({ ...SHAPE, vocabulary: 16, bits: 5, window: 2, history: 16, matchLength: 2 });
const BASE = { digest: "0123456789abcdef".repeat(4), shape: SHAPE };
const FILE = "s.safetensors";

/** Largest magnitude of a scale. */
const MOST = 2 ** 64;

/** Anything that a model of `shape` can have learned. @param layers whose rows a correction can have, together */
function anyLearned(shape: Shape, layers = [["decoder.O"]]): fc.Arbitrary<Learned> {
  const cells = shape.vocabulary * hiddenWidth(shape);
  const sums = fc.uint32Array({ minLength: cells, maxLength: cells });
  const token = fc.oneof(fc.nat(shape.vocabulary - 1), fc.constant(BREAK));
  const correction = fc.constantFrom(undefined, ...layers).chain((names) => {
    if (names === undefined) return fc.constant(undefined);
    const specs = tensorSpecs(shape).filter(({ name }) => names.includes(name.replace(".scale", "")));
    return fc.tuple(...specs.map(anyTensor)).map((tensors) => new Map(tensors));
  });
  return fc.record({
    statistics: fc.record({ tokens: fc.nat(CAPACITY), observed: sums, expected: sums }),
    recent: fc.array(token, { maxLength: 40 }).map((tokens) => Uint16Array.from(tokens)),
    correction,
  });
}

function anyTensor({ name, dtype, shape }: ReturnType<typeof tensorSpecs>[number]): fc.Arbitrary<[string, Tensor]> {
  const length = shape.reduce((product, size) => product * size, 1);
  const size = { minLength: length, maxLength: length };
  const data = dtype === "I8" ? fc.int8Array(size) : fc.float32Array({ ...size, min: -MOST, max: MOST, noNaN: true });
  return data.map((data) => [name, { dtype, shape, data } as Tensor]);
}

/** The rows and scales of some layers. */
function correctionOf(layers: RegExp): ReadonlyMap<string, Tensor> {
  const specs = tensorSpecs(SHAPE).filter(({ name }) => layers.test(name));
  return new Map(
    specs.map(({ name, dtype, shape }): [string, Tensor] => {
      const length = shape.reduce((product, size) => product * size, 1);
      const data = dtype === "I8" ? new Int8Array(length) : new Float32Array(length);
      return [name, { dtype, shape, data: data.map((_, i) => i / 2) } as Tensor];
    }),
  );
}

/** One of each: sums from 0 to the capacity, a break, a correction. */
const LEARNED: Learned = {
  statistics: {
    tokens: 12,
    observed: Uint32Array.from({ length: 64 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 0).fill(CAPACITY, 63),
    expected: Uint32Array.from({ length: 64 }, (_, i) => i),
  },
  recent: Uint16Array.of(BREAK, 7, 0, BREAK, 3),
  correction: correctionOf(/^decoder\.O/),
};
/** The same as a refit of all layers left it, which earlier versions had. */
const OLDER: Learned = { ...LEARNED, correction: correctionOf(/^(block\.U|decoder\.O)/) };

let whole: Uint8Array;
let older: Uint8Array;
beforeAll(async () => {
  whole = await formatLearned(LEARNED, BASE);
  older = await formatLearned(OLDER, BASE);
});

/** A whole file, the older one, with some of its tensors and metadata exchanged (undefined leaves them out), and a digest that agrees. */
function changed(
  change: Record<string, Tensor | undefined>,
  metadata: Record<string, string | undefined> = {},
  of = older,
) {
  const file = readTensors(of, FILE);
  const keep = <T>(entries: [string, T | undefined][]) =>
    entries.filter((entry): entry is [string, T] => entry[1] !== undefined);
  const tensors = keep(Object.entries({ ...Object.fromEntries(file.tensors), ...change }));
  return sealed(
    writeTensors(new Map(tensors), Object.fromEntries(keep(Object.entries({ ...file.metadata, ...metadata })))),
  );
}

const read = (bytes: Uint8Array, base = BASE) => parseLearned(bytes, base, FILE);

describe("what is written", () => {
  test.each([
    ["without history attention", SHAPE],
    ["with a cipher and history attention", CIPHERED],
  ])("is read back, and written to the same bytes again: a model %s", async (_what, shape) => {
    const base = { digest: "f".repeat(64), shape };
    await fc.assert(
      fc.asyncProperty(anyLearned(shape), async (learned) => {
        const bytes = await formatLearned(learned, base);
        const again = await parseLearned(bytes, base, FILE);
        expect(again).toEqual(learned);
        expect(await formatLearned(again, base)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test("depends on the contents alone: neither on where they stand in memory nor on the order of the correction", async () => {
    const shifted = <T extends Uint32Array | Uint16Array>(data: T): T => {
      const room = new (data.constructor as new (length: number) => T)(data.length + 3);
      room.set(data, 3);
      return room.subarray(3) as T;
    };
    const { statistics, recent, correction } = LEARNED;
    const { tokens, observed, expected } = statistics;
    const same: Learned = {
      statistics: { expected: shifted(expected), observed: shifted(observed), tokens },
      recent: shifted(recent),
      correction: new Map([...correction!].reverse()),
    };
    expect(await formatLearned(same, BASE)).toEqual(whole);
    expect(sealed(whole)).toEqual(whole);
  });

  test("is a safetensors file: little-endian sums where its header says", () => {
    const view = new DataView(whole.buffer, whole.byteOffset);
    const start = 8 + Number(view.getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(whole.subarray(8, start)));
    expect(header.__metadata__).toMatchObject({
      format: "saffu-statistics",
      version: "1",
      baseDigest: BASE.digest,
      observedTokens: "12",
      capacity: "4294967295",
    });
    expect(Object.keys(header.observed)).toEqual(["dtype", "shape", "data_offsets"]);
    for (const [name, sums] of Object.entries({
      observed: LEARNED.statistics.observed,
      expected: LEARNED.statistics.expected,
    })) {
      expect(header[name]).toMatchObject({ dtype: "U32", shape: [8, 8] });
      const at = start + header[name].data_offsets[0];
      expect(Array.from(sums, (_, i) => view.getUint32(at + 4 * i, true))).toEqual([...sums]);
    }
    const at = start + header.recent.data_offsets[0];
    expect(Array.from(LEARNED.recent, (_, i) => view.getUint16(at + 2 * i, true))).toEqual([0xffff, 7, 0, 0xffff, 3]);
  });

  test("are the bytes of version 1: a file that was written once stays readable", async () => {
    // of this file, as first written
    expect(createHash("sha256").update(older).digest("hex")).toBe(
      "2842794efe4ce2d0c606589c33f6416ce12d3c2bb138e3f5e26c2f913e2697c7",
    );
    expect(await read(older)).toMatchObject({ statistics: LEARNED.statistics, recent: LEARNED.recent });
  });

  test("names neither recent tokens nor a correction where there are none", async () => {
    const bare = await formatLearned({ ...LEARNED, recent: new Uint16Array(0), correction: undefined }, BASE);
    expect([...readTensors(bare, FILE).tensors.keys()].sort()).toEqual(["expected", "observed"]);
    expect(await read(bare)).toEqual({ ...LEARNED, recent: new Uint16Array(0), correction: undefined });
  });

  test("takes as many recent tokens as are kept", async () => {
    const recent = new Uint16Array(MOST_RECENT).fill(5);
    expect((await read(await formatLearned({ ...LEARNED, recent }, BASE))).recent).toEqual(recent);
  });

  test("is what was there when it was asked for, whatever is learned meanwhile", async () => {
    const observed = LEARNED.statistics.observed.slice();
    const learned = { ...LEARNED, statistics: { ...LEARNED.statistics, observed } };
    const writing = formatLearned(learned, BASE);
    observed.fill(1);
    expect(await writing).toEqual(whole);
  });

  test("is no longer the caller's once it is read, wherever it stands in memory", async () => {
    const room = new Uint8Array(whole.length + 1);
    for (const bytes of [whole.slice(), Buffer.from(whole), room.subarray(1)]) {
      bytes.set(whole);
      const learned = await read(bytes);
      bytes.fill(0xff);
      expect(learned).toEqual(LEARNED);
    }
  });
});

test("a correction of more than the decoder's rows, as earlier versions solved it, is left out: the rest is read", async () => {
  const layers = [["block.U"], ["block.U", "decoder.O"]];
  const base = { digest: "f".repeat(64), shape: CIPHERED };
  await fc.assert(
    fc.asyncProperty(anyLearned(CIPHERED, layers), async (learned) => {
      const again = await parseLearned(await formatLearned(learned, base), base, FILE);
      expect(again).toEqual({ ...learned, correction: undefined });
    }),
    { numRuns: 100 },
  );
});

describe("nothing that is not whole is read", () => {
  const CODES = ["MODEL_CORRUPT", "MODEL_VERSION", "MODEL_DIGEST"];
  /** The code of the refusal; "" where there is none, and the error itself where it is not typed. */
  async function outcome(bytes: Uint8Array): Promise<unknown> {
    return read(bytes).then(
      () => "",
      (error) => (error.name === "SaffuError" && error.message.includes(FILE) ? error.code : error),
    );
  }

  test("any one bit flipped", async () => {
    const bytes = whole.slice();
    for (let bit = 0; bit < bytes.length * 8; ++bit) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const found = await outcome(bytes);
      if (!CODES.includes(found as string)) expect(found, `bit ${bit & 7} of byte ${bit >> 3}`).toBe("MODEL_DIGEST");
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(await outcome(bytes)).toBe("");
  });

  test("cut at any length, or with a byte too many", async () => {
    for (let length = 0; length < whole.length; ++length) {
      expect(CODES, `${length} bytes`).toContain(await outcome(whole.subarray(0, length)));
    }
    for (const more of [0, 0x20, 0xff]) expect(CODES).toContain(await outcome(Uint8Array.of(...whole, more)));
    expect(CODES).toContain(await outcome(Uint8Array.of(...whole, ...whole)));
  });

  test("the same contents in other bytes: another header, padding or order", async () => {
    const { header, data } = partsOf(whole);
    expect(withHeader(header, data)).toEqual(whole);
    const refused = refusal("MODEL_DIGEST", FILE, "sha256");
    for (const other of [header.replace('"U32"', '"\\u00553\\u0032"'), header.replace(":", " :"), ` ${header}`]) {
      expect(other).not.toBe(header);
      // under the digest of the contents as they should be written, and under that of these bytes
      for (const bytes of [withHeader(other, data), sealed(withHeader(other, data))]) {
        await expect(read(bytes), other).rejects.toThrow(refused);
      }
    }
  });

  test("the count of tokens twice", async () => {
    const { header, data } = partsOf(whole);
    const twice = header.replace('"observedTokens":', '"observedTokens":"7","observedTokens":');
    await expect(read(sealed(withHeader(twice, data)))).rejects.toThrow(
      refusal("MODEL_CORRUPT", FILE, '"observedTokens"', "twice"),
    );
  });

  test("a digest that is missing, or of other bytes", async () => {
    const { tensors, metadata } = readTensors(whole, FILE);
    const { sha256: _, ...unsigned } = metadata;
    await expect(read(writeTensors(tensors, unsigned))).rejects.toThrow(refusal("MODEL_DIGEST", FILE, '""'));
    const found = sealed(whole);
    const wrong = writeTensors(tensors, { ...metadata, sha256: "0".repeat(64) });
    const recorded = readTensors(found, FILE).metadata.sha256!;
    await expect(read(wrong)).rejects.toThrow(refusal("MODEL_DIGEST", recorded, "0".repeat(64)));
  });
});

describe("what is whole and does not fit is refused by name", () => {
  const f32 = (length: number, value = 0): Tensor => ({
    dtype: "F32",
    shape: [length],
    data: new Float32Array(length).fill(value),
  });
  const recent = (tokens: Uint16Array<ArrayBuffer>): Tensor => ({ dtype: "U16", shape: [tokens.length], data: tokens });
  const sums = (shape: number[], dtype: "U32" | "I32" = "U32"): Tensor => {
    const length = shape.reduce((product, size) => product * size, 1);
    return { dtype, shape, data: dtype === "U32" ? new Uint32Array(length) : new Int32Array(length) };
  };
  const int8 = (shape: number[]): Tensor => ({ dtype: "I8", shape, data: new Int8Array(shape[0]! * shape[1]!) });

  test("statistics of another base, with both digests", async () => {
    const other = { ...BASE, digest: "f".repeat(64) };
    const refused = refusal("STATISTICS_MISMATCH", FILE, BASE.digest, other.digest);
    await expect(read(whole, other)).rejects.toThrow(refused);
    // another shape is another base: its digest is what tells
    await expect(read(whole, { digest: other.digest, shape: CIPHERED })).rejects.toThrow(refused);
  });

  test.each<[string, Record<string, string | undefined>, string, string[]]>([
    ["a newer version", { version: "2" }, "MODEL_VERSION", [`"2" found`, `only "1"`]],
    ["an older version", { version: "0" }, "MODEL_VERSION", [`"0" found`]],
    ["no version", { version: undefined }, "MODEL_VERSION", ["undefined found"]],
    ["another format", { format: "pt" }, "MODEL_CORRUPT", ["format", "saffu-statistics"]],
    ["no format", { format: undefined }, "MODEL_CORRUPT", ["format"]],
    ["no base", { baseDigest: undefined }, "STATISTICS_MISMATCH", ["undefined", BASE.digest]],
    ["another capacity", { capacity: "65535" }, "MODEL_CORRUPT", ["capacity", "65535", "4294967295"]],
    ["no capacity", { capacity: undefined }, "MODEL_CORRUPT", ["capacity"]],
    ["a capacity in other digits", { capacity: "4294967295.0" }, "MODEL_CORRUPT", ["capacity"]],
    ...["-1", "4294967296", "1.5", "012", "1e3", " 12", "", "NaN", "Infinity", "0x10", undefined].map(
      (observedTokens): [string, Record<string, string | undefined>, string, string[]] => [
        `observedTokens ${observedTokens}`,
        { observedTokens },
        "MODEL_CORRUPT",
        ["observedTokens", "0..4294967295"],
      ],
    ),
  ])("%s", async (_what, metadata, code, named) => {
    await expect(read(changed({}, metadata))).rejects.toThrow(refusal(code, FILE, ...named));
  });

  test.each<[string, Record<string, Tensor | undefined>, string[]]>([
    ["no observed sums", { observed: undefined }, ["observed is missing", "U32 (8, 8)"]],
    ["no expected sums", { expected: undefined }, ["expected is missing", "U32 (8, 8)"]],
    ["sums of another shape", { observed: sums([8, 16]) }, ["observed is U32 (8, 16)", "wants U32 (8, 8)"]],
    ["as many sums in one row", { expected: sums([64]) }, ["expected is U32 (64)", "wants U32 (8, 8)"]],
    ["signed sums", { expected: sums([8, 8], "I32") }, ["expected is I32 (8, 8)"]],
    ["recent tokens in two rows", { recent: { dtype: "U16", shape: [1, 2], data: new Uint16Array(2) } }, ["recent"]],
    ["recent tokens of another width", { recent: sums([4]) }, ["recent is U32 (4)"]],
    ["no recent tokens, but a tensor for them", { recent: recent(new Uint16Array(0)) }, ["recent"]],
    ["too many recent tokens", { recent: recent(new Uint16Array(MOST_RECENT + 1)) }, ["32769", "32768"]],
    ["a recent token beyond the vocabulary", { recent: recent(Uint16Array.of(0, 8)) }, ["recent", "vocabulary of 8"]],
    ["a recent token that is almost a break", { recent: recent(Uint16Array.of(BREAK - 1)) }, ["recent"]],
    ["a tensor that nobody asked for", { momentum: f32(2) }, [`"momentum"`]],
    ["a tensor of the base", { "block.u0": f32(8) }, [`"block.u0"`]],
    ["a correction of what no refit solves", { "correction.decoder.o0": f32(8) }, ["correction.decoder.o0"]],
    ["a correction of nothing", { "correction.": f32(1) }, [`"correction."`]],
    ["a correction of another shape", { "correction.decoder.O": int8([8, 4]) }, ["correction.decoder.O is I8 (8, 4)"]],
    ["rows without their scales", { "correction.block.U.scale": undefined }, ["correction.block.U", "together"]],
    ["scales without their rows", { "correction.decoder.O": undefined }, ["correction.decoder.O", "together"]],
    ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].flatMap((value) =>
      ["block.U.scale", "decoder.O.scale"].map((name): [string, Record<string, Tensor>, string[]] => [
        `${value} in ${name}`,
        { [`correction.${name}`]: f32(8, value) },
        [`correction.${name}`, "not finite"],
      ]),
    ),
  ])("%s", async (_what, tensors, named) => {
    await expect(read(changed(tensors))).rejects.toThrow(refusal("MODEL_CORRUPT", FILE, ...named));
  });

  test.each([-1, 1])("a scale of more than 2^64, times %d", async (sign) => {
    const name = "correction.decoder.O.scale";
    const refused = refusal("MODEL_CORRUPT", FILE, name, "-2^64..2^64");
    await expect(read(changed({ [name]: f32(8, sign * 1.001 * MOST) }))).rejects.toThrow(refused);
    expect((await read(changed({ [name]: f32(8, sign * MOST) }, {}, whole))).correction!.size).toBe(2);
  });

  test("and what is exchanged for the same is read", async () => {
    expect(changed({})).toEqual(older);
    expect(await read(changed({ recent: recent(Uint16Array.of(0, BREAK, 7)) }))).toMatchObject({
      statistics: LEARNED.statistics,
    });
    expect((await read(changed({}, { observedTokens: "4294967295" }))).statistics.tokens).toBe(CAPACITY);
  });
});
