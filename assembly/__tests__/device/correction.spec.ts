import { correctRow, Correction } from "../../device/correction";
import { HIDDEN_UNIT, SAMPLES, Sums } from "../../device/sums";
import { GROUPS, M, V } from "../../shape";
import { below, mark, startValues, untouched } from "../support";

const NUMBER: u32 = V - 2; // of the row
const ALL_OBSERVED = memory.data(V * M * 8 + 16, 16);
const ALL_EXPECTED: usize = ALL_OBSERVED + V * M * 4;
const TOKENS: usize = ALL_EXPECTED + V * M * 4;
const OBSERVED: usize = ALL_OBSERVED + NUMBER * M * 4;
const EXPECTED: usize = ALL_EXPECTED + NUMBER * M * 4;
const sums = changetype<Sums>(ALL_OBSERVED);
const correction = changetype<Correction>(memory.data(16, 16));
const BASE = memory.data(M, 16);
const SCRATCH = memory.data(M * 4 + 16, 16);
const ROW = memory.data(M + 16, 16);

const SCALE: f32 = 0.03125;

function setSum(at: usize, c: i32, value: u32): void {
  store<u32>(at + ((<usize>c) << 2), value);
}

function sum(at: usize, c: i32): u32 {
  return load<u32>(at + ((<usize>c) << 2));
}

/** A row of the base, and sums of some thousand tokens. */
function writeRow(seed: u32): void {
  startValues(seed);
  memory.fill(ALL_OBSERVED, 0x7f, V * M * 4); // of other rows
  memory.fill(ALL_EXPECTED, 0x7f, V * M * 4);
  for (let c = 0; c < M; ++c) {
    store<i8>(BASE + c, <i8>(below(255) - 127));
    setSum(OBSERVED, c, <u32>below(1 << 18));
    setSum(EXPECTED, c, <u32>below(1 << 24));
  }
}

function base(c: i32): f64 {
  return <f64>SCALE * <f64>load<i8>(BASE + c);
}

/** The row by definition, in tokens: O + (s/K) · log[(F + a) / (F̂ + a)], a = α · π / m. */
function wanted(c: i32, tokens: f64, pseudoCounts: f64, step: f64): f64 {
  // the share of the row in all that was expected: SAMPLES thresholds a token, each of the weight of H groups
  const unit = <f64>SAMPLES * <f64>HIDDEN_UNIT;
  let share: f64 = <f64>HIDDEN_UNIT * <f64>GROUPS; // as if one threshold more had fallen on it
  for (let i = 0; i < M; ++i) share += <f64>sum(EXPECTED, i);
  share /= tokens * unit * <f64>GROUPS;
  const a = (pseudoCounts * share) / (<f64>M / <f64>GROUPS);
  const observed = <f64>sum(OBSERVED, c) / <f64>HIDDEN_UNIT;
  const expected = <f64>sum(EXPECTED, c) / unit;
  // what is expected less often than once in 2^20 is not told from nothing
  const least = (observed + a) / 1048576.0;
  return base(c) + (step / <f64>GROUPS) * Math.log((observed + a) / Math.max(expected + a, least));
}

/** Largest distance of the solved row from `wanted`, in steps of its scale. */
function farthest(scale: f32, tokens: f64, pseudoCounts: f64, step: f64): f64 {
  let worst: f64 = 0;
  for (let c = 0; c < M; ++c) {
    const found = <f64>scale * <f64>load<i8>(ROW + c);
    worst = Math.max(worst, Math.abs(found - wanted(c, tokens, pseudoCounts, step)) / <f64>scale);
  }
  return worst;
}

function solve(tokens: u32, pseudoCounts: f32, step: f32): f32 {
  store<u32>(TOKENS, tokens);
  correction.pseudoCounts = pseudoCounts;
  correction.step = step;
  correction.scratch = SCRATCH;
  return correctRow(NUMBER, sums, correction, BASE, SCALE, ROW);
}

