/** The flash form: the same bits as with weights in memory, reads within their bounds, and no harm from a read that fails. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { BASE, deviceAddresses, TILE_ROWS } from "../host/compile/layout.ts";
import type { PackageOptions } from "../host/compile/package.ts";
import {
  cipherWidth,
  hiddenLayers,
  hiddenWidth,
  LEVELS,
  LONG_BUCKETS,
  LONG_LENGTHS,
  MIXTURE_BUCKETS,
  memoryBytes,
  memoryLayout,
  type Shape,
  validateShape,
} from "../host/shape.ts";
import { Draws } from "../tools/module/draws.ts";
import { compileQuickly } from "./compile-warm.ts";
import { repetitive } from "./kernel-fixture.ts";
import { type Built, build, Packaged, type Read } from "./module-fixture.ts";

compileQuickly();

const READ_FAILED = -5;
const NOT_READY = -6;

function shapeOf(changes: Partial<Shape>): Shape {
  const shape = { vocabulary: 72, bits: 72, window: 3, groups: 2, units: 8, history: 64, matchLength: 4 };
  return validateShape({ ...shape, ...changes });
}

const CONTEXTS = {
  windowAttention: true,
  ...{ documentGroups: 2, documentSpan: 5, secondGroups: 1, secondWindow: 2 },
};
const FORMS: Record<string, { shape: Shape; options: PackageOptions; simd?: true }> = {
  "one-hot": { shape: shapeOf({}), options: {} },
  "ciphered, recalling": { shape: shapeOf({ bits: 16, window: 2 }), options: { recall: 64 }, simd: true },
  "four bits wide, frozen": { shape: shapeOf({ bits: 7, groups: 4, units: 4 }), options: { learning: false } },
  "adapting and indexed": { shape: shapeOf({ adapts: true, indexed: true, history: 32 }), options: { recall: 24 } },
  "all contexts, ciphered": { shape: shapeOf({ ...CONTEXTS, bits: 16, weightBits: 4 }), options: {}, simd: true },
  "long matches alone": { shape: shapeOf({ longMatches: true }), options: { learning: false } },
  "a memory looked through": {
    shape: shapeOf({ longMatches: true, memory: 200, history: 32, adapts: true }),
    options: { recall: 24 },
    simd: true,
  },
  "an indexed memory": {
    shape: shapeOf({ longMatches: true, memory: 201, memoryIndexed: true, adapts: true, indexed: true }),
    options: {},
    simd: true,
  },
  "an indexed memory of two bytes a token": {
    shape: shapeOf({ longMatches: true, memory: 300, memoryIndexed: true, vocabulary: 264, bits: 264, groups: 1 }),
    options: { recall: 64 },
  },
  "n-grams": { shape: shapeOf({ longMatches: true, ngrams: 1501, adapts: true }), options: {}, simd: true },
  "n-grams, and a memory looked through": {
    shape: shapeOf({ longMatches: true, ngrams: 3000, memory: 100 }),
    options: { recall: 24 },
  },
  // fewer tokens than a tile has rows
  "no attention": { shape: shapeOf({ history: 0, matchLength: 0, vocabulary: 24, bits: 24, window: 1 }), options: {} },
};

describe.each(Object.entries(FORMS))("%s", (_name, { shape, options, simd }) => {
  const { vocabulary: V, window, matchLength } = shape;
  const M = hiddenWidth(shape);
  const learns = options.learning !== false;
  let ordinary: Built;
  let flash: Built;
  const builds: Built[] = [];
  beforeAll(async () => {
    ordinary = await build(shape, 1, { ...options, target: "wasm" });
    flash = await build(shape, 1, { ...options, target: "flash" });
    builds.push(flash);
    if (simd) builds.push(await build(shape, 1, { ...options, target: "flash", build: "simd" }));
  });

  test("gives the same bits as the module with its weights inside", () => {
    const devices = [ordinary, ...builds].map((built) => new Packaged(built));
    const draws = new Draws(2);
    /** Calls a function of all; answers and all that can be seen afterwards must be equal. */
    const call = (name: string, ...values: number[]) => {
      const [wanted, ...found] = devices.map((device) => device.run[name]!(...values));
      expect(found, `${name}(${values})`).toEqual(found.map(() => wanted));
      if (name === "predict") expect(new Set(devices.map(({ probabilities }) => probabilities.join())).size).toBe(1);
      return wanted!;
    };
    const compare = (part: (device: Packaged) => Uint8Array) => {
      const [wanted, ...found] = devices.map(part);
      for (const bytes of found) expect(Buffer.compare(bytes, wanted!)).toBe(0);
    };
    expect(call("reset")).toBe(0);
    call("seed", 5);
    const tokens = repetitive(shape, 150, 3);
    for (const token of tokens) expect(call("feed", token)).toBeGreaterThanOrEqual(0);
    for (let i = 0; i < 30; ++i) call("append", call("sample", 1, 0, 0.95));
    call("predict");
    call("reset");
    for (const token of tokens) expect(call("observe", token) >= 0).toBe(learns);
    compare((device) => device.statistics());
    for (const device of devices) device.recall(tokens);
    expect(call("refit", 0, V, 20, 1) >= 0).toBe(learns);
    compare((device) => device.correction());
    for (const on of [1, 0]) {
      call("correct", on);
      call("reset");
      for (const token of tokens.slice(0, 50)) call("feed", token);
      call("predict");
    }
    call("reset");
    for (const token of tokens.slice(0, 1 + draws.below(100))) call("forget", token);
    compare((device) => device.statistics());
  });

  test("reads lie within the weights, and go to the tiles, or from reset to what is kept and the mixtures; a prediction has a bounded number", () => {
    const device = new Packaged(flash);
    const layers = hiddenLayers(shape);
    const { windowAttention, documentGroups = 0, secondGroups = 0, secondWindow = 1, weightBits } = shape;
    const levels = weightBits === 4 ? LEVELS * layers.length : 0;
    const lines = (bytes: number) => Math.ceil(bytes / 16) * 16;
    const attention = windowAttention ? lines(window * window * 4) + lines(window * 4) : 0;
    const kept = BASE + lines(levels + M * 4 + V * 4) + attention;
    const mixture = matchLength * MIXTURE_BUCKETS * 4;
    const tile = kept + TILE_ROWS * M + TILE_ROWS * 4;
    const long = shape.longMatches ? 2 * LONG_LENGTHS.length * LONG_BUCKETS * 4 : 0;
    const { memory = 0, memoryIndexed, ngrams = 0 } = shape;
    const memoryAt = flash.weights!.length - memoryBytes(shape);
    const ngramsAt = memoryAt + memoryLayout(shape).ngrams;
    const { MEMORY_TILE: memoryTile, NGRAM_TILE: ngramTile } = deviceAddresses(shape, flash.options).at;
    const reads: Read[] = [];
    device.flash!.onRead = (read) => reads.push(read);
    const during = (name: string, ...values: number[]) => {
      reads.length = 0;
      const answer = device.run[name]!(...values);
      for (const { offset, destination, bytes } of reads) {
        expect(bytes).toBeGreaterThan(0);
        if (ngrams > 0 && offset >= ngramsAt) {
          // factors; and all else, which is read at the tile's end
          expect(name).not.toBe("reset");
          expect([ngramTile, ngramTile! + 256]).toContain(destination);
          expect(bytes).toBeLessThanOrEqual(destination === ngramTile ? 256 : 64);
          expect(offset + bytes).toBeLessThanOrEqual(ngramsAt + ngrams);
          continue;
        }
        if (memory > 0 && offset >= memoryAt) {
          // tokens and places, as they stand in a memory
          expect(name).not.toBe("reset");
          expect(bytes).toBeLessThanOrEqual(64);
          expect(offset % (V > 256 ? 2 : 1)).toBe(0);
          expect([memoryTile, memoryTile! + 64]).toContain(destination);
          continue;
        }
        const most = Math.max(4 * V, 4 * M, mixture, long);
        expect(bytes).toBeLessThanOrEqual(name === "reset" ? most : TILE_ROWS * M);
        expect([offset % 2, destination % 16]).toEqual([0, 0]);
        expect(offset + bytes).toBeLessThanOrEqual(memoryAt);
        // they change with the text, and are no copy of the flash
        if (name === "reset" && [mixture, long].includes(bytes) && destination >= tile) continue;
        expect(destination).toBeGreaterThanOrEqual(name === "reset" ? BASE : kept);
        expect(destination + bytes).toBeLessThanOrEqual(name === "reset" ? kept : tile);
      }
      return [answer, reads.length] as const;
    };
    const kinds =
      2 + (matchLength > 0 ? 1 : 0) + (long > 0 ? 1 : 0) + (levels > 0 ? layers.length : 0) + (windowAttention ? 2 : 0);
    expect(during("reset")).toEqual([0, kinds]);
    const ciphered = shape.bits < V;
    const token = 2 * cipherWidth(shape) + (ciphered ? 1 : 0);
    const states = secondGroups > 0 ? secondWindow : 1;
    const compared = ciphered && windowAttention ? 2 : 0;
    const second = 2 * (layers.find(({ name }) => name === "stacked")?.rows ?? 0);
    const appended = documentGroups > 0 ? token : 0;
    // a search halves the places, then looks at 64; else each place is looked at that the newest token stands before, and may be taken
    const searched = memoryIndexed
      ? 2 * Math.ceil(Math.log2(memory + 1)) + 4 + 64 * 4
      : Math.ceil(memory / 64) + 2 * memory;
    // of each length of a context its bucket's bounds, the bucket, and 32 entries at a time
    const remembered = (memory > 0 ? searched : 0) + (ngrams > 0 ? 2 + 6 * (2 + 8) : 0);
    const rows = states * window * (token + compared) + second + appended + 2 * Math.ceil(V / TILE_ROWS) + remembered;
    let most = 0;
    for (const [i, token] of repetitive(shape, 120, 4).entries()) {
      const [answer, count] = during(i % 3 === 0 ? "predict" : "feed", token);
      expect(answer).toBeGreaterThanOrEqual(0);
      most = Math.max(most, count);
      const [appending, reading] = during("append", token);
      expect(appending).toBe(0);
      expect(reading).toBeLessThanOrEqual(appended);
      if (learns) expect(during("observe", token)[1]).toBeLessThanOrEqual(rows);
    }
    expect(most).toBeLessThanOrEqual(rows);
    if (!ciphered && memory + ngrams === 0) expect(most).toBe(rows);
    if (learns) expect(during("refit", 8, 20, 10, 1)).toEqual([0, 2 * 12]);
  });

  test("a read that fails at any place changes nothing", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const built = builds[Math.abs(seed) % builds.length]!;
        const draws = new Draws(seed);
        const sound = new Packaged(built);
        const subject = new Packaged(built);
        const both = [sound, subject];
        let refusals = 0;
        /** Calls a function of both; before it works on the second, it fails there some times at one of its reads. */
        const call = (name: string, ...values: number[]) => {
          const { count } = sound.flash!;
          const wanted = sound.run[name]!(...values);
          const reads = sound.flash!.count - count;
          for (let times = draws.of([0, 0, 1, 2]); reads > 0 && times > 0; --times) {
            const statistics = subject.statistics();
            const correction = subject.correction();
            breakAt(subject, draws, draws.below(reads));
            expect(subject.run[name]!(...values), name).toBe(READ_FAILED);
            subject.flash!.fault = undefined;
            expect(Buffer.compare(subject.statistics(), statistics), name).toBe(0);
            expect(Buffer.compare(subject.correction(), correction), name).toBe(0);
            if (name === "reset") {
              expect(["predict", "feed", "append", "sample"].map((other) => subject.run[other]!(1, 0, 1))).toEqual(
                new Array(4).fill(NOT_READY),
              );
            }
            ++refusals;
          }
          expect(subject.run[name]!(...values), name).toBe(wanted);
          return wanted;
        };
        /** A refit keeps the rows before the one that failed. */
        const refit = (from: number, to: number) => {
          const failing = draws.below(2 * (to - from));
          breakAt(subject, draws, failing);
          expect(subject.run.refit!(from, to, 20, 1)).toBe(READ_FAILED);
          subject.flash!.fault = undefined;
          sound.run.refit!(from, from + Math.floor(failing / 2), 20, 1);
          same();
          for (const { run } of both) expect(run.refit!(from, to, 20, 1)).toBe(0);
        };
        const same = () => {
          for (const { run } of both) expect(run.predict!()).toBe(0);
          expect(subject.probabilities.join()).toBe(sound.probabilities.join());
          expect(Buffer.compare(subject.statistics(), sound.statistics())).toBe(0);
          expect(Buffer.compare(subject.correction(), sound.correction())).toBe(0);
        };
        call("reset");
        call("seed", seed);
        for (let i = 0; i < 25; ++i) {
          const token = draws.below(Math.min(V, 12));
          draws.of([
            () => call("feed", token),
            () => call("append", call("sample", 1, 0, 0.9)),
            () => call("predict"),
            () => call("observe", token),
            () => call("forget", token),
            () => call("correct", draws.below(2)),
            () => (draws.below(3) === 0 ? call("reset") : 0),
            () => (learns ? refit(draws.below(V / 2), V / 2 + 1 + draws.below(V / 2)) : 0),
          ])();
          if (i % 5 === 4) same();
        }
        fc.pre(refusals > 0);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

/** Makes a read fail, counted from now, and perhaps all after it: it leaves anything behind and answers anything but its bytes. */
function breakAt({ flash }: Packaged, draws: Draws, failing: number): void {
  const first = flash!.count + 1 + failing;
  const forGood = draws.below(2) === 0;
  flash!.fault = (room, read) => {
    const fails = forGood ? flash!.count >= first : flash!.count === first;
    if (!fails) {
      room.set(flash!.stored(read));
      return read.bytes;
    }
    const litter = draws.of<(i: number) => number>([
      () => draws.below(256),
      () => 0xff,
      (i) => [0, 0, 0xc0, 0x7f][i % 4]!, // a NaN
      (i) => [1, 0, 0x80, 0x7f][i % 4]!, // one that signals
      (i) => [0, 0, 0x80, 0xff][i % 4]!, // −∞
      (i) => flash!.stored(read)[i]!,
    ]);
    const written = draws.of([0, room.length, draws.below(room.length)]);
    for (let i = 0; i < written; ++i) room[i] = litter(i);
    return draws.of([0, -1, read.bytes - 1, read.bytes + 1, 2 ** 31 - 1, -(2 ** 31)]);
  };
}
