// The specs' oracle: the network in dense f64, straight from its definition. The kernels gather rows; here what a layer reads is a row of
// numbers, whatever its kind, and every product runs over all of them.
import { W0_AT, W_AT } from "../layers/list";
import { Network } from "../layers/records";
import {
  ABSENT,
  ATTENDED,
  BAG,
  BITS,
  CIPHER_WIDTH,
  CIPHERED,
  columnOf,
  firstWeightOf,
  groupsOf,
  HIDDEN_WEIGHTS,
  LAYERS,
  M,
  positionsOf,
  readsOf,
  rowsOf,
  SPAN,
  TOKENS,
  UNITS,
  V,
  WIDTH_0,
  widthOf,
  WINDOW,
} from "../shape";
import { copyOf, id } from "./support";

/** x of one token: a row of b numbers, non-negative and of unit sum. */
export function denseToken(cipher: usize, token: i32): StaticArray<f64> {
  const row = new StaticArray<f64>(BITS);
  if (CIPHERED == 0) {
    row[token] = 1;
    return row;
  }
  let size = 0;
  for (let i = 0; i < CIPHER_WIDTH; ++i) if (id(cipher, token * CIPHER_WIDTH + i) < BITS) ++size;
  for (let i = 0; i < size; ++i) row[id(cipher, token * CIPHER_WIDTH + i)] = 1 / <f64>size;
  return row;
}

/** Softmax of n values from `first`, in place. */
export function denseSoftmax(values: StaticArray<f64>, first: i32, n: i32): void {
  let peak = -Infinity;
  let sum: f64 = 0;
  for (let i = first; i < first + n; ++i) peak = Math.max(peak, values[i]);
  for (let i = first; i < first + n; ++i) sum += Math.exp(values[i] - peak);
  for (let i = first; i < first + n; ++i) values[i] = Math.exp(values[i] - peak) / sum;
}

/** A network and a text in f64. Weights stand in arrays, laid out as those of Network, so that a spec can move one a little. */
export class Dense {
  hidden: StaticArray<f64> = new StaticArray<f64>(HIDDEN_WEIGHTS);
  biases: StaticArray<f64> = new StaticArray<f64>(M);
  decoder: StaticArray<f64> = new StaticArray<f64>(V * M);
  decoderBias: StaticArray<f64> = new StaticArray<f64>(V);
  /** Tokens of the document: the solvers leave out what is older, the device does not. */
  reach: i32 = 5 * SPAN;

  constructor(
    public cipher: usize,
    public tokens: usize,
  ) {}

  /** Token at a place of the text, or -1 before its start and between two texts. */
  tokenAt(at: i32): i32 {
    if (at < 0) return -1;
    const token = id(this.tokens, at);
    return token == <i32>ABSENT ? -1 : token;
  }

  /** c: ⟨x_0, x_j⟩ for each position of the window before a place. */
  comparisons(at: i32): StaticArray<f64> {
    const out = new StaticArray<f64>(WINDOW);
    if (this.tokenAt(at - 1) < 0) return out;
    const pivot = denseToken(this.cipher, this.tokenAt(at - 1));
    for (let j = 0; j < WINDOW; ++j) {
      if (this.tokenAt(at - 1 - j) < 0) break; // what is before it is of another text
      const other = denseToken(this.cipher, this.tokenAt(at - 1 - j));
      for (let bit = 0; bit < BITS; ++bit) out[j] += pivot[bit] * other[bit];
    }
    return out;
  }

  /** r·a, a = softmax(c W + w0); 1 each without attention. */
  shares(at: i32): StaticArray<f64> {
    const out = new StaticArray<f64>(WINDOW);
    if (ATTENDED == 0) {
      for (let j = 0; j < WINDOW; ++j) out[j] = 1;
      return out;
    }
    const comparisons = this.comparisons(at);
    for (let j = 0; j < WINDOW; ++j) {
      out[j] = this.hidden[<i32>(W0_AT >> 2) + j];
      for (let i = 0; i < WINDOW; ++i) out[j] += comparisons[i] * this.hidden[<i32>(W_AT >> 2) + i * WINDOW + j];
    }
    denseSoftmax(out, 0, WINDOW);
    for (let j = 0; j < WINDOW; ++j) out[j] *= <f64>WINDOW;
    return out;
  }

