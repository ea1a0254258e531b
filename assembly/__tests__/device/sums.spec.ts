import { addToken, HIDDEN_UNIT, mergeSums, Sample, SAMPLE_BYTES, SAMPLES, sampleRows, Sums, weigh } from "../../device/sums";
import { M, V } from "../../shape";
import { below, fillDistribution, get, mark, put, startValues, untouched } from "../support";

const PLACES: u32 = 2000;
const GOLDEN: u64 = 2654435769; // 2^32 over the golden ratio
const CELLS = V * M;
const HIDDEN = memory.data(M * 4, 16);
const PROBABILITIES = memory.data(V * 4, 16);
const STAGED = memory.data(V * 4, 16);
// one block each, in the order that the records promise
const SAMPLE = memory.data(SAMPLE_BYTES + 16, 16);
const WEIGHTS: usize = SAMPLE + 16;
const ROWS: usize = WEIGHTS + M * 4;
const OBSERVED = memory.data(V * M * 8 + 4 + 16, 16);
const EXPECTED: usize = OBSERVED + V * M * 4;
const TOKENS: usize = EXPECTED + V * M * 4;
const sums = changetype<Sums>(OBSERVED);
const sampled = changetype<Sample>(SAMPLE);

/** Adds a token with WEIGHTS and n of ROWS, or takes it away. */
function addRows(token: i32, n: i32, sign: i32): bool {
  sampled.count = n;
  return addToken(token, sampled, sign, sums);
}

const times = new StaticArray<i32>(V);

function word(at: usize, i: i32): u32 {
  return load<u32>(at + ((<usize>i) << 2));
}

function setWord(at: usize, i: i32, value: u32): void {
  store<u32>(at + ((<usize>i) << 2), value);
}

/** Samples a place; how often each row is listed stands in `times`. */
function sample(place: u32): i32 {
  for (let v = 0; v < V; ++v) times[v] = 0;
  sampleRows(PROBABILITIES, place, sampled);
  const listed = sampled.count;
  for (let i = 0; i < listed; ++i) times[word(ROWS, i) >> 8] += word(ROWS, i) & 0xff;
  return listed;
}

/** A probability in units of 2^-24, what is below cut off. */
function fixed(v: i32): i64 {
  return <i64>(get(PROBABILITIES, v) * 16777216.0);
}

/** How often thresholds fall on a row, by definition: one step apart, the first the place's share of a step. */
function wantedTimes(place: u32, row: i32): i32 {
  let total: i64 = 0;
  for (let v = 0; v < V; ++v) total += fixed(v);
  let start: i64 = 0;
  for (let v = 0; v < row; ++v) start += fixed(v);
  const step = total / <i64>SAMPLES;
  const offset = <i64>((((<u64>place * GOLDEN) & 0xffffffff) * <u64>step) >> 32);
  let n = 0;
  for (let k: i64 = 0; k < <i64>SAMPLES; ++k) {
    const threshold = offset + k * step;
    if (threshold >= start && threshold < start + fixed(row)) ++n;
  }
  return n;
}

/** Random weights, sums with room for them on both sides, and a few rows with how often they are expected. */
function writeSums(seed: u32): i32 {
  startValues(seed);
  for (let c = 0; c < M; ++c) setWord(WEIGHTS, c, <u32>below(257));
  for (let i = 0; i < CELLS; ++i) {
    setWord(OBSERVED, i, 1 << 20);
    setWord(EXPECTED, i, 1 << 20);
  }
  store<u32>(TOKENS, 1000);
  let n = 0;
  for (let v = below(2); v < V; v += 1 + below(5)) setWord(ROWS, n++, (<u32>v << 8) | (1 + <u32>below(64)));
  return n;
}

/** What a row of `rows` says of how often it is expected. */
function timesOf(row: i32, n: i32): u32 {
  for (let i = 0; i < n; ++i) if (<i32>(word(ROWS, i) >> 8) == row) return word(ROWS, i) & 0xff;
  return 0;
}

