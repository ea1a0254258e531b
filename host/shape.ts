/**
 * The sizes of a model, and the tensors that follow from them. A module is compiled for exactly one shape.
 *
 * ```ts
 * const shape = validateShape({ vocabulary: 1024, bits: 1024, window: 3, groups: 8, units: 8, history: 1024, matchLength: 4 });
 * parameters(shape); // 263360
 * ```
 */
import { SaffuError, shown } from "./errors.ts";
import { ARRAYS, type Dtype } from "./files/safetensors.ts";

/** Symbols as in ARCHITECTURE.md. What is optional, and left out, is not there. */
export interface Shape {
  /** V: vocabulary size, a multiple of 8. */
  readonly vocabulary: number;
  /** b: bits of the input cipher; b equal to V means one-hot inputs. */
  readonly bits: number;
  /** r: tokens of the context window, the latest included. */
  readonly window: number;
  /** H: groups of hidden units that read the window. */
  readonly groups: number;
  /** m: units of a group, a multiple of 4; H·m is a multiple of 8. */
  readonly units: number;
  /** R: tokens of the stream that history attention sees, a power of two; 0 for none. */
  readonly history: number;
  /** Longest match that history attention tells apart, 1 to 4 tokens; 0 exactly where history is 0. */
  readonly matchLength: number;
  /** Whether predictions are adapted to the text's own marginals and recent tokens; needs a history. */
  readonly adapts?: boolean;
  /** Whether the history is indexed: the newest matches are found without looking at all its places. */
  readonly indexed?: boolean;
  /** Whether matches of up to 20 tokens, in the history and in the memory, are weighed on top of the mixture; needs a history. */
  readonly longMatches?: boolean;
  /** Tokens of the long-term memory: the end of the training text; needs longMatches. */
  readonly memory?: number;
  /** Bytes of the n-grams: what the training text says of the network's predictions; needs longMatches, and a vocabulary of at most 4096. */
  readonly ngrams?: number;
  /** Whether the memory is sorted, and so searched; else each prediction looks through all of it. A vocabulary over 256 needs it. */
  readonly memoryIndexed?: boolean;
  /** Bits of a weight of U; 8 where it is left out. O has 8. */
  readonly weightBits?: 4 | 8;
  /** Whether the window's positions are attended to by the softmax of their comparisons with the latest token. */
  readonly windowAttention?: boolean;
  /** Groups that read the document, a decayed bag of the stream. */
  readonly documentGroups?: number;
  /** T: tokens in which a token's share of the document falls to 1/e, nearly; there exactly where documentGroups are. */
  readonly documentSpan?: number;
  /** Groups of a second layer, which reads the hidden states of the window's groups. */
  readonly secondGroups?: number;
  /** Hidden states that the second layer sees, the present one included; there exactly where secondGroups are. */
  readonly secondWindow?: number;
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
/** Places of a memory have 16 bits. */
export const MAX_MEMORY = 65536;
/** Most bytes of n-grams, and the largest vocabulary that they are of: an entry has 12 bits for a token, and four at the least for a factor. */
export const MAX_NGRAM_BYTES = 2 ** 24;
export const MAX_NGRAM_VOCABULARY = 4096;
/** A long match is compared with what is in the history. */
export const LEAST_LONG_HISTORY = 32;
/** Weights beyond this cannot stand in a module's memory beside its state (addresses have 31 bits). */
const MAX_WEIGHT_BYTES = 2 ** 30;

/** Most tokens of a document's span. */
const MAX_SPAN = 4096;

const NUMBERS = ["vocabulary", "bits", "window", "groups", "units", "history", "matchLength"] as const;

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
  const { vocabulary, bits, window, groups, units, history, matchLength } = given as unknown as Shape;
  within("vocabulary", vocabulary, 8, MAX_VOCABULARY);
  if (vocabulary % 8 !== 0) throw invalid(`vocabulary must be a multiple of 8, got ${vocabulary}`);
  within("bits", bits, 1, vocabulary);
  if (bits < 17 && 2 ** bits - 1 < vocabulary) throw unnameable(vocabulary, bits);
  within("window", window, 1, 16);
  within("groups", groups, 1, MAX_HIDDEN);
  within("units", units, 4, MAX_HIDDEN);
  if (units % 4 !== 0) throw invalid(`units must be a multiple of 4, got ${units}`);
  const hidden = groups * units;
  if (hidden % 8 !== 0) throw invalid(`groups × units must be a multiple of 8, got ${groups} × ${units} = ${hidden}`);
  if (hidden > MAX_HIDDEN) throw invalid(`groups × units must be at most ${MAX_HIDDEN}, got ${hidden}`);
  if (history !== 0 && (history < 16 || history > 65536 || !Number.isInteger(Math.log2(history)))) {
    throw invalid(`history must be 0 or a power of two in 16..65536, got ${history}`);
  }
  if (history === 0 && matchLength !== 0) throw invalid(`matchLength must be 0 where history is 0, got ${matchLength}`);
  if (history !== 0) within("matchLength", matchLength, 1, 4);
  const { weightBits = 8 } = given as unknown as Shape;
  if (weightBits !== 4 && weightBits !== 8) throw invalid(`weightBits must be 4 or 8, got ${shown(weightBits)}`);
  const shape: Shape = {
    ...{ vocabulary, bits, window, groups, units, history, matchLength },
    ...flagOf(given, "adapts", history > 0),
    ...flagOf(given, "indexed", history > 0),
    ...longMatchesOf(given, vocabulary, history),
    ...(weightBits === 4 && { weightBits }),
    ...flagOf(given, "windowAttention", true),
    ...layerOf(given, "documentGroups", "documentSpan", MAX_SPAN),
    ...layerOf(given, "secondGroups", "secondWindow", 16),
  };
  if (hiddenWidth(shape) > MAX_HIDDEN) {
    throw invalid(`groups of all layers × units must be at most ${MAX_HIDDEN}, got ${hiddenWidth(shape)}`);
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

/** A flag, where it is set: only what is there is in a shape, so that equal shapes are written alike. */
function flagOf(given: Record<string, unknown>, field: keyof Shape, possible: boolean): Partial<Shape> {
  const value = given[field] ?? false;
  if (typeof value !== "boolean") throw invalid(`${field} must be a boolean, got ${shown(value)}`);
  if (value && !possible) throw invalid(`${field} must be false where history is 0, got true`);
  return value ? { [field]: true } : {};
}

/** Long matches, and the memory that they are looked for in. */
function longMatchesOf(given: Record<string, unknown>, vocabulary: number, history: number): Partial<Shape> {
  const flags = flagOf(given, "longMatches", history > 0);
  if (flags.longMatches && history < LEAST_LONG_HISTORY) {
    throw invalid(`history must be at least ${LEAST_LONG_HISTORY} where there are longMatches, got ${history}`);
  }
  const memory = given.memory === undefined ? 0 : given.memory;
  if (!Number.isInteger(memory)) throw invalid(`memory must be an integer, got ${shown(memory)}`);
  within("memory", memory as number, 0, MAX_MEMORY);
  if (memory !== 0 && !flags.longMatches)
    throw invalid(`memory must be 0 where there are no longMatches, got ${memory}`);
  const indexed = given.memoryIndexed ?? false;
  if (typeof indexed !== "boolean") throw invalid(`memoryIndexed must be a boolean, got ${shown(indexed)}`);
  if (indexed && !flags.longMatches)
    throw invalid("memoryIndexed must be false where there are no longMatches, got true");
  if (memory !== 0 && !indexed && vocabulary > 256) {
    throw invalid(`memoryIndexed must be true where there is a memory and vocabulary is over 256, got ${vocabulary}`);
  }
  return {
    ...flags,
    ...(memory !== 0 && { memory: memory as number }),
    ...ngramsOf(given, vocabulary, flags.longMatches ?? false),
    ...(indexed && { memoryIndexed: true }),
  };
}

function ngramsOf(given: Record<string, unknown>, vocabulary: number, longMatches: boolean): Partial<Shape> {
  const ngrams = given.ngrams === undefined ? 0 : given.ngrams;
  if (!Number.isInteger(ngrams)) throw invalid(`ngrams must be an integer, got ${shown(ngrams)}`);
  within("ngrams", ngrams as number, 0, MAX_NGRAM_BYTES);
  if (ngrams === 0) return {};
  if (!longMatches) throw invalid(`ngrams must be 0 where there are no longMatches, got ${ngrams}`);
  if (vocabulary > MAX_NGRAM_VOCABULARY) {
    throw invalid(`ngrams must be 0 where vocabulary is over ${MAX_NGRAM_VOCABULARY}, got ${ngrams}`);
  }
  return { ngrams: ngrams as number };
}

/** A further layer: its groups, and what there is of its inputs. */
function layerOf(given: Record<string, unknown>, groups: keyof Shape, size: keyof Shape, most: number): Partial<Shape> {
  const many = given[groups] ?? 0;
  const value = given[size];
  if (!Number.isInteger(many)) throw invalid(`${groups} must be an integer, got ${shown(many)}`);
  within(groups, many as number, 0, MAX_HIDDEN);
  if (many === 0) {
    if (value !== undefined && value !== 0)
      throw invalid(`${size} must be left out where ${groups} is 0, got ${shown(value)}`);
    return {};
  }
  const units = given.units as number;
  if (((many as number) * units) % 8 !== 0)
    throw invalid(`${groups} × units must be a multiple of 8, got ${many} × ${units}`);
  if (!Number.isInteger(value)) throw invalid(`${size} must be an integer, got ${shown(value)}`);
  within(size, value as number, 1, most);
  return { [groups]: many, [size]: value };
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

/** Groups of all layers: what the decoder reads. */
export function groupsOf({ groups, documentGroups = 0, secondGroups = 0 }: Shape): number {
  return groups + documentGroups + secondGroups;
}

/** M: width of the hidden state of all layers. */
export function hiddenWidth(shape: Shape): number {
  return groupsOf(shape) * shape.units;
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
  window,
  groups,
  units,
  documentGroups = 0,
  secondGroups = 0,
  secondWindow = 0,
}: Shape): HiddenLayer[] {
  const layers: HiddenLayer[] = [
    { name: "block", positions: window, rows: window * bits, width: groups * units },
    { name: "document", positions: 1, rows: bits, width: documentGroups * units },
    { name: "stacked", positions: secondWindow, rows: secondWindow * groups * units, width: secondGroups * units },
  ];
  return layers.filter(({ width }) => width > 0);
}

/** Buckets of the mixture for each match length: matches (8 classes) times agreement of their followers (4). */
export const MIXTURE_BUCKETS = 32;

/** Lengths that long matches are told apart by. */
export const LONG_LENGTHS: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 20];
/** Buckets of the weights of each: matches (3 classes) times agreement of their followers (3) times what came true of late (2). */
export const LONG_BUCKETS = 18;

/** Values that a weight of four bits can have, before its row's scale. */
export const LEVELS = 16;

/** The tensors of model.safetensors, in the order in which the device module lays them out. */
export function tensorSpecs(shape: Shape): TensorSpec[] {
  const { vocabulary, bits, window, matchLength, weightBits = 8 } = shape;
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
    ...(shape.windowAttention
      ? ([
          { name: "block.W", dtype: "F32", shape: [window, window], address: "BLOCK_W" },
          { name: "block.w0", dtype: "F32", shape: [window], address: "BLOCK_W0" },
        ] as const)
      : []),
    { name: "decoder.O", dtype: "I8", shape: [vocabulary, hidden], address: "DECODER_O" },
    { name: "decoder.O.scale", dtype: "F32", shape: [vocabulary], address: "DECODER_O_SCALE" },
    { name: "decoder.o0", dtype: "F32", shape: [vocabulary], address: "DECODER_O0" },
  ];
  if (bits < vocabulary) {
    specs.unshift({ name: "cipher", dtype: "U16", shape: [vocabulary, cipherWidth(shape)], address: "CIPHER" });
  }
  if (shape.longMatches) {
    const cells = [2, LONG_LENGTHS.length, LONG_BUCKETS];
    specs.push({ name: "attention.long", dtype: "F32", shape: cells, address: "LONG_TABLE" });
  }
  if (shape.history > 0) {
    specs.push({ name: "attention.gate", dtype: "F32", shape: [matchLength, MIXTURE_BUCKETS], address: "GATE" });
  }
  return specs;
}

