import { addLogRatio, addScaled, logOdds, raise, Ratio, scale } from "../../common/vectors";
import { differing, fill, gap, get, LOOSE, mark, startValues, untouched } from "../support";

const N = 20; // five vectors of four
const OUT = memory.data(20 * 4 + 16, 16);
const A = memory.data(20 * 4, 16);
const B = memory.data(20 * 4, 16);
const C = memory.data(20 * 4, 16);

const ratio = changetype<Ratio>(memory.data(16, 16));

/** OUT after addLogRatio of `observed` and `expected`, with α = 50 and the prior in C. */
function scaled(observed: usize, expected: usize, priorPseudoCounts: f32, step: f32): void {
  ratio.pseudoCounts = 50;
  ratio.priorPseudoCounts = priorPseudoCounts;
  ratio.step = step;
  ratio.columns = N;
  addLogRatio(observed, expected, C, ratio, OUT);
}

/** Positive sums in A and B, a prior in C, anything in OUT with marked bytes behind it. */
function begin(seed: u32): void {
  startValues(seed);
  fill(A, N, 0.01, 30);
  fill(B, N, 0.01, 30);
  fill(C, N, 0.001, 0.4);
  fill(OUT, N, -4, 4);
  mark(OUT + 80, 16);
}

function at(from: usize, i: i32): f32 {
  return <f32>get(from, i);
}

describe("runs of f32", () => {
  afterEach(() => {
    expect(untouched(OUT + 80, 16)).toBe(true, "nothing is written past the run");
  });

  test("addScaled adds weight · values: one product, one sum, each rounded", () => {
    begin(1);
    const wanted = new StaticArray<f32>(N);
    for (let i = 0; i < N; ++i) wanted[i] = at(OUT, i) + <f32>0.7 * at(A, i);
    addScaled(A, 0.7, N, OUT);
    expect(differing(OUT, wanted)).toBe(0);
  });

  test("scale multiplies each element, rounded once", () => {
    begin(2);
    const wanted = new StaticArray<f32>(N);
    for (let i = 0; i < N; ++i) wanted[i] = at(OUT, i) * <f32>0.9;
    scale(0.9, N, OUT);
    expect(differing(OUT, wanted)).toBe(0);
  });

  test("raise holds each element to the least, and leaves the others to the bit", () => {
    begin(9);
    const wanted = new StaticArray<f32>(N);
    for (let i = 0; i < N; ++i) wanted[i] = max<f32>(at(OUT, i), 0.5);
    raise(OUT, N, 0.5);
    expect(differing(OUT, wanted)).toBe(0);
  });

  test("addLogRatio without prior pseudo-counts adds step · log of the smoothed observed over the smoothed expected", () => {
    begin(4);
    const wanted = new StaticArray<f64>(N);
    for (let i = 0; i < N; ++i) {
      const pseudo = 50 * get(C, i);
      wanted[i] = get(OUT, i) + 0.25 * Math.log((get(A, i) + pseudo) / (get(B, i) + pseudo));
    }
    scaled(A, B, 0, 0.25);
    expect(gap(OUT, wanted)).toBeLessThan(LOOSE);
  });

  test("addLogRatio without prior pseudo-counts moves nothing where what was expected was observed", () => {
    begin(5);
    const wanted = new StaticArray<f32>(N);
    for (let i = 0; i < N; ++i) wanted[i] = at(OUT, i);
    scaled(A, A, 0, 1);
    expect(differing(OUT, wanted)).toBe(0);
  });

  test("addLogRatio counts places of the prior: as many observed, times e^out expected", () => {
    begin(7);
    const wanted = new StaticArray<f64>(N);
    for (let i = 0; i < N; ++i) {
      const pseudo = 50 * get(C, i);
      const added = 30 * get(C, i);
      const above = get(A, i) + added + pseudo;
      wanted[i] = get(OUT, i) + 0.25 * Math.log(above / (get(B, i) + added * Math.exp(get(OUT, i)) + pseudo));
    }
    scaled(A, B, 30, 0.25);
    expect(gap(OUT, wanted)).toBeLessThan(LOOSE);
  });

  test("addLogRatio pulls towards 0 where what was expected was observed", () => {
    begin(8);
    const before = new StaticArray<f64>(N);
    for (let i = 0; i < N; ++i) before[i] = get(OUT, i);
    scaled(A, A, 30, 0.25);
    let outwards = 0;
    for (let i = 0; i < N; ++i) if (Math.abs(get(OUT, i)) >= Math.abs(before[i])) ++outwards;
    expect(outwards).toBe(0);
  });

  test("logOdds is weight · log of the smoothed conditional over the prior", () => {
    begin(6);
    let total: f64 = 10;
    for (let i = 0; i < N; ++i) total += get(A, i);
    const wanted = new StaticArray<f64>(N);
    for (let i = 0; i < N; ++i) {
      const conditional = (get(A, i) + 10 * get(C, i)) / total;
      wanted[i] = 0.6 * Math.log(conditional / get(C, i));
    }
    logOdds(A, C, 10, 0.6, N, OUT);
    expect(gap(OUT, wanted)).toBeLessThan(LOOSE);
  });
});
