/**
 * The sizes of a model, and the tensors that follow from them. A module is compiled for exactly one shape.
 *
 * ```ts
 * const shape = validateShape({ vocabulary: 1024, bits: 1024, block: 3, heads: 8, classes: 8, radial: 1024, orders: 4 });
 * parameters(shape); // 263360
 * ```
 */
import { SaffuError, shown } from "./errors.ts";
import { ARRAYS, type Dtype } from "./files/safetensors.ts";

/** Symbols as in ARCHITECTURE.md. */
export interface Shape {
  /** V: vocabulary size, a multiple of 8. */
  readonly vocabulary: number;
  /** b: bits of the input cipher; b equal to V means one-hot inputs. */
  readonly bits: number;
  /** r: tokens the block context sees, the pivot included. */
  readonly block: number;
  /** H: label heads. */
  readonly heads: number;
  /** m: classes (hidden units) a head, a multiple of 4; H·m is a multiple of 8. */
  readonly classes: number;
  /** R: tokens the radial context (self-attention) sees, a power of two; 0 for none. */
  readonly radial: number;
  /** Highest order of the comparisons, 1 to 4; 0 exactly where radial is 0. */
  readonly orders: number;
  /** Bits of a weight of U; 8 where it is left out. O has 8. */
  readonly weightBits?: 4 | 8;
  /** Whether the block's positions are attended to by the softmax of their comparisons with the pivot; false where it is left out. */
  readonly blockAttention?: boolean;
  /** Heads that read the document, a decayed bag of the stream; 0 where it is left out. */
  readonly documentHeads?: number;
  /** T: tokens in which a token's share of the document falls to 1/e, nearly; there exactly where documentHeads are. */
  readonly documentSpan?: number;
  /** Heads of a second layer, which reads the hidden states of the block's heads; 0 where it is left out. */
  readonly stackedHeads?: number;
  /** Hidden states that the second layer sees, the present one included; there exactly where stackedHeads are. */
  readonly stackedBlock?: number;
}

/** One tensor of model.safetensors. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The exported global of the device module that holds the tensor's address. */
  readonly address: string;
}

/** Ids are 16 bits wide and 0xffff marks the absence of a token; a multiple of 8 below that. */
export const MAX_VOCABULARY = 65528;
const MAX_HIDDEN = 4096;
/** Weights beyond this cannot stand in a module's memory beside its state (addresses have 31 bits). */
const MAX_WEIGHT_BYTES = 2 ** 30;

/** Most tokens of a document's span. */
const MAX_SPAN = 4096;

const NUMBERS = ["vocabulary", "bits", "block", "heads", "classes", "radial", "orders"] as const;

/**
 * The shape in `value` (parsed JSON, or options of a caller), checked field by field and then as a whole.
 *
 * @throws SaffuError INVALID_SHAPE, naming the field and the bound
 */
export function validateShape(value: unknown): Shape {
  if (typeof value !== "object" || value === null) throw invalid("a shape is an object");
  const given = value as Record<string, unknown>;
  for (const field of NUMBERS) {
    if (!Number.isInteger(given[field])) throw invalid(`${field} must be an integer, got ${shown(given[field])}`);
  }
  const { vocabulary, bits, block, heads, classes, radial, orders } = given as unknown as Shape;
  within("vocabulary", vocabulary, 8, MAX_VOCABULARY);
  if (vocabulary % 8 !== 0) throw invalid(`vocabulary must be a multiple of 8, got ${vocabulary}`);
  within("bits", bits, 1, vocabulary);
  if (bits < 17 && 2 ** bits - 1 < vocabulary) throw unnameable(vocabulary, bits);
  within("block", block, 1, 16);
  within("heads", heads, 1, MAX_HIDDEN);
  within("classes", classes, 4, MAX_HIDDEN);
  if (classes % 4 !== 0) throw invalid(`classes must be a multiple of 4, got ${classes}`);
  const hidden = heads * classes;
  if (hidden % 8 !== 0) throw invalid(`heads × classes must be a multiple of 8, got ${heads} × ${classes} = ${hidden}`);
  if (hidden > MAX_HIDDEN) throw invalid(`heads × classes must be at most ${MAX_HIDDEN}, got ${hidden}`);
  if (radial !== 0 && (radial < 16 || radial > 65536 || !Number.isInteger(Math.log2(radial)))) {
    throw invalid(`radial must be 0 or a power of two in 16..65536, got ${radial}`);
  }
  if (radial === 0 && orders !== 0) throw invalid(`orders must be 0 where radial is 0, got ${orders}`);
  if (radial !== 0) within("orders", orders, 1, 4);
  refuseGone(given);
  const { weightBits = 8 } = given as unknown as Shape;
  if (weightBits !== 4 && weightBits !== 8) throw invalid(`weightBits must be 4 or 8, got ${shown(weightBits)}`);
  const shape: Shape = {
    ...{ vocabulary, bits, block, heads, classes, radial, orders },
    ...(weightBits === 4 && { weightBits }),
    ...contextsOf(given, classes),
  };
  if (hiddenWidth(shape) > MAX_HIDDEN) {
    throw invalid(`heads of all layers × classes must be at most ${MAX_HIDDEN}, got ${hiddenWidth(shape)}`);
  }
  const weightBytes = hiddenLayers(shape).reduce(
    (sum, { rows, width }) => sum + rows * width,
    vocabulary * hiddenWidth(shape),
  );
  if (weightBytes > MAX_WEIGHT_BYTES) {
    throw invalid(`weights of U and O must be at most ${MAX_WEIGHT_BYTES}, got ${weightBytes}`);
  }
  return shape;
}