/** Cells that are not what they were, 2^20, plus `sign` times what the token adds. */
function wrong(token: i32, n: i32, sign: i32): i32 {
  let cells = 0;
  for (let i = 0; i < CELLS; ++i) {
    const weight = <i64>word(WEIGHTS, i % M);
    const added: i64 = i / M == token ? weight : 0;
    if (<i64>word(OBSERVED, i) != (1 << 20) + <i64>sign * added) ++cells;
    if (<i64>word(EXPECTED, i) != (1 << 20) + <i64>sign * weight * <i64>timesOf(i / M, n)) ++cells;
  }
  if (<i32>word(TOKENS, 0) != 1000 + sign) ++cells;
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

describe("sampled rows", () => {
  test("are those that evenly spaced thresholds fall on", () => {
    for (let seed: u32 = 1; seed < 40; ++seed) {
      startValues(seed);
      fillDistribution(PROBABILITIES, V);
      const place = <u32>below(1 << 24) * 251;
      sample(place);
      for (let v = 0; v < V; ++v) expect(times[v]).toBe(wantedTimes(place, v), seed.toString() + " " + v.toString());
    }
  });

  test("belong to the row that begins at a threshold, not to the one that ends there", () => {
    // in units of thresholds, at a place whose offset is none: rows of 1, 3 and 60
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, 0);
    put(PROBABILITIES, 2, 1.0 / 64);
    put(PROBABILITIES, 3, 3.0 / 64);
    put(PROBABILITIES, 7, 60.0 / 64);
    expect(sample(0)).toBe(3);
    expect(times[2]).toBe(1);
    expect(times[3]).toBe(3);
    expect(times[7]).toBe(60);
  });

  test("are as many as there are thresholds, each listed once and in order", () => {
    startValues(1);
    for (let place: u32 = 0; place < 50; ++place) {
      fillDistribution(PROBABILITIES, V);
      const listed = sample(place);
      let sum = 0;
      for (let v = 0; v < V; ++v) sum += times[v];
      expect(sum).toBe(<i32>SAMPLES);
      for (let i = 1; i < listed; ++i) expect(word(ROWS, i) >> 8).toBeGreaterThan(word(ROWS, i - 1) >> 8);
    }
  });

  test("come to their probability on the mean of all places, and are never off it by one", () => {
    startValues(2);
    fillDistribution(PROBABILITIES, V);
    const sums = new StaticArray<f64>(V);
    let farthest: f64 = 0;
    for (let place: u32 = 0; place < PLACES; ++place) {
      sample(place);
      for (let v = 0; v < V; ++v) {
        sums[v] += <f64>times[v];
        farthest = Math.max(farthest, Math.abs(<f64>times[v] - 64 * get(PROBABILITIES, v)));
      }
    }
    expect(farthest).toBeLessThan(1.0001);
    // multiples of the golden ratio are spread so evenly that the mean of n is off by a few n-ths
    for (let v = 0; v < V; ++v) {
      expect(Math.abs(sums[v] / <f64>PLACES - 64 * get(PROBABILITIES, v))).toBeLessThan(8 / <f64>PLACES, v.toString());
    }
  });

  test("are the same for the same place, and others elsewhere", () => {
    startValues(3);
    fillDistribution(PROBABILITIES, V);
    sample(7);
    const first = new StaticArray<i32>(V);
    for (let v = 0; v < V; ++v) first[v] = times[v];
    sample(7);
    for (let v = 0; v < V; ++v) expect(times[v]).toBe(first[v]);
    sample(8);
    let moved = 0;
    for (let v = 0; v < V; ++v) if (times[v] != first[v]) ++moved;
    expect(moved).toBeGreaterThan(0);
  });

  test("are one row where that is certain, none where nothing is likely, and never one of no probability", () => {
    mark(ROWS, 64 * 4 + 16);
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, v == V - 1 ? 1 : 0);
    expect(sample(123)).toBe(1);
    expect(word(ROWS, 0)).toBe((<u32>(V - 1) << 8) | SAMPLES);
    // below 2^-24 a probability counts as none
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, 5e-8);
    expect(sample(123)).toBe(0);
    // fewer units than thresholds: all of them fall on the first
    put(PROBABILITIES, 3, 40.0 / 16777216.0);
    expect(sample(123)).toBe(1);
    expect(word(ROWS, 0)).toBe((3 << 8) | SAMPLES);
    for (let v = 0; v < V; ++v) put(PROBABILITIES, v, v & 1 ? 2.0 / <f64>V : 0);
    for (let place: u32 = 0; place < 20; ++place) {
      sample(place);
      for (let v = 0; v < V; v += 2) expect(times[v]).toBe(0);
    }
    expect(untouched(ROWS + 64 * 4, 16)).toBe(true);
  });
});

