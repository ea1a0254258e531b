/**
 * Softmax regression by back-propagation: stochastic gradients with Adam (Kingma & Ba 2015) on the active features that a classifier's own encoder
 * gives, from zero or from a classifier's weights. The epoch is kept that gets most of the held-out tenth right; the learning rate was chosen on the
 * last 10,000 images of MNIST's train.
 */
import { Device } from "../../../host/classify/device.ts";
import { classifierModules, type FeedForward } from "../../../host/index.ts";
import type { Labelled } from "./measure.ts";

export interface Codes {
  readonly ids: readonly Uint16Array[];
  readonly labels: Uint16Array;
}

/** Active features of examples, as the classifier encodes them. */
export async function codesOf(classifier: FeedForward, examples: readonly Labelled[]): Promise<Codes> {
  const { encoder, shape, layer } = classifier.parts;
  const { simd } = await classifierModules();
  const device = await Device.start(simd.device, { ...shape, form: "none" }, layer, false);
  const ids = examples.map(({ input }, i) => {
    device.encode(encoder.pack(input, i + 1));
    return device.ids.slice();
  });
  return { ids, labels: Uint16Array.from(examples, ({ label }) => classifier.labels.indexOf(String(label))) };
}

export interface Weights {
  /** (D, C), and (C). */
  readonly rows: Float32Array;
  readonly bias: Float32Array;
}

/** The weights of a classifier whose rows are of four bits, as numbers. */
export function weightsOf(classifier: FeedForward): Weights {
  const { layer, shape } = classifier.parts;
  const classes = classifier.labels.length;
  const width = Math.ceil(classes / 2);
  const level = (d: number, c: number) => {
    const pair = layer.rows[d * width + (c >> 1)]!;
    return (c % 2 === 0 ? pair & 15 : pair >> 4) - 8;
  };
  const rows = new Float32Array(shape.encoding.features * classes);
  for (let i = 0; i < rows.length; ++i)
    rows[i] = layer.scales[i % classes]! * level(Math.floor(i / classes), i % classes);
  return { rows, bias: layer.bias.slice() };
}

function scoresOf({ rows, bias }: Weights, ids: Uint16Array): Float64Array {
  const scores = Float64Array.from(bias);
  for (const id of ids) for (let c = 0; c < scores.length; ++c) scores[c]! += rows[id * scores.length + c]!;
  return scores;
}

/** Share of examples whose highest score is their label's. */
export function rightOf(weights: Weights, { ids, labels }: Codes): number {
  const best = (scores: Float64Array) => scores.indexOf(Math.max(...scores));
  return ids.filter((own, i) => best(scoresOf(weights, own)) === labels[i]).length / ids.length;
}

const [RATE, BATCH, FIRST, SECOND, EPSILON] = [0.003, 100, 0.9, 0.999, 1e-8];

/** @param held examples that are not learned from; nothing of them may be in `start` either */
export function trained(
  codes: Codes,
  held: Codes,
  features: number,
  classes: number,
  start: Weights | undefined,
  epochs: number,
  seed: number,
): Weights {
  const weights = start
    ? { rows: start.rows.slice(), bias: start.bias.slice() }
    : { rows: new Float32Array(features * classes), bias: new Float32Array(classes) };
  const all = new Float32Array(weights.rows.length + classes);
  const [m, v] = [all.slice(), all.slice()];
  const order = Array.from(codes.ids.keys());
  let state = seed;
  const draw = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const shuffle = () => {
    for (let i = order.length - 1; i > 0; --i) {
      const j = draw(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
  };
  let best = { right: rightOf(weights, held), rows: weights.rows.slice(), bias: weights.bias.slice() };
  let steps = 0;
  for (let epoch = 0; epoch < epochs; ++epoch) {
    shuffle();
    const rate = RATE * (1 - epoch / epochs);
    for (let from = 0; from < order.length; from += BATCH) {
      const batch = order.slice(from, from + BATCH);
      const gradient = new Map<number, Float64Array>();
      const bias = new Float64Array(classes);
      for (const i of batch) {
        const scores = scoresOf(weights, codes.ids[i]!);
        const peak = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - peak));
        const total = powers.reduce((a, b) => a + b, 0);
        const delta = powers.map((power, c) => (power / total - (c === codes.labels[i] ? 1 : 0)) / batch.length);
        for (let c = 0; c < classes; ++c) bias[c]! += delta[c]!;
        for (const id of codes.ids[i]!) {
          let row = gradient.get(id);
          if (row === undefined) {
            row = new Float64Array(classes);
            gradient.set(id, row);
          }
          for (let c = 0; c < classes; ++c) row[c]! += delta[c]!;
        }
      }
      steps += 1;
      const by = (rate * Math.sqrt(1 - SECOND ** steps)) / (1 - FIRST ** steps);
      const move = (values: Float32Array, at: number, own: number, slope: number) => {
        m[own] = FIRST * m[own]! + (1 - FIRST) * slope;
        v[own] = SECOND * v[own]! + (1 - SECOND) * slope * slope;
        values[at]! -= (by * m[own]!) / (Math.sqrt(v[own]!) + EPSILON);
      };
      for (const [id, row] of gradient)
        for (let c = 0; c < classes; ++c) move(weights.rows, id * classes + c, id * classes + c, row[c]!);
      for (let c = 0; c < classes; ++c) move(weights.bias, c, features * classes + c, bias[c]!);
    }
    const right = rightOf(weights, held);
    if (right > best.right) best = { right, rows: weights.rows.slice(), bias: weights.bias.slice() };
  }
  return best;
}
