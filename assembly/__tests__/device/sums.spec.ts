import { hashOn, spread } from "../../common/hash";
import { mergeSums } from "../../common/sums";
import { addToken, ageSums, HIDDEN_UNIT, Sample, SAMPLE_BYTES, SAMPLES, Sums, weigh } from "../../device/sums";
import { M, V } from "../../shape";
import { below, fillDistribution, get, mark, put, startValues, untouched } from "../support";

const SHARE: i64 = 1 << 20;
const THRESHOLDS: i64 = 256;
const CELLS = V * M;
const HIDDEN = memory.data(M * 4, 16);
const PROBABILITIES = memory.data(V * 4, 16);
const STAGED = memory.data(V * 4, 16);
// one block each, in the order that the records promise
const SAMPLE = memory.data(SAMPLE_BYTES + 16, 16);
const WEIGHTS: usize = SAMPLE + 16;
const OBSERVED = memory.data(V * M * 8 + 8 + 16, 16);
const EXPECTED: usize = OBSERVED + V * M * 4;
const TOKENS: usize = EXPECTED + V * M * 4;
const GENERATION: usize = TOKENS + 4;
const sums = changetype<Sums>(OBSERVED);
const sampled = changetype<Sample>(SAMPLE);
const ROOM: u32 = 1 << 20;

/** Adds a token with WEIGHTS and PROBABILITIES, or takes it away. */
function add(token: i32, sign: i32): bool {
  return addToken(token, PROBABILITIES, sampled, sign, sums);
}

function word(at: usize, i: i32): u32 {
  return load<u32>(at + ((<usize>i) << 2));
}

function setWord(at: usize, i: i32, value: u32): void {
  store<u32>(at + ((<usize>i) << 2), value);
}

/** Where each row's share ends, by definition: the token's own first, exact; the others cut to whole thresholds from the offset on. */
const until = new StaticArray<i64>(V);
const from = new StaticArray<i64>(V);
function defineShares(token: i32): void {
  const own = <i64>Math.floor(get(PROBABILITIES, token) * <f64>SHARE);
  from[token] = 0;
  until[token] = own < SHARE ? own : SHARE;
  // in 2^-30, so that nothing is lost
  let cumulated = <i64>sampled.offset >> 10;
  let before = until[token];
  for (let v = 0; v < V; ++v) {
    if (v == token) continue;
    cumulated += <i64>(get(PROBABILITIES, v) * 1073741824.0);
    const end = own + ((cumulated >> 22) * SHARE) / THRESHOLDS;
    from[v] = before;
    until[v] = end < SHARE ? end : SHARE;
    before = until[v];
  }
  until[token == V - 1 ? V - 2 : V - 1] = SHARE;
}

/** What a weight comes to in a row: cumulated, with the low bits of the offset added before it is cut. */
function shareOf(weight: u32, v: i32): i64 {
  const cut = <i64>sampled.offset & 16383;
  return ((<i64>weight * until[v] + cut) >> 14) - ((<i64>weight * from[v] + cut) >> 14);
}

/** Random weights and probabilities, and sums with room on both sides. */
function writeSums(seed: u32): void {
  startValues(seed);
  fillDistribution(PROBABILITIES, V);
  for (let c = 0; c < M; ++c) setWord(WEIGHTS, c, <u32>below(257));
  for (let i = 0; i < CELLS; ++i) {
    setWord(OBSERVED, i, ROOM);
    setWord(EXPECTED, i, ROOM);
  }
  store<u32>(TOKENS, 1000);
  store<u32>(GENERATION, 5);
  sampled.offset = spread(seed);
}

/** Cells that are not what they were, plus `sign` times what the token adds. */
function wrong(token: i32, sign: i32): i32 {
  defineShares(token);
  let cells = 0;
  for (let i = 0; i < CELLS; ++i) {
    const weight = word(WEIGHTS, i % M);
    const added: i64 = i / M == token ? weight : 0;
    if (<i64>word(OBSERVED, i) != <i64>ROOM + <i64>sign * added) ++cells;
    if (<i64>word(EXPECTED, i) != <i64>ROOM + <i64>sign * shareOf(weight, i / M)) ++cells;
  }
  if (<i32>word(TOKENS, 0) != 1000 + sign) ++cells;
  if (word(GENERATION, 0) != 5) ++cells;
  return cells;
}

