/** `model.pack` and `model.unpack`: any bytes come back, by any build; nothing grows by more than a byte; what is no frame is an error in bounded time. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { withConfig } from "../host/files/config.ts";
import { readTensors } from "../host/files/safetensors.ts";
import { fit, load, type Model, SaffuError, symbolTokenizer } from "../host/index.ts";
import { compileQuickly } from "./compile-warm.ts";
import { SMALL } from "./fit-fixture.ts";
import { randomModel, refusal } from "./model-fixture.ts";
import { Oracle } from "./oracle.ts";
import { CoderOracle } from "./oracle-coder.ts";
import { messages } from "./texts.ts";

compileQuickly();

const utf8 = (text: string) => new TextEncoder().encode(text);
const CHATS = Object.values(JSON.parse(messages("it")) as Record<string, string>).map((each) =>
  each.replace(/\n/g, " "),
);
const HELD = CHATS.filter((_, i) => i % 10 === 9);

let models: Record<string, { simd: Model; scalar: Model }>;
beforeAll(async () => {
  const text = utf8(
    `${CHATS.filter((_, i) => i % 10 !== 9)
      .slice(0, 900)
      .join("\n")}\n`,
  );
  const files = {
    "bytes with random weights": await randomModel(),
    "random weights, of lines": await withBoundary(await randomModel()),
    "lines of messages": (await fit(() => [text], { profile: "nano", boundary: "newline", threads: 0 })).files,
    "tokens of messages, of lines": (await fit(() => [text], { ...SMALL, boundary: "newline" })).files,
    "tokens, of one text": (await fit(() => [text], SMALL)).files,
  };
  models = {};
  for (const [name, each] of Object.entries(files)) {
    models[name] = { simd: await load(each, { build: "simd" }), scalar: await load(each, { build: "scalar" }) };
  }
}, 300_000);

async function withBoundary(files: Awaited<ReturnType<typeof randomModel>>) {
  const { config } = await load(files);
  return withConfig(files, config.shape, { boundary: "newline" });
}

const NAMES = [
  "bytes with random weights",
  "random weights, of lines",
  "lines of messages",
  "tokens of messages, of lines",
  "tokens, of one text",
] as const;

/** What people send, and what nobody does: words, newlines, halves of characters, any bytes. */
const anything = fc.oneof(
  fc.constantFrom(...HELD.slice(0, 60)).map(utf8),
  fc
    .array(fc.constantFrom("ciao", " ", "\n", "\n\n", "é", "\r\n", "🙂", "47.3769N 8.5417E", "DL1ABC"), {
      maxLength: 12,
    })
    .map((all) => utf8(all.join(""))),
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ unit: "binary", maxLength: 40 }).map(utf8),
);

describe.each(NAMES)("%s", (name) => {
  test("any bytes come back, at most one longer, by either build and from either", () => {
    const { simd, scalar } = models[name]!;
    fc.assert(
      fc.property(anything, (bytes) => {
        const frame = simd.pack(bytes);
        expect(scalar.pack(bytes)).toEqual(frame);
        expect(frame.length).toBeLessThanOrEqual(bytes.length + 1);
        expect(simd.unpack(frame)).toEqual(bytes);
        expect(scalar.unpack(frame)).toEqual(bytes);
      }),
      { numRuns: 300, examples: [[new Uint8Array(0)], [utf8("\n")], [Uint8Array.of(255)], [Uint8Array.of(0)]] },
    );
    expect(simd.pack("")).toEqual(new Uint8Array(0));
  });

  test("a long text comes back, and many short ones in turn", () => {
    const { simd } = models[name]!;
    const long = HELD.join("\n").slice(0, 12_000);
    const frame = simd.pack(long);
    expect(new TextDecoder().decode(simd.unpack(frame))).toBe(long);
    for (const text of HELD.slice(0, 100)) expect(new TextDecoder().decode(simd.unpack(simd.pack(text)))).toBe(text);
  });

  test("any bytes as a frame give a message or INVALID_MESSAGE, and frames that were changed, cut or lengthened do", () => {
    const { simd } = models[name]!;
    const outcomes = { message: 0, none: 0 };
    const take = (frame: Uint8Array) => {
      try {
        const message = simd.unpack(frame, { maxBytes: 400 });
        expect(message.length).toBeLessThanOrEqual(400);
        ++outcomes.message;
      } catch (error) {
        expect(error).toBeInstanceOf(SaffuError);
        expect(error).toMatchObject({ code: "INVALID_MESSAGE" });
        ++outcomes.none;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 48 }), take), { numRuns: 600 });
    fc.assert(
      fc.property(
        fc.constantFrom(...HELD.slice(0, 40)),
        fc.nat(),
        fc.nat(2),
        fc.uint8Array({ maxLength: 6 }),
        (text, at, how, more) => {
          const frame = simd.pack(text);
          if (how === 0) frame[at % frame.length]! ^= 1 << (at % 8);
          take(
            how === 1 ? frame.subarray(0, at % frame.length) : how === 2 ? Uint8Array.from([...frame, ...more]) : frame,
          );
        },
      ),
      { numRuns: 600 },
    );
    expect(outcomes.message).toBeGreaterThan(0);
    expect(outcomes.none).toBeGreaterThan(0);
  });
});

