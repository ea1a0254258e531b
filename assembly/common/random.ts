// Seeded randomness in 32-bit integers, the same on every runtime: xoshiro128** (Blackman & Vigna 2018), seeded by splitmix32;
// and a keyed permutation of [0, n) that needs no memory, a Feistel network walked until it lands inside (Black & Rogaway 2002).

/** A 32-bit mix of x (the finaliser of splitmix32). */
export function mix(x: u32): u32 {
  x ^= x >> 16;
  x *= 0x21f0aaad;
  x ^= x >> 15;
  x *= 0x735a2d97;
  return x ^ (x >> 15);
}

/** Seeds a generator. */
export function seedGenerator(outState: usize /* (4) u32 */, seed: u32): void {
  for (let i: usize = 0; i < 4; ++i) {
    seed += 0x9e3779b9;
    store<u32>(outState + (i << 2), mix(seed));
  }
}

/** The generator's next 32 bits. */
export function nextBits(state: usize /* (4) u32 */): u32 {
  const s1 = load<u32>(state, 4);
  const result = rotl<u32>(s1 * 5, 7) * 9;
  const s2 = load<u32>(state, 8) ^ load<u32>(state);
  const s3 = load<u32>(state, 12) ^ s1;
  store<u32>(state, s1 ^ s2, 4);
  store<u32>(state, load<u32>(state) ^ s3);
  store<u32>(state, s2 ^ (s1 << 9), 8);
  store<u32>(state, rotl<u32>(s3, 11), 12);
  return result;
}

/** Uniform in [0, 1), 24 bits. */
export function nextUniform(state: usize /* (4) u32 */): f32 {
  return <f32>(nextBits(state) >> 8) * <f32>5.9604644775390625e-8;
}

/**
 * Place `index` of a permutation of [0, n) that `key` names. 1 ≤ n ≤ 2^30.
 */
export function permuted(index: u32, n: u32, key: u32): u32 {
  const half = (33 - clz<u32>((n - 1) | 3)) >> 1; // the domain is 4^half ≥ n, less than 4 n (16 at the least)
  const low: u32 = (1 << half) - 1;
  do {
    let left = index >> half;
    let right = index & low;
    for (let round: u32 = 0; round < 4; ++round) {
      const mixed = left ^ (mix(right ^ (key + round * 0x9e3779b9)) & low);
      left = right;
      right = mixed;
    }
    index = (left << half) | right;
  } while (index >= n);
  return index;
}
