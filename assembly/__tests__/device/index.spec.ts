import {
  append,
  correct,
  feed,
  forget,
  merge,
  observe,
  predict,
  refit,
  reset,
  sample,
  seed,
} from "../../device/index";
import {
  CORRECTED_O,
  EXPECTED,
  HIDDEN,
  MARGINALS,
  MATCHES,
  MIXTURE_SUMS,
  NETWORK,
  O,
  OBSERVED,
  OBSERVED_TOKENS,
  PROBABILITIES,
  RECALLED,
  RECALLED_LENGTH,
  RECENCY,
  SAMPLE_WEIGHTS,
  SEEN,
  STATE,
} from "../../device/layout";
import { likeliest } from "../../device/sampling";
import { followerOf, weightOf } from "../../history/matches";
import { ABSENT, ADAPTS, CELLS, LEARNING, M, MATCH_LENGTH, RECALL, V } from "../../shape";
import { denseStored, LENGTH, TEXT, writeStoredModel } from "../stored";
import { changed, copyOf, differing, gap, get, id, remember, ROUNDING } from "../support";

/** Hidden states in steps of 2^-14, over rows of up to 2.5 a weight. */
const FIXED: f64 = 1e-3;
const SUMS_BYTES: usize = V * M * 4;
const SPARE = memory.data(V * M * 8 + 16, 16);

const surprisals = new StaticArray<f32>(LENGTH);

/** A model, an empty context, sums of nothing, and few tokens in the text, so that much of it recurs. */
function begin(model: u32, alphabet: i32 = V): void {
  writeStoredModel(model);
  for (let i = 0; i < LENGTH; ++i) store<u16>(TEXT + (i << 1), <u16>(id(TEXT, i) % alphabet));
  if (LEARNING != 0) {
    memory.fill(OBSERVED, 0, SUMS_BYTES);
    memory.fill(EXPECTED, 0, SUMS_BYTES);
    store<u32>(OBSERVED_TOKENS, 0);
    correct(0);
  }
  if (RECALL > 0) store<u32>(RECALLED_LENGTH, 0);
  memory.fill(SEEN, 0, V); // as a new memory is
  expect(reset()).toBe(0);
}

function probabilities(): StaticArray<f32> {
  const out = new StaticArray<f32>(V);
  for (let v = 0; v < V; ++v) out[v] = <f32>get(PROBABILITIES, v);
  return out;
}

function feedText(): void {
  for (let i = 0; i < LENGTH; ++i) surprisals[i] = feed(id(TEXT, i));
}