describe("a weighted hidden state", () => {
  test("is the nearest multiple of 1/256, ties to even", () => {
    const values: StaticArray<f64> = [1, 0, 0.5, 0.49 / 256, 0.5 / 256, 1.5 / 256, 2.5 / 256, 0.51 / 256];
    const whole: StaticArray<u32> = [256, 0, 128, 0, 0, 2, 2, 1];
    const half: StaticArray<u32> = [128, 0, 64, 0, 0, 1, 1, 0];
    for (let i = 0; i < M; ++i) put(HIDDEN, i, values[i & 7]);
    mark(WEIGHTS + M * 4, 16);
    weigh(HIDDEN, 1, sampled);
    for (let i = 0; i < M; ++i) expect(word(WEIGHTS, i)).toBe(whole[i & 7], i.toString());
    weigh(HIDDEN, 0.5, sampled);
    for (let i = 0; i < M; ++i) expect(word(WEIGHTS, i)).toBe(half[i & 7], i.toString());
    weigh(HIDDEN, 0, sampled);
    for (let i = 0; i < M; ++i) expect(word(WEIGHTS, i)).toBe(0);
    expect(untouched(WEIGHTS + M * 4, 16)).toBe(true);
    expect(HIDDEN_UNIT).toBe(256);
  });
});

describe("the hash of a piece", () => {
  test("tells apart orders, lengths and tokens, and its bits are spread evenly", () => {
    expect(hashOn(hashOn(0, 1), 2)).not.toBe(hashOn(hashOn(0, 2), 1));
    expect(hashOn(0, 0)).not.toBe(0);
    expect(hashOn(hashOn(0, 0), 0)).not.toBe(hashOn(0, 0));
    let hash: u32 = 0;
    const ones = new StaticArray<i32>(32);
    for (let i = 0; i < 4096; ++i) {
      hash = hashOn(hash, 3); // the same token over and over
      const bits = spread(hash);
      for (let b = 0; b < 32; ++b) ones[b] += (bits >> b) & 1;
    }
    for (let b = 0; b < 32; ++b) expect(Math.abs(ones[b] - 2048)).toBeLessThan(200, b.toString()); // six deviations of 32
  });
});

