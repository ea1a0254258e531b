/**
 * A model's network as an ONNX file: context window → hidden layers → softmax over the vocabulary, in f32, from the stored rows. What follows the
 * text (history attention, marginals, recency cache) is no function of a window, and is not in it.
 *
 * | | name | type, shape | is |
 * | --- | --- | --- | --- |
 * | input | `tokens` | int32 (batch, n) | the last n = r + s − 1 tokens in reading order; V where the stream has fewer (s: `secondWindow`, else 1) |
 * | input | `document` | float (batch, document's width) | zeros at a stream's start, then what the last run gave as `next_document`; where the shape has groups of the document |
 * | output | `probabilities` | float (batch, V) | of the next token |
 * | output | `next_document` | float, as `document` | with the last token in it |
 *
 * ```ts
 * const bytes = onnxModel(await load("potato-en")); // operators of opset 13
 * ```
 */
import { checkFiles, checkOptions, invalidOption, isMap, SaffuError } from "../errors.ts";
import { dequantised } from "../files/dequantise.ts";
import type { Tensor } from "../files/safetensors.ts";
import type { Correction } from "../files/statistics.ts";
import { readWeights } from "../files/weights.ts";
import { type HiddenLayer, hiddenLayers, hiddenWidth, type Shape, validateShape } from "../shape.ts";
import { FLOAT, Graph, INT32 } from "./graph.ts";

/** What is exported: a loaded model is one. */
export interface Exportable {
  readonly config: { readonly shape: Shape };
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface OnnxOptions {
  /** Tensors in place of the model's own: what a refit solved. */
  readonly correction?: Correction | undefined;
}

const WEIGHTS = "model.safetensors";
/** A message of protocol buffers has at most 2^31 − 1 bytes; what is not weights stays below the difference. */
const MOST_BYTES = 2 ** 31 - 2 ** 20;

/**
 * @returns the file, the same bytes for the same model
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE, MODEL_MISSING_FILE, MODEL_CORRUPT, OUT_OF_MEMORY; UNSUPPORTED where the weights in f32 pass what an ONNX file
 * can hold
 */
export function onnxModel(model: Exportable, options: OnnxOptions = {}): Uint8Array {
  checkOptions(options, []);
  if (typeof model !== "object" || model === null || !isMap(model.files)) {
    throw invalidOption("model", "a model that is loaded", model);
  }
  checkFiles(model.files);
  const { correction } = options;
  if (correction !== undefined && !isMap(correction)) throw invalidOption("correction", "a Map of tensors", correction);
  const shape = validateShape(model.config?.shape);
  const stored = model.files.get(WEIGHTS);
  if (stored === undefined) throw new SaffuError("MODEL_MISSING_FILE", `${WEIGHTS} is missing`);
  const bytes = bytesOf(shape);
  if (bytes > MOST_BYTES) {
    throw new SaffuError("UNSUPPORTED", `the network has ${bytes} bytes in f32, an ONNX file holds ${MOST_BYTES}`);
  }
  const tensors = new Map(readWeights(stored, shape, WEIGHTS).map(([{ name }, tensor]) => [name, tensor]));
  for (const [name, tensor] of correction ?? []) {
    const { data } = tensors.get(name) ?? {};
    if (data === undefined || tensor?.data?.length !== data.length) {
      throw invalidOption("correction", `of the model: ${name} of ${data?.length ?? 0} elements`, tensor?.data?.length);
    }
    tensors.set(name, tensor);
  }
  try {
    return new NetworkGraph(shape, tensors).bytes();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause; // what engines refuse memory with
    throw new SaffuError("OUT_OF_MEMORY", `an ONNX file of ${bytes} bytes needs more memory than there is`, { cause });
  }
}

/** Of all weights in f32, and of the ciphers. */
function bytesOf(shape: Shape): number {
  const cells = hiddenLayers(shape).reduce(
    (sum, { rows, positions, width }) => sum + (rows + positions + 1) * width,
    0,
  );
  const ciphers = shape.bits < shape.vocabulary ? 17 * (shape.vocabulary + 1) : 0;
  return 4 * (cells + ciphers + shape.vocabulary * (hiddenWidth(shape) + 1));
}

/** Where a value has its window's tokens: the axis of positions, behind those of the batch. */
interface Windows {
  /** (…, r) int32, reading order. */
  readonly tokens: string;
  readonly axis: 1 | 2;
  /** Sizes before that axis; the batch's is told by the others. */
  readonly leading: readonly number[];
}

/** Bits of some tokens' ciphers, or where inputs are one-hot the tokens themselves. */
interface Rows {
  /** (…, r) or (…, r, k) int32: rows of a table with one position; b where there is none. */
  readonly bits: string;
  /** (…, r) f32: 1 / bits of a token, 0 where there is none. Ciphers alone. */
  readonly weights: string | undefined;
}

class NetworkGraph {
  private readonly graph = new Graph();
  private readonly ciphered: boolean;
  /** (V + 1, k) int32 and (V + 1) f32, once for all layers. */
  private readonly cipher: { readonly table: string; readonly weights: string } | undefined;

