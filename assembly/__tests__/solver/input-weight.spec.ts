import { unitOf } from "../../layers/list";
import { BAG, columnOf, firstWeightOf, groupsOf, LAYERS, M, positionsOf, POSITIONS_A_GROUP, readsOf, rowsOf, UNITS, V, widthOf } from "../../shape";
import { solveInputWeight } from "../../solver/input-weight";
import { O, POSITIONS, TOKENS, U, U0 } from "../../solver/layout";
import { network } from "../../solver/records";
import { Dense, denseSoftmax } from "../dense";
import { dense, workAtText, writeModel } from "../model";
import { between, fill, get, id, put, startValues } from "../support";

const N = 120; // places of the slice
/** Weight that U was solved with. */
const PRESENT: f64 = 0.5;
/** Sums over the slice in f32, and four steps. */
const SOLVED: f64 = 1e-4;
const TEXT_END = 12; // places behind the slice

let layer = 0;
let group = 0;

/** What the group's inputs add to its logits at each place of the text, at the present weight. */
const votes = new StaticArray<f64>((N + TEXT_END) * UNITS);

function readVotes(model: Dense, at: i32): void {
  const all = model.product(layer, at);
  for (let c = 0; c < UNITS; ++c) votes[at * UNITS + c] = all[<i32>unitOf(group) + c];
}

/** h · P(v | unit) where the votes of a place are taken `ratio` times. */
function likelihood(at: i32, v: i32, ratio: f64): f64 {
  const hidden = new StaticArray<f64>(UNITS);
  for (let c = 0; c < UNITS; ++c) hidden[c] = get(U0, group * UNITS + c) + ratio * votes[at * UNITS + c];
  denseSoftmax(hidden, 0, UNITS);
  let p: f64 = 0;
  for (let c = 0; c < UNITS; ++c) p += hidden[c] * get(O, v * M + group * UNITS + c);
  return p;
}

function logLikelihood(ratio: f64): f64 {
  let sum: f64 = 0;
  for (let at = 0; at < N; ++at) sum += Math.log(likelihood(at, id(TOKENS, at), ratio));
  return sum;
}

/** The last group of a layer at random, and a text drawn from it where its votes are taken `ratio` times. */
function begin(seed: u32, ofLayer: i32, ratio: f64): void {
  startValues(seed);
  writeModel();
  layer = ofLayer;
  group = columnOf(layer) / UNITS + groupsOf(layer) - 1;
  fill(U0, M, -0.5, 0.5);
  // each unit gives a few tokens of its own
  for (let c = 0; c < M; ++c) {
    let sum: f64 = 0;
    for (let v = 0; v < V; ++v) {
      put(O, v * M + c, v % UNITS == c % UNITS ? 1 : 0.02);
      sum += get(O, v * M + c);
    }
    for (let v = 0; v < V; ++v) put(O, v * M + c, get(O, v * M + c) / sum);
  }
  for (let j = 0; j < positionsOf(layer); ++j) put(POSITIONS, group * POSITIONS_A_GROUP + j, PRESENT / <f64>(1 << j));
  const model = dense();
  for (let at = 0; at < N + TEXT_END; ++at) {
    readVotes(model, at);
    let left = between(0, 1);
    let token = 0;
    while (token < V - 1 && (left -= likelihood(at, token, ratio)) >= 0) ++token;
    store<u16>(TOKENS + (at << 1), <u16>token);
  }
}

function weightAt(j: i32): f64 {
  return get(POSITIONS, group * POSITIONS_A_GROUP + j);
}

/** One solve: by how much the weight of the inputs has changed. */
function solve(from: i32 = 0, to: i32 = N): f64 {
  const before = weightAt(0);
  solveInputWeight(group, from, to, network, workAtText());
  return weightAt(0) / before;
}

/** Solves until the weight rests: the rows of U follow it, as solveGroup has them. */
function solveToRest(): f64 {
  let ratio: f64 = 1;
  for (let round = 0; round < 40; ++round) {
    const by = solve();
    ratio *= by;
    for (let row = 0; row < rowsOf(layer); ++row) {
      for (let c = 0; c < UNITS; ++c) {
        const i = firstWeightOf(layer) + row * widthOf(layer) + <i32>unitOf(group) + c;
        put(U, i, get(U, i) * by);
      }
    }
  }
  return ratio;
}

