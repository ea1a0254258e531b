/**
 * How a model is fitted: its shape by profile, and the settings of each step. Everything here is recorded in config.json, and the
 * same recipe over the same tokens gives the same bytes.
 */
import { invalidOption, refuseGone, SaffuError } from "../errors.ts";
import {
  LEAST_LONG_HISTORY,
  MAX_MEMORY,
  MAX_NGRAM_BYTES,
  MAX_NGRAM_VOCABULARY,
  MAX_VOCABULARY,
  type Shape,
  validateShape,
} from "../shape.ts";
import { type Boundary, checkBoundary } from "../tokenizer/index.ts";

/** The shipped shapes. */
export type Profile = "nano" | "micro" | "potato" | "base";

/** What a caller may choose; the rest follows from the profile and from the amount of data. */
export interface RecipeOptions {
  /** Shape to start from. Default "potato". */
  readonly profile?: Profile | undefined;
  /** V, a multiple of 8 in 256..65528; 256 means bytes. Default the profile's; of potato by the text (vocabularyRule). */
  readonly vocabulary?: number | undefined;
  /** b; default V (one-hot). */
  readonly bits?: number | undefined;
  /** r. */
  readonly window?: number | undefined;
  /** H. */
  readonly groups?: number | undefined;
  /** m. */
  readonly units?: number | undefined;
  /** R; 0 leaves history attention out. */
  readonly history?: number | undefined;
  /** Longest match of history attention. */
  readonly matchLength?: number | undefined;
  /** Whether predictions are adapted to the text. By default as the profile has it, where there is a history. */
  readonly adapts?: boolean | undefined;
  /** Whether the history is indexed. By default likewise. */
  readonly indexed?: boolean | undefined;
  /** Whether long matches are weighed. By default as the profile has it, where there is a history of at least 32 tokens. */
  readonly longMatches?: boolean | undefined;
  /**
   * Most bytes of the long-term memory; 0 for none. It is the end of the text, one byte a token of a vocabulary of bytes, else two, and all of the
   * text where it has less; or n-grams of a longer text, where they save more. Default the profile's, where it saves a hundredth of the bits.
   */
  readonly remember?: number | undefined;
  /** Whether the memory is sorted. By default as the profile has it; a vocabulary over 256 needs it. */
  readonly memoryIndexed?: boolean | undefined;
  /** Bits of a weight of U: 8, or 4. */
  readonly weightBits?: Shape["weightBits"] | undefined;
  /** Attention over the window's positions. By default as the profile has it where inputs are one-hot and targets are not ciphers, else false. */
  readonly windowAttention?: boolean | undefined;
  /** Groups that read the document. By default as the profile has it, likewise, else 0. */
  readonly documentGroups?: number | undefined;
  /** T, where there are groups that read the document. Default 5 where the profile has some, likewise, else 64. */
  readonly documentSpan?: number | undefined;
  /** Groups of a second layer. Default 0. */
  readonly secondGroups?: number | undefined;
  /** Hidden states that it sees, where there is one. Default 2. */
  readonly secondWindow?: number | undefined;
  /** Passes of iterative scaling over the text; 0 leaves them out. Default by the amount of text: at most 24, 12 on 10,000 tokens, 8 from 30,000 to 180,000, 9 on 300,000, 6 on a million. */
  readonly passes?: number | undefined;
  /** Computes all predictions of iterative scaling; by default, from 50,000 tokens on, they are estimated on candidates. */
  readonly exact?: boolean | undefined;
  /** Hidden targets of the groups: "responsibility" (ours) or "cipher" (the paper's). */
  readonly targets?: "responsibility" | "cipher" | undefined;
  /**
   * "newline": each line of the text is a piece of its own, a message. It starts behind the newline of the one before, and its own newline is its
   * last token. Default "none": the text is one piece.
   */
  readonly boundary?: Boundary | undefined;
  /** Whole number in 0..2^32−1. Default 1. */
  readonly seed?: number | undefined;
}

/** Settings of the solvers. α is a number of pseudo-counts, in places, not a rate to be searched. */
export interface Recipe {
  readonly targets: "responsibility" | "cipher";
  readonly seed: number;
  readonly groups: {
    readonly passes: number;
    readonly batch: number;
    readonly rate: number;
    readonly pseudoCounts: number;
    readonly decay: number;
  };
  readonly scaling: {
    readonly passes: number;
    readonly batch: number;
    readonly rate: number;
    readonly lead: number;
    readonly decoderPseudoCounts: number;
    readonly hiddenPseudoCounts: number;
    readonly decoderStep: number;
    readonly hiddenStep: number;
    /** κ of O, in places: pulls it towards 0, predictions towards the marginal. */
    readonly decoderPrior: number;
    /** κ of the hidden layers' U, in places, at the window's position of the largest weight. */
    readonly hiddenPrior: number;
    /** β of the hidden targets: 1 for what each unit would have gained, towards 0 for the likelihood's own gradient. */
    readonly sharpness: number;
    /** Predictions are estimated on candidates; else computed of all tokens. */
    readonly sampled: boolean;
    /** Last part of the passes over which weights are averaged. */
    readonly averaged: number;
  };
  readonly mixture: { readonly tokens: number; readonly sweeps: number };
  /** Where each line is a piece of its own. */
  readonly boundary?: "newline" | undefined;
}

