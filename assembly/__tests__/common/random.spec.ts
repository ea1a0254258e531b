import { mix, nextBits, nextUniform, permuted, seedGenerator } from "../../common/random";
import { mark, untouched, wordBefore } from "../support";

const STATE = memory.data(16 + 16, 16);
const TWIN = memory.data(16, 16);
const SEEN = memory.data(4096, 16);

function setState(a: u32, b: u32, c: u32, d: u32): void {
  store<u32>(STATE, a);
  store<u32>(STATE, b, 4);
  store<u32>(STATE, c, 8);
  store<u32>(STATE, d, 12);
}

/** Whether places [0, n) go to n different places of [0, n). */
function permutes(n: u32, key: u32): bool {
  memory.fill(SEEN, 0, n);
  for (let i: u32 = 0; i < n; ++i) {
    const at = permuted(i, n, key);
    if (at >= n || load<u8>(SEEN + at) != 0) return false;
    store<u8>(SEEN + at, 1);
  }
  return true;
}

/** Places of [0, n) that two keys send to the same place. */
function inCommon(n: u32, key: u32, other: u32): i32 {
  let same = 0;
  for (let i: u32 = 0; i < n; ++i) if (permuted(i, n, key) == permuted(i, n, other)) ++same;
  return same;
}

describe("the generator", () => {
  test("is xoshiro128**: the outputs and the state of the authors' C code", () => {
    // outputs of xoshiro128starstar.c from this state, as edorfaus/xoshiro-6502 publishes them
    setState(0x964d4a0c, 0xd40ab895, 0xad7fdecb, 0x3006f0f0);
    expect(nextBits(STATE)).toBe(0xf1391922);
    expect(nextBits(STATE)).toBe(0x6fe53806);
    expect(nextBits(STATE)).toBe(0xa5be2840);
    expect(nextBits(STATE)).toBe(0xf510ee70);
    expect(load<u32>(STATE)).toBe(0xfc65379c);
    expect(load<u32>(STATE, 4)).toBe(0x52006d70);
    expect(load<u32>(STATE, 8)).toBe(0x87487639);
    expect(load<u32>(STATE, 12)).toBe(0xf1908343);
  });

  test("is seeded by splitmix32", () => {
    // computed with integers of any length from the definition: gamma 0x9e3779b9, then the finaliser
    mark(STATE + 16, 16);
    seedGenerator(STATE, 0);
    expect(load<u32>(STATE)).toBe(0x64625032);
    expect(load<u32>(STATE, 4)).toBe(0xd9c0799c);
    expect(load<u32>(STATE, 8)).toBe(0xaf362e10);
    expect(load<u32>(STATE, 12)).toBe(0x7fa88912);
    seedGenerator(STATE, 9);
    expect(load<u32>(STATE)).toBe(0x927fff7a);
    expect(load<u32>(STATE, 12)).toBe(0x16b2f79c);
    expect(untouched(STATE + 16, 16)).toBe(true);
  });

  test("draws uniform numbers from its 24 high bits", () => {
    seedGenerator(STATE, 5);
    seedGenerator(TWIN, 5);
    let wrong = 0;
    for (let i = 0; i < 1000; ++i) if (nextUniform(STATE) != <f32>(<f64>(nextBits(TWIN) >> 8) / 16777216)) ++wrong;
    expect(wrong).toBe(0);
  });

  test("draws uniform numbers below 1 even from the largest bits", () => {
    setState(1, wordBefore(0xffffffff), 3, 4);
    memory.copy(TWIN, STATE, 16);
    expect(nextBits(TWIN)).toBe(0xffffffff);
    expect(nextUniform(STATE)).toBe(<f32>0.999999940395355224609375);
  });

  test("spreads uniform numbers evenly over sixteen bins", () => {
    seedGenerator(STATE, 77);
    const bins = new StaticArray<i32>(16);
    const draws = 32000;
    for (let i = 0; i < draws; ++i) {
      const bin = <i32>(nextUniform(STATE) * 16);
      bins[bin] += 1;
    }
    let chi: f64 = 0;
    for (let b = 0; b < 16; ++b) chi += (<f64>bins[b] - 2000) ** 2 / 2000;
    expect(chi).toBeLessThan(37.7); // 15 degrees of freedom, one in a thousand
  });
});

describe("mix", () => {
  test("is the finaliser of splitmix32", () => {
    expect(mix(0)).toBe(0);
    expect(mix(1)).toBe(0x86d2fa73);
    expect(mix(2)).toBe(0x0da7f4e7);
    expect(mix(0xffffffff)).toBe(0x99b5e683);
  });
});

describe("the permutation", () => {
  test("visits every place of [0, n) once, for any n and key", () => {
    let failures = 0;
    for (let n: u32 = 1; n <= 70; ++n) {
      for (let key: u32 = 0; key < 4; ++key) if (!permutes(n, key * 0x9e3779b9 + n)) ++failures;
    }
    expect(failures).toBe(0, "n from 1 to 70");
    expect(permutes(1000, 1)).toBe(true, "1000");
    expect(permutes(4095, 2)).toBe(true, "4095");
    expect(permutes(4096, 3)).toBe(true, "4096, a power of four");
  });

  test("is a Feistel network of four rounds of mix, walked until it lands inside", () => {
    // computed with integers of any length from that definition; the domain is the least power of four that holds n
    const fifteen: StaticArray<u32> = [0, 2, 8, 12, 10, 6, 13, 9, 7, 11, 1, 4, 3, 14, 5];
    for (let i = 0; i < 15; ++i) expect(permuted(i, 15, 1)).toBe(fifteen[i], i.toString());
    expect(permuted(0, 16, 1)).toBe(15);
    expect(permuted(0, 1000, 12345)).toBe(40);
    expect(permuted(999, 1000, 12345)).toBe(490);
    expect(permuted((1 << 30) - 1, 1 << 30, 7)).toBe(99417024);
  });

  test("stays inside up to 2^30 places", () => {
    let outside = 0;
    for (let i: u32 = 0; i < 1000; ++i) {
      if (permuted(i * 1073741, 1 << 30, i) >= 1 << 30) ++outside;
      if (permuted(i * 715827, (1 << 29) + 1, i) > 1 << 29) ++outside;
    }
    expect(outside).toBe(0);
  });

  test("depends on its key, and is not the order it is given", () => {
    // two random permutations agree in one place on average; more than eight has odds of one in a million
    expect(inCommon(4096, 1, 2)).toBeLessThan(9);
    let still = 0;
    for (let i: u32 = 0; i < 4096; ++i) if (permuted(i, 4096, 1) == i) ++still;
    expect(still).toBeLessThan(9);
  });
});