/** The ratio of the highest likelihood, by golden sections of an interval in which there is one. */
function highest(low: f64, high: f64): f64 {
  const golden = (Math.sqrt(5) - 1) / 2;
  while (high - low > 1e-7) {
    const a = high - golden * (high - low);
    const b = low + golden * (high - low);
    if (logLikelihood(a) > logLikelihood(b)) high = b;
    else low = a;
  }
  return (low + high) / 2;
}

/** The ratio after four steps of Newton's method on the EM bound, in f64: gradient Σ (t − h)·L, curvature Σ Var_h(L) + 1. */
function newton(most: f64): f64 {
  let ratio: f64 = 1;
  for (let step = 0; step < 4; ++step) {
    let gradient: f64 = 0;
    let curvature: f64 = 1;
    for (let at = 0; at < N; ++at) {
      const h = new StaticArray<f64>(UNITS);
      for (let c = 0; c < UNITS; ++c) h[c] = get(U0, group * UNITS + c) + ratio * votes[at * UNITS + c];
      denseSoftmax(h, 0, UNITS);
      const p = likelihood(at, id(TOKENS, at), ratio);
      let mean: f64 = 0;
      let square: f64 = 0;
      for (let c = 0; c < UNITS; ++c) {
        const vote = votes[at * UNITS + c];
        mean += h[c] * vote;
        square += h[c] * vote * vote;
        gradient += ((h[c] * get(O, id(TOKENS, at) * M + group * UNITS + c)) / p - h[c]) * vote;
      }
      curvature += square - mean * mean;
    }
    ratio = Math.min(most / PRESENT, Math.max(0.01 / PRESENT, ratio + gradient / curvature));
  }
  return ratio;
}

describe("the weight of a group's inputs", () => {
  test("takes four steps of Newton's method on the EM bound, and all of the group's positions by as much", () => {
    for (let each = 0; each < LAYERS; ++each) {
      begin(20 + each, each, 1.8);
      const other = get(POSITIONS, (group + 1) % (M / UNITS) * POSITIONS_A_GROUP);
      const wanted = newton(readsOf(layer) == BAG ? 64 : 4);
      const ratio = solve();
      expect(Math.abs(ratio - wanted)).toBeLessThan(SOLVED * wanted, each.toString());
      for (let j = 0; j < positionsOf(layer); ++j) {
        expect(Math.abs(weightAt(j) * <f64>(1 << j) - weightAt(0))).toBeLessThan(1e-6, each.toString());
      }
      if (M > UNITS) expect(get(POSITIONS, (group + 1) % (M / UNITS) * POSITIONS_A_GROUP)).toBe(other);
    }
  });

  test("comes to rest where the likelihood of the slice is highest", () => {
    for (let each = 0; each < LAYERS; ++each) {
      begin(30 + each, each, 1.5);
      const wanted = highest(0.02, readsOf(layer) == BAG ? 100 : 8);
      expect(wanted).toBeGreaterThan(0.1, "inside the bounds");
      expect(wanted).toBeLessThan(6, "inside the bounds");
      expect(Math.abs(solveToRest() / wanted - 1)).toBeLessThan(0.002, each.toString());
    }
  });

  test("raises the likelihood with every solve", () => {
    begin(2, LAYERS - 1, 2);
    const first = logLikelihood(1);
    expect(logLikelihood(solve())).toBeGreaterThan(first + 0.5);
  });

  test("goes to the least where its inputs mislead, and to the most where they cannot say enough", () => {
    for (let each = 0; each < LAYERS; ++each) {
      begin(4, each, -4);
      solveToRest();
      expect(Math.abs(weightAt(0) - 0.01)).toBeLessThan(1e-6, each.toString());
      begin(5, each, 400);
      solveToRest();
      // a bag's shares are small
      if (readsOf(layer) == BAG) expect(weightAt(0)).toBeGreaterThan(4.1);
      else expect(Math.abs(weightAt(0) - 4)).toBeLessThan(1e-5, each.toString());
      expect(weightAt(0)).toBeLessThan(64.001);
    }
  });

  test("is solved on the slice given and on nothing else", () => {
    begin(6, 0, 1.5);
    const wanted = solve(40, 100);
    begin(6, 0, 1.5);
    // the label at 100 and all after it
    for (let at = 100; at < N; ++at) store<u16>(TOKENS + (at << 1), 3);
    expect(solve(40, 100)).toBe(wanted);
    begin(6, 0, 1.5);
    expect(solve(40, 101)).not.toBe(wanted);
    begin(6, 0, 1.5);
    expect(solve(41, 100)).not.toBe(wanted);
  });
});
