import { W0_AT, W_AT } from "../../layers/list";
import {
  ATTENDED,
  BITS,
  CIPHER_WIDTH,
  CIPHERED,
  GROUPS,
  groupsOf,
  HIDDEN_WEIGHTS,
  HISTORY,
  M,
  MATCH_LENGTH,
  PARTS,
  POSITIONS_A_GROUP,
  REMEMBERS,
  UNITS,
  V,
} from "../../shape";
import {
  attentionSteps,
  count,
  evaluate,
  explicitSteps,
  groupSteps,
  initialiseGroups,
  initialiseScaling,
  mixturePlaces,
  open,
  scalingSteps,
  storeDecoder,
  weighInputs,
} from "../../solver/index";
import {
  CIPHER,
  LIKELIHOOD,
  MARGINAL,
  MIXTURE_BUCKETS,
  MIXTURE_LIKELIHOODS,
  O,
  O_INT8,
  O_SCALE,
  O0,
  POSITIONS,
  SEEN,
  THIRD_O,
  TOKENS,
  U,
} from "../../solver/layout";
import { settings, STRIDE } from "../../solver/records";
import { dense, N, WEIGHTS_BYTES, writeModel } from "../model";
import { between, changed, copyOf, gap, get, id, LOOSE, mark, put, remember, ROUNDING, startValues, untouched } from "../support";

const SPARE = memory.data(131072, 16);
const MIXED = memory.data(N * (PARTS * 4 + MATCH_LENGTH), 16);

/** A model, and a text with structure: mostly one of two followers. */
function begin(seed: u32): void {
  startValues(seed);
  writeModel();
  for (let at = 1; at < N; ++at) {
    const last = id(TOKENS, at - 1);
    if (between(0, 1) < 0.8) store<u16>(TOKENS + (at << 1), <u16>((last * 3 + (at & 1)) % V));
  }
  settings.places = N;
  settings.seed = 3;
  settings.groupBatch = N;
  settings.groupRate = 0;
  settings.groupPseudoCounts = 5;
  settings.labelCiphers = 0;
  settings.batch = 50;
  settings.lead = 3;
  settings.rate = 0.6;
  settings.decoderPseudoCounts = 5;
  settings.hiddenPseudoCounts = 5;
  settings.decoderStep = 1;
  settings.hiddenStep = 1;
  settings.decoderPrior = 0;
  settings.hiddenPrior = 0;
  settings.sharpness = 1;
  settings.rounds = 0;
  memory.fill(SEEN, 0, V); // as a new memory is
  open();
}

describe("counting", () => {
  test("gives the token marginal with one more of each, its logarithm, and ciphers by rank", () => {
    begin(1);
    count();
    const wanted = new StaticArray<f64>(V);
    for (let v = 0; v < V; ++v) wanted[v] = 1 / <f64>(N + V);
    for (let at = 0; at < N; ++at) wanted[id(TOKENS, at)] += 1 / <f64>(N + V);
    expect(gap(MARGINAL, wanted)).toBeLessThan(ROUNDING);
    for (let v = 0; v < V; ++v) wanted[v] = Math.log(wanted[v]);
    expect(gap(O0, wanted)).toBeLessThan(ROUNDING * 4);
    if (CIPHERED == 0) return;
    // the b likeliest tokens have one bit
    let single = 0;
    let least = Infinity;
    let most = -Infinity;
    for (let v = 0; v < V; ++v) {
      if (id(CIPHER, v * CIPHER_WIDTH + 1) == 0xffff) {
        ++single;
        least = Math.min(least, wanted[v]);
      } else most = Math.max(most, wanted[v]);
    }
    expect(single).toBe(BITS);
    expect(least).toBeGreaterThanOrEqual(most);
  });
});

describe("first targets", () => {
  test("are a distribution over each group's units, other ones for another seed, and sums begin at 0", () => {
    begin(2);
    count();
    for (let labels = 0; labels < (V < 1 << UNITS ? 2 : 1); ++labels) {
      settings.labelCiphers = labels;
      settings.seed = 1;
      mark(U + STRIDE, 2 * STRIDE);
      initialiseGroups();
      const first = copyOf(THIRD_O, V * M);
      let worst: f64 = 0;
      for (let i = 0; i < V * M; i += UNITS) {
        let sum: f64 = 0;
        for (let c = 0; c < UNITS; ++c) sum += get(THIRD_O, i + c);
        worst = Math.max(worst, Math.abs(sum - 1));
      }
      expect(worst).toBeLessThan(ROUNDING * 2);
      expect(gap(U + STRIDE, new StaticArray<f64>(HIDDEN_WEIGHTS))).toBe(0);
      expect(gap(O + STRIDE, new StaticArray<f64>(V * M))).toBe(0);
      settings.seed = 2;
      initialiseGroups();
      expect(gap(THIRD_O, first)).toBeGreaterThan(0.1);
    }
  });
});

