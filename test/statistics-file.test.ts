/** statistics.safetensors: what is written is read back to the bit, and nothing that is cut, altered or another model's is read at all. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type Piece, PieceReader, packPieces, pieceOf } from "../host/files/pieces.ts";
import { readTensors, type Tensor, writeTensors } from "../host/files/safetensors.ts";
import {
  BREAK,
  CAPACITY,
  formatLearned,
  type Learned,
  MOST_MEMORY,
  parseLearned,
  type Statistics,
} from "../host/files/statistics.ts";
import { type Shape, tensorSpecs, validateShape } from "../host/shape.ts";
import { partsOf, sealed, withHeader } from "../tools/fuzz/mutations.ts";
import { anySums, sumsOf } from "../tools/fuzz/plausible-sums.ts";
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
  const token = fc.nat(shape.vocabulary - 1);
  const correction = fc.constantFrom(undefined, ...layers).chain((names) => {
    if (names === undefined) return fc.constant(undefined);
    const specs = tensorSpecs(shape).filter(({ name }) => names.includes(name.replace(".scale", "")));
    return fc.tuple(...specs.map(anyTensor)).map((tensors) => new Map(tensors));
  });
  return anySums(shape).chain((statistics) => {
    const tokens = fc.array(token, { minLength: 1, maxLength: 12 });
    const piece = fc
      .tuple(tokens, fc.nat(3), fc.nat(statistics.generation))
      .map(([all, cut, generation]) => cutPiece(Uint16Array.from(all), cut, generation));
    return fc.record({ statistics: fc.constant(statistics), pieces: fc.array(piece, { maxLength: 5 }), correction });
  });
}

/** A piece that has lost its first tokens, but for the last. */
function cutPiece(tokens: Uint16Array, cut: number, generation = 0): Piece {
  const reader = new PieceReader(Math.max(1, tokens.length - cut));
  reader.add(tokens);
  return reader.piece(generation);
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

const TOKENS = Array.from({ length: 12 }, (_, i): [number, number, number] => [i * 5, i * 3, i]);
/** One of each: sums, a piece of the memory that is whole and one that is cut, a correction. */
const LEARNED: Learned = {
  statistics: sumsOf(SHAPE, TOKENS),
  pieces: [pieceOf(Uint16Array.of(7, 0), 0), cutPiece(Uint16Array.of(1, 2, 3), 2)],
  correction: correctionOf(/^decoder\.O/),
};
/** The same as a refit of all layers left it, which earlier versions had. */
const OLDER: Learned = { ...LEARNED, correction: correctionOf(/^(block\.U|decoder\.O)/) };

let whole: Uint8Array;
let older: Uint8Array;
/** A file of the first version, whose recent tokens begin amid a piece. */
let first: Uint8Array;
const recent = (...tokens: number[]): Tensor => ({
  dtype: "U16",
  shape: [tokens.length],
  data: Uint16Array.from(tokens),
});
beforeAll(async () => {
  whole = await formatLearned(LEARNED, BASE);
  older = await formatLearned(OLDER, BASE);
  first = changed(
    { memory: undefined, "memory.pieces": undefined, recent: recent(3, BREAK, 7, 0) },
    { version: "1", generation: undefined },
  );
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
    const { statistics, pieces, correction } = LEARNED;
    const { tokens, observed, expected, generation } = statistics;
    const same: Learned = {
      statistics: { generation, expected: shifted(expected), observed: shifted(observed), tokens },
      pieces: pieces.map((piece) => ({ ...piece, tokens: shifted(piece.tokens) })),
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
      version: "2",
      generation: "0",
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
    const at = start + header.memory.data_offsets[0];
    expect([0, 1, 2].map((i) => view.getUint16(at + 2 * i, true))).toEqual([7, 0, 3]);
    const rows = start + header["memory.pieces"].data_offsets[0];
    expect(header["memory.pieces"].shape).toEqual([2, 5]);
    expect([0, 1, 4, 5, 6, 9].map((i) => view.getUint32(rows + 4 * i, true))).toEqual([2, 2, 0, 1, 3, 0]);
  });

  test("are the bytes of its version: a file that was written once stays readable", async () => {
    // of these files, as first written
    expect(createHash("sha256").update(whole).digest("hex")).toMatchInlineSnapshot(
      `"580375c8f9f87bebb7ad0f02869dfddcf6f745bcb37832dc1793a2d5e41a7105"`,
    );
    expect(createHash("sha256").update(first).digest("hex")).toMatchInlineSnapshot(
      `"c072f2bab6302021844962a342da0e6d90eb0500d43872556b55d82ea0f40dd8"`,
    );
    const { statistics, pieces, correction } = await read(first);
    // its sums were sampled by an older rule: as if they had aged, so that nothing in them is forgotten by the new one
    expect(statistics).toEqual({ ...LEARNED.statistics, generation: 1 });
    expect(pieces).toEqual([pieceOf(Uint16Array.of(3), 0), pieceOf(Uint16Array.of(7, 0), 0)]);
    expect(correction).toBe(undefined);
  });

  test("names neither a memory nor a correction where there are none", async () => {
    const bare = await formatLearned({ ...LEARNED, pieces: [], correction: undefined }, BASE);
    expect([...readTensors(bare, FILE).tensors.keys()].sort()).toEqual(["expected", "observed"]);
    expect(await read(bare)).toEqual({ ...LEARNED, pieces: [], correction: undefined });
  });

  test("takes as much memory as can be kept", async () => {
    const pieces = [pieceOf(new Uint16Array(MOST_MEMORY - 1).fill(5), 0)];
    expect((await read(await formatLearned({ ...LEARNED, pieces }, BASE))).pieces).toEqual(pieces);
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
  const rows = (...values: number[]): Tensor => ({
    dtype: "U32",
    shape: [values.length / 5, 5],
    data: Uint32Array.from(values),
  });
  const memory = (pieces: readonly Piece[]) => {
    const packed = packPieces(pieces);
    return {
      memory: { dtype: "U16", shape: [packed.tokens.length], data: packed.tokens } as Tensor,
      "memory.pieces": rows(...packed.rows),
    };
  };
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
    ["a newer version", { version: "3" }, "MODEL_VERSION", [`"3" found`, `only "1" and "2"`]],
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
    ["no generation", { generation: undefined }, "MODEL_CORRUPT", ["generation", "0..4294967295"]],
    ["half a generation", { generation: "0.5" }, "MODEL_CORRUPT", ["generation"]],
    ["sums of fewer tokens than they need", { observedTokens: "11" }, "MODEL_CORRUPT", ["11 tokens"]],
    ["sums of no tokens", { observedTokens: "0" }, "MODEL_CORRUPT", ["0 tokens come to 0"]],
  ])("%s", async (_what, metadata, code, named) => {
    await expect(read(changed({}, metadata))).rejects.toThrow(refusal(code, FILE, ...named));
  });

  test.each<[string, Record<string, Tensor | undefined>, string[]]>([
    ["no observed sums", { observed: undefined }, ["observed is missing", "U32 (8, 8)"]],
    ["no expected sums", { expected: undefined }, ["expected is missing", "U32 (8, 8)"]],
    ["sums of another shape", { observed: sums([8, 16]) }, ["observed is U32 (8, 16)", "wants U32 (8, 8)"]],
    ["as many sums in one row", { expected: sums([64]) }, ["expected is U32 (64)", "wants U32 (8, 8)"]],
    ["signed sums", { expected: sums([8, 8], "I32") }, ["expected is I32 (8, 8)"]],
    [
      "a memory in two rows",
      { memory: { dtype: "U16", shape: [1, 3], data: new Uint16Array(3) } },
      ["memory is U16 (1, 3)"],
    ],
    ["a memory of another width", { memory: sums([4]) }, ["memory is U32 (4)"]],
    ["a memory without its pieces", { "memory.pieces": undefined }, ["memory.pieces is missing"]],
    ["pieces without their tokens", { memory: undefined }, ["memory is missing"]],
    [
      "pieces of more columns",
      {
        "memory.pieces": { ...rows(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), shape: [2, 6], data: new Uint32Array(12) } as Tensor,
      },
      ["(2, 6)", "(2, 5)"],
    ],
    ["pieces of more tokens than there are", { "memory.pieces": rows(4, 4, 0, 0, 0) }, ["piece 0 has 4 tokens"]],
    [
      "pieces of fewer tokens than there are",
      { "memory.pieces": memory(LEARNED.pieces.slice(0, 1))["memory.pieces"] },
      ["2 of 3 tokens"],
    ],
    ["a piece of nothing", memory([{ ...LEARNED.pieces[0]!, tokens: new Uint16Array(0) }]), ["piece 0 keeps 0 of 2"]],
    ["a piece longer than itself", memory([{ ...LEARNED.pieces[0]!, length: 1 }]), ["piece 0 keeps 2 of 1"]],
    ["a piece of another hash", memory([{ ...LEARNED.pieces[0]!, hash: [1, 2] }]), ["piece 0 has another hash"]],
    ["a piece of a later generation", memory([pieceOf(Uint16Array.of(1), 1)]), ["later generation"]],
    ["too long a memory", memory([pieceOf(new Uint16Array(MOST_MEMORY), 0)]), ["1048577", "1048576"]],
    ["a token beyond the vocabulary", memory([pieceOf(Uint16Array.of(0, 8), 0)]), ["memory", "vocabulary of 8"]],
    ["recent tokens, as the first version had", { recent: recent(1) }, [`"recent"`]],
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
    expect(await read(changed(memory([LEARNED.pieces[1]!])))).toMatchObject({ pieces: [LEARNED.pieces[1]] });
    expect((await read(changed({}, { observedTokens: "4294967295" }))).statistics.tokens).toBe(CAPACITY);
  });
});