describe("the device", () => {
  test("answers that it is not ready before reset", () => {
    store<u8>(STATE, 0);
    expect(predict()).toBe(-6);
    expect(feed(1)).toBe(-6);
    expect(append(1)).toBe(-6);
    expect(sample(1, 0, 1)).toBe(-6);
    expect(observe(1)).toBe(LEARNING != 0 ? -6 : -4);
  });

  test("predicts what the network says where the text has said nothing yet", () => {
    for (let model: u32 = 1; model < 4; ++model) {
      begin(model);
      expect(predict()).toBe(0);
      expect(gap(PROBABILITIES, denseStored().probabilities(0))).toBeLessThan(FIXED);
    }
  });

  test("predicts by the network, and by recent tokens where it adapts, where no token has recurred", () => {
    begin(4);
    const model = denseStored();
    for (let at = 0; at < 8; ++at) {
      store<u16>(TEXT + (at << 1), <u16>((at * 5 + 3) % V)); // 5 has no factor in common with V
      append((at * 5 + 3) % V);
    }
    const wanted = model.probabilities(8);
    if (ADAPTS != 0) {
      const weights = new StaticArray<f64>(V);
      let sum: f64 = 0;
      for (let v = 0; v < V; ++v) weights[v] = 9.5367431640625e-7;
      for (let at = 0; at < 8; ++at) weights[id(TEXT, at)] += Math.pow(1 + 1.0 / 512, <f64>at);
      for (let v = 0; v < V; ++v) sum += weights[v] = weights[v] * Math.pow(wanted[v], 0.25);
      for (let v = 0; v < V; ++v) wanted[v] = 0.98 * wanted[v] + (0.02 * weights[v]) / sum;
    }
    predict();
    expect(gap(PROBABILITIES, wanted)).toBeLessThan(FIXED);
  });

  test("gives a distribution at every place, and its surprisal in bits", () => {
    begin(5, 6);
    for (let i = 0; i < LENGTH; ++i) {
      predict();
      let sum: f64 = 0;
      for (let v = 0; v < V; ++v) sum += get(PROBABILITIES, v);
      expect(Math.abs(sum - 1)).toBeLessThan(ROUNDING * 4, i.toString());
      const p = get(PROBABILITIES, id(TEXT, i));
      expect(Math.abs(<f64>feed(id(TEXT, i)) + Math.log2(p))).toBeLessThan(ROUNDING * 10, i.toString());
    }
  });

  test("finds what follows a token that recurs", () => {
    begin(6);
    for (let round = 0; round < 6; ++round) {
      feed(1);
      feed(2);
      feed(3);
    }
    predict();
    expect(likeliest(PROBABILITIES)).toBe(1);
    feed(1);
    predict();
    expect(likeliest(PROBABILITIES)).toBe(2);
  });

  test("begins a text anew at reset: the same text has the same surprisals, to the bit", () => {
    begin(7, 6);
    feedText();
    const first = new StaticArray<f32>(LENGTH);
    for (let i = 0; i < LENGTH; ++i) first[i] = surprisals[i];
    expect(reset()).toBe(0);
    feedText();
    for (let i = 0; i < LENGTH; ++i) expect(surprisals[i]).toBe(first[i], i.toString());
  });

  test("appends without adapting mixture and marginals, which feed does", () => {
    begin(8, 6);
    feedText();
    const mixture = copyOf(MIXTURE_SUMS, 2 * CELLS);
    const marginals = copyOf(MARGINALS, ADAPTS * 2 * V);
    predict();
    expect(append(2)).toBe(0);
    expect(gap(MIXTURE_SUMS, mixture)).toBe(0);
    expect(gap(MARGINALS, marginals)).toBe(0);
    feed(2);
    expect(gap(MIXTURE_SUMS, mixture)).toBeGreaterThan(0);
    if (ADAPTS != 0) expect(gap(MARGINALS, marginals)).toBeGreaterThan(0);
  });

  test("refuses tokens that are none, and has not changed then", () => {
    begin(9, 6);
    feedText();
    predict();
    const before = probabilities();
    expect(feed(V)).toBe(-1);
    expect(append(V)).toBe(-1);
    expect(feed(ABSENT)).toBe(-1);
    if (LEARNING != 0) expect(observe(V)).toBe(-1);
    predict();
    expect(differing(PROBABILITIES, before)).toBe(0);
  });

  test("samples by its seed, and the context stays as it is", () => {
    begin(10, 6);
    feedText();
    predict();
    const before = probabilities();
    expect(sample(0, 0, 1)).toBe(likeliest(PROBABILITIES));
    expect(sample(-1, 0, 1)).toBe(-1);
    seed(5);
    const first = new StaticArray<i32>(20);
    for (let i = 0; i < 20; ++i) first[i] = sample(1.5, 0, 1);
    seed(5);
    let moved = 0;
    for (let i = 0; i < 20; ++i) {
      expect(sample(1.5, 0, 1)).toBe(first[i]);
      if (first[i] != first[0]) ++moved;
    }
    expect(moved).toBeGreaterThan(0);
    expect(differing(PROBABILITIES, before)).toBe(0);
  });
});

/** Observes tokens [from, to) of the text as a piece, or forgets them. */
function learn(from: i32, to: i32, sign: i32): void {
  reset();
  for (let i = from; i < to; ++i) {
    surprisals[i] = sign > 0 ? observe(id(TEXT, i)) : forget(id(TEXT, i));
    expect(surprisals[i]).toBeGreaterThanOrEqual(0);
  }
}

