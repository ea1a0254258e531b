/**
 * The n-grams of a long-term memory as bytes (ours): what assembly/device/ngrams.ts reads. By a context of the newest one to MOST_ORDER
 * tokens, factors of the network's probabilities of some tokens.
 */

/** Most tokens of a context. */
export const MOST_ORDER = 6;
/** Factors that there are to choose from. */
export const FACTORS = 64;
/** Most contexts that share a bucket, and most entries of a context. */
const MOST_CONTEXTS = 21;
export const MOST_ENTRIES = 255;
/** Contexts of a bucket, in the mean. */
const CONTEXTS = 6;
/** Bounds of a factor. */
const [LEAST_FACTOR, MOST_FACTOR] = [2 ** -16, 2 ** 16] as const;
const FACTORS_AT = 8;
const BUCKETS_AT = FACTORS_AT + 4 * FACTORS;

/** A context and what follows it. */
export interface NgramContext {
  /** The newest token first. */
  readonly tokens: readonly number[];
  /** Tokens, and the number of the factor of each. */
  readonly entries: readonly (readonly [token: number, factor: number])[];
}

/** Bits of an entry's token. */
export function tokenBits(vocabulary: number): number {
  return 32 - Math.clz32(vocabulary - 1);
}

/** Factors that an entry's other bits can name. */
export function factorsOf(vocabulary: number): number {
  return Math.min(FACTORS, 2 ** (16 - tokenBits(vocabulary)));
}

/** A context's hash, token by token, the newest first; it begins with 0. As assembly/common/hash.ts has it. */
export function hashOn(hash: number, token: number): number {
  const mixed = Math.imul(hash ^ (token + 1), 0x9e3779b1) >>> 0;
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** Where a context of that hash is: by its upper bits the bucket, by the lowest 16 the place in it. */
function spread(hash: number): number {
  const mixed = Math.imul(hash, 0x85ebca6b) >>> 0;
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Bytes of n-grams of so many contexts and entries. */
export function ngramBytes(contexts: number, entries: number): number {
  const buckets = bucketsOf(contexts);
  return BUCKETS_AT + 4 * (buckets + 1) + buckets + 3 * contexts + 2 * entries;
}

function bucketsOf(contexts: number): number {
  return Math.max(1, Math.ceil(contexts / CONTEXTS));
}

/**
 * The n-grams as bytes. Of contexts that the hash takes for one, and of those that a bucket has no room for, the first are kept.
 *
 * @param contexts the most useful first
 */
export function writeNgrams(
  contexts: readonly NgramContext[],
  factors: readonly number[],
  vocabulary: number,
): Uint8Array<ArrayBuffer> {
  const buckets = Array.from({ length: bucketsOf(contexts.length) }, () => new Map<number, NgramContext>());
  for (const context of contexts) {
    const mixed = spread(context.tokens.reduce(hashOn, 0));
    const bucket = buckets[Math.floor((mixed * buckets.length) / 2 ** 32)]!;
    if (bucket.size < MOST_CONTEXTS && !bucket.has(mixed & 0xffff)) bucket.set(mixed & 0xffff, context);
  }
  const kept = buckets.flatMap((bucket) => [...bucket.values()]);
  const entries = kept.reduce((sum, context) => sum + context.entries.length, 0);
  const head = BUCKETS_AT + 4 * (buckets.length + 1);
  const bytes = new Uint8Array(head + buckets.length + 3 * kept.length + 2 * entries);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, buckets.length, true);
  view.setUint32(
    4,
    kept.reduce((most, { tokens }) => Math.max(most, tokens.length), 0),
    true,
  );
  for (let i = 0; i < FACTORS; ++i) view.setFloat32(FACTORS_AT + 4 * i, factors[i] ?? 1, true);
  let at = head;
  for (const [i, bucket] of buckets.entries()) {
    view.setUint32(BUCKETS_AT + 4 * i, at, true);
    view.setUint8(at++, bucket.size);
    for (const [check, context] of bucket) {
      view.setUint16(at, check, true);
      view.setUint8(at + 2, context.entries.length);
      at += 3;
    }
    for (const context of bucket.values()) {
      for (const [token, factor] of context.entries) {
        view.setUint16(at, token | (factor << tokenBits(vocabulary)), true);
        at += 2;
      }
    }
  }
  view.setUint32(BUCKETS_AT + 4 * buckets.length, at, true);
  return bytes;
}

/** What is wrong with the bytes of n-grams; undefined where nothing is. */
export function faultOfNgrams(bytes: Uint8Array, vocabulary: number): string | undefined {
  if (bytes.length < BUCKETS_AT + 8) return `has ${bytes.length} bytes, at least ${BUCKETS_AT + 8} are`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [buckets, order] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (order > MOST_ORDER) return `has contexts of ${order} tokens, at most ${MOST_ORDER} can be`;
  const head = BUCKETS_AT + 4 * (buckets + 1);
  if (buckets === 0 || head > bytes.length) return `has ${buckets} buckets in ${bytes.length} bytes`;
  for (let i = 0; i < FACTORS; ++i) {
    const factor = view.getFloat32(FACTORS_AT + 4 * i, true);
    if (!(factor >= LEAST_FACTOR && factor <= MOST_FACTOR)) return `has a factor of ${factor}`;
  }
  const mask = 2 ** tokenBits(vocabulary) - 1;
  let at = head;
  for (let i = 0; i < buckets; ++i) {
    if (view.getUint32(BUCKETS_AT + 4 * i, true) !== at || at >= bytes.length)
      return `has no bucket ${i} at byte ${at}`;
    const contexts = view.getUint8(at++);
    if (contexts > MOST_CONTEXTS || at + 3 * contexts > bytes.length) return `has ${contexts} contexts in bucket ${i}`;
    let entries = 0;
    for (let j = 0; j < contexts; ++j) entries += view.getUint8(at + 3 * j + 2);
    at += 3 * contexts;
    if (at + 2 * entries > bytes.length) return `has ${entries} entries in bucket ${i}, more than there are bytes of`;
    for (const end = at + 2 * entries; at < end; at += 2) {
      const token = view.getUint16(at, true) & mask;
      if (token >= vocabulary) return `holds token ${token}, the vocabulary has ${vocabulary}`;
    }
  }
  if (view.getUint32(BUCKETS_AT + 4 * buckets, true) !== at || at !== bytes.length) return `does not end at byte ${at}`;
  return undefined;
}