describe("sums that no tokens come to are refused", () => {
  const statistics = (change: (sums: { observed: Uint32Array; expected: Uint32Array }) => unknown, generation = 0) => {
    const { observed, expected, ...rest } = sumsOf(SHAPE, TOKENS, generation);
    change({ observed, expected });
    return formatLearned({ ...LEARNED, pieces: [], statistics: { ...rest, observed, expected } }, BASE);
  };
  const of = async (...given: Parameters<typeof statistics>) => read(await statistics(...given));
  const corrupt = (...named: string[]) => refusal("MODEL_CORRUPT", FILE, ...named);

  test("a cell above what its tokens can add", async () => {
    await expect(of(({ observed }) => observed.fill(12 * 256 + 1, 9, 10))).rejects.toThrow(
      corrupt("observed", "3073", "3072"),
    );
    const most = 12 * 256 * 64;
    await expect(of(({ expected }) => expected.fill(most + 1, 9, 10))).rejects.toThrow(corrupt("expected", `${most}`));
  });

  test("columns of expected that do not belong to those of observed, in the first generation to the unit", async () => {
    const one = (by: number) => (sums: { expected: Uint32Array }) => {
      const at = sums.expected.findIndex((sum) => sum > 0);
      sums.expected[at]! += by;
    };
    await expect(of(one(1))).rejects.toThrow(corrupt("column", "expected", "observed"));
    await expect(of(one(-1))).rejects.toThrow(corrupt("column"));
    // every ageing cuts, and merges add that up
    expect((await of(one(1), 1)).statistics.generation).toBe(1);
  });

  test("a group that has more than a token each can give it", async () => {
    const all = ({ observed, expected }: { observed: Uint32Array; expected: Uint32Array }) => {
      for (let c = 0; c < 4; ++c) {
        observed[c] = 3000; // each within its bound, and its column in order
        for (let v = 1; v < 8; ++v) observed[v * 8 + c] = 0;
        for (let v = 0; v < 8; ++v) expected[v * 8 + c] = (3000 * 64) / 8;
      }
    };
    await expect(of(all)).rejects.toThrow(corrupt("group", "12000", "3096"));
  });

  test("and any sums of tokens, halved any number of times, are read", async () => {
    await fc.assert(
      fc.asyncProperty(anySums(CIPHERED), fc.nat(4), async (sums, ages) => {
        let { tokens, observed, expected }: Statistics = sums;
        for (let i = 0; i < ages; ++i) {
          [observed, expected] = [observed.map((sum) => sum >>> 1), expected.map((sum) => sum >>> 1)];
          tokens = Math.ceil(tokens / 2);
        }
        const base = { digest: "f".repeat(64), shape: CIPHERED };
        const aged = { tokens, generation: ages, observed, expected };
        const bytes = await formatLearned({ statistics: aged, pieces: [], correction: undefined }, base);
        expect((await parseLearned(bytes, base, FILE)).statistics).toEqual(aged);
      }),
    );
  });
});