/** Sums that are not 0. */
function cellsInUse(): i32 {
  let n = 0;
  for (let i = 0; i < V * M; ++i) if (load<u32>(OBSERVED + (i << 2)) != 0 || load<u32>(EXPECTED + (i << 2)) != 0) ++n;
  return n;
}

function rememberSums(): void {
  remember(OBSERVED, SUMS_BYTES, SPARE);
  remember(EXPECTED, SUMS_BYTES, SPARE + SUMS_BYTES);
}

function sumsChanged(): i32 {
  const observed = changed(OBSERVED, OBSERVED + SUMS_BYTES, OBSERVED, SPARE);
  return observed + changed(EXPECTED, EXPECTED + SUMS_BYTES, EXPECTED, SPARE + SUMS_BYTES);
}

/** The network rescaled by the text's marginals, as `adapted` has found it. */
const rescaled = new StaticArray<f64>(V);

/** λ of the recency cache, before place `at` of a text. */
function lambdaAt(at: i32): f64 {
  return ADAPTS == 0 || at == 0 ? 0 : get(RECENCY, V) / get(RECENCY, V + 1);
}

/** After predict: the network rescaled, then mixed with recent tokens, by what their kernels are specified to do. */
function adapted(at: i32): StaticArray<f64> {
  const out = new StaticArray<f64>(V);
  let sum: f64 = 0;
  let all: f64 = 0;
  for (let v = 0; v < V; ++v) sum += rescaled[v] = (get(NETWORK, v) * get(MARGINALS, v)) / get(MARGINALS, V + v);
  for (let v = 0; v < V; ++v) rescaled[v] /= sum;
  for (let v = 0; v < V; ++v) all += out[v] = get(RECENCY, v) * Math.pow(rescaled[v], 0.25);
  const lambda = lambdaAt(at);
  for (let v = 0; v < V; ++v) out[v] = (1 - lambda) * rescaled[v] + (lambda * out[v]) / all;
  return out;
}

/** Whether the first match listed weighs 1 / √age, times p^¼ of what followed where the network has a say, each cut to six bits. */
function weighs(age: i32, at: i32): bool {
  const match = load<u32>(MATCHES);
  const p = ADAPTS != 0 ? Math.pow(adapted(at)[followerOf(match)], 0.25) : 1;
  const weight = (<f64>weightOf(match) * Math.sqrt(<f64>age)) / p;
  return weight > (31.0 / 32) * (31.0 / 32) - 1e-5 && weight < 1 + 1e-5;
}

describe("a match", () => {
  test("weighs by its age, and by the network where the device adapts", () => {
    begin(21);
    append(1);
    append(2);
    append(3);
    append(1);
    predict();
    expect(followerOf(load<u32>(MATCHES))).toBe(2);
    expect(weighs(3, 4)).toBe(true);
  });
});

