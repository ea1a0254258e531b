import { tableOf, W_AT } from "../../layers/list";
import { ATTENDED, CODED, HIDDEN_WEIGHTS, LAYERS, M, rowsOf, V, widthOf, WINDOW } from "../../shape";
import { LIKELIHOOD, LOSS, O, O0, ROUNDED, THIRD, TOKENS, U, U0 } from "../../solver/layout";
import { readNetwork, settings, STRIDE, Work } from "../../solver/records";
import { roundAll, roundRows } from "../../solver/rounding";
import { addLoss, begin, initialise, rateAt, tuneStep } from "../../solver/tune";
import { dense, N, workAtText, writeModel } from "../model";
import { changed, copyOf, gap, get, id, put, remember, ROUNDING, startValues } from "../support";

const SPARE = memory.data(HIDDEN_WEIGHTS * 4, 16);

function set(rounds: i32): Work {
  settings.places = N;
  settings.seed = 3;
  settings.batch = 50;
  settings.steps = 100;
  settings.warmUp = 4;
  settings.learningRate = 0.02;
  settings.rounds = rounds;
  return workAtText();
}

/** Mean −log p of the text. */
function loss(): f64 {
  const model = dense();
  let sum: f64 = 0;
  for (let at = 0; at < N; ++at) sum -= Math.log(model.probabilities(at)[id(TOKENS, at)]);
  return sum / <f64>N;
}

/** Weights from `at` on that a first step has not moved against their gradient, by the rate; and those without a gradient. */
function unmoved(at: usize, n: i32, before: StaticArray<f64>, first: i32, rate: f64): i32 {
  let wrong = 0;
  let still = 0;
  for (let i = 0; i < n; ++i) {
    const gradient = get(at + STRIDE, i);
    if (Math.abs(gradient) < 1e-5) {
      ++still; // ε of Adam has a say there
      continue;
    }
    const by = get(at, i) - before[first + i];
    if (!(Math.abs(by + rate * (gradient > 0 ? 1 : -1)) < rate * 0.01)) ++wrong;
  }
  expect(still).toBeLessThan(n, "a tensor without a gradient");
  return wrong;
}

describe("the learning rate", () => {
  test("rises to its peak in the warm-up, then falls to a tenth of it at the run's end", () => {
    set(0);
    for (let step = 0; step < 4; ++step) expect(Math.abs(<f64>rateAt(step) - (0.02 * <f64>(step + 1)) / 4)).toBeLessThan(1e-8);
    expect(rateAt(4)).toBe(<f32>0.02);
    expect(Math.abs(<f64>rateAt(52) - 0.011)).toBeLessThan(1e-8);
    expect(Math.abs(<f64>rateAt(100) - 0.002)).toBeLessThan(1e-8);
  });
});

describe("a cold start", () => {
  test("has weights of deviation 0.1, or uniform by rows and columns; no bias, and attention to all positions alike", () => {
    startValues(1);
    writeModel();
    for (let xavier = 0; xavier < 2; ++xavier) {
      initialise(5, xavier == 1, workAtText());
      for (let layer = 0; layer <= LAYERS; ++layer) {
        const rows = layer < LAYERS ? rowsOf(layer) : V;
        const columns = layer < LAYERS ? widthOf(layer) : M;
        const at = layer < LAYERS ? U + tableOf(layer) : O;
        const bound = Math.sqrt(6.0 / <f64>(rows + columns));
        let mean: f64 = 0;
        let square: f64 = 0;
        let most: f64 = 0;
        const n = rows * columns;
        for (let i = 0; i < n; ++i) {
          mean += get(at, i) / <f64>n;
          square += (get(at, i) * get(at, i)) / <f64>n;
          most = Math.max(most, Math.abs(get(at, i)));
        }
        const deviation = xavier == 1 ? bound / Math.sqrt(3) : 0.1;
        // six deviations of a mean and of a variance of n weights
        expect(Math.abs(mean)).toBeLessThan((6 * deviation) / Math.sqrt(<f64>n), layer.toString());
        expect(Math.abs(square / (deviation * deviation) - 1)).toBeLessThan(9 / Math.sqrt(<f64>n), layer.toString());
        expect(most).toBeLessThanOrEqual(xavier == 1 ? bound : 0.1 * 2 * 1.7320509);
      }
      for (let c = 0; c < M; ++c) expect(get(U0, c)).toBe(0);
      for (let v = 0; v < V; ++v) expect(get(O0, v)).toBe(0);
      for (let i = <i32>(W_AT >> 2); i < HIDDEN_WEIGHTS; ++i) expect(get(U, i)).toBe(0);
    }
  });

  test("is named by its seed", () => {
    initialise(5, false, workAtText());
    const first = copyOf(O, V * M);
    initialise(6, false, workAtText());
    expect(gap(O, first)).toBeGreaterThan(0.1);
    initialise(5, false, workAtText());
    expect(gap(O, first)).toBe(0);
  });
});

