import { beginHidden, composeSteps, DECODER_AT } from "../../classify/composition";
import { job } from "../../classify/job";
import { addWindows, quantise, scaleSteps, solveDirections, solvePrior, WINDOWS_AT } from "../../classify/solver";
import { below, between, get, mark, put, startValues, untouched } from "../support";

const D = 5;
const N = 24;
const K = 3;
const ROOM: usize = 65536;
const BASE: usize = 65536;

function place(i: usize): u32 {
  return <u32>(BASE + i * ROOM);
}

/** N examples of K features each; a label is told by the first. @param columns of the table that is solved */
function examples(classes: u32, columns: u32): void {
  memory.fill(64, 0, BASE - 64);
  memory.fill(BASE, 0, 16 * ROOM);
  const j = job();
  j.examples = N;
  j.features = D;
  j.classes = columns;
  j.stride = (columns + 3) & ~3;
  j.batch = N;
  j.steps = 1;
  j.seed = 3;
  j.unit = 1;
  j.step = 1;
  j.offsets = place(0);
  j.ids = place(1);
  j.labels = place(2);
  j.weights = place(3);
  j.averages = place(5);
  j.prior = place(7);
  j.bias = place(8);
  j.probabilities = place(9);
  j.rows = place(10);
  j.scales = place(11);
  j.ratio = place(12);
  j.bits = 8;
  j.group = columns;
  startValues(7);
  for (let i = 0; i < N; ++i) {
    for (let k = 0; k < K; ++k) store<u16>(<usize>j.ids + 2 * (i * K + k), <u16>below(D));
    store<u32>(<usize>j.offsets + 4 * (i + 1), (i + 1) * K);
    store<u16>(<usize>j.labels + 2 * i, <u16>(<u32>load<u16>(<usize>j.ids + 2 * i * K) % classes));
  }
}

describe("the solver of one layer", () => {
  test("counts how often each class is, with one more of each", () => {
    examples(3, 3);
    const j = job();
    solvePrior();
    let total: f64 = 0;
    for (let c = 0; c < 3; ++c) {
      let many = 1;
      for (let i = 0; i < N; ++i) many += i32(<i32>load<u16>(<usize>j.labels + 2 * i) == c);
      expect(get(j.prior, c)).toBeCloseTo(<f64>many / (N + 3), 6);
      expect(get(j.bias, c)).toBeCloseTo(Math.log(<f64>many / (N + 3)), 5);
      total += get(j.prior, c);
    }
    expect(total).toBeCloseTo(1, 6);
    expect(get(j.bias, 3)).toBeLessThan(-1e29); // no class
  });

  test("one step over all examples adds the log ratio of what came and what was expected", () => {
    examples(3, 3);
    const j = job();
    j.rate = 0; // every step counts 1
    j.averageFrom = 9;
    j.pseudoCounts = 2;
    j.priorPseudoCounts = 1;
    j.step = 0.25;
    solvePrior();
    scaleSteps(0, 1);
    for (let d = 0; d < D; ++d) {
      for (let c = 0; c < 3; ++c) {
        let observed: f64 = 0;
        let often: f64 = 0;
        for (let i = 0; i < N; ++i) {
          for (let k = 0; k < K; ++k) {
            if (<i32>load<u16>(<usize>j.ids + 2 * (i * K + k)) != d) continue;
            often += 1;
            if (<i32>load<u16>(<usize>j.labels + 2 * i) == c) observed += 1;
          }
        }
        const prior = get(j.prior, c);
        // before the first step every example is expected to be of the prior
        const wanted = 0.25 * Math.log((observed + 3 * prior) / (often * prior + 2 * prior + prior));
        expect(get(j.weights, d * 4 + c)).toBeCloseTo(wanted, 4);
      }
    }
  });

  test("rows of 8 and of 4 bits are the weights less their mean, within what clipping costs", () => {
    for (let bits: u32 = 4; bits <= 8; bits += 4) {
      examples(3, 3);
      const j = job();
      j.bits = bits;
      for (let i = 0; i < D * 4; ++i) put(j.weights, i, (i & 3) == 3 ? 0 : between(-2, 2));
      const before = new StaticArray<f64>(D * 4);
      for (let i = 0; i < D * 4; ++i) before[i] = get(j.weights, i);
      mark(<usize>j.rows + D * (bits == 4 ? 2 : 3), 32);
      quantise();
      expect(untouched(<usize>j.rows + D * (bits == 4 ? 2 : 3), 32)).toBe(true);
      let squares: f64 = 0;
      let errors: f64 = 0;
      for (let d = 0; d < D; ++d) {
        const mean = (before[4 * d] + before[4 * d + 1] + before[4 * d + 2]) / 3;
        for (let c = 0; c < 3; ++c) {
          const byte = bits == 8 ? load<u8>(<usize>j.rows + 3 * d + c) : load<u8>(<usize>j.rows + 2 * d + (c >> 1));
          const level = bits == 8 ? <i32>(<i8>byte) : ((c & 1) == 0 ? <i32>byte & 15 : <i32>byte >> 4) - 8;
          const wanted = before[4 * d + c] - mean;
          squares += wanted * wanted;
          errors += (level * get(j.scales, c) - wanted) ** 2;
        }
      }
      expect(errors / squares).toBeLessThan(bits == 8 ? 1e-4 : 0.02);
    }
  });
});