describe("steps of groups", () => {
  test("what weighs their inputs, shared by threads, is that of one, to the bit", () => {
    begin(3);
    count();
    initialiseGroups();
    const first = groupsOf(0);
    groupSteps(0, 1, 0, first, 0, 3);
    remember(U, WEIGHTS_BYTES, SPARE);
    const positionsBefore = copyOf(POSITIONS, GROUPS * POSITIONS_A_GROUP);
    weighInputs(0, 1, 0, first, 0, 60);
    const u = copyOf(U, <i32>(WEIGHTS_BYTES >> 2));
    const positions = copyOf(POSITIONS, GROUPS * POSITIONS_A_GROUP);
    memory.copy(U, SPARE, WEIGHTS_BYTES);
    for (let i = 0; i < GROUPS * POSITIONS_A_GROUP; ++i) put(POSITIONS, i, positionsBefore[i]);
    for (let thread = 2; thread >= 0; --thread) weighInputs(thread, 3, 0, first, 0, 60);
    expect(gap(U, u)).toBe(0);
    expect(gap(POSITIONS, positions)).toBe(0);
  });

  test("leave U at the weight that was found", () => {
    begin(4);
    count();
    initialiseGroups();
    groupSteps(0, 1, 0, 1, 0, 3);
    const before = get(POSITIONS, 0);
    const u = copyOf(U, UNITS);
    weighInputs(0, 1, 0, 1, 0, N);
    const ratio = get(POSITIONS, 0) / before;
    expect(Math.abs(ratio - 1)).toBeGreaterThan(1e-3);
    for (let c = 0; c < UNITS; ++c) expect(Math.abs(get(U, c) - ratio * u[c])).toBeLessThan(LOOSE);
  });
});

if (ATTENDED != 0) {
  describe("steps of attention", () => {
    test("solve W, w0 and the weight of positions, in any number of calls", () => {
      begin(5);
      count();
      attentionSteps(0, 0, N);
      attentionSteps(1, 0, N);
      const w = copyOf(U + W_AT, <i32>(((<usize>HIDDEN_WEIGHTS << 2) - W_AT) >> 2));
      const weight = get(POSITIONS, 0);
      expect(Math.abs(weight * 3 * Math.exp(get(U + W0_AT, 0)) - 1)).toBeLessThan(LOOSE); // 1 / (r π_0), r = 3
      begin(5);
      count();
      mark(U + W_AT, 16);
      attentionSteps(0, 0, 50);
      attentionSteps(0, 50, N);
      attentionSteps(1, 0, 7);
      expect(untouched(U + W_AT, 16)).toBe(true, "not before the last call");
      attentionSteps(1, 7, N);
      expect(gap(U + W_AT, w)).toBe(0);
      for (let i = 0; i < groupsOf(0) * POSITIONS_A_GROUP; ++i) expect(get(POSITIONS, i)).toBe(weight);
    });
  });
}

/** Mean log p of the text, by `evaluate`. */
function score(): f64 {
  evaluate(0, N);
  let sum: f64 = 0;
  for (let at = 0; at < N; ++at) sum += Math.log(get(LIKELIHOOD, at));
  return sum / <f64>N;
}

describe("evaluating", () => {
  test("gives the likelihood of each place of a slice, and no more", () => {
    begin(6);
    const model = dense();
    mark(LIKELIHOOD, N * 4);
    evaluate(20, 70);
    for (let i = 0; i < 70; ++i) {
      const wanted = model.probabilities(20 + i)[id(TOKENS, 20 + i)];
      expect(Math.abs(get(LIKELIHOOD, i) - wanted)).toBeLessThan(ROUNDING * 4, i.toString());
    }
    expect(untouched(LIKELIHOOD + 70 * 4, (N - 70) * 4)).toBe(true);
  });
});