if (LEARNING != 0) {
  describe("a device that learns", () => {
    test("adds the hidden state to the row of the token that came, and 64 times as much to rows in all that were expected", () => {
      begin(11);
      reset();
      const token = id(TEXT, 0);
      observe(token); // the network has all the responsibility where nothing else has a say
      let wrong = 0;
      for (let c = 0; c < M; ++c) {
        const weight = <u32>nearest<f32>(<f32>(get(HIDDEN, c) * 256));
        let expected: u32 = 0;
        for (let v = 0; v < V; ++v) {
          if (load<u32>(OBSERVED + ((v * M + c) << 2)) != (v == token ? weight : 0)) ++wrong;
          expected += load<u32>(EXPECTED + ((v * M + c) << 2));
        }
        if (expected != 64 * weight) ++wrong;
      }
      expect(wrong).toBe(0);
      expect(load<u32>(OBSERVED_TOKENS)).toBe(1);
    });

    test("weighs the hidden state by the share of the token's probability that the network explains, and marginals by the same", () => {
      begin(20, 6);
      const other = 9; // follows no match
      for (let at = 0; at < LENGTH; ++at) {
        const token = id(TEXT, at);
        predict();
        const middle = adapted(at);
        const lambda = lambdaAt(at);
        // what the match lengths have left of both
        const rest = get(PROBABILITIES, other) / middle[other];
        const ofBoth = (rest * middle[token]) / get(PROBABILITIES, token);
        const share = (rest * (1 - lambda) * rescaled[token]) / get(PROBABILITIES, token);
        const came = get(MARGINALS, token);
        const expected = get(MARGINALS, V + other);
        const recent = get(RECENCY, V);
        observe(token);
        let worst: f64 = 0;
        for (let c = 0; c < M; ++c) {
          worst = Math.max(worst, Math.abs(<f64>load<u32>(SAMPLE_WEIGHTS + (c << 2)) - get(HIDDEN, c) * share * 256));
        }
        expect(worst).toBeLessThan(0.51, at.toString());
        expect(Math.abs(get(MARGINALS, token) - came - share)).toBeLessThan(1e-4, at.toString());
        const unscaled = get(NETWORK, other);
        expect(Math.abs(get(MARGINALS, V + other) - expected - share * unscaled)).toBeLessThan(1e-4, at.toString());
        // fewer than 128 places: λ is a plain mean
        if (at > 0) expect(Math.abs(get(RECENCY, V) - recent - (ofBoth - share))).toBeLessThan(1e-4, at.toString());
      }
    });

    test("forgets a piece to the bit, in any order of pieces", () => {
      begin(12, 6);
      learn(0, 20, 1);
      rememberSums();
      learn(20, LENGTH, 1);
      expect(load<u32>(OBSERVED_TOKENS)).toBe(LENGTH);
      learn(0, 20, -1);
      learn(0, 20, 1);
      learn(20, LENGTH, -1);
      expect(sumsChanged()).toBe(0);
      learn(0, 20, -1);
      expect(cellsInUse()).toBe(0);
      expect(load<u32>(OBSERVED_TOKENS)).toBe(0);
    });

    test("gives the surprisal of feed, whatever was recalled or corrected", () => {
      begin(13, 6);
      feedText();
      const first = new StaticArray<f32>(LENGTH);
      for (let i = 0; i < LENGTH; ++i) first[i] = surprisals[i];
      for (let i = 0; i < 40; ++i) store<u16>(RECALLED + (i << 1), load<u16>(TEXT + (i << 1)));
      store<u32>(RECALLED_LENGTH, 40);
      learn(0, LENGTH, 1);
      for (let i = 0; i < LENGTH; ++i) expect(surprisals[i]).toBe(first[i], i.toString());
      refit(0, V, 10, 1);
      correct(1);
      learn(0, LENGTH, 1);
      for (let i = 0; i < LENGTH; ++i) expect(surprisals[i]).toBe(first[i], i.toString());
    });

    test("refuses to forget what was never observed, and has not changed then", () => {
      begin(14, 6);
      learn(0, 20, 1);
      rememberSums();
      reset();
      expect(forget(V - 1)).toBe(-3); // no token of the piece
      expect(sumsChanged()).toBe(0);
      expect(load<u32>(OBSERVED_TOKENS)).toBe(20);
    });

    test("refuses to observe where a sum is full, and has not changed then", () => {
      begin(15, 6);
      memory.fill(OBSERVED, 0xff, SUMS_BYTES);
      rememberSums();
      expect(observe(1)).toBe(-2);
      expect(sumsChanged()).toBe(0);
    });

    test("merges sums of another device row by row, once that is wanted", () => {
      begin(16, 6);
      learn(0, 20, 1);
      const row = 2 * M - 1; // the last of those expected
      for (let i = 0; i < V; ++i) store<u32>(PROBABILITIES + (i << 2), i);
      rememberSums();
      expect(merge(row, 0)).toBe(0);
      expect(sumsChanged()).toBe(0);
      expect(merge(row, 1)).toBe(0);
      for (let i = 0; i < V; ++i) {
        const before = load<u32>(SPARE + 2 * SUMS_BYTES - ((V - i) << 2));
        expect(load<u32>(EXPECTED + SUMS_BYTES - ((V - i) << 2))).toBe(before + i);
      }
      expect(merge(2 * M, 0)).toBe(-1);
      memory.fill(PROBABILITIES, 0xff, V * 4);
      store<u32>(OBSERVED, 1);
      expect(merge(0, 1)).toBe(-2);
    });

    test("corrects by rows that are the base's where nothing was observed, and by others where something was", () => {
      begin(17, 6);
      expect(refit(0, V, 10, 1)).toBe(0);
      expect(memory.compare(CORRECTED_O, O, V * M)).toBe(0);
      learn(0, LENGTH, 1);
      reset();
      predict();
      const base = probabilities();
      expect(refit(0, V, 10, 1)).toBe(0);
      predict();
      expect(differing(PROBABILITIES, base)).toBe(0, "not before it is asked for");
      expect(correct(1)).toBe(0);
      predict();
      expect(differing(PROBABILITIES, base)).toBeGreaterThan(V / 2);
      // what came most often is more likely now
      let gained: f64 = 0;
      for (let i = 0; i < LENGTH; ++i) gained += get(PROBABILITIES, id(TEXT, i)) - <f64>base[id(TEXT, i)];
      expect(gained).toBeGreaterThan(0);
      expect(correct(0)).toBe(0);
      predict();
      expect(differing(PROBABILITIES, base)).toBe(0);
    });

    test("solves the rows asked for and no others, and refuses options out of range", () => {
      begin(18, 6);
      learn(0, LENGTH, 1);
      memory.fill(CORRECTED_O, 0x7f, V * M);
      expect(refit(3, 5, 10, 1)).toBe(0);
      for (let i = 0; i < V * M; ++i) {
        if (i < 3 * M || i >= 5 * M) expect(load<u8>(CORRECTED_O + i)).toBe(0x7f);
      }
      expect(memory.compare(CORRECTED_O + 3 * M, O + 3 * M, 2 * M)).not.toBe(0);
      // a step of none leaves them where they are
      expect(refit(3, 5, 10, 0)).toBe(0);
      expect(memory.compare(CORRECTED_O + 3 * M, O + 3 * M, 2 * M)).toBe(0);
      expect(refit(5, 4, 10, 1)).toBe(-1);
      expect(refit(0, V + 1, 10, 1)).toBe(-1);
      expect(refit(0, V, 1e-7, 1)).toBe(-1);
      expect(refit(0, V, 1.1e9, 1)).toBe(-1);
      expect(refit(0, V, NaN, 1)).toBe(-1);
      expect(refit(0, V, 10, 4.1)).toBe(-1);
      expect(refit(0, V, 10, -0.1)).toBe(-1);
      expect(refit(0, V, 10, NaN)).toBe(-1);
    });
  });
} else {
  describe("a device that does not learn", () => {
    test("says so", () => {
      begin(11);
      expect(observe(1)).toBe(-4);
      expect(forget(1)).toBe(-4);
      expect(merge(0, 0)).toBe(-4);
      expect(refit(0, 1, 1, 1)).toBe(-4);
      expect(correct(1)).toBe(-4);
    });
  });
}

if (RECALL > 0 && MATCH_LENGTH > 1) {
  describe("what is recalled", () => {
    test("has a say in predictions, by what followed two tokens or more", () => {
      begin(19);
      append(4);
      append(5);
      predict();
      const before = get(PROBABILITIES, 7);
      for (let i = 0; i < 30; ++i) store<u16>(RECALLED + (i << 1), <u16>(i % 3 == 0 ? 4 : i % 3 == 1 ? 5 : 7));
      store<u32>(RECALLED_LENGTH, 30);
      append(4);
      append(5);
      predict();
      expect(get(PROBABILITIES, 7)).toBeGreaterThan(before + 0.05);
      store<u16>(RECALLED, 4);
      store<u16>(RECALLED + 2, 5);
      store<u16>(RECALLED + 4, 7);
      store<u32>(RECALLED_LENGTH, 3);
      reset();
      append(6);
      append(4);
      append(5);
      predict();
      expect(weighs(3 + 1, 3)).toBe(true); // three of the text, one of what is recalled
    });
  });
}
