/** Messages in the device module: the frames of the host, in every form and build, and from one runtime to another; whatever it is given, no trap. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { PackageOptions } from "../host/compile/package.ts";
import { Decoder, Encoder } from "../host/messages/coder.ts";
import { type Shape, validateShape } from "../host/shape.ts";
import { compileQuickly } from "./compile-warm.ts";
import { build, Packaged } from "./module-fixture.ts";

compileQuickly();

const ROOM = 48;
const NONE = 0xffff;
/** Tokens of a frame that are looked at. */
const MOST = 500;
const [FULL, READ_FAILED, NOT_READY, ENDED, NO_MESSAGE] = [-2, -5, -6, -8, -9];
const SMALL = { window: 2, groups: 2, units: 8, history: 32, matchLength: 3 };
const FORMS: Record<string, { shape: Shape; options: PackageOptions }> = {
  "bytes, scalar": { shape: validateShape({ ...SMALL, vocabulary: 256, bits: 32 }), options: { learning: false } },
  "bytes, SIMD": { shape: validateShape({ ...SMALL, vocabulary: 256, bits: 32 }), options: { build: "simd" } },
  "from flash": { shape: validateShape({ ...SMALL, vocabulary: 256, bits: 32 }), options: { target: "flash" } },
  "adapting, with long matches and a memory": {
    shape: validateShape({
      ...SMALL,
      vocabulary: 40,
      bits: 40,
      adapts: true,
      indexed: true,
      longMatches: true,
      memory: 90,
      memoryIndexed: true,
    }),
    options: { recall: 24 },
  },
};

const devices: Record<string, { one: Packaged; other: Packaged; V: number }> = {};
beforeAll(async () => {
  for (const [name, { shape, options }] of Object.entries(FORMS)) {
    const built = await build(shape, 5, { ...options, pack: ROOM });
    devices[name] = { one: new Packaged(built), other: new Packaged(built), V: shape.vocabulary };
  }
}, 120_000);

function packed(device: Packaged): Uint8Array | number {
  const many = device.run.packed!();
  return many < 0 ? many : device.memory.slice(device.value("PACKED"), device.value("PACKED") + many);
}

/** The frame of some tokens, or what is refused. */
function pack(device: Packaged, tokens: readonly number[], rare = NONE): Uint8Array | number {
  device.run.reset!();
  device.run.packFrom!(rare);
  for (const token of tokens) {
    const answer = device.run.pack!(token);
    if (answer < 0) return answer;
  }
  return packed(device);
}

/** The tokens of a frame, or how it is refused. */
function unpack(device: Packaged, frame: Uint8Array, rare = NONE): number[] | number {
  device.memory.set(frame.subarray(0, ROOM), device.value("PACKED"));
  device.run.reset!();
  const begun = device.run.unpackFrom!(rare, frame.length);
  if (begun < 0) return begun;
  const tokens: number[] = [];
  while (tokens.length < MOST) {
    const token = device.run.unpack!();
    if (token === ENDED) return tokens;
    if (token < 0) return token;
    tokens.push(token);
  }
  return tokens;
}

/** What the host makes of the same predictions. */
function hostFrame(device: Packaged, tokens: readonly number[], rare = NONE): Uint8Array {
  device.run.reset!();
  const encoder = new Encoder(rare);
  for (const token of tokens) {
    device.run.predict!();
    encoder.put(device.probabilities.slice(), token);
    device.run.feed!(token);
  }
  return encoder.frame;
}

describe.each(Object.keys(FORMS))("%s", (name) => {
  test("packs what the host packs, and unpacks it in another instance; the two predict the same from there on", () => {
    const { one, other, V } = devices[name]!;
    fc.assert(
      fc.property(fc.array(fc.nat(V - 1), { maxLength: 30 }), fc.constantFrom(NONE, 3), (tokens, rare) => {
        const frame = pack(one, tokens, rare);
        expect(frame).toEqual(hostFrame(other, tokens, rare));
        expect(unpack(other, frame as Uint8Array, rare)).toEqual(tokens);
        pack(one, tokens, rare);
        one.run.predict!();
        other.run.predict!();
        expect(other.probabilities).toEqual(one.probabilities);
      }),
      {
        numRuns: 60,
        examples: [
          [[], NONE],
          [[], 3],
        ],
      },
    );
  });

  test("gives tokens or says that there is no message, of any frame, as the host does", () => {
    const { one, other } = devices[name]!;
    const outcomes = new Set<number>();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 16 }), (frame) => {
        const found = unpack(one, frame);
        outcomes.add(typeof found === "number" ? found : 0);
        other.run.reset!();
        const decoder = new Decoder(frame);
        const tokens: number[] = [];
        for (;;) {
          const end = decoder.end();
          if (end === "end") {
            expect(found).toEqual(tokens);
            return;
          }
          other.run.predict!();
          const token = end === "none" ? undefined : decoder.next(other.probabilities);
          if (token === undefined) {
            expect(found).toBe(NO_MESSAGE);
            return;
          }
          other.run.feed!(token);
          tokens.push(token);
          if (tokens.length < MOST) continue;
          expect(found).toEqual(tokens); // a few bytes may stand for very many
          return;
        }
      }),
      { numRuns: 300 },
    );
    expect([...outcomes].sort()).toEqual([NO_MESSAGE, 0]);
  });
});