/** The shape without a history, and so without all that adapts to the text: of the network alone. */
export function withoutHistory(shape: Shape): Shape {
  return validateShape({ ...withoutLong(shape), history: 0, matchLength: 0, adapts: false, indexed: false });
}

/** The shape without long matches and memory: what a fit solves before it has them. */
export function withoutLong({ longMatches, memory, ngrams, memoryIndexed, ...shape }: Shape): Shape {
  return shape;
}

/** The same model with an empty memory: neither tokens nor n-grams. */
export function withoutMemory({ memory, ngrams, ...shape }: Shape): Shape {
  return shape;
}

/** All tensors of model.safetensors: those of tensorSpecs, and of the memory what there is. */
export function fileSpecs(shape: Shape): TensorSpec[] {
  return [...tensorSpecs(shape), ...memorySpecs(shape)];
}

/** The tensors of the long-term memory: token ids of the training text's end, and n-grams. They stand behind a module's own memory. */
export function memorySpecs({ vocabulary, memory = 0, ngrams = 0 }: Shape): TensorSpec[] {
  return [
    ...(memory > 0
      ? ([{ name: TOKENS, dtype: vocabulary > 256 ? "U16" : "U8", shape: [memory], address: "MEMORY_RECORD" }] as const)
      : []),
    ...(ngrams > 0 ? ([{ name: NGRAMS, dtype: "U8", shape: [ngrams], address: "MEMORY_RECORD" }] as const) : []),
  ];
}
const TOKENS = "memory.tokens";
const NGRAMS = "memory.ngrams";