describe("a token's sums", () => {
  test("are added to its own row and to those expected, and to no other", () => {
    for (let seed: u32 = 1; seed < 40; ++seed) {
      writeSums(seed);
      const token = seed & 1 ? below(V) : V - 1;
      expect(add(token, 1)).toBe(true);
      expect(wrong(token, 1)).toBe(0, seed.toString());
    }
  });

  test("are taken away again, and below what they were", () => {
    writeSums(21);
    add(V - 1, 1);
    expect(add(V - 1, -1)).toBe(true);
    expect(wrong(V - 1, 0)).toBe(0);
    expect(add(V - 1, -1)).toBe(true);
    expect(wrong(V - 1, -1)).toBe(0);
  });

  test("of the rows expected add up to SAMPLES times the token's own, column by column", () => {
    for (let seed: u32 = 1; seed < 40; ++seed) {
      writeSums(seed);
      add(below(V), 1);
      for (let c = 0; c < M; ++c) {
        let expected: i64 = 0;
        for (let v = 0; v < V; ++v) expected += <i64>word(EXPECTED, v * M + c) - ROOM;
        expect(expected).toBe(<i64>SAMPLES * word(WEIGHTS, c));
      }
    }
  });

  test("come to the expectation on the mean of all offsets, and are never off it by a threshold and a unit", () => {
    writeSums(2);
    const weight: u32 = 256;
    for (let c = 0; c < M; ++c) setWord(WEIGHTS, c, weight);
    const token = 3;
    const offsets = 4000;
    const total = new StaticArray<f64>(V);
    let farthest: f64 = 0;
    for (let i = 0; i < offsets; ++i) {
      sampled.offset = spread(i);
      defineShares(token);
      for (let v = 0; v < V; ++v) {
        const share = <f64>shareOf(weight, v) / 16384;
        total[v] += share;
        if (v != token && v < V - 1) farthest = Math.max(farthest, Math.abs(share - get(PROBABILITIES, v)));
      }
    }
    expect(farthest).toBeLessThan(1.0 / 256 + 1.0 / 16384 + 1e-6);
    for (let v = 0; v < V; ++v) {
      // a row gets one threshold more or less: at most half a threshold of deviation, over the root of the offsets; five of those
      const bound = (5.0 * 0.5) / 256.0 / Math.sqrt(<f64>offsets) + 1e-4;
      expect(Math.abs(total[v] / <f64>offsets - get(PROBABILITIES, v))).toBeLessThan(bound, v.toString());
    }
  });

  test("of the token's own row are exact to a unit, whatever the offset", () => {
    writeSums(4);
    for (let i = 0; i < 200; ++i) {
      const token = below(V);
      sampled.offset = spread(i);
      defineShares(token);
      const exact = 256.0 * 64.0 * get(PROBABILITIES, token);
      expect(Math.abs(<f64>shareOf(256, token) - exact)).toBeLessThan(1.02);
    }
  });

  test("are one row where that is certain, and the token's own gets none where it was impossible", () => {
    writeSums(6);
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, v == V - 1 ? 1 : 0);
    expect(add(2, 1)).toBe(true);
    expect(wrong(2, 1)).toBe(0);
    for (let c = 0; c < M; ++c) {
      expect(word(EXPECTED, 2 * M + c)).toBe(ROOM);
      expect(word(EXPECTED, (V - 1) * M + c)).toBe(ROOM + SAMPLES * word(WEIGHTS, c));
    }
    writeSums(7);
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, v == 2 ? 1 : 0);
    expect(add(2, 1)).toBe(true);
    for (let c = 0; c < M; ++c) expect(word(EXPECTED, 2 * M + c)).toBe(ROOM + SAMPLES * word(WEIGHTS, c));
  });

  test("reach both ends of their range; one further, and nothing is added or taken away", () => {
    for (let sign = -1; sign < 2; sign += 2) {
      for (let seed: u32 = 1; seed < 60; ++seed) {
        writeSums(seed);
        const token = below(V);
        defineShares(token);
        const own = below(2) == 0;
        const c = below(M);
        setWord(WEIGHTS, c, 1 + <u32>below(256)); // a weight of 0 has no bound
        let row = below(V);
        for (let tries = 0; tries < 1000 && shareOf(word(WEIGHTS, c), row) == 0; ++tries) row = below(V);
        const by = own ? word(WEIGHTS, c) : <u32>shareOf(word(WEIGHTS, c), row);
        if (by == 0) continue;
        const table = own ? OBSERVED : EXPECTED;
        const cell = (own ? token : row) * M + c;
        setWord(table, cell, sign > 0 ? u32.MAX_VALUE - by + 1 : by - 1);
        expect(add(token, sign)).toBe(false);
        expect(word(table, cell)).toBe(sign > 0 ? u32.MAX_VALUE - by + 1 : by - 1);
        setWord(table, cell, ROOM);
        expect(wrong(token, 0)).toBe(0, "nothing has changed");
        setWord(table, cell, sign > 0 ? u32.MAX_VALUE - by : by);
        expect(add(token, sign)).toBe(true);
        expect(word(table, cell)).toBe(sign > 0 ? u32.MAX_VALUE : 0);
      }
    }
  });

  test("have a count of tokens, which stays within 0..2^32 − 1 as they do", () => {
    writeSums(22);
    store<u32>(TOKENS, u32.MAX_VALUE);
    expect(add(3, 1)).toBe(false);
    expect(load<u32>(TOKENS)).toBe(u32.MAX_VALUE);
    store<u32>(TOKENS, 0);
    expect(add(3, -1)).toBe(false);
    expect(load<u32>(TOKENS)).toBe(0);
    store<u32>(TOKENS, 1000);
    expect(wrong(3, 0)).toBe(0, "nothing has changed");
  });

  test("reach no further than the tables", () => {
    mark(GENERATION + 4, 16);
    writeSums(31);
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, v == V - 1 ? 1 : 0);
    expect(add(V - 1, 1)).toBe(true);
    expect(wrong(V - 1, 1)).toBe(0);
    expect(untouched(GENERATION + 4, 16)).toBe(true);
  });
});

