/**
 * How a model is fitted: its shape by profile, and the settings of each step. Everything here is recorded in config.json, and the
 * same recipe over the same tokens gives the same bytes.
 */
import { SaffuError, shown } from "../errors.ts";
import { MAX_VOCABULARY, type Shape, validateShape } from "../model/shape.ts";

/** The shipped shapes. */
export type Profile = "nano" | "potato" | "base";

/** What a caller may choose; the rest follows from the profile and from the amount of data. */
export interface RecipeOptions {
  /** Shape to start from. Default "potato". */
  readonly profile?: Profile | undefined;
  /** V, a multiple of 8 in 256..65528; 256 means bytes. */
  readonly vocabulary?: number | undefined;
  /** b; default V (one-hot). */
  readonly bits?: number | undefined;
  /** r. */
  readonly block?: number | undefined;
  /** H. */
  readonly heads?: number | undefined;
  /** m. */
  readonly classes?: number | undefined;
  /** R; 0 leaves self-attention out. */
  readonly radial?: number | undefined;
  /** Highest order of self-attention. */
  readonly orders?: number | undefined;
  readonly decoder?: Shape["decoder"] | undefined;
  /** Bits of a weight of U: 8, or 4. */
  readonly weightBits?: Shape["weightBits"] | undefined;
  /** Attention over the block's positions. Default false. */
  readonly blockAttention?: boolean | undefined;
  /** Heads that read the document. Default 0. */
  readonly documentHeads?: number | undefined;
  /** T, where there are document heads. Default 64. */
  readonly documentSpan?: number | undefined;
  /** Heads of a second layer. Default 0. */
  readonly stackedHeads?: number | undefined;
  /** Hidden states that it sees, where there is one. Default 2. */
  readonly stackedBlock?: number | undefined;
  /** Residual passes over the text; 0 leaves them out. Default by the amount of text: 12 on 10,000 tokens, 8 on 30,000, 5 on 100,000, 2 from 330,000 on. */
  readonly passes?: number | undefined;
  /** Hidden targets of the heads: "responsibility" (ours) or "cipher" (the paper's). */
  readonly targets?: "responsibility" | "cipher" | undefined;
  /** How the block's positions are weighted: a fixed decay, or solved by Newton steps. */
  readonly positions?: "decay" | "newton" | undefined;
  /** Whole number in 0..2^32−1. Default 1. */
  readonly seed?: number | undefined;
}

/** Settings of the solvers. α is a Dirichlet mass in places (the field's pseudo-count), not a rate to be searched. */
export interface Recipe {
  readonly targets: "responsibility" | "cipher";
  readonly positions: "decay" | "newton";
  readonly seed: number;
  readonly heads: {
    readonly passes: number;
    readonly batch: number;
    readonly rate: number;
    readonly mass: number;
    readonly decay: number;
  };
  readonly residual: {
    readonly passes: number;
    readonly batch: number;
    readonly rate: number;
    readonly lead: number;
    readonly decoderMass: number;
    readonly hiddenMass: number;
    readonly decoderStep: number;
    readonly hiddenStep: number;
    /** Last part of the passes over which weights are averaged; none where it is absent. */
    readonly averaged?: number;
  };
  readonly gate: { readonly tokens: number; readonly sweeps: number };
}

const PROFILES: Record<Profile, Shape> = {
  nano: { vocabulary: 256, bits: 256, block: 3, heads: 2, classes: 8, radial: 256, orders: 4, decoder: "softmax" },
  potato: {
    ...{ vocabulary: 1024, bits: 1024, block: 3, heads: 13, classes: 8 },
    ...{ radial: 65536, orders: 4, decoder: "softmax", weightBits: 4 },
  },
  base: {
    ...{ vocabulary: 4096, bits: 4096, block: 3, heads: 16, classes: 8 },
    ...{ radial: 65536, orders: 4, decoder: "softmax", weightBits: 4 },
  },
};

/**
 * The shape that `options` ask for.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE
 */