/** Tokens of a profile's memory: nano keeps one page of 64 KiB with learning, micro four. */
const MEMORIES: Record<Profile, number> = { nano: 16384, micro: 49152, potato: 65536, base: 65536 };

/** What the larger profiles read beside the window's tokens, where inputs are one-hot. */
const CONTEXTS = { windowAttention: true, documentGroups: 3, documentSpan: 5 } as const;
const PROFILES: Record<Profile, Shape> = {
  nano: {
    ...{ vocabulary: 256, bits: 256, window: 2, groups: 1, units: 8 },
    ...{ history: 4096, matchLength: 4, longMatches: true },
  },
  micro: {
    ...{ vocabulary: 256, bits: 256, window: 3, groups: 2, units: 8, weightBits: 4 },
    ...{ history: 16384, matchLength: 4, longMatches: true, memoryIndexed: true },
  },
  potato: {
    ...{ vocabulary: 1024, bits: 1024, window: 2, groups: 14, units: 8 },
    ...{ history: 65536, matchLength: 4, adapts: true, indexed: true, weightBits: 4 },
    ...{ longMatches: true, memoryIndexed: true },
    ...CONTEXTS,
  },
  base: {
    ...{ vocabulary: 4096, bits: 4096, window: 2, groups: 18, units: 8 },
    ...{ history: 65536, matchLength: 4, adapts: true, indexed: true, weightBits: 4 },
    ...{ longMatches: true, memoryIndexed: true },
    ...CONTEXTS,
  },
};

/**
 * Vocabularies of a profile whose modules are built ahead (tools/modules.ts), ascending. A log is soon one token a word, and then has no
 * more pairs to merge: its tokenizer is cut to one of these.
 */
export const LADDER: Readonly<Record<Profile, readonly number[]>> = {
  nano: [256],
  micro: [256],
  potato: [256, 320, 384, 512, 768, 1024],
  base: [4096],
};

/** Times that a pair occurs at least to become a token, where no vocabulary is asked for. */
export const LEAST_PAIRS = 20;

/** How the tokenizer of a fit is trained: vocabularies that it may come out with, any where there are none, and how often a pair must occur to be merged. */
export interface VocabularyRule {
  readonly sizes: readonly number[] | undefined;
  readonly minFrequency: number;
}

/**
 * The vocabulary's rule (ours). Where none is asked for, potato merges a pair while it occurs LEAST_PAIRS times, and has the largest size of its
 * ladder that is reached. A token that the text shows less often is known too little, and takes from what is known of others. So V follows from
 * the text, in any script: 256 or 320 of 5 kB, 384 to 768 of 50 kB, and from 100 kB of prose on all of 1,024. base is for megabytes, and takes
 * its 4,096 as far as pairs occur twice.
 */
export function vocabularyRule(options: RecipeOptions): VocabularyRule {
  const { profile = "potato" } = options;
  const rungs = LADDER[profile];
  if (rungs.length === 1) return { sizes: undefined, minFrequency: 2 };
  if (options.vocabulary === undefined) return { sizes: rungs, minFrequency: LEAST_PAIRS };
  const own = (each: RecipeOptions) => JSON.stringify(shapeOf(each));
  const whole = options.bits === undefined && own({ ...options, vocabulary: undefined }) === own({ profile });
  return { sizes: whole ? rungs : undefined, minFrequency: 2 };
}

/** Options of before. */
const GONE = {
  block: "is window now",
  heads: "is groups now",
  classes: "is units now",
  radial: "is history now",
  orders: "is matchLength now",
  blockAttention: "is windowAttention now",
  documentHeads: "is documentGroups now",
  stackedHeads: "is secondGroups now",
  stackedBlock: "is secondWindow now",
  decoder: "is no longer an option of fit: the decoder is softmax(h O + o0)",
  positions: "is no longer an option of fit: positions of the window have decaying weights, or windowAttention",
};

/** The vocabulary of bytes. */
const BYTES = 256;
/** Bytes are tokens of every tokenizer but one of symbols. */
export const LEAST_VOCABULARY = BYTES;
export const LEAST_SYMBOLS = 8;

