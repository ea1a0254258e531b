// What the specs share: test values from a seed, tensors at raw addresses, and comparisons with an oracle.
import { BITS, CIPHER_WIDTH } from "../shape";

/** f32 arithmetic of a few dozen terms against f64: a part in a million, eight units in the last place. */
export const ROUNDING: f64 = 1e-6;
/** The same after a logarithm of a ratio of sums, or a product of several such results. */
export const LOOSE: f64 = 1e-5;

let state: u32 = 1;

/** Starts the test values anew, so that a spec does not depend on those before it. */
export function startValues(seed: u32): void {
  state = seed;
}

/** Uniform in [low, high): the linear congruential generator of Numerical Recipes, none of the kernels' own. */
export function between(low: f64, high: f64): f64 {
  state = state * 1664525 + 1013904223;
  return low + ((high - low) * <f64>(state >> 8)) / 16777216.0;
}

/** An integer in [0, n). */
export function below(n: i32): i32 {
  return <i32>between(0, <f64>n);
}

/** Fills n f32 with values in [low, high). */
export function fill(at: usize, n: i32, low: f64, high: f64): void {
  for (let i = 0; i < n; ++i) put(at, i, between(low, high));
}

/** Element i of an f32 tensor. */
export function get(at: usize, i: i32): f64 {
  return <f64>load<f32>(at + ((<usize>i) << 2));
}

/** Stores element i of an f32 tensor. */
export function put(at: usize, i: i32, value: f64): void {
  store<f32>(at + ((<usize>i) << 2), <f32>value);
}

/** Element i of a u16 tensor. */
export function id(at: usize, i: i32): i32 {
  return <i32>load<u16>(at + ((<usize>i) << 1));
}

/** Random token ids below `vocabulary`. */
export function fillTokens(at: usize, n: i32, vocabulary: i32): void {
  for (let i = 0; i < n; ++i) store<u16>(at + ((<usize>i) << 1), <u16>below(vocabulary));
}

/** Positive weights that sum to one, rounded to f32. */
export function fillDistribution(at: usize, n: i32): void {
  let sum: f64 = 0;
  fill(at, n, 0.05, 1);
  for (let i = 0; i < n; ++i) sum += get(at, i);
  for (let i = 0; i < n; ++i) put(at, i, get(at, i) / sum);
}

/** An f32 tensor widened to f64. */
export function copyOf(at: usize, n: i32): StaticArray<f64> {
  const out = new StaticArray<f64>(n);
  for (let i = 0; i < n; ++i) out[i] = get(at, i);
  return out;
}

/** Largest |found − wanted| / max(1, |wanted|) of an f32 tensor; not a number where any element is not. */
export function gap(found: usize, wanted: StaticArray<f64>): f64 {
  let worst: f64 = 0;
  for (let i = 0; i < wanted.length; ++i) {
    const error = Math.abs(get(found, i) - wanted[i]) / Math.max(1, Math.abs(wanted[i]));
    if (!(error <= worst)) worst = error;
    if (isNaN(worst)) break;
  }
  return worst;
}

/** Elements of an f32 tensor whose bits are not those of `wanted`. */
export function differing(found: usize, wanted: StaticArray<f32>): i32 {
  let n = 0;
  for (let i = 0; i < wanted.length; ++i) {
    if (load<u32>(found + ((<usize>i) << 2)) != reinterpret<u32>(wanted[i])) ++n;
  }
  return n;
}

/** Marks n bytes, to be seen untouched later; read as f32 they are 3.4e38, so that a read of them is seen too. */
export function mark(at: usize, n: usize): void {
  memory.fill(at, 0x7f, n);
}

/** Whether n marked bytes are as `mark` left them. */
export function untouched(at: usize, n: usize): bool {
  for (let i: usize = 0; i < n; ++i) if (load<u8>(at + i) != 0x7f) return false;
  return true;
}

/** Random ciphers, (V, k) u16: one to k ascending bits a token, the rest 0xffff. One-hot shapes have no table. */
export function fillCipher(at: usize, tokens: i32): void {
  for (let token = 0; token < tokens; ++token) {
    const size = 1 + below(CIPHER_WIDTH);
    let bit = -1;
    for (let i = 0; i < CIPHER_WIDTH; ++i) {
      // leaves room above for the bits still to come
      if (i < size) bit += 1 + below(BITS - bit - 1 - (size - 1 - i));
      store<u16>(at + ((<usize>(token * CIPHER_WIDTH + i)) << 1), i < size ? <u16>bit : 0xffff);
    }
  }
}

/** The state word s1 from which xoshiro128** gives `bits`, rotl(s1·5, 7)·9: each step undone, inverses modulo 2^32. */
export function wordBefore(bits: u32): u32 {
  return rotr<u32>(bits * 954437177, 7) * 3435973837;
}

/** Copies n bytes to a spec's spare memory, to be compared later. */
export function remember(at: usize, n: usize, spare: usize): void {
  memory.copy(spare, at, n);
}

/** Bytes of [from, to) that differ from what was remembered of the memory at `at`. */
export function changed(from: usize, to: usize, at: usize, spare: usize): i32 {
  let n = 0;
  for (; from < to; ++from) if (load<u8>(from) != load<u8>(spare + (from - at))) ++n;
  return n;
}