describe("a token's sums", () => {
  test("are added to its own row and to those expected, and to no other", () => {
    for (let seed: u32 = 1; seed < 20; ++seed) {
      const n = writeSums(seed);
      const token = below(V);
      expect(addRows(token, n, 1)).toBe(true);
      expect(wrong(token, n, 1)).toBe(0);
    }
  });

  test("are taken away again, and below what they were", () => {
    const n = writeSums(21);
    addRows(V - 1, n, 1);
    expect(addRows(V - 1, n, -1)).toBe(true);
    expect(wrong(V - 1, n, 0)).toBe(0);
    expect(addRows(V - 1, n, -1)).toBe(true);
    expect(wrong(V - 1, n, -1)).toBe(0);
  });

  test("reach both ends of their range; one further, and nothing is added or taken away", () => {
    for (let add = -1; add < 2; add += 2) {
      for (let seed: u32 = 1; seed < 30; ++seed) {
        const n = writeSums(seed);
        const token = below(V);
        const own = below(2) == 0;
        const c = below(M);
        setWord(WEIGHTS, c, 1 + <u32>below(256)); // a weight of 0 has no bound
        const entry = word(ROWS, below(n));
        const by = word(WEIGHTS, c) * (own ? <u32>1 : entry & 0xff);
        const table = own ? OBSERVED : EXPECTED;
        const cell = (own ? token : <i32>(entry >> 8)) * M + c;
        setWord(table, cell, add > 0 ? u32.MAX_VALUE - by + 1 : by - 1);
        expect(addRows(token, n, add)).toBe(false);
        expect(word(table, cell)).toBe(add > 0 ? u32.MAX_VALUE - by + 1 : by - 1);
        setWord(table, cell, 1 << 20);
        expect(wrong(token, n, 0)).toBe(0, "nothing has changed");
        setWord(table, cell, add > 0 ? u32.MAX_VALUE - by : by);
        expect(addRows(token, n, add)).toBe(true);
        expect(word(table, cell)).toBe(add > 0 ? u32.MAX_VALUE : 0);
      }
    }
  });

  test("have a count of tokens, which stays within 0..2^32 − 1 as they do", () => {
    const n = writeSums(22);
    store<u32>(TOKENS, u32.MAX_VALUE);
    expect(addRows(3, n, 1)).toBe(false);
    expect(load<u32>(TOKENS)).toBe(u32.MAX_VALUE);
    store<u32>(TOKENS, 0);
    expect(addRows(3, n, -1)).toBe(false);
    expect(load<u32>(TOKENS)).toBe(0);
    store<u32>(TOKENS, 1000);
    expect(wrong(3, n, 0)).toBe(0, "nothing has changed");
  });

  test("reach no further than the tables", () => {
    mark(TOKENS + 4, 16);
    writeSums(31);
    setWord(ROWS, 0, (<u32>(V - 1) << 8) | 64);
    expect(addRows(V - 1, 1, 1)).toBe(true);
    expect(wrong(V - 1, 1, 1)).toBe(0);
    expect(untouched(TOKENS + 4, 16)).toBe(true);
  });
});

describe("merged sums", () => {
  test("are the sums of both, once that is wanted", () => {
    startValues(41);
    for (let i = 0; i < V; ++i) setWord(STAGED, i, <u32>below(1 << 30));
    for (let i = 0; i < V; ++i) setWord(OBSERVED, i, <u32>i);
    mark(OBSERVED + V * 4, 16);
    expect(mergeSums(STAGED, V, OBSERVED, false)).toBe(true);
    for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(<u32>i);
    expect(mergeSums(STAGED, V, OBSERVED, true)).toBe(true);
    for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(<u32>i + word(STAGED, i));
    expect(untouched(OBSERVED + V * 4, 16)).toBe(true);
  });

  test("reach 2^32 − 1; where one would pass it, none has changed", () => {
    for (let full = 0; full < V; ++full) {
      for (let i = 0; i < V; ++i) {
        setWord(STAGED, i, 7);
        setWord(OBSERVED, i, i == full ? u32.MAX_VALUE - 6 : 1);
      }
      expect(mergeSums(STAGED, V, OBSERVED, false)).toBe(false);
      expect(mergeSums(STAGED, V, OBSERVED, true)).toBe(false);
      for (let i = 0; i < V; ++i) expect(word(OBSERVED, i)).toBe(i == full ? u32.MAX_VALUE - 6 : 1);
      setWord(STAGED, full, 6);
      expect(mergeSums(STAGED, V, OBSERVED, true)).toBe(true);
      expect(word(OBSERVED, full)).toBe(u32.MAX_VALUE);
    }
  });
});