/**
 * The shape that `options` ask for.
 *
 * @param least vocabulary: that of bytes, or of symbols
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE
 */
export function shapeOf(options: RecipeOptions, least = LEAST_VOCABULARY): Shape {
  refuseGone(options, GONE);
  const { profile = "potato" } = options;
  const profiles = Object.keys(PROFILES);
  if (!profiles.includes(profile)) throw invalidOption("profile", `one of ${profiles.join(", ")}`, profile);
  const base = PROFILES[profile];
  // a label cipher has to name every token with one group's units, so the plain form has one wide group
  const wide = options.targets === "cipher" && options.groups === undefined && options.units === undefined;
  const { vocabulary = base.vocabulary, bits = vocabulary } = options;
  const contexts: Partial<Shape> = wide || bits !== vocabulary ? {} : base;
  const {
    window = base.window,
    groups = wide ? 1 : base.groups,
    units = wide ? Math.max(base.groups * base.units, unitsNaming(vocabulary)) : base.units,
    history = base.history,
    matchLength = history === 0 ? 0 : base.matchLength,
    adapts = remembers(history) && (base.adapts ?? false),
    indexed = remembers(history) && (base.indexed ?? false),
    longMatches = remembers(history) && exceeds(history, LEAST_LONG_HISTORY - 1) && (base.longMatches ?? false),
    memoryIndexed = longMatches && (exceeds(vocabulary, BYTES) || (base.memoryIndexed ?? false)),
    weightBits = base.weightBits,
    windowAttention = contexts.windowAttention ?? false,
    documentGroups = contexts.documentGroups ?? 0,
    documentSpan = documentGroups === 0 ? undefined : (contexts.documentSpan ?? 64),
    secondGroups = 0,
    secondWindow = secondGroups === 0 ? undefined : 2,
  } = options;
  if (Number.isInteger(vocabulary) && (vocabulary < least || vocabulary > MAX_VOCABULARY)) {
    throw new SaffuError("INVALID_SHAPE", `vocabulary must be in ${least}..${MAX_VOCABULARY}, got ${vocabulary}`);
  }
  const shape = validateShape({
    ...{ vocabulary, bits, window, groups, units, history, matchLength, adapts, indexed, weightBits },
    ...{ longMatches, memoryIndexed },
    ...{ windowAttention, documentGroups, documentSpan, secondGroups, secondWindow },
  });
  if (options.targets === "cipher" && 2 ** shape.units - 1 < vocabulary) {
    throw new SaffuError(
      "INVALID_SHAPE",
      `vocabulary ${vocabulary} is larger than a label cipher of ${shape.units} units can name (${2 ** shape.units - 1} tokens)`,
    );
  }
  return shape;
}

/**
 * Bytes of the long-term memory that `options` ask for, and the tokens that are as many. Of n-grams there can be more than of tokens.
 *
 * @throws SaffuError INVALID_OPTION
 */
export function memoryOf(
  { profile = "potato", remember }: RecipeOptions,
  { longMatches, vocabulary }: Shape,
): { readonly bytes: number; readonly tokens: number } {
  const width = vocabulary > 256 ? 2 : 1;
  const most = !longMatches ? 0 : vocabulary > MAX_NGRAM_VOCABULARY ? width * MAX_MEMORY : MAX_NGRAM_BYTES;
  const bytes = remember === undefined ? Math.min(most, width * MEMORIES[profile]) : remember;
  if (Number.isInteger(bytes) && bytes >= 0 && bytes <= most) {
    return { bytes, tokens: Math.min(MAX_MEMORY, Math.floor(bytes / width)) };
  }
  throw invalidOption(
    "remember",
    most > 0 ? `an integer in 0..${most}` : "0 where there are no long matches",
    remember,
  );
}

/** The shape that `options` ask for, with the memory that a long text fills. @throws SaffuError INVALID_OPTION, INVALID_SHAPE */
export function wholeShapeOf(options: RecipeOptions): Shape {
  const shape = shapeOf(options);
  return validateShape({ ...shape, memory: memoryOf(options, shape).tokens });
}

/** The fewest units, a multiple of 8, of a label cipher that names every token; of what is no vocabulary, which is refused later, 8. */
function unitsNaming(vocabulary: unknown): number {
  return exceeds(vocabulary, 2 ** 8 - 1) ? 16 : 8;
}

/** Whether there is a history; it has not been checked yet what was given for one. */
function remembers(history: unknown): boolean {
  return exceeds(history, 0);
}

/** Whether it is a number, and a greater one: nothing has been checked yet. */
function exceeds(value: unknown, bound: number): boolean {
  return typeof value === "number" && value > bound;
}

