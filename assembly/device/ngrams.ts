// N-grams of the training text that the network knows too little about (ours): by a context of the newest one to MOST_ORDER tokens, factors of
// the network's probabilities of some tokens, p(v) ∝ network(v) · Π f(context, v). Contexts are found by a hash: those of a bucket stand
// together, each with 16 further bits of its hash, so that one in 65,536 others is taken for it.
import { hashOn, spread } from "../common/hash";
import { scaleInPlace, sumInLanes } from "../common/softmax";
import { History, tokenBefore } from "../history/history";
import { ABSENT, FLASH, V } from "../shape";
import { fetch } from "./flash";

/**
 * Where the n-grams stand, written by the host or by a data segment: u32 buckets, u32 order; (64) f32 factors; (buckets + 1) u32, where each bucket
 * begins from the n-grams' first byte on; then the buckets. A bucket is u8 contexts, 21 at the most; of each u16 of its hash and u8
 * entries; then the entries of each, u16: a token, and in the bits above those of a token the number of a factor.
 */
@unmanaged
export class Ngrams {
  /** In the flash form where it would be, the weights' first byte at BASE. */
  at: u32;
  bytes: u32;
}

/** Most tokens of a context. */
const MOST_ORDER: u32 = 6;
/** Most contexts of a bucket, so that it is read at once. */
const MOST_CONTEXTS: u32 = 21;
/** Factors, and where their numbers begin in an entry. */
const FACTORS: u32 = 64;
const TOKEN_BITS: u32 = 32 - clz<u32>(<u32>(V - 1));
/** What stands before the buckets' addresses. */
const FACTORS_AT: u32 = 8;
const BUCKETS_AT: u32 = FACTORS_AT + 4 * FACTORS;
/** Scratch of the flash form: the factors, then what is read one after the other. */
const READ: u32 = 64;
/** What is no factor of a fit changes nothing. */
const LEAST_FACTOR: f32 = 1.52587890625e-5; // 2^-16
const MOST_FACTOR: f32 = 65536;
/** What a product of many comes to. */
const LEAST: f32 = 5.421010862427522e-20; // 2^-64
const MOST: f32 = 1.152921504606847e18; // 2^60

/**
 * probabilities ← times the factors of the contexts that the history ends in, the shortest first; of unit sum again.
 *
 * @param tile (320) u8 scratch, of the flash form alone. A failed read is noted (flash.ts), and what is made then means nothing
 */
export function applyNgrams(history: History, ngrams: Ngrams, tile: usize, probabilities: usize): void {
  const at = ngrams.at;
  const bytes = ngrams.bytes;
  if (bytes < BUCKETS_AT + 8 || (FLASH == 0 && <u64>at + <u64>bytes > <u64>memory.size() << 16)) return;
  const part = tile + 4 * FACTORS;
  const head = fetch(at, 8, part);
  const buckets = load<u32>(head);
  const order = min<u32>(MOST_ORDER, load<u32>(head, 4));
  if (buckets == 0 || buckets > (bytes - BUCKETS_AT) / 4 - 1) return;
  const factors = fetch(at + FACTORS_AT, 4 * FACTORS, tile);
  let hash: u32 = 0;
  let touched = false;
  for (let back: u32 = 0; back < order; ++back) {
    const token = tokenBefore(history, back);
    if (token == ABSENT) break;
    hash = hashOn(hash, token);
    const mixed = spread(hash);
    const bucket = <u32>((<u64>mixed * <u64>buckets) >> 32);
    const bounds = fetch(at + BUCKETS_AT + 4 * bucket, 8, part);
    const from = load<u32>(bounds);
    const to = load<u32>(bounds, 4);
    if (from >= to || to > bytes) continue;
    const found = findContext(at + from, to - from, mixed & 0xffff, part);
    const many = <u32>found & 0xff;
    // of another's address the entries may end behind the bucket
    const first = from + (<u32>found >> 8);
    if (many == 0 || first + 2 * many > to) continue;
    multiplyAll(at + first, many, factors, part, probabilities);
    touched = true;
  }
  if (touched) scaleInPlace(probabilities, V, <f32>1 / sumInLanes(probabilities, V));
}

/** The entries of the context with these bits of its hash: how many in the low eight bits, and above them how far from the bucket's begin; 0 where there are none. */
function findContext(bucket: u32, bytes: u32, check: u32, part: usize): u32 {
  const read = fetch(bucket, min<u32>(READ, bytes), part);
  const contexts = <u32>load<u8>(read);
  const entriesAt: u32 = 1 + 3 * contexts;
  if (contexts > MOST_CONTEXTS || entriesAt > bytes) return 0;
  let entries: u32 = 0;
  for (let i: u32 = 0; i < contexts; ++i) {
    const context = read + 3 * i;
    const many = <u32>load<u8>(context, 3);
    if (<u32>load<u16>(context, 1) == check) return ((entriesAt + 2 * entries) << 8) | many;
    entries += many;
  }
  return 0;
}

/** Multiplies the probabilities of so many entries. */
function multiplyAll(entries: u32, many: u32, factors: usize, part: usize, probabilities: usize): void {
  while (many > 0) {
    const some = FLASH != 0 ? min<u32>(READ / 2, many) : many;
    const read = fetch(entries, 2 * some, part);
    for (let i: u32 = 0; i < some; ++i) {
      const entry = <u32>load<u16>(read + 2 * i);
      const token = entry & ((1 << TOKEN_BITS) - 1);
      const factor = load<f32>(factors + 4 * ((entry >> TOKEN_BITS) & (FACTORS - 1)));
      if (token >= <u32>V || !(factor >= LEAST_FACTOR && factor <= MOST_FACTOR)) continue;
      const value = probabilities + 4 * token;
      store<f32>(value, max<f32>(LEAST, min<f32>(MOST, load<f32>(value) * factor)));
    }
    many -= some;
    entries += 2 * some;
  }
}