  constructor(
    private readonly shape: Shape,
    private readonly tensors: ReadonlyMap<string, Tensor>,
  ) {
    this.ciphered = shape.bits < shape.vocabulary;
    if (this.ciphered) this.cipher = this.cipherTables();
  }

  bytes(): Uint8Array {
    const { shape, graph } = this;
    const { vocabulary, window, secondWindow = 1 } = shape;
    const context = window + secondWindow - 1;
    const tokens = graph.input("tokens", INT32, ["batch", context]);
    const layer = (wanted: HiddenLayer["name"]) => hiddenLayers(shape).find(({ name }) => name === wanted);
    const [block, document] = [layer("block")!, layer("document")];
    const [first, ...second] = this.windowStates(tokens, context, block, layer("stacked"));
    // in the order of their columns
    const states = [first!, ...(document ? [this.documentState(tokens, context, document)] : []), ...second];
    const hidden = states.length > 1 ? graph.node("Concat", states, { axis: 1 }) : states[0]!;
    const o = graph.constant(
      [vocabulary, hiddenWidth(shape)],
      dequantised(this.tensors, "decoder.O", hiddenWidth(shape)),
    );
    const logits = graph.node("Gemm", [hidden, o, this.vector("decoder.o0")], { transB: 1 });
    graph.node("Softmax", [logits], { axis: 1 }, "probabilities");
    graph.output("probabilities", FLOAT, ["batch", vocabulary]);
    const description = `The network of a saffu model, without its history. tokens: the last ${context} in reading order, ${vocabulary} where there are fewer.${
      shape.documentGroups ? " document: zeros at first, then next_document of the run before." : ""
    }`;
    return graph.bytes(description, { "saffu.shape": JSON.stringify(shape) });
  }

  /** States of the groups that read the window and, behind them, of the second layer, each (batch, width). */
  private windowStates(tokens: string, context: number, layer: HiddenLayer, second: HiddenLayer | undefined): string[] {
    const { graph } = this;
    const { window, vocabulary, secondWindow = 1 } = this.shape;
    if (secondWindow === 1) {
      const state = this.windowState({ tokens, axis: 1, leading: [] }, layer);
      return second ? [state, this.secondState(state, second)] : [state];
    }
    // windows that end at the last token, the one before, and so on
    const at = (i: number) => context - window - Math.floor(i / window) + (i % window);
    const places = BigInt64Array.from({ length: secondWindow * window }, (_, i) => BigInt(at(i)));
    const windows = graph.node("Gather", [tokens, graph.constant([secondWindow, window], places)], { axis: 1 });
    const states = this.windowState({ tokens: windows, axis: 2, leading: [secondWindow] }, layer);
    const present = graph.node("Gather", [states, graph.constant([], BigInt64Array.of(0n))], { axis: 1 });
    // a state is there where the token that came behind it is: the present one always
    const behind = graph.integers(
      ...Array.from({ length: secondWindow }, (_, j) => Math.min(context - 1, context - j)),
    );
    const bounds = Int32Array.from({ length: secondWindow }, (_, j) => (j === 0 ? vocabulary + 1 : vocabulary));
    const followers = graph.node("Gather", [tokens, behind], { axis: 1 });
    const there = this.float(graph.node("Less", [followers, graph.constant([secondWindow], bounds)]));
    const masked = graph.node("Mul", [states, graph.node("Unsqueeze", [there, graph.integers(2)])]);
    const flat = graph.node("Reshape", [masked, this.sizes(secondWindow * layer.width)]);
    return [present, this.secondState(flat, second!)];
  }