export function shapeOf(options: RecipeOptions): Shape {
  const { profile = "potato" } = options;
  const profiles = Object.keys(PROFILES);
  if (!profiles.includes(profile)) throw invalidOption("profile", `one of ${profiles.join(", ")}`, profile);
  const base = PROFILES[profile];
  // a label cipher has to name every token with one head's classes, so the plain form has one wide head
  const wide = options.targets === "cipher" && options.heads === undefined && options.classes === undefined;
  const {
    vocabulary = base.vocabulary,
    bits = vocabulary,
    block = base.block,
    heads = wide ? 1 : base.heads,
    classes = wide ? base.heads * base.classes : base.classes,
    radial = base.radial,
    orders = radial === 0 ? 0 : base.orders,
    decoder = base.decoder,
    weightBits = base.weightBits,
    blockAttention = false,
    documentHeads = 0,
    documentSpan = documentHeads === 0 ? undefined : 64,
    stackedHeads = 0,
    stackedBlock = stackedHeads === 0 ? undefined : 2,
  } = options;
  // the bytes are tokens of every tokenizer
  if (Number.isInteger(vocabulary) && (vocabulary < 256 || vocabulary > MAX_VOCABULARY)) {
    throw new SaffuError("INVALID_SHAPE", `vocabulary must be in 256..${MAX_VOCABULARY}, got ${vocabulary}`);
  }
  const shape = validateShape({
    ...{ vocabulary, bits, block, heads, classes, radial, orders, decoder, weightBits },
    ...{ blockAttention, documentHeads, documentSpan, stackedHeads, stackedBlock },
  });
  if (options.targets === "cipher" && 2 ** shape.classes - 1 < vocabulary) {
    throw new SaffuError(
      "INVALID_SHAPE",
      `vocabulary ${vocabulary} is larger than a label cipher of ${shape.classes} classes can name (${2 ** shape.classes - 1} tokens)`,
    );
  }
  return shape;
}

/**
 * The recipe for `tokens` tokens of training text.
 *
 * Smoothing and steps follow one rule (ours): with q = log10(tokens / 20,000) / 2 held to 0..1, masses fall and steps grow from
 * those that held up best on 20,000 tokens (q = 0) to those for 2 million (q = 1), evenly on a logarithmic scale.
 *
 * @throws SaffuError INVALID_OPTION
 */
export function recipeOf(options: RecipeOptions, tokens: number): Recipe {
  const few = tokens < FEW;
  const { targets = "responsibility", positions = "decay", seed = 1, passes = passesFor(tokens) } = options;
  if (!["responsibility", "cipher"].includes(targets))
    throw invalidOption("targets", `"responsibility" or "cipher"`, targets);
  if (!["decay", "newton"].includes(positions)) throw invalidOption("positions", `"decay" or "newton"`, positions);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw invalidOption("seed", "an integer in 0..4294967295", seed);
  if (!Number.isInteger(passes) || passes < 0 || passes > 100)
    throw invalidOption("passes", "an integer in 0..100", passes);
  const q = Math.min(1, Math.max(0, Math.log10(tokens / 20000) / 2));
  const between = (small: number, large: number) => Number((small * (large / small) ** q).toPrecision(3));
  const cipher = targets === "cipher";
  return {
    targets,
    positions,
    seed,
    heads: {
      passes: few && !cipher ? 3 : 1,
      batch: cipher ? tokens : few ? 4096 : 16384,
      rate: 0.7,
      mass: 5,
      decay: 0.6,
    },
    residual: {
      passes,
      batch: few ? 512 : 2048,
      rate: 0.5,
      lead: 20,
      decoderMass: between(100, 20),
      hiddenMass: between(20, 5),
      decoderStep: between(1, 2),
      hiddenStep: between(0.6, 1),
      ...(few ? { averaged: 0.5 } : {}),
    },
    gate: { tokens: Math.min(65536, Math.floor(tokens / 20)), sweeps: 60 },
  };
}

/** Below so many tokens a text counts as a small one. */
export const FEW = 200_000;

/**
 * Residual passes over a text (ours): 8 · (30,000 / tokens)^⅓, to the nearest, held to 2..12; 8 · (10,000 / tokens)^⅓ where weights are
 * not averaged. The fewer the tokens, the fewer the steps of a pass. Found on 10,000, 30,000 and 100,000 tokens.
 */
function passesFor(tokens: number): number {
  let passes = 12;
  const most = 512 * (tokens < FEW ? 30_000 : 10_000);
  // products alone, whose last bits are the same in any engine
  while (passes > 2 && tokens * (passes - 0.5) * (passes - 0.5) * (passes - 0.5) > most) --passes;
  return passes;
}

/** What an option out of its bounds is refused with. */
export function invalidOption(name: string, bound: string, found: unknown): SaffuError {
  return new SaffuError("INVALID_OPTION", `${name} must be ${bound}, got ${shown(found)}`);
}