  /** What a layer reads before a place: a number for each row of its U. */
  inputs(layer: i32, at: i32): StaticArray<f64> {
    const out = new StaticArray<f64>(rowsOf(layer));
    if (readsOf(layer) == TOKENS) {
      const shares = this.shares(at);
      for (let j = 0; j < WINDOW && this.tokenAt(at - 1 - j) >= 0; ++j) this.addToken(at - 1 - j, shares[j], j * BITS, out);
    } else if (readsOf(layer) == BAG) {
      let share = 1 / <f64>SPAN;
      for (let i = 0; i < this.reach && this.tokenAt(at - 1 - i) >= 0; ++i) {
        this.addToken(at - 1 - i, share, 0, out);
        share *= 1 - 1 / <f64>SPAN;
      }
    } else {
      for (let j = 0; j < positionsOf(layer); ++j) {
        if (j > 0 && this.tokenAt(at - j) < 0) break;
        const state = this.state(0, at - j);
        for (let c = 0; c < WIDTH_0; ++c) out[j * WIDTH_0 + c] = state[c];
      }
    }
    return out;
  }

  private addToken(at: i32, share: f64, first: i32, out: StaticArray<f64>): void {
    const token = this.tokenAt(at);
    if (token < 0) return;
    const row = denseToken(this.cipher, token);
    for (let bit = 0; bit < BITS; ++bit) out[first + bit] += share * row[bit];
  }

  /** What a layer's inputs add to its logits: x U. */
  product(layer: i32, at: i32): StaticArray<f64> {
    const width = widthOf(layer);
    const out = new StaticArray<f64>(width);
    const x = this.inputs(layer, at);
    for (let row = 0; row < rowsOf(layer); ++row) {
      if (x[row] == 0) continue;
      for (let c = 0; c < width; ++c) out[c] += x[row] * this.hidden[firstWeightOf(layer) + row * width + c];
    }
    return out;
  }

  /** h of one layer: softmax(x U + u0) a group. */
  state(layer: i32, at: i32): StaticArray<f64> {
    const out = this.product(layer, at);
    for (let c = 0; c < widthOf(layer); ++c) out[c] += this.biases[columnOf(layer) + c];
    for (let group = 0; group < groupsOf(layer); ++group) denseSoftmax(out, group * UNITS, UNITS);
    return out;
  }

  /** h of all layers, (M). */
  states(at: i32): StaticArray<f64> {
    const out = new StaticArray<f64>(M);
    for (let layer = 0; layer < LAYERS; ++layer) {
      const own = this.state(layer, at);
      for (let c = 0; c < own.length; ++c) out[columnOf(layer) + c] = own[c];
    }
    return out;
  }

  /** softmax(h O + o0), (V). */
  probabilities(at: i32): StaticArray<f64> {
    const h = this.states(at);
    const out = new StaticArray<f64>(V);
    for (let v = 0; v < V; ++v) {
      out[v] = this.decoderBias[v];
      for (let c = 0; c < M; ++c) out[v] += h[c] * this.decoder[v * M + c];
    }
    denseSoftmax(out, 0, V);
    return out;
  }
}

/** The weights of a network in f64, over a text. */
export function denseOf(network: Network, tokens: usize): Dense {
  const out = new Dense(network.cipher, tokens);
  out.hidden = copyOf(network.hidden, HIDDEN_WEIGHTS);
  out.biases = copyOf(network.biases, M);
  out.decoder = copyOf(network.decoder, V * M);
  out.decoderBias = copyOf(network.decoderBias, V);
  return out;
}