  /** (batch, width) of the second layer. @param states (batch, its rows) */
  private secondState(states: string, { name, rows, width }: HiddenLayer): string {
    const table = this.graph.constant([rows, width], dequantised(this.tensors, `${name}.U`, width));
    return this.softmaxGroups(this.graph.node("Gemm", [states, table, this.vector(`${name}.u0`)]), [], width);
  }

  /** State of the groups that read a window: (…, width). */
  private windowState(windows: Windows, layer: HiddenLayer): string {
    const { graph } = this;
    const { axis, leading } = windows;
    const { bits, window, windowAttention } = this.shape;
    const rows = this.rowsOf(windows.tokens);
    const table = graph.constant([window * (bits + 1), layer.width], this.table(layer, 1));
    // position 0 is the last token's
    const starts = Int32Array.from({ length: window }, (_, at) => (window - 1 - at) * (bits + 1));
    const offsets = graph.constant(this.ciphered ? [window, 1] : [window], starts);
    const named = graph.node("Gather", [table, graph.node("Add", [rows.bits, offsets])], { axis: 0 });
    const each = this.ciphered ? this.sum(named, axis + 1) : named;
    const shares = windowAttention ? this.shares(windows, rows) : undefined;
    const factors = [shares, rows.weights].filter((factor) => factor !== undefined);
    const weight = factors.length === 2 ? graph.node("Mul", factors) : factors[0];
    const weighed = weight
      ? graph.node("Mul", [each, graph.node("Unsqueeze", [weight, graph.integers(axis + 1)])])
      : each;
    const logits = graph.node("Add", [this.sum(weighed, axis), this.vector(`${layer.name}.u0`)]);
    return this.softmaxGroups(logits, leading, layer.width);
  }

  /** r · softmax(c W + w0), (…, r), c being the comparisons of the last token with each. */
  private shares({ tokens, axis }: Windows, { bits, weights }: Rows): string {
    const { graph } = this;
    const { window } = this.shape;
    const last = graph.integers(window - 1);
    let comparisons: string;
    if (weights === undefined) {
      // where the last token is absent all are, and add nothing, whatever their shares
      comparisons = this.float(graph.node("Equal", [tokens, graph.node("Gather", [tokens, last], { axis })]));
    } else {
      const own = graph.node("Unsqueeze", [bits, graph.integers(axis + 2)]);
      const pivots = graph.node("Unsqueeze", [graph.node("Gather", [bits, last], { axis }), graph.integers(axis + 1)]);
      const there = graph.node("Less", [own, graph.constant([], Int32Array.of(this.shape.bits))]);
      const common = this.float(graph.node("And", [graph.node("Equal", [own, pivots]), there]));
      const each = graph.node("Mul", [this.sum(common, axis + 1, axis + 2), weights]);
      comparisons = graph.node("Mul", [each, graph.node("Gather", [weights, last], { axis })]);
    }
    // W and w0 go by position, of which the last token's is the first
    const w = Float32Array.from(this.tensors.get("block.W")!.data as Float32Array).reverse();
    const w0 = Float32Array.from(this.tensors.get("block.w0")!.data as Float32Array).reverse();
    const product = graph.node("MatMul", [comparisons, graph.constant([window, window], w)]);
    const attention = graph.node("Softmax", [graph.node("Add", [product, graph.constant([window], w0)])], { axis });
    return graph.node("Mul", [attention, graph.constant([], Float32Array.of(window))]);
  }

