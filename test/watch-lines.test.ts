/** Lines of a stream: every byte is in one, however the stream is cut, and a line without an end takes no more memory than it may. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Line, LineSplitter, linesOf } from "../host/watch/lines.ts";
import { refusal } from "./model-fixture.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Lines as whole copies. */
async function all(
  chunks: Iterable<Uint8Array | string>,
  most?: number,
): Promise<[bytes: number[], number, boolean][]> {
  const lines: [number[], number, boolean][] = [];
  for await (const { bytes, length, cut } of linesOf(chunks, { most })) lines.push([[...bytes], length, cut]);
  return lines;
}

/** What lines are, by the text as latin1 and the language's own splitting. */
function wanted(stream: Uint8Array, most: number): [bytes: number[], number, boolean][] {
  const parts = Buffer.from(stream).toString("latin1").split("\n");
  if (parts.at(-1) === "") parts.pop();
  return parts.map((part) => {
    const line = part.endsWith("\r") ? part.slice(0, -1) : part;
    return [[...Buffer.from(line.slice(0, most), "latin1")], line.length, line.length > most];
  });
}

/** Bytes of which many are newlines and carriage returns. */
const streams = fc
  .array(fc.oneof({ arbitrary: fc.constantFrom(10, 13, 0, 97), weight: 4 }, fc.nat(255)), { maxLength: 300 })
  .map((bytes) => Uint8Array.from(bytes));

function cutAt(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b);
  return [0, ...places].map((from, i) => stream.slice(from, places[i] ?? stream.length));
}

describe("lines", () => {
  test("are those of the stream, whatever its bytes, its cuts into chunks, and how much of a line is kept", async () => {
    const cuts = fc.array(fc.nat(1000), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(streams, cuts, fc.integer({ min: 1, max: 40 }), async (stream, places, most) => {
        expect(await all(cutAt(stream, places), most)).toEqual(wanted(stream, most));
      }),
      { numRuns: 500 },
    );
  });

  test("come from strings too, whose characters may be cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("🙂", "é", "a", "\n", "\r") }),
        fc.nat(),
        async (text, cut) => {
          const at = cut % (text.length + 1);
          expect(await all([text.slice(0, at), text.slice(at)])).toEqual(wanted(bytesOf(text), 1 << 16));
        },
      ),
    );
  });

  test("keep 65536 bytes where nothing is said, and their whole length", async () => {
    const [[bytes, length, cut]] = (await all([`${"x".repeat(65537)}\r\n`])) as [[number[], number, boolean]];
    expect([bytes.length, length, cut]).toEqual([65536, 65537, true]);
    expect((await all(["x".repeat(65536), "\r\n"]))[0]!.slice(1)).toEqual([65536, false]);
  });

  test("that end in their chunk are no copies, and others are never written to again", async () => {
    const chunk = bytesOf("one\ntwo\nthr");
    const lines: Line[] = [];
    for await (const line of linesOf([chunk, bytesOf("ee\nfo"), bytesOf("ur\n")])) lines.push(line);
    expect(lines.slice(0, 2).every(({ bytes }) => bytes.buffer === chunk.buffer)).toBe(true);
    expect(lines.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(["one", "two", "three", "four"]);
  });

  test("that have no end take as much memory as is kept of them", async () => {
    const chunk = new Uint8Array(1 << 20).fill(120);
    const splitter = new LineSplitter(1000);
    globalThis.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let i = 0; i < 100; ++i) {
      expect([...splitter.push(chunk)]).toEqual([]);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(splitter.pending).toBe(100 * chunk.length);
    expect(most).toBeLessThan(chunk.length);
    const [line] = [...splitter.push(bytesOf("\nnext"))];
    expect([line!.bytes.length, line!.bytes.buffer.byteLength, line!.length, line!.cut]).toEqual([
      1000,
      1000,
      100 * chunk.length,
      true,
    ]);
    expect(Buffer.from(splitter.end()!.bytes).toString()).toBe("next");
    expect(splitter.end()).toBe(undefined);
  });

  test("end with the stream's error, and end the stream where nobody asks for more", async () => {
    let closed = false;
    async function* chunks() {
      try {
        yield "a\nb\n";
        throw new Error("the wire is cut");
      } finally {
        closed = true;
      }
    }
    await expect(all(chunks() as never)).rejects.toThrow("the wire is cut");
    closed = false;
    for await (const { length } of linesOf(chunks())) {
      expect(length).toBe(1);
      break;
    }
    expect(closed).toBe(true);
  });

  test("are refused of what is no text, and with bounds that are none", async () => {
    for (const chunks of [[1], [Float64Array.of(1)], [Uint16Array.of(1)], 7]) {
      await expect(all(chunks as never)).rejects.toEqual(refusal("INVALID_TEXT"));
    }
    for (const most of [0, -1, 1.5, Number.NaN, 2 ** 30 + 1, "9" as never]) {
      await expect(all(["a"], most)).rejects.toEqual(refusal("INVALID_OPTION", "most", "1..1073741824"));
    }
  });
});

test("a carriage return before a newline is of the line where it is asked for, however the text is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(0x0a, 0x0d, 0x61), { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      async (text, size) => {
        const bytes = Uint8Array.from(text);
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        const found: string[] = [];
        for await (const { bytes } of linesOf(chunks, { keepReturns: true })) found.push(Buffer.from(bytes).toString());
        const wanted = Buffer.from(bytes).toString().split("\n");
        expect(found).toEqual(wanted.at(-1) === "" ? wanted.slice(0, -1) : wanted);
      },
    ),
  );
});
