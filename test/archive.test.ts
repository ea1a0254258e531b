/** `model.packStream` and `unpackStream`: any text comes back, however it is cut, by any build; what is damaged is refused by name. */
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { fit, load, type Model, SaffuError, symbolTokenizer } from "../host/index.ts";
import { crc32 } from "../host/messages/checksum.ts";
import { compileQuickly } from "./compile-warm.ts";
import { SMALL } from "./fit-fixture.ts";
import { refusal } from "./model-fixture.ts";
import { messages } from "./texts.ts";

compileQuickly();

const TEXT = Object.values(JSON.parse(messages("it")) as Record<string, string>).join("\n");
const utf8 = (text: string) => new TextEncoder().encode(text);

let models: Record<"bytes" | "tokens", { simd: Model; scalar: Model }>;
beforeAll(async () => {
  const text = utf8(TEXT.slice(0, 60_000));
  const both = async (options: Parameters<typeof fit>[1]) => {
    const { files } = await fit(() => [text], options);
    return { simd: await load(files, { build: "simd" }), scalar: await load(files, { build: "scalar" }) };
  };
  models = { bytes: await both({ profile: "nano", boundary: "newline", threads: 0 }), tokens: await both(SMALL) };
}, 300_000);

async function all(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  for await (const part of parts) found.push(part);
  return Uint8Array.from(Buffer.concat(found));
}

/** A text in chunks of these sizes, again and again. */
function* chunked(text: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < text.length; ++i) {
    const end = at + sizes[i % sizes.length]!;
    yield text.subarray(at, end);
    at = end;
  }
}

const text = fc.oneof(
  fc.integer({ min: 0, max: 90_000 }).map((length) => utf8(TEXT.slice(0, length))),
  fc.uint8Array({ maxLength: 3000 }),
  fc.constantFrom("a".repeat(70_000), "\n".repeat(20_000), "🙂é \r\n".repeat(900), "").map(utf8),
);

test.each(["bytes", "tokens"] as const)(
  "a text comes back, the same archive however it is cut: %s",
  async (name) => {
    const { simd, scalar } = models[name];
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 3 }),
        async (bytes, sizes) => {
          const archive = await all(simd.packStream([bytes]));
          expect(await all(scalar.packStream(chunked(bytes, sizes)))).toEqual(archive);
          expect(await all(scalar.unpackStream(chunked(archive, sizes)))).toEqual(bytes);
          expect(archive.length).toBeLessThanOrEqual(13 + bytes.length + 4 * Math.ceil(bytes.length / 16_000));
        },
      ),
      { numRuns: name === "bytes" ? 12 : 8 },
    );
  },
  240_000,
);

test("an archive costs what its text's surprisal is, and next to nothing more", async () => {
  for (const { simd } of Object.values(models)) {
    const bytes = utf8(TEXT.slice(60_000, 120_000));
    const archive = await all(simd.packStream([bytes]));
    expect(8 * archive.length).toBeLessThan(1.01 * simd.score(bytes, { boundary: "none" }).bits + 200);
  }
}, 60_000);

test("what is cut, lengthened, changed or of another model is refused, and what came before is of the text", async () => {
  const { simd } = models.tokens;
  const bytes = utf8(TEXT.slice(0, 3000));
  const archive = await all(simd.packStream([bytes]));
  const refused = (given: Uint8Array, ...named: string[]) =>
    expect(all(simd.unpackStream([given]))).rejects.toThrow(refusal("INVALID_MESSAGE", ...named) as Error);
  for (let end = 0; end < archive.length; end += 1 + (end >> 3)) await refused(archive.subarray(0, end), "cut");
  await refused(Uint8Array.from([...archive, 0]), "goes on");
  await refused(utf8("it is something else"), "begin");
  await expect(all(models.bytes.simd.unpackStream([archive]))).rejects.toThrow(
    refusal("INVALID_MESSAGE", "another model") as Error,
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = archive.slice();
      changed[at]! ^= change;
      await refused(changed);
    }),
    { numRuns: 200 },
  );
}, 120_000);