describe("a corrected row", () => {
  test("is one step of iterative scaling from its sums, in int8", () => {
    for (let seed: u32 = 1; seed < 20; ++seed) {
      writeRow(seed);
      for (let pseudoCounts: f32 = 0.01; pseudoCounts < 1e6; pseudoCounts *= 30) {
        for (let step: f32 = 0; step <= 4; step += 1.25) {
          // half a step of int8, and the rounding of f32 in a code of up to 127
          expect(farthest(solve(5000, pseudoCounts, step), 5000, pseudoCounts, step)).toBeLessThan(0.501, seed.toString());
        }
      }
    }
  });

  test("stays at the base where as much was observed as expected, and where the step is none", () => {
    writeRow(2);
    store<i8>(BASE + 3, 127); // as quantised rows have it: then a step of int8 is the base's
    for (let c = 0; c < M; ++c) setSum(EXPECTED, c, sum(OBSERVED, c) * SAMPLES);
    solve(5000, 3000, 1);
    for (let c = 0; c < M; ++c) expect(load<i8>(ROW + c)).toBe(load<i8>(BASE + c), c.toString());
    writeRow(3);
    store<i8>(BASE + 3, -127);
    solve(5000, 3000, 0);
    for (let c = 0; c < M; ++c) expect(load<i8>(ROW + c)).toBe(load<i8>(BASE + c), c.toString());
  });

  test("moves up where more was observed than expected, down where less, and less far the more pseudo-counts", () => {
    let last = Infinity;
    for (let pseudoCounts: f32 = 1; pseudoCounts < 1e7; pseudoCounts *= 10) {
      memory.fill(BASE, 0, M);
      for (let c = 0; c < M; ++c) {
        setSum(OBSERVED, c, c & 1 ? 4000 : 1000);
        setSum(EXPECTED, c, 2000 * SAMPLES);
      }
      const scale = <f64>solve(500, pseudoCounts, 1);
      for (let c = 0; c < M; ++c) expect(load<i8>(ROW + c) > 0).toBe((c & 1) == 1, c.toString());
      expect(127 * scale).toBeLessThan(last);
      last = 127 * scale;
    }
  });

  test("is the base's where nothing was observed or expected of it", () => {
    writeRow(4);
    store<i8>(BASE, 127);
    memory.fill(OBSERVED, 0, M * 4);
    memory.fill(EXPECTED, 0, M * 4);
    expect(solve(1, 3000, 1)).toBe((SCALE * 127) / 127);
    for (let c = 0; c < M; ++c) expect(load<i8>(ROW + c)).toBe(load<i8>(BASE + c), c.toString());
  });

  test("is finite where its sums and counts are at their bounds", () => {
    writeRow(5);
    for (let c = 0; c < M; ++c) {
      setSum(OBSERVED, c, c % 3 ? 0 : u32.MAX_VALUE);
      setSum(EXPECTED, c, c & 1 ? 0 : u32.MAX_VALUE);
    }
    const amounts: StaticArray<f32> = [9.5367431640625e-7, 3000, 1e9];
    const counts: StaticArray<u32> = [1, u32.MAX_VALUE];
    for (let i = 0; i < amounts.length; ++i) {
      for (let j = 0; j < counts.length; ++j) {
        const pseudoCounts = amounts[i];
        expect(farthest(solve(counts[j], pseudoCounts, 4), <f64>counts[j], pseudoCounts, 4)).toBeLessThan(0.501, pseudoCounts.toString());
      }
    }
  });

  test("is bounded where what came was never expected: by log 2^20 a group, however often it came", () => {
    writeRow(7);
    for (let c = 0; c < M; ++c) {
      store<i8>(BASE + c, 0);
      setSum(OBSERVED, c, 1 << 30);
      setSum(EXPECTED, c, 0);
    }
    const scale = <f64>solve(1 << 22, 3000, 1);
    const most = 20.0 * Math.log(2) / <f64>GROUPS;
    for (let c = 0; c < M; ++c) expect(Math.abs(scale * <f64>load<i8>(ROW + c) - most)).toBeLessThan(1e-4);
  });

  test("reads what the base has, and writes one row", () => {
    writeRow(6);
    mark(ROW + M, 16);
    mark(SCRATCH + M * 4, 16);
    const copy = new StaticArray<i8>(M);
    for (let c = 0; c < M; ++c) copy[c] = load<i8>(BASE + c);
    solve(5000, 3000, 1);
    for (let c = 0; c < M; ++c) expect(load<i8>(BASE + c)).toBe(copy[c]);
    expect(untouched(ROW + M, 16)).toBe(true);
    expect(untouched(SCRATCH + M * 4, 16)).toBe(true);
  });
});