/**
 * The recipe for `tokens` tokens of training text and a model of `shape`, which options ask for unless a tokenizer has the say.
 *
 * Smoothing and the decoder's steps follow one rule (ours): with q = log10(tokens / 20,000) / 2 held to 0..1, pseudo-counts fall and steps
 * grow from those that held up best on 20,000 tokens (q = 0) to those for 2 million (q = 1), evenly on a logarithmic scale; the hidden
 * layers take longer steps towards flatter targets, by the same rule between 100,000 and a million tokens. κ of U grows with the
 * cube root of the tokens up to 1.5 million, and falls with the groups above 21, as each is then worth less; κ of O grows with the tokens up
 * to 10,000.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_SHAPE
 */
export function recipeOf(options: RecipeOptions, tokens: number, shape: Shape = shapeOf(options)): Recipe {
  const few = tokens < FEW;
  const boundary = checkBoundary(options.boundary);
  const { targets = "responsibility", seed = 1, exact = false } = options;
  if (typeof exact !== "boolean") throw invalidOption("exact", "true or false", exact);
  const { groups, documentGroups = 0, secondGroups = 0 } = shape;
  const all = groups + documentGroups + secondGroups;
  const sampled = !exact && tokens >= SAMPLED && shape.vocabulary >= LEAST_SAMPLED && all >= GROUPS_SAMPLED;
  const { passes = passesFor(tokens, sampled) } = options;
  if (!["responsibility", "cipher"].includes(targets))
    throw invalidOption("targets", `"responsibility" or "cipher"`, targets);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw invalidOption("seed", "an integer in 0..4294967295", seed);
  if (!Number.isInteger(passes) || passes < 0 || passes > 100)
    throw invalidOption("passes", "an integer in 0..100", passes);
  const held = (share: number) => Math.min(1, Math.max(0, share));
  const q = held(Math.log10(tokens / 20_000) / 2);
  const between = (small: number, large: number, share = q) =>
    Number((small * (large / small) ** share).toPrecision(3));
  const prior = (most: number, from: number, power: number) =>
    Number((most * Math.min(1, tokens / from) ** power).toPrecision(3));
  const later = held(Math.log10(tokens / 100_000));
  const cipher = targets === "cipher";
  return {
    targets,
    seed,
    groups: {
      passes: few && !cipher ? 3 : 1,
      batch: cipher ? tokens : few ? 4096 : 16384,
      rate: 0.7,
      pseudoCounts: 5,
      decay: 0.6,
    },
    scaling: {
      passes,
      batch: 512,
      rate: 0.5,
      lead: 20,
      decoderPseudoCounts: between(100, 20),
      hiddenPseudoCounts: between(20, 5),
      decoderStep: Number((between(1, 2) * (sampled ? SAMPLED_STEP : 1)).toPrecision(3)),
      hiddenStep: between(8, 15, later),
      decoderPrior: prior(250, 10_000, 1),
      hiddenPrior: prior(7 * Math.min(1, 21 / all), 1_500_000, 1 / 3),
      sharpness: between(0.25, 0.1, later),
      sampled,
      averaged: 0.5,
    },
    mixture: { tokens: Math.min(65536, Math.floor(tokens / 20)), sweeps: 60 },
    ...(boundary !== "none" && { boundary }),
  };
}

/** From so many tokens on predictions are estimated, and then the decoder's steps are shorter. */
const SAMPLED = 50_000;
/** Vocabularies of less than twice the candidates gain nothing. */
const LEAST_SAMPLED = 128;
/**
 * Fewer groups gain a fifth of the time at the most, and lose: the decoder's step is divided by their number, so the noise of estimates weighs more
 * the fewer they are. On a log of 1 MB two groups are worse by 60 %, four by up to 18 %, eight by nothing.
 */
const GROUPS_SAMPLED = 8;
const SAMPLED_STEP = 0.85;
/** Below so many tokens groups take more passes in smaller batches. */
const FEW = 200_000;

/**
 * Passes of iterative scaling over a text (ours): 8 · (30,000 / tokens)^⅓ below 30,000 tokens, at most 24; above 180,000 tokens
 * 9 · (300,000 / tokens)^⅓ where predictions are estimated, else 8 · (180,000 / tokens)^⅓, at most 9 or 8 and at least 2; 8 between. To the nearest.
 * The fewer the tokens, the fewer the steps of a pass. Found on 2,000 tokens to a million.
 */
function passesFor(tokens: number, sampled: boolean): number {
  let passes = tokens < 30_000 ? 24 : sampled && tokens > 180_000 ? 9 : 8;
  const most = passes === 9 ? 729 * 300_000 : 512 * (tokens < 30_000 ? 30_000 : 180_000);
  // products alone, whose last bits are the same in any engine
  while (passes > 2 && tokens * (passes - 0.5) * (passes - 0.5) * (passes - 0.5) > most) --passes;
  return passes;
}