describe("sums that age", () => {
  test("are halved, and cut; tokens are rounded up; the next generation begins", () => {
    startValues(51);
    for (let i = 0; i < 2 * CELLS; ++i) setWord(OBSERVED, i, <u32>i * 2654435761);
    store<u32>(TOKENS, u32.MAX_VALUE);
    store<u32>(GENERATION, 41);
    mark(GENERATION + 4, 16);
    ageSums(sums);
    for (let i = 0; i < 2 * CELLS; ++i) expect(word(OBSERVED, i)).toBe((<u32>i * 2654435761) / 2);
    expect(load<u32>(TOKENS)).toBe(<u32>1 << 31);
    expect(load<u32>(GENERATION)).toBe(42);
    ageSums(sums);
    expect(load<u32>(TOKENS)).toBe(<u32>1 << 30);
    expect(untouched(GENERATION + 4, 16)).toBe(true);
  });
});

describe("merged sums", () => {
  test("are the sums of both, once that is wanted", () => {
    startValues(41);
    for (let i = 0; i < V; ++i) setWord(STAGED, i, <u32>below(1 << 30));
    for (let i = 0; i < V; ++i) setWord(OBSERVED, i, <u32>i);
    mark(OBSERVED + V * 4, 16);
    expect(mergeSums(STAGED, V, 1, OBSERVED, false)).toBe(true);
    for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(<u32>i);
    expect(mergeSums(STAGED, V, 1, OBSERVED, true)).toBe(true);
    for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(<u32>i + word(STAGED, i));
    expect(mergeSums(STAGED, V, -1, OBSERVED, false)).toBe(true);
    expect(mergeSums(STAGED, V, -1, OBSERVED, true)).toBe(true);
    for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(<u32>i);
    expect(untouched(OBSERVED + V * 4, 16)).toBe(true);
  });

  test("are taken away to 0; where one would fall below it, none has changed", () => {
    for (let short = 0; short < V; ++short) {
      for (let i = 0; i < V; ++i) {
        setWord(STAGED, i, 7);
        setWord(OBSERVED, i, i == short ? 6 : 100);
      }
      expect(mergeSums(STAGED, V, -1, OBSERVED, true)).toBe(false);
      for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(i == short ? 6 : 100);
      setWord(STAGED, short, 6);
      expect(mergeSums(STAGED, V, -1, OBSERVED, true)).toBe(true);
      expect(word(OBSERVED, short)).toBe(0);
    }
  });

  test("reach 2^32 − 1; where one would pass it, none has changed", () => {
    for (let full = 0; full < V; ++full) {
      for (let i = 0; i < V; ++i) {
        setWord(STAGED, i, 7);
        setWord(OBSERVED, i, i == full ? u32.MAX_VALUE - 6 : 1);
      }
      expect(mergeSums(STAGED, V, 1, OBSERVED, false)).toBe(false);
      expect(mergeSums(STAGED, V, 1, OBSERVED, true)).toBe(false);
      for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(i == full ? u32.MAX_VALUE - 6 : 1);
      setWord(STAGED, full, 6);
      expect(mergeSums(STAGED, V, 1, OBSERVED, true)).toBe(true);
      expect(word(OBSERVED, full)).toBe(u32.MAX_VALUE);
    }
  });
});
