/**
 * N-grams over the network again, in TypeScript, from the format's definition: all contexts are read beforehand, hashes are computed in
 * whole numbers of any size, and products and sums are rounded to f32 where the definition pins it.
 */
import { f, laneSum } from "./oracle-math.ts";

const WORD = 2n ** 32n;

/** A hash of a context, the newest token first. */
export function hashOf(tokens: readonly number[]): number {
  let hash = 0n;
  for (const token of tokens) {
    const mixed = ((hash ^ BigInt(token + 1)) * 0x9e3779b1n) % WORD;
    hash = mixed ^ (mixed >> 15n);
  }
  const mixed = (hash * 0x85ebca6bn) % WORD;
  return Number(mixed ^ (mixed >> 16n));
}

interface Entry {
  readonly token: number;
  readonly factor: number;
}

/** What the bytes of n-grams say. */
export class NgramOracle {
  private readonly order: number;
  private readonly buckets: ReadonlyMap<number, readonly Entry[]>[];

  constructor(bytes: Uint8Array, vocabulary: number) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const many = view.getUint32(0, true);
    this.order = view.getUint32(4, true);
    const bits = Math.ceil(Math.log2(vocabulary));
    this.buckets = Array.from({ length: many }, (_, i) => {
      const at = view.getUint32(264 + 4 * i, true);
      const contexts = bytes[at]!;
      let next = at + 1 + 3 * contexts;
      const bucket = new Map<number, Entry[]>();
      for (let j = 0; j < contexts; ++j) {
        const entries = Array.from({ length: bytes[at + 3 + 3 * j]! }, () => {
          const entry = view.getUint16(next, true);
          next += 2;
          const number = Math.floor(entry / 2 ** bits) % 64;
          return { token: entry % 2 ** bits, factor: view.getFloat32(8 + 4 * number, true) };
        });
        const check = view.getUint16(at + 1 + 3 * j, true);
        if (!bucket.has(check)) bucket.set(check, entries);
      }
      return bucket;
    });
  }

  /** The entries of the contexts that a stream ends in, the shortest first. */
  private *found(stream: readonly number[]): Generator<readonly Entry[]> {
    for (let length = 1; length <= Math.min(this.order, stream.length); ++length) {
      const hash = hashOf(stream.slice(-length).reverse());
      const bucket = this.buckets[Math.floor((hash / 2 ** 32) * this.buckets.length)]!;
      const entries = bucket.get(hash % 65536);
      if (entries !== undefined && entries.length > 0) yield entries;
    }
  }

  /** probabilities ← times the factors, of unit sum. */
  apply(probabilities: Float32Array, stream: readonly number[]): void {
    let touched = false;
    for (const entries of this.found(stream)) {
      touched = true;
      for (const { token, factor } of entries) {
        probabilities[token] = Math.max(2 ** -64, Math.min(2 ** 60, f(probabilities[token]! * factor)));
      }
    }
    if (!touched) return;
    const scale = f(1 / laneSum(probabilities));
    for (const [v, p] of probabilities.entries()) probabilities[v] = f(p * scale);
  }
}