test("a checksum finds what is damaged, and costs its bytes", () => {
  const { simd, scalar } = models["lines of messages"]!;
  let taken = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...HELD.slice(0, 60)),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (text, at, change) => {
        const plain = simd.pack(text);
        for (const checksum of [1, 2, 3, 4]) {
          const frame = simd.pack(text, { checksum });
          expect(frame.subarray(0, plain.length)).toEqual(plain);
          expect(frame.length).toBe(plain.length + checksum);
          expect(scalar.unpack(frame, { checksum })).toEqual(utf8(text));
          expect(() => simd.unpack(frame.subarray(0, checksum - 1), { checksum })).toThrow(
            refusal("INVALID_MESSAGE") as Error,
          );
          frame[at % frame.length]! ^= change;
          try {
            simd.unpack(frame, { checksum });
            if (checksum === 4) ++taken;
          } catch (error) {
            expect(error).toMatchObject({ code: "INVALID_MESSAGE" });
          }
        }
      },
    ),
    { numRuns: 100 },
  );
  expect(taken).toBe(0);
  for (const checksum of [-1, 5, 0.5, "1"]) {
    expect(() => simd.pack("x", { checksum: checksum as number })).toThrow(
      refusal("INVALID_OPTION", "checksum") as Error,
    );
  }
});

test("a frame is what the oracle makes of its own predictions", async () => {
  for (const name of ["bytes with random weights", "random weights, of lines"] as const) {
    const model = models[name]!.simd;
    const { tensors } = readTensors(model.files.get("model.safetensors")!, "model.safetensors");
    for (const text of ["the pump is on", "the pump", "a\nb", ""]) {
      const [oracle, coder] = [new Oracle(model.config.shape, tensors), new CoderOracle(model.begin)];
      oracle.reset();
      if (model.begin !== undefined) oracle.append(model.begin);
      let frame = coder.end();
      for (const token of utf8(text)) {
        coder.put(oracle.predict(), token);
        oracle.feed(token);
        frame = coder.end();
      }
      const packed = frame.length > text.length + 1 ? Uint8Array.of(255, ...utf8(text)) : frame;
      expect(model.pack(text)).toEqual(packed);
    }
  }
});

test("what is known costs little: messages of the kind that the model was fitted to, against their ideal code length", () => {
  const model = models["lines of messages"]!.simd;
  let [bytes, packed, bits] = [0, 0, 0];
  for (const text of HELD) {
    bytes += utf8(text).length;
    packed += model.pack(text).length;
    bits += model.score(`${text}\n`).bits;
  }
  expect(packed).toBeLessThan(0.7 * bytes);
  // the newline says where a message ends, and is in the ideal length: a frame's own length says it for less
  const over = (8 * packed - 1.001 * bits) / HELD.length;
  expect(over, `${over} bits a message`).toBeLessThan(2);
  // a message of lines costs no more than a byte more for each newline in it
  const [a, b] = [HELD[3]!, HELD[4]!].map((text) => model.pack(text).length) as [number, number];
  expect(model.pack(`${HELD[3]}\n${HELD[4]}`).length).toBeLessThanOrEqual(a + b + 2);
});