test("what does not fit is refused, and a shorter message packs on; PACKED alone is written", () => {
  const { one, V } = devices["bytes, scalar"]!;
  const at = one.value("PACKED");
  const behind = one.memory.slice(at + ROOM, at + ROOM + 64);
  const long = Array.from({ length: 200 }, (_, i) => (i * 37) % V);
  expect(pack(one, long)).toBe(FULL);
  expect(one.memory.slice(at + ROOM, at + ROOM + 64)).toEqual(behind);
  expect((packed(one) as Uint8Array).length).toBeLessThanOrEqual(ROOM); // what came so far
  expect(packed(one)).toBe(NOT_READY);
  expect(unpack(one, new Uint8Array(ROOM + 1))).toBe(-1);
  expect(pack(one, long.slice(0, 10))).toEqual(hostFrame(one, long.slice(0, 10)));
});

test("calls out of order and out of bounds answer codes", () => {
  const { shape, options } = FORMS["bytes, scalar"]!;
  return build(shape, 5, { ...options, pack: ROOM }).then((built) => {
    const { run } = new Packaged(built);
    expect([run.pack!(1), run.packed!(), run.unpack!()]).toEqual([NOT_READY, NOT_READY, NOT_READY]);
    run.packFrom!(NONE);
    expect([run.pack!(1), run.pack!(256), run.pack!(-1)]).toEqual([NOT_READY, -1, -1]); // before reset
    run.reset!();
    expect(run.pack!(1)).toBe(0);
    expect(run.unpack!()).toBe(NOT_READY);
    expect(run.packed!()).toBeGreaterThan(0);
    run.packFrom!(10);
    expect([run.pack!(1), run.pack!(10)]).toEqual([0, 0]);
    expect(run.packed!()).toBeGreaterThan(0);
    run.unpackFrom!(NONE, 0);
    expect([run.unpack!(), run.unpack!()]).toEqual([ENDED, NOT_READY]);
    // numbers that a firmware has written there are no reason to trap
    run.predict!();
    const p = new Float32Array(run.memory.buffer, (run.PROBABILITIES as unknown as WebAssembly.Global).value, 256);
    for (const odd of [-1, -1e30, Number.NaN, Number.POSITIVE_INFINITY, 5]) {
      run.reset!();
      run.packFrom!(NONE);
      run.predict!();
      p.fill(odd);
      expect(run.pack!(7)).toBe(0);
    }
  });
});

test("a read that fails changes nothing: the same call goes on", () => {
  const { one, other } = devices["from flash"]!;
  const tokens = [7, 7, 40, 90, 7, 255];
  const wanted = pack(other, tokens) as Uint8Array;
  let reads = 0;
  one.run.reset!();
  one.run.packFrom!(NONE);
  one.flash!.fault = (room, read) => {
    if (++reads % 3 === 0) return 0;
    room.set(one.flash!.stored(read));
    return read.bytes;
  };
  for (const token of tokens) {
    let answer = READ_FAILED;
    for (let i = 0; answer === READ_FAILED; ++i) {
      if (i === 5) one.flash!.fault = undefined;
      answer = one.run.pack!(token);
    }
    expect(answer).toBe(0);
    one.flash!.fault ??= () => 0;
  }
  one.flash!.fault = undefined;
  expect(packed(one)).toEqual(wanted);
});

test("a module that does not pack has nothing of it", async () => {
  const { shape } = FORMS["bytes, scalar"]!;
  const { run } = new Packaged(await build(shape, 5, {}));
  for (const name of ["packFrom", "pack", "packed", "unpackFrom", "unpack", "PACKED", "PACK"])
    expect(run).not.toHaveProperty(name);
  const bytes = async (pack: number) => (await build(shape, 5, { pack, learning: false })).wasm.length;
  expect((await bytes(ROOM)) - (await bytes(0))).toBeLessThan(2048);
});