test("what stands as it is may come before what does not, and between", async () => {
  const noise = Uint8Array.from({ length: 40_000 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 13) & 255);
  const text = utf8(TEXT.slice(0, 30_000));
  for (const { simd, scalar } of Object.values(models)) {
    for (const parts of [
      [noise, text],
      [text, noise, text, noise],
      [noise.subarray(0, 20_000), text],
    ]) {
      const given = Uint8Array.from(Buffer.concat(parts));
      const archive = await all(simd.packStream([given]));
      expect(archive.length).toBeLessThan(given.length);
      expect(Buffer.compare(await all(scalar.unpackStream([archive])), given)).toBe(0);
    }
  }
}, 120_000);

test("a string may end within a character; Buffers may be written to again; what is read from is closed", async () => {
  const { simd } = models.tokens;
  const whole = await all(simd.packStream(["a \ud83d\ude00 b"]));
  expect(await all(simd.packStream(["a \ud83d", "\ude00 b"]))).toEqual(whole);
  expect(new TextDecoder().decode(await all(simd.unpackStream([whole])))).toBe("a \u{1f600} b");
  let closed = 0;
  const reused = Buffer.alloc(7);
  const source = function* (bytes: Uint8Array) {
    try {
      for (let at = 0; at < bytes.length; at += 7)
        yield reused.subarray(0, Buffer.from(bytes).copy(reused, 0, at, at + 7));
    } finally {
      closed += 1;
    }
  };
  const text = utf8(TEXT.slice(0, 500));
  const archive = await all(simd.packStream(source(text)));
  expect(await all(simd.unpackStream(source(archive)))).toEqual(text);
  await expect(all(simd.unpackStream(source(utf8("it is no archive at all"))))).rejects.toThrow(
    refusal("INVALID_MESSAGE") as Error,
  );
  for await (const _ of simd.unpackStream(source(archive))) break;
  expect(closed).toBe(4);
});

test("hostile bytes end in an error", async () => {
  const { simd } = models.bytes;
  const head = (await all(simd.packStream([]))).subarray(0, 8);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (tail) => {
      const error = await all(simd.unpackStream([head, tail])).catch((cause) => cause);
      if (error instanceof Uint8Array) return; // a text after all: one in 2^32
      expect(error).toBeInstanceOf(SaffuError);
      expect(error.code).toBe("INVALID_MESSAGE");
    }),
    { numRuns: 200 },
  );
}, 120_000);

test("a signal ends it in the midst of a block, and ids are refused", async () => {
  const { simd } = models.tokens;
  const stop = new AbortController();
  const endless = function* () {
    for (;;) yield TEXT.slice(0, 5000);
  };
  setTimeout(() => stop.abort(), 200);
  await expect(all(simd.packStream(endless(), { signal: stop.signal }))).rejects.toThrow(refusal("ABORTED") as Error);
  await expect(all(simd.packStream([Uint16Array.of(1)]))).rejects.toThrow(refusal("INVALID_TEXT") as Error);
  await expect(all(simd.packStream(5 as never))).rejects.toThrow(refusal("INVALID_TEXT") as Error);
  const { files } = await fit(() => [Uint16Array.from({ length: 200 }, (_, i) => i % 7)], {
    ...{ profile: "nano", tokenizer: symbolTokenizer(12), threads: 0 },
  });
  const symbols = await load(files);
  for (const given of ["1 2 3 4", " 007\n8"]) {
    expect(new TextDecoder().decode(await all(symbols.unpackStream(symbols.packStream([given]))))).toBe(given);
  }
});

test("the checksum is CRC-32", () => {
  expect(crc32(utf8("123456789"))).toBe(0xcbf43926); // the check value of its catalogue entry
  expect(crc32(utf8("56789"), crc32(utf8("1234")))).toBe(0xcbf43926);
  expect(crc32(utf8(""))).toBe(0);
});