test("noise stands as it is, behind one byte, and so does what a message is not made of", async () => {
  const { simd } = models["lines of messages"]!;
  const noise = Uint8Array.from({ length: 200 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 13) & 255);
  expect(simd.pack(noise)).toEqual(Uint8Array.of(255, ...noise));
  expect(simd.unpack(Uint8Array.of(255, ...noise))).toEqual(noise);
  const { files } = await fit(() => [Uint16Array.from({ length: 200 }, (_, i) => i % 7)], {
    ...{ profile: "nano", tokenizer: symbolTokenizer(12), threads: 0 },
  });
  const symbols = await load(files);
  for (const text of ["1 2 3 4", "1 2 3 4 ", " 007\n8", ""]) {
    expect(new TextDecoder().decode(symbols.unpack(symbols.pack(text)))).toBe(text);
  }
});

test("what was learned belongs to both ends: another state gives another frame, and the same one the same again", async () => {
  const files = models["tokens of messages, of lines"]!.simd.files;
  const [here, there] = [await load(files), await load(files)];
  const text = "La pompa della stazione meteo è ferma.";
  const before = here.pack(text);
  await here.observe(`${text}\n`);
  const known = here.pack(text);
  expect(known.length).toBeLessThan(before.length / 2);
  await there.observe(`${text}\n`);
  expect(new TextDecoder().decode(there.unpack(known))).toBe(text);
  await here.forget(`${text}\n`);
  expect(here.pack(text)).toEqual(before);
});

describe("is refused by name", () => {
  test("a message or a frame that is none, and one that is too long", () => {
    const { simd } = models["lines of messages"]!;
    for (const wrong of [undefined, null, 5, {}, Uint16Array.of(1)]) {
      expect(() => simd.pack(wrong as never)).toThrow(refusal("INVALID_TEXT") as Error);
      expect(() => simd.unpack(wrong as never)).toThrow(refusal("INVALID_OPTION", "frame") as Error);
    }
    for (const maxBytes of [-1, 0.5, 2 ** 24 + 1, Number.NaN, "9"]) {
      expect(() => simd.pack("x", { maxBytes: maxBytes as number })).toThrow(
        refusal("INVALID_OPTION", "maxBytes") as Error,
      );
      expect(() => simd.unpack(Uint8Array.of(), { maxBytes: maxBytes as number })).toThrow(
        refusal("INVALID_OPTION", "maxBytes") as Error,
      );
    }
    expect(() => simd.pack("x".repeat(65_537))).toThrow(
      refusal("INVALID_TEXT", "65536 bytes (maxBytes)", "65537") as Error,
    );
    const frame = simd.pack("una riga di testo");
    expect(() => simd.unpack(frame, { maxBytes: 16 })).toThrow(
      refusal("INVALID_MESSAGE", "more than 16 bytes") as Error,
    );
    expect(simd.unpack(frame, { maxBytes: 17 }).length).toBe(17);
    expect(() => simd.unpack(Uint8Array.of(255, 1, 2, 3), { maxBytes: 2 })).toThrow(
      refusal("INVALID_MESSAGE", "more than 2 bytes") as Error,
    );
  });

  test("a frame of another model, where it is not another message", () => {
    const [one, other] = [models["lines of messages"]!.simd, models["random weights, of lines"]!.simd];
    for (const text of HELD.slice(0, 100)) {
      const frame = one.pack(text);
      if (frame[0] === 255) continue; // whoever reads it can
      try {
        expect(new TextDecoder().decode(other.unpack(frame))).not.toBe(text);
      } catch (error) {
        expect(error).toEqual(refusal("INVALID_MESSAGE", "of another model"));
      }
    }
  });
});