/** What shapes once had a choice of. */
function refuseGone({ decoder = "softmax" }: Record<string, unknown>): void {
  if (decoder === "softmax") return;
  throw invalid(
    `decoder: softmax(h O + o0) is the only one, got ${shown(decoder)}; a model with the mixture decoder is fitted again`,
  );
}

/** The optional parts of the architecture: only what is there is in the shape, so that a shape without them is written as ever. */
function contextsOf(given: Record<string, unknown>, classes: number): Partial<Shape> {
  const { blockAttention = false } = given;
  if (typeof blockAttention !== "boolean")
    throw invalid(`blockAttention must be a boolean, got ${shown(blockAttention)}`);
  const heads = (field: "documentHeads" | "stackedHeads", size: "documentSpan" | "stackedBlock", most: number) => {
    const many = given[field] ?? 0;
    const value = given[size];
    if (!Number.isInteger(many)) throw invalid(`${field} must be an integer, got ${shown(many)}`);
    within(field, many as number, 0, MAX_HIDDEN);
    if (many === 0) {
      if (value !== undefined && value !== 0)
        throw invalid(`${size} must be left out where ${field} is 0, got ${shown(value)}`);
      return {};
    }
    if (((many as number) * classes) % 8 !== 0)
      throw invalid(`${field} × classes must be a multiple of 8, got ${many} × ${classes}`);
    if (!Number.isInteger(value)) throw invalid(`${size} must be an integer, got ${shown(value)}`);
    within(size, value as number, 1, most);
    return { [field]: many, [size]: value };
  };
  return {
    ...(blockAttention && { blockAttention }),
    ...heads("documentHeads", "documentSpan", MAX_SPAN),
    ...heads("stackedHeads", "stackedBlock", 16),
  };
}

/** k: the most bits any token's cipher has. The b likeliest tokens get one bit, the next b·(b−1)/2 two, and so on (2311.11012). */
export function cipherWidth(shape: Pick<Shape, "vocabulary" | "bits">): number {
  let subsets = 1;
  let named = 0;
  for (let width = 1; width <= shape.bits; ++width) {
    subsets = (subsets * (shape.bits - width + 1)) / width;
    named += subsets;
    if (named >= shape.vocabulary) return width;
  }
  throw unnameable(shape.vocabulary, shape.bits);
}

/** Heads of all layers: what the decoder reads. */
export function headsOf({ heads, documentHeads = 0, stackedHeads = 0 }: Shape): number {
  return heads + documentHeads + stackedHeads;
}

/** M: width of the hidden state of all layers. */
export function hiddenWidth(shape: Shape): number {
  return headsOf(shape) * shape.classes;
}

/** A hidden layer's table U and bias u0: tensors `NAME.U`, `NAME.U.scale`, `NAME.u0`, and `NAME.U.levels` of four bits. */
export interface HiddenLayer {
  readonly name: "block" | "document" | "stacked";
  /** Positions of what it reads: tokens of the window, one bag, or hidden states. */
  readonly positions: number;
  readonly rows: number;
  readonly width: number;
}

