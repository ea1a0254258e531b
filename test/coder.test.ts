/** The coder of messages: it gives what its definition says, ends where its frame does, and costs what it has to. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Decoder, Encoder } from "../host/messages/coder.ts";
import { CoderOracle } from "./oracle-coder.ts";

/** A distribution, as a kernel gives it: f32, of unit sum, nearly. `sharp` 0 is even; from 20 on most are below 2^-24. */
function distribution(size: number, seed: number, sharp: number): Float32Array {
  let state = seed;
  const weights = Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.exp((sharp * (state >>> 8)) / 2 ** 24);
  });
  const sum = weights.reduce((a, b) => a + b, 0);
  return Float32Array.from(weights, (weight) => weight / sum);
}

/** A model whose predictions follow the tokens so far, and tokens of a message of it. */
const message = fc.record({
  size: fc.constantFrom(2, 3, 17, 256, 1000),
  sharp: fc.constantFrom(0, 3, 20, 60),
  tokens: fc.array(fc.record({ by: fc.double({ min: 0, max: 1, noNaN: true }), rare: fc.boolean() }), {
    maxLength: 60,
  }),
  rare: fc.constantFrom(undefined, 0, 1), // the token that stands for the end
});

/** The prediction after some tokens. */
const predictionAfter = (tokens: readonly number[], size: number, sharp: number) =>
  distribution(
    size,
    tokens.reduce((hash, token) => Math.imul(hash ^ token, 0x9e3779b1), tokens.length + 1),
    sharp,
  );

/** Tokens drawn from the predictions, or one that nobody expects. */
function drawn({
  size,
  sharp,
  tokens: draws,
}: {
  size: number;
  sharp: number;
  tokens: { by: number; rare: boolean }[];
}) {
  const tokens: number[] = [];
  for (const { by, rare } of draws) {
    const p = predictionAfter(tokens, size, sharp);
    let token = 0;
    if (rare) token = p.indexOf(Math.min(...p));
    else for (let sum = p[0]!; sum < by && token < size - 1; sum += p[++token]!);
    tokens.push(token);
  }
  return tokens;
}

function decoded(frame: Uint8Array, size: number, sharp: number, rare?: number, most = 1000): number[] | undefined {
  const decoder = new Decoder(frame, rare);
  const tokens: number[] = [];
  while (tokens.length <= most) {
    const end = decoder.end();
    if (end === "end") return tokens;
    const token = end === "none" ? undefined : decoder.next(predictionAfter(tokens, size, sharp));
    if (token === undefined) return undefined;
    tokens.push(token);
  }
  return undefined;
}

describe("a frame", () => {
  test("is what the definition says, of every message and every beginning of it, and decodes to that alone", () => {
    fc.assert(
      fc.property(message, ({ size, sharp, tokens: draws, rare }) => {
        const tokens = drawn({ size, sharp, tokens: draws });
        const [encoder, oracle] = [new Encoder(rare), new CoderOracle(rare)];
        for (let at = 0; at <= tokens.length; ++at) {
          if (at > 0) {
            const p = predictionAfter(tokens.slice(0, at - 1), size, sharp);
            encoder.put(p, tokens[at - 1]!);
            oracle.put(p, tokens[at - 1]!);
          }
          expect(encoder.frame).toEqual(oracle.end());
          expect(encoder.frame[0] ?? 0).toBeLessThan(255);
          expect(decoded(encoder.frame, size, sharp, rare)).toEqual(tokens.slice(0, at));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of tokens that are certain grows by nothing but what tells its ends apart", () => {
    const certain = Float32Array.from({ length: 256 }, (_, token) => (token === 7 ? 1 : 0));
    const [encoder, oracle] = [new Encoder(), new CoderOracle()];
    const seen = new Set<string>();
    for (let many = 0; many < 3000; ++many) {
      expect(encoder.frame).toEqual(oracle.end());
      seen.add(encoder.frame.join());
      encoder.put(certain, 7);
      oracle.put(certain, 7);
    }
    expect(seen.size).toBe(3000);
    expect(encoder.frame.length).toBeLessThanOrEqual(2);
  });

  test("of any bytes decodes to a message that has this frame, or to none, in bounded time", () => {
    const many = { found: 0, none: 0 };
    fc.assert(
      fc.property(message, fc.uint8Array({ maxLength: 24 }), ({ size, sharp, rare }, frame) => {
        const tokens = decoded(frame, size, sharp, rare, 200);
        ++many[tokens === undefined ? "none" : "found"];
        if (tokens === undefined) return;
        const encoder = new Encoder(rare);
        for (const [at, token] of tokens.entries())
          encoder.put(predictionAfter(tokens.slice(0, at), size, sharp), token);
        expect(encoder.frame).toEqual(frame);
      }),
      { numRuns: 2000 },
    );
    expect(many.found).toBeGreaterThan(50);
    expect(many.none).toBeGreaterThan(50);
  });
});

test("takes probabilities as a kernel may give them: above 1 by rounding, below 0, none at all", () => {
  for (const odd of [1.0000001, -1, -1e9, Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
    const p = Float32Array.from([odd, 0.25, 0.25, 0.5]);
    const encoder = new Encoder();
    for (const token of [0, 1, 2, 3]) encoder.put(p, token);
    const decoder = new Decoder(encoder.frame);
    const next = () => (decoder.end() === "further" ? decoder.next(p) : undefined);
    expect([next(), next(), next(), next()]).toEqual([0, 1, 2, 3]);
    expect(decoder.end()).toBe("end");
  }
});

test("of whole bytes says where the message ends for less than 4 bits, and costs 0.1 % over the surprisal of its tokens beside", () => {
  // rounding up to whole bytes is 4 bits on average, and then nothing is said of the end
  for (const [size, sharp, ends] of [
    [256, 12, 30],
    [1000, 12, 12],
    [4096, 16, 40],
  ] as const) {
    let [bits, bytes] = [0, 0];
    const messages = 150;
    for (let i = 0; i < messages; ++i) {
      const encoder = new Encoder();
      for (let at = 0; at < ends; ++at) {
        const p = distribution(size, 1 + i * 1000 + at, sharp);
        let token = 0;
        const by = ((Math.imul(i * 1000 + at + 1, 0x9e3779b1) >>> 8) + 0.5) / 2 ** 24;
        for (let sum = p[0]!; sum < by && token < size - 1; sum += p[++token]!);
        bits -= Math.log2(p[token]!);
        encoder.put(p, token);
      }
      bytes += encoder.frame.length;
    }
    const over = (8 * bytes - 1.001 * bits) / messages;
    expect(over, `${size}: ${over} bits a message`).toBeLessThan(4);
    expect(over).toBeGreaterThan(0);
  }
});