describe("principal directions", () => {
  test("are those of the largest variance, with 127 their largest element, and the mean window's product", () => {
    memory.fill(64, 0, BASE - 64);
    memory.fill(BASE, 0, 16 * ROOM);
    const field = (i: usize, value: u32): void => store<u32>(WINDOWS_AT + 4 * i, value);
    // windows of three values: the first two vary together, the third a little
    const count = 200;
    startValues(1);
    for (let i = 0; i < count; ++i) {
      const x = below(200) - 100;
      store<i32>(place(0) + 12 * i, x + 50);
      store<i32>(place(0) + 12 * i + 4, x);
      store<i32>(place(0) + 12 * i + 8, below(5));
    }
    const values: u32[] = [3, 2, place(0), count, 0, place(1), place(2), place(3), place(4), place(5), place(6), place(7)];
    for (let i = 0; i < 12; ++i) field(i, values[i]);
    addWindows();
    solveDirections();
    expect(load<i8>(place(5))).toBe(127);
    expect(load<i8>(place(5) + 1)).toBeGreaterThan(124);
    expect(<i32>load<i8>(place(5) + 2)).toBeLessThan(4);
    expect(load<i8>(place(5) + 5)).toBe(127); // the second direction: the third value
    expect(load<f64>(place(7))).toBeGreaterThan(load<f64>(place(7) + 8));
    let mean: f64 = 0;
    for (let i = 0; i < count; ++i) {
      for (let k = 0; k < 3; ++k) mean += <f64>load<i8>(place(5) + k) * <f64>load<i32>(place(0) + 12 * i + 4 * k);
    }
    expect(<f64>load<i32>(place(6))).toBeCloseTo(Math.floor(mean / count), 0);
  });
});

describe("a hidden layer and its decoder", () => {
  const UNITS = 4;
  const M = 8;
  const tell = (): void => {
    examples(2, M);
    const j = job();
    j.group = UNITS;
    const words: u32[] = [UNITS, 4, place(13), place(14), place(14) + 64, place(14) + 128, place(14) + 192, place(14) + 320];
    for (let i = 0; i < 8; ++i) store<u32>(DECODER_AT + 4 * i, words[i]);
    const numbers: f64[] = [1, 2, 1, 0.25, 1.5];
    for (let i = 0; i < 5; ++i) put(DECODER_AT + 32, i, numbers[i]);
    for (let c = 0; c < 4; ++c) {
      put(place(14), c, c < 2 ? 0.5 : 1e-12);
      put(place(14) + 64, c, c < 2 ? Math.log(0.5) : -1e30);
    }
  };

  test("begins with logits of the mean 0 and the spread that it is told", () => {
    tell();
    const j = job();
    beginHidden();
    for (let c = 0; c < M; ++c) {
      let sum: f64 = 0;
      let squares: f64 = 0;
      for (let i = 0; i < N; ++i) {
        let drive = get(j.bias, c);
        for (let k = 0; k < K; ++k) drive += get(j.weights, <i32>load<u16>(<usize>j.ids + 2 * (i * K + k)) * M + c);
        sum += drive;
        squares += drive * drive;
      }
      expect(sum / N).toBeCloseTo(0, 4);
      expect(Math.sqrt(squares / N)).toBeLessThan(4);
    }
    let all: f64 = 0;
    for (let i = 0; i < D * M; ++i) all += get(j.weights, i) ** 2;
    expect(Math.sqrt((all / (D * M)) * K)).toBeCloseTo(1.5, 0);
  });

  test("steps over all examples make the labels likelier, and leave sums that agree with what was expected", () => {
    tell();
    const j = job();
    j.rate = 0.1;
    j.pseudoCounts = 2;
    j.priorPseudoCounts = 0.5;
    j.step = 8;
    j.steps = 400;
    j.averageFrom = 399;
    beginHidden();
    mark(<usize>j.weights + 4 * 3 * D * M, 64);
    composeSteps(0, 400);
    expect(untouched(<usize>j.weights + 4 * 3 * D * M, 64)).toBe(true);
    // F and F̂ of the decoder: as often as each unit was active, whatever the label
    const outputs = place(13);
    for (let c = 0; c < M; ++c) {
      let observed: f64 = 0;
      let expected: f64 = 0;
      for (let k = 0; k < 2; ++k) {
        observed += get(outputs + 4 * M * 4, 4 * c + k);
        expected += get(outputs + 8 * M * 4, 4 * c + k);
      }
      expect(Math.abs(observed - expected) / Math.max(observed, 1e-3)).toBeLessThan(1e-3);
    }
    // the label is told by one of three features: it is seldom missed
    let right = 0;
    for (let i = 0; i < N; ++i) {
      let scores: f64 = 0;
      for (let group = 0; group < M; group += UNITS) {
        let total: f64 = 0;
        let one: f64 = 0;
        for (let c = group; c < group + UNITS; ++c) {
          let drive = get(j.bias, c);
          for (let k = 0; k < K; ++k) drive += get(j.weights, <i32>load<u16>(<usize>j.ids + 2 * (i * K + k)) * M + c);
          total += Math.exp(drive);
          one += Math.exp(drive) * (get(outputs, 4 * c + 1) - get(outputs, 4 * c));
        }
        scores += one / total;
      }
      right += i32(<i32>(scores > 0) == <i32>load<u16>(<usize>j.labels + 2 * i));
    }
    expect(right).toBeGreaterThan(N * 3 / 4);
  });
});