describe("a step of tuning", () => {
  test("moves every weight by Adam's first step against its gradient, and adds to the loss", () => {
    startValues(2);
    writeModel();
    const work = set(0);
    begin();
    const before = copyOf(U, <i32>(STRIDE >> 2));
    const wanted = loss();
    settings.batch = N; // all places
    tuneStep(0, work);
    expect(Math.abs(load<f64>(LOSS) / <f64>N - wanted)).toBeLessThan(ROUNDING * 10);
    const rate: f64 = 0.02 / 4;
    for (let layer = 0; layer < LAYERS; ++layer) {
      const first = <i32>(tableOf(layer) >> 2);
      const wrong = unmoved(U + tableOf(layer), rowsOf(layer) * widthOf(layer), before, first, rate);
      expect(wrong).toBe(0, layer.toString());
    }
    if (ATTENDED != 0) {
      expect(unmoved(U + W_AT, WINDOW * WINDOW + WINDOW, before, <i32>(W_AT >> 2), rate)).toBe(0, "W, w0");
    }
    expect(unmoved(U0, M, before, <i32>((U0 - U) >> 2), rate)).toBe(0, "u0");
    expect(unmoved(O, V * M, before, <i32>((O - U) >> 2), rate)).toBe(0, "O");
    expect(unmoved(O0, V, before, <i32>((O0 - U) >> 2), rate)).toBe(0, "o0");
  });

  test("lowers the loss of the text, epoch after epoch", () => {
    startValues(3);
    writeModel();
    const work = set(0);
    begin();
    let last = loss();
    for (let step = 0; step < 24; ++step) {
      tuneStep(step, work);
      if (step % 8 != 7) continue;
      const now = loss();
      expect(now).toBeLessThan(last);
      last = now;
    }
  });

  test("takes all places of the text once an epoch", () => {
    startValues(4);
    writeModel();
    const work = set(0);
    settings.learningRate = 0; // the network stays as it is: the loss of an epoch is that of the text
    begin();
    const wanted = loss();
    for (let step = 0; step < 3; ++step) tuneStep(step, work); // 50, 50 and 20 places
    expect(Math.abs(load<f64>(LOSS) / <f64>N - wanted)).toBeLessThan(ROUNDING * 10);
    begin();
    expect(load<f64>(LOSS)).toBe(0);
    expect(gap(THIRD, new StaticArray<f64>(2 * <i32>(STRIDE >> 2)))).toBe(0);
  });

  if (CODED != 0) {
    test("reads what rounding leaves of the hidden layers, and leaves the rounding of what it has moved", () => {
      startValues(5);
      writeModel();
      const work = set(1);
      begin();
      expect(memory.compare(ROUNDED, U, HIDDEN_WEIGHTS * 4)).toBe(0, "weights as they are, before a round");
      readNetwork.hidden = ROUNDED;
      roundAll(work);
      // what is read and what is moved are not the same
      const before = copyOf(U, HIDDEN_WEIGHTS);
      memory.copy(U, ROUNDED, HIDDEN_WEIGHTS * 4);
      const wanted = loss();
      for (let i = 0; i < HIDDEN_WEIGHTS; ++i) put(U, i, before[i]);
      settings.batch = N;
      tuneStep(0, work);
      expect(Math.abs(load<f64>(LOSS) / <f64>N - wanted)).toBeLessThan(ROUNDING * 10);
      expect(gap(U, before)).toBeGreaterThan(0);
      remember(ROUNDED, HIDDEN_WEIGHTS * 4, SPARE);
      for (let layer = 0; layer < LAYERS; ++layer) roundRows(layer, 0, rowsOf(layer));
      if (ATTENDED != 0) memory.copy(ROUNDED + W_AT, U + W_AT, <usize>HIDDEN_WEIGHTS * 4 - W_AT);
      expect(changed(ROUNDED, ROUNDED + HIDDEN_WEIGHTS * 4, ROUNDED, SPARE)).toBe(0);
    });
  }
});

describe("the loss", () => {
  test("is the sum of −log of likelihoods, and finite where one is 0", () => {
    store<f64>(LOSS, 10);
    put(LIKELIHOOD, 0, 0.5);
    put(LIKELIHOOD, 1, 0.25);
    put(LIKELIHOOD, 2, 0);
    addLoss(2);
    expect(Math.abs(load<f64>(LOSS) - 10 - Math.log(8))).toBeLessThan(ROUNDING);
    addLoss(3);
    expect(isFinite(load<f64>(LOSS))).toBe(true);
  });
});