/** Bytes of the memory in a module, and where each part begins: its tokens, where it is indexed the order of its places, and the n-grams. */
export function memoryLayout(shape: Shape): { order: number; ngrams: number; end: number } {
  const { memory = 0, ngrams = 0 } = shape;
  const order = aligned(memory * (shape.vocabulary > 256 ? 2 : 1));
  const at = order + (shape.memoryIndexed ? aligned(2 * memory) : 0);
  return { order, ngrams: at, end: at + aligned(ngrams) };
}

/** Bytes of the memory in a module. */
export function memoryBytes(shape: Shape): number {
  return memoryLayout(shape).end;
}

/** Bytes up to the next boundary of the device module's tensors. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / BOUNDARY) * BOUNDARY;
}
const BOUNDARY = 16;

/** Bytes of a tensor's data. */
export function tensorBytes({ dtype, shape }: TensorSpec): number {
  return shape.reduce((product, size) => product * size, ARRAYS[dtype].BYTES_PER_ELEMENT);
}

/**
 * Number of parameters: U and u0 of all layers, W and w0, O, o0 and the mixture. The cipher is a
 * mask and row scales belong to the quantisation, so neither counts.
 */
export function parameters(given: Shape): number {
  const shape = validateShape(given);
  const { vocabulary, window, matchLength, windowAttention } = shape;
  const hidden = hiddenWidth(shape);
  const layers = hiddenLayers(shape).reduce((sum, { rows, width }) => sum + (rows + 1) * width, 0);
  return (
    layers +
    (windowAttention ? window * window + window : 0) +
    vocabulary * hidden +
    vocabulary +
    matchLength * MIXTURE_BUCKETS
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