/** The hidden layers in the order of their columns of the hidden state. */
export function hiddenLayers({
  bits,
  block,
  heads,
  classes,
  documentHeads = 0,
  stackedHeads = 0,
  stackedBlock = 0,
}: Shape): HiddenLayer[] {
  const layers: HiddenLayer[] = [
    { name: "block", positions: block, rows: block * bits, width: heads * classes },
    { name: "document", positions: 1, rows: bits, width: documentHeads * classes },
    { name: "stacked", positions: stackedBlock, rows: stackedBlock * heads * classes, width: stackedHeads * classes },
  ];
  return layers.filter(({ width }) => width > 0);
}

/** Buckets of the gate for each order: matches (8 classes) times agreement of their followers (4). */
export const GATE_BUCKETS = 32;

/** Values that a weight of four bits can have, before its row's scale. */
export const LEVELS = 16;

/** The tensors of model.safetensors, in the order in which the device module lays them out. */
export function tensorSpecs(shape: Shape): TensorSpec[] {
  const { vocabulary, bits, block, orders, weightBits = 8 } = shape;
  const hidden = hiddenWidth(shape);
  const layers = hiddenLayers(shape);
  const named = ({ name }: HiddenLayer) => name.toUpperCase();
  const specs: TensorSpec[] = [
    ...layers.flatMap((layer): TensorSpec[] => [
      ...(weightBits === 4
        ? ([
            {
              name: `${layer.name}.U`,
              dtype: "U8",
              shape: [layer.rows, layer.width / 2],
              address: `${named(layer)}_U`,
            },
            { name: `${layer.name}.U.levels`, dtype: "I8", shape: [LEVELS], address: `${named(layer)}_U_LEVELS` },
          ] as const)
        : [
            {
              name: `${layer.name}.U`,
              dtype: "I8",
              shape: [layer.rows, layer.width],
              address: `${named(layer)}_U`,
            } as const,
          ]),
      { name: `${layer.name}.U.scale`, dtype: "F32", shape: [layer.rows], address: `${named(layer)}_U_SCALE` },
    ]),
    ...layers.map(
      (layer): TensorSpec => ({
        name: `${layer.name}.u0`,
        dtype: "F32",
        shape: [layer.width],
        address: `${named(layer)}_U0`,
      }),
    ),
    ...(shape.blockAttention
      ? ([
          { name: "block.W", dtype: "F32", shape: [block, block], address: "BLOCK_W" },
          { name: "block.w0", dtype: "F32", shape: [block], address: "BLOCK_W0" },
        ] as const)
      : []),
    { name: "decoder.O", dtype: "I8", shape: [vocabulary, hidden], address: "DECODER_O" },
    { name: "decoder.O.scale", dtype: "F32", shape: [vocabulary], address: "DECODER_O_SCALE" },
    { name: "decoder.o0", dtype: "F32", shape: [vocabulary], address: "DECODER_O0" },
  ];
  if (bits < vocabulary) {
    specs.unshift({ name: "cipher", dtype: "U16", shape: [vocabulary, cipherWidth(shape)], address: "CIPHER" });
  }
  if (shape.radial > 0) {
    specs.push({ name: "attention.gate", dtype: "F32", shape: [orders, GATE_BUCKETS], address: "GATE" });
  }
  return specs;
}

/** Bytes of a tensor's data. */
export function tensorBytes({ dtype, shape }: TensorSpec): number {
  return shape.reduce((product, size) => product * size, ARRAYS[dtype].BYTES_PER_ELEMENT);
}

/**
 * Number of parameters: U and u0 of all layers, W and w0, O, o0 and the gate. The cipher is a
 * mask and row scales belong to the quantisation, so neither counts.
 */
export function parameters(shape: Shape): number {
  const { vocabulary, block, orders, blockAttention } = shape;
  const hidden = hiddenWidth(shape);
  const layers = hiddenLayers(shape).reduce((sum, { rows, width }) => sum + (rows + 1) * width, 0);
  return (
    layers + (blockAttention ? block * block + block : 0) + vocabulary * hidden + vocabulary + orders * GATE_BUCKETS
  );
}

/** Tokens are named by the non-empty subsets of the bits. */
function unnameable(vocabulary: number, bits: number): SaffuError {
  return invalid(`vocabulary ${vocabulary} is larger than ${bits} bits can name (${2 ** bits - 1} tokens)`);
}

function within(field: string, value: number, least: number, most: number): void {
  if (value < least || value > most) throw invalid(`${field} must be in ${least}..${most}, got ${value}`);
}

function invalid(message: string): SaffuError {
  return new SaffuError("INVALID_SHAPE", message);
}