  /** State of the groups that read the document, (batch, width): what there was fades, and the last token's row is added. */
  private documentState(tokens: string, context: number, layer: HiddenLayer): string {
    const { graph } = this;
    const { bits, documentSpan = 1 } = this.shape;
    const { width } = layer;
    const before = graph.input("document", FLOAT, ["batch", width]);
    const token = graph.node("Gather", [tokens, graph.constant([], BigInt64Array.of(BigInt(context - 1)))], {
      axis: 1,
    });
    const rows = this.rowsOf(token);
    const table = graph.constant([bits + 1, width], this.table(layer, Math.fround(1 / documentSpan)));
    const named = graph.node("Gather", [table, rows.bits], { axis: 0 });
    const added = rows.weights
      ? graph.node("Mul", [this.sum(named, 1), graph.node("Unsqueeze", [rows.weights, graph.integers(1)])])
      : named;
    const keep = graph.constant([], Float32Array.of((documentSpan - 1) / documentSpan));
    const next = graph.node("Add", [graph.node("Mul", [before, keep]), added], {}, "next_document");
    graph.output(next, FLOAT, ["batch", width]);
    return this.softmaxGroups(graph.node("Add", [next, this.vector(`${layer.name}.u0`)]), [], width);
  }

  private softmaxGroups(logits: string, leading: readonly number[], width: number): string {
    const { graph } = this;
    const { units } = this.shape;
    if (width === units && leading.length === 0) return graph.node("Softmax", [logits], { axis: 1 });
    const grouped = graph.node("Reshape", [logits, this.sizes(width / units, units)]);
    const states = graph.node("Softmax", [grouped], { axis: 2 });
    return graph.node("Reshape", [states, this.sizes(...leading, width)]);
  }

  /** A shape whose first size is what the others leave. */
  private sizes(...others: readonly number[]): string {
    return this.graph.integers(-1, ...others);
  }

  /** What tokens, V among them, name in a table with one position. */
  private rowsOf(tokens: string): Rows {
    if (this.cipher === undefined) return { bits: tokens, weights: undefined };
    const of = (table: string) => this.graph.node("Gather", [table, tokens], { axis: 0 });
    return { bits: of(this.cipher.table), weights: of(this.cipher.weights) };
  }

  private cipherTables() {
    const { bits, vocabulary } = this.shape;
    const { data, shape } = this.tensors.get("cipher")!;
    const width = shape[1]!;
    const table = new Int32Array((vocabulary + 1) * width).fill(bits);
    const weights = new Float32Array(vocabulary + 1);
    for (let token = 0; token < vocabulary; ++token) {
      const row = (data as Uint16Array).subarray(token * width, (token + 1) * width);
      const named = row.filter((bit) => bit < bits);
      table.set(named, token * width);
      weights[token] = 1 / named.length;
    }
    return {
      table: this.graph.constant([vocabulary + 1, width], table),
      weights: this.graph.constant([vocabulary + 1], weights),
    };
  }

  /** The layer's rows times `factor`, and behind those of each position one of zeros: what an absent token names. */
  private table({ name, positions, width }: HiddenLayer, factor: number): Float32Array {
    const { bits } = this.shape;
    const rows = dequantised(this.tensors, `${name}.U`, width).map((weight) => weight * factor);
    const table = new Float32Array(positions * (bits + 1) * width);
    for (let j = 0; j < positions; ++j) {
      table.set(rows.subarray(j * bits * width, (j + 1) * bits * width), j * (bits + 1) * width);
    }
    return table;
  }

  private vector(name: string): string {
    const { data } = this.tensors.get(name)!;
    return this.graph.constant([data.length], data as Float32Array);
  }

  private sum(value: string, ...axes: readonly number[]): string {
    return this.graph.node("ReduceSum", [value, this.graph.integers(...axes)], { keepdims: 0 });
  }

  private float(value: string): string {
    return this.graph.node("Cast", [value], { to: FLOAT });
  }
}