describe("steps of iterative scaling", () => {
  test("move the decoder from the first on, and the hidden layers once its lead is over", () => {
    begin(7);
    initialiseScaling();
    expect(get(O, 5)).toBe(0);
    remember(U, WEIGHTS_BYTES, SPARE);
    scalingSteps(0, 1, 0, 3);
    expect(changed(U, U + (HIDDEN_WEIGHTS << 2), U, SPARE)).toBe(0);
    expect(changed(O, O0, U, SPARE)).toBeGreaterThan(0);
    scalingSteps(0, 1, 3, 4);
    expect(changed(U, U + W_AT, U, SPARE)).toBeGreaterThan(0);
    expect(changed(U + W_AT, U + (HIDDEN_WEIGHTS << 2), U, SPARE)).toBe(0, "attention is solved before");
  });

  test("explain the text better, pass after pass", () => {
    begin(8);
    count();
    initialiseScaling();
    let last = score();
    for (let pass = 0; pass < 4; ++pass) {
      scalingSteps(0, 1, pass * 3, (pass + 1) * 3); // of 50, 50 and 20 places
      const now = score();
      expect(now).toBeGreaterThan(last);
      last = now;
    }
  });
});

describe("the explicit decoder of the network", () => {
  test("is solved by the last call, from Σ h ⊗ y of all places", () => {
    begin(9);
    explicitSteps(0, 70);
    explicitSteps(70, N);
    const model = dense();
    const sums = new StaticArray<f64>(V * M);
    const totals = new StaticArray<f64>(M);
    for (let at = 0; at < N; ++at) {
      const h = model.states(at);
      for (let c = 0; c < M; ++c) {
        sums[id(TOKENS, at) * M + c] += h[c];
        totals[c] += h[c];
      }
    }
    const wanted = new StaticArray<f64>(V * M);
    for (let i = 0; i < V * M; ++i) {
      const p = get(MARGINAL, i / M);
      wanted[i] = Math.log((sums[i] + 5 * p) / ((totals[i % M] + 5) * p));
    }
    expect(gap(O, wanted)).toBeLessThan(LOOSE);
  });
});

if (REMEMBERS != 0) {
  describe("places of the mixture", () => {
    test("are those of one slice however many calls, with the history of what came before it", () => {
      begin(10);
      evaluate(40, 60);
      mixturePlaces(40, 60, 0);
      memory.copy(MIXED, MIXTURE_LIKELIHOODS, 60 * PARTS * 4);
      memory.copy(MIXED + 60 * PARTS * 4, MIXTURE_BUCKETS, 60 * MATCH_LENGTH);
      let matched = 0;
      for (let i = 0; i < 60; ++i) {
        expect(get(MIXTURE_LIKELIHOODS, i * PARTS)).toBe(get(LIKELIHOOD, i));
        let seen = false;
        for (let at = max(0, 40 + i - HISTORY); at < 39 + i; ++at) if (id(TOKENS, at) == id(TOKENS, 39 + i)) seen = true;
        expect(load<u8>(MIXTURE_BUCKETS + i * MATCH_LENGTH) != 0xff).toBe(seen, i.toString());
        if (seen) ++matched;
      }
      expect(matched).toBeGreaterThan(30);
      mark(MIXTURE_LIKELIHOODS, 60 * PARTS * 4);
      mark(MIXTURE_BUCKETS, 60 * MATCH_LENGTH);
      evaluate(40, 25);
      mixturePlaces(40, 25, 0);
      evaluate(65, 35);
      mixturePlaces(65, 35, 25);
      expect(memory.compare(MIXED, MIXTURE_LIKELIHOODS, 60 * PARTS * 4)).toBe(0);
      expect(memory.compare(MIXED + 60 * PARTS * 4, MIXTURE_BUCKETS, 60 * MATCH_LENGTH)).toBe(0);
    });
  });
}

describe("the decoder as it is stored", () => {
  test("is each row in int8, by its own scale", () => {
    begin(11);
    for (let v = 0; v < V; ++v) put(O, v * M, 2 + v);
    storeDecoder();
    let wrong = 0;
    for (let i = 0; i < V * M; ++i) {
      const scale = get(O_SCALE, i / M);
      if (!(Math.abs(scale * 127 - <f64>(2 + i / M)) < LOOSE)) ++wrong;
      if (!(Math.abs(scale * <f64>load<i8>(O_INT8 + i) - get(O, i)) < scale * 0.50002)) ++wrong;
    }
    expect(wrong).toBe(0);
  });
});
