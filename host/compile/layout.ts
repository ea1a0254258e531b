/**
 * Where every tensor of the modules stands: the one table of addresses. assembly/device/layout.ts, assembly/solver/layout.ts and the
 * tables of docs/device.md are written from it (`npm run build`), and the host finds a solver's tensors by it.
 *
 * A region is a product of counts (sizes.ts) times the bytes of an element. Regions stand back to back, each on a boundary of 16 bytes
 * on the device, of a cache line in the solver: no allocator, no start function, no growth.
 */
import { memoryBytes, type Shape, validateShape, withoutLong } from "../shape.ts";
import type { ModuleOptions } from "./options.ts";
import {
  BATCH,
  CANDIDATES,
  MIXTURE_PLACES,
  POOL_PLACES,
  SAMPLES,
  type SizeName,
  type Sizes,
  sizesOf,
  THREADS,
  TILE,
} from "./sizes.ts";

/** One tensor: its name in assembly/, the counts whose product is its number of elements, the bytes of one, and what it is. */
export interface Region {
  readonly name: string;
  readonly counts: readonly (SizeName | number)[];
  readonly bytes: number;
  readonly what: string;
  /** It stands right behind the region before it, which ends on a boundary of vectors. */
  readonly joined?: boolean;
}

/** Regions that follow one another. */
export interface Part {
  readonly title: string;
  readonly regions: readonly Region[];
  /** It begins where the first part does in the flash form, as weights are not in memory there. */
  readonly replacesInFlash?: boolean;
}

/** One module's memory. */
export interface Table {
  readonly base: number;
  readonly boundary: number;
  readonly parts: readonly Part[];
}

/** Bytes of a WebAssembly page. */
export const PAGE = 65536;
/** Bytes that 32-bit addresses reach. */
export const MOST_BYTES = 2 ** 32;
/** Where the device's weights begin: the first bytes stay unused, so that no tensor stands at the null address. */
export const BASE = 16;
/** Decoder rows in a tile of the flash form, a multiple of 8. */
export const TILE_ROWS = 32;

const region = (
  name: string,
  counts: readonly (SizeName | number)[],
  bytes: number,
  what: string,
  joined = false,
): Region => ({ name, counts, bytes, what, ...(joined && { joined }) });

/** Tensors of one layer's table of U, by the layer's number. */
const layerRegions = (layer: 0 | 1 | 2): Region[] => {
  const there = layer === 0 ? [] : ([`LAYER_${layer}`] as const);
  return [
    region(
      `U_${layer}`,
      [`ROWS_${layer}`, `WIDTH_${layer}`, "WEIGHT_BITS"],
      1 / 8,
      "(rows, width) i8, or codes of 4 bits",
    ),
    region(`U_${layer}_LEVELS`, ["CODED", ...there, 16], 1, "(16) i8; of codes alone"),
    region(`U_${layer}_SCALE`, [`ROWS_${layer}`], 4, "(rows) f32", true),
  ];
};

/** One History and its tensors, as assembly/history/history.ts has them. */
const HISTORY_REGIONS: readonly Region[] = [
  region("HISTORY_RECORD", ["REMEMBERS", 16], 1, "one History; its tensors stand right behind it"),
  region("RING", ["HISTORY"], 2, "(R) u16", true),
  region(
    "NEWEST",
    ["INDEXED", "V"],
    2,
    "(V) u16, the newest place of each token; absent without an index, as the three that follow",
    true,
  ),
  region("TOKEN_LINKS", ["INDEXED", "HISTORY"], 2, "(R) u16", true),
  region("PAIR_LINKS", ["INDEXED", "HISTORY"], 2, "(R) u16", true),
  region("PAIR_NEWEST", ["INDEXED", "PAIRS"], 2, "(R / 4) u16", true),
];

/** One Matches and its tensors, as assembly/history/matches.ts has them. */
const MATCHES_REGIONS: readonly Region[] = [
  region("MATCHES_RECORD", ["REMEMBERS", 16], 1, "one Matches; its tensors stand right behind it"),
  region("MATCHES", ["MOST_MATCHES"], 4, "(most matches) u32", true),
  region("TOTALS", ["MATCH_LENGTH"], 4, "(match lengths) i32", true),
  region("DISTINCT", ["MATCH_LENGTH"], 4, "(match lengths) i32", true),
  region("SEEN", ["REMEMBERS", "V"], 1, "(V) u8, zero between calls", true),
];

/** One Candidates and its tensors, as assembly/history/candidates.ts has them, and one Followers, as assembly/history/followers.ts. */
const CANDIDATES_REGIONS: readonly Region[] = [
  region("CANDIDATES_RECORD", ["LONG", 16], 1, "one Candidates; its tensors stand right behind it"),
  region("CANDIDATES", ["MOST_LONG"], 8, "(most long matches) of 8 bytes", true),
  region("LAST_CANDIDATES", ["LONG", 24], 1, "(24) u8: the last one of each length", true),
  region("FOLLOWERS_RECORD", ["LONG", 16], 1, "one Followers; its tensors stand right behind it"),
  region("FOLLOWERS", ["MOST_LONG", 20], 1, "(most long matches) of 20 bytes", true),
  region("LENGTH_SUMS", ["LENGTHS", 20], 1, "(lengths) of 20 bytes", true),
];

/** The device module. */
export const DEVICE: Table = {
  base: BASE,
  boundary: 16,
  parts: [
    {
      title:
        "weights, written by the host, or in data segments; in the flash form they stand at address − BASE of the flash instead",
      regions: [
        region("CIPHER", ["CIPHERED", "V", "CIPHER_WIDTH"], 2, "(V, k) u16; absent where inputs are one-hot"),
        ...layerRegions(0),
        ...layerRegions(1),
        ...layerRegions(2),
        region("U0", ["M"], 4, "(M) f32, layer after layer"),
        region("W", ["ATTENDED", "WINDOW", "WINDOW"], 4, "(r, r) f32; absent without attention over positions"),
        region("W0", ["ATTENDED", "WINDOW"], 4, "(r) f32"),
        region("O", ["V", "M"], 1, "(V, M) i8"),
        region("O_SCALE", ["V"], 4, "(V) f32"),
        region("O0", ["V"], 4, "(V) f32"),
        region("LONG_TABLE", [2, "LONG_CELLS"], 4, "(2, lengths, buckets) f32; absent without long matches"),
        region("MIXTURE", ["CELLS"], 4, "(match lengths, buckets) f32; absent without a history"),
      ],
    },
    {
      title: "of the flash form: what is small, and a tile",
      replacesInFlash: true,
      regions: [
        region("RESIDENT_LEVELS", ["FLASH", "CODED", "LAYERS", 16], 1, "(16) i8 a layer"),
        region("RESIDENT_U0", ["FLASH", "M"], 4, "(M) f32"),
        region("RESIDENT_O0", ["FLASH", "V"], 4, "(V) f32"),
        region("RESIDENT_W", ["FLASH", "ATTENDED", "WINDOW", "WINDOW"], 4, "(r, r) f32"),
        region("RESIDENT_W0", ["FLASH", "ATTENDED", "WINDOW"], 4, "(r) f32"),
        region("TILE", ["FLASH", TILE_ROWS, "M"], 1, "(TILE_ROWS, M) i8"),
        region("TILE_SCALES", ["FLASH", TILE_ROWS], 4, "(TILE_ROWS) f32"),
      ],
    },
    {
      title: "state",
      regions: [
        region("STATE", [28], 1, "one State: what a prediction leaves for the next call"),
        region("CONTEXT", ["CONTEXT_TOKENS"], 2, "(tokens) u16, latest first"),
        ...HISTORY_REGIONS,
        region(
          "DOCUMENT",
          ["BAG_WIDTH"],
          4,
          "(width) f32: what the stream adds to the logits of the groups that read the document",
        ),
        region("MIXTURE_SUMS", [2, "CELLS"], 4, "(2, match lengths, buckets) f32: the mixture as the text has it"),
        region("LONG_RECORD", ["LONG", 16], 1, "one LongMixture; its tensor stands right behind it"),
        region("LONG_SUMS", [4, "LONG_CELLS"], 4, "(4, lengths, buckets) f32: the weights as the text has them", true),
        region("MARGINALS", ["ADAPTS", 2, "V"], 4, "(2, V) f32: tokens as they came and as they were expected"),
        region("RECENCY", ["ADAPTS", "V"], 4, "(V) f32: tokens as they came of late"),
        region("RECENCY_VALUES", ["ADAPTS", 4], 4, "(4) f32: its weight in the mixture, and its scale"),
        region("GENERATOR", [4], 4, "(4) u32"),
      ],
    },
    {
      title: "scratch",
      regions: [
        region("NEXT_DOCUMENT", ["BAG_WIDTH"], 4, "(width) f32"),
        region("STATES", ["STATES_READ", "WIDTH_0"], 4, "(positions, width) f32"),
        region("ATTENTION", ["ATTENDED", 2, "SHARES"], 4, "(2, SHARES) f32: shares of positions, comparisons"),
        region("HIDDEN", ["M"], 4, "(M) f32"),
        region("HIDDEN_FIXED", ["M"], 4, "(M) i16; in the scalar build (M + 1) u32, in the order of device/decoder.ts"),
        region("HIDDEN_SUM", [1], 4, "", true),
        region("MIXED", [3, "MATCH_LENGTH"], 4, "(3, match lengths) of history/mixture.ts"),
        ...MATCHES_REGIONS,
        ...CANDIDATES_REGIONS,
        region("MEMORY_TILE", ["FLASH", "LONG", 128], 1, "(2, 64) u8: what is read of the memory"),
        region(
          "NGRAM_TILE",
          ["FLASH", "LONG", 320],
          1,
          "(64) f32, (64) u8: factors, and what else is read of the n-grams",
        ),
        region("NETWORK", ["ADAPTS", "V"], 4, "(V) f32: the network's probabilities, before they are adapted"),
        region("WEIGHTS", ["V"], 4, "(V) f32, of sampling"),
        region("PROBABILITIES", ["V"], 4, "(V) f32"),
      ],
    },
    {
      title: "what was observed last, and where the long-term memory stands: written by the host, or by the firmware",
      regions: [
        region("MEMORY_RECORD", ["LONG", 8], 1, "one Memory"),
        region("NGRAMS_RECORD", ["LONG", 8], 1, "one Ngrams", true),
        region("RECALLED", ["RECALL"], 2, "(RECALL) u16, oldest first; ABSENT between texts"),
        region("RECALLED_LENGTH", ["RECALLS"], 4, "u32, tokens in it"),
        region(
          "RECALLED_AT",
          ["RECALLS"],
          4,
          "u32, where they stand instead: behind the module's own memory; 0 for RECALLED",
          true,
        ),
      ],
    },
    {
      title: "learning; a predictor's memory ends before it",
      regions: [
        region("SAMPLE_RECORD", ["LEARNING", 16], 1, "one Sample; its tensors stand right behind it"),
        region("SAMPLE_WEIGHTS", ["LEARNING", "M"], 4, "(M) u32", true),
        region("CORRECTION", ["LEARNING", 3], 4, "one Correction"),
        region(
          "OBSERVED",
          ["LEARNING", "V", "M"],
          4,
          "(V, M) u32; the statistics, contiguous: what a host stores and loads as one piece",
        ),
        region("EXPECTED", ["LEARNING", "V", "M"], 4, "(V, M) u32", true),
        region("OBSERVED_TOKENS", ["LEARNING"], 4, "u32, tokens in the sums", true),
        region("GENERATION", ["LEARNING"], 4, "u32, how often the sums were halved", true),
        region("CORRECTED_O", ["LEARNING", "V", "M"], 1, "(V, M) i8"),
        region("CORRECTED_O_SCALE", ["LEARNING", "V"], 4, "(V) f32"),
      ],
    },
  ],
};

/** Fields of the record of settings that the host writes for the solver, in order; each of four bytes. */
export const SETTINGS = [
  ["places", "i32", "training places: labels TOKENS[0..places)"],
  ["seed", "u32", "names the order of the text, and the groups' first targets"],
  ["groupBatch", "i32", "places of one step of the groups"],
  ["groupRate", "f32", "of the averaging rate (step + 2)^-rate"],
  ["groupPseudoCounts", "f32", "α"],
  ["labelCiphers", "i32", "1: targets are label ciphers, not responsibilities"],
  ["batch", "i32", "places of one step of iterative scaling or tuning, at most BATCH"],
  ["lead", "i32", "first step at which hidden layers move, too: the decoder finds its feet first"],
  ["rate", "f32", "of the averaging rate (step + 2)^-rate"],
  ["decoderPseudoCounts", "f32", "α of O"],
  ["hiddenPseudoCounts", "f32", "α of U"],
  ["decoderStep", "f32", "s of O"],
  ["hiddenStep", "f32", "s of U; divided by the sharpness, as targets move by so much less"],
  ["decoderPrior", "f32", "κ of O, in places; 0 for none"],
  ["hiddenPrior", "f32", "κ of U"],
  ["sharpness", "f32", "β of the hidden targets, above 0"],
  ["sampled", "i32", "1: predictions are estimated on candidates, not computed of all tokens"],
  ["followers", "u32", "address of (places) u16, scratch of candidates"],
  ["end", "i32", "the step after the last of this phase"],
  ["averageFrom", "i32", "first step whose weights are averaged"],
  ["steps", "i32", "tuning: steps of the whole run"],
  ["learningRate", "f32", "tuning: at its peak"],
  ["warmUp", "i32", "tuning: steps in which the rate rises to there"],
  ["rounds", "i32", "tuning: 1 where each step sees what rounding to four bits leaves of U"],
  ["boundary", "u32", "token that ends a piece of the text, and 1; 0 where the text is one piece"],
] as const satisfies readonly (readonly [name: string, type: "i32" | "u32" | "f32", what: string])[];

/** Bytes of a thread's records: assembly/solver/records.ts. */
const RECORD_BYTES = 512;

/** The solver module, which fits and tunes. */
export const SOLVER: Table = {
  base: 64,
  boundary: 64,
  parts: [
    {
      title: "threads, settings, records",
      regions: [
        region("SYNC", [2], 4, "(2) i32: threads arrived, generation; a cache line of its own"),
        region("SETTINGS", [SETTINGS.length], 4, "one Settings, written by the host"),
        region("RECORDS", [RECORD_BYTES], 1, "one Network, one Batch"),
        region("CIPHER", ["CIPHERED", "V", "CIPHER_WIDTH"], 2, "(V, k) u16"),
        region("MARGINAL", ["V"], 4, "(V) f32, π"),
        region("POSITIONS", ["GROUPS", "POSITIONS_A_GROUP"], 4, "(H, positions) f32, weights of what each group reads"),
      ],
    },
    {
      title:
        "weights; sums or gradients, then expected sums or first moments, then second moments stand behind them, each STRIDE further",
      regions: [
        region("U", ["HIDDEN_WEIGHTS"], 4, "the hidden layers' weights in f32, as layers/list.ts has them"),
        region("U0", ["M"], 4, "(M) f32", true),
        region("O", ["V", "M"], 4, "(V, M) f32, or P of a group's own mixture", true),
        region("O0", ["V"], 4, "(V) f32", true),
        region("SECOND", ["HIDDEN_WEIGHTS"], 4, "F and G, or the gradient"),
        region("SECOND_U0", ["M"], 4, "", true),
        region("SECOND_O", ["V", "M"], 4, "", true),
        region("SECOND_O0", ["V"], 4, "", true),
        region("THIRD", ["HIDDEN_WEIGHTS"], 4, "F̂ and Ĝ, or the first moments"),
        region("THIRD_U0", ["M"], 4, "", true),
        region("THIRD_O", ["V", "M"], 4, "", true),
        region("THIRD_O0", ["V"], 4, "", true),
        region("FOURTH", ["HIDDEN_WEIGHTS"], 4, "the second moments"),
        region("FOURTH_U0", ["M"], 4, "", true),
        region("FOURTH_O", ["V", "M"], 4, "", true),
        region("FOURTH_O0", ["V"], 4, "", true),
      ],
    },
    {
      title: "attention over positions",
      regions: [
        region("ATTENTION_SUMS", ["ATTENDED", "WINDOW", "WINDOW"], 8, "(r, r) f64"),
        region("ATTENTION_MEANS", ["ATTENDED", "WINDOW"], 8, "(r) f64", true),
        region("PAIR_COUNTS", ["ATTENDED", "ROWS_0", "V"], 4, "(r·b, V) f32"),
        region("PAIR_TOTALS", ["ATTENDED", "ROWS_0"], 4, "(r·b) f32"),
      ],
    },
    {
      title: "one batch",
      regions: [
        region("LOSS", [1], 8, "f64, nats since the host last cleared it"),
        region("PLACES", ["BATCH"], 4, "(BATCH) u32, places in TOKENS"),
        region("LIKELIHOOD", ["BATCH"], 4, "(BATCH) f32, of the token that came"),
        region("BATCH_INPUTS", ["BATCH", "INPUTS"], 4, "(BATCH, INPUTS) f32"),
        region("HIDDEN", ["BATCH", "M"], 4, "(BATCH, M) f32"),
        region(
          "TARGETS",
          ["BATCH", "M"],
          4,
          "(BATCH, M) f32: hidden targets, or gradients at the hidden layers' logits",
        ),
        region(
          "EARLIER_DELTA",
          ["BATCH", "EARLIER"],
          4,
          "(BATCH, EARLIER) f32, gradients at those of the first layer at the places before",
        ),
        region("PREDICTED", ["BATCH", "V"], 4, "(BATCH / TILE, V, TILE) f32, ŷ, then ŷ − y in tuning"),
      ],
    },
    {
      title: "scratch, one a thread",
      regions: [
        region("WORK", ["THREADS", RECORD_BYTES], 1, "one Work a thread"),
        region("TRANSPOSED", ["THREADS", "M", "TILE"], 4, "(M, TILE) f32, a tile transposed"),
        region("LANES", ["THREADS", 2, "TILE"], 4, "(2, TILE) f32"),
        region("ROWS", ["THREADS", 4, "M"], 4, "(4, M) f32"),
        region("PLACE_INPUTS", ["THREADS", "INPUTS"], 4, "(INPUTS) f32"),
        region(
          "PLACE_SHARES",
          ["THREADS", "ATTENDED", 3, "SHARES"],
          4,
          "(3, SHARES) f32, attention over an earlier place",
        ),
      ],
    },
    {
      title: "candidates of predictions, and weights averaged",
      regions: [
        region("FLAT", ["V"], 4, "(V) f32, the flattened marginal"),
        region("FOLLOWERS", ["V", 2], 4, "(V, 2) u32: first token that follows each, and how many do"),
        region("POOL", ["V", 2], 4, "(V, 2) u32: first set of each token, and how many it has"),
        region("PROPOSALS", ["THREADS", 2, "V"], 4, "(2, V) f32 a thread: logarithms and odds of candidates"),
        region("CANDIDATE_IDS", ["POOL_SETS", "CANDIDATES"], 2, "(sets, candidates) u16"),
        region("CANDIDATE_BIASES", ["POOL_SETS", "CANDIDATES"], 4, "(sets, candidates) f32"),
        region("ESTIMATES", ["BATCH", 3 + SAMPLES], 8, "one Estimate a place"),
        region("PLACE_CANDIDATES", ["THREADS", "CANDIDATES"], 2, "(candidates) u16 a thread"),
        region("PLACE_ODDS", ["THREADS", 2, "CANDIDATES"], 4, "(2, candidates) f32 a thread: odds and sizes"),
        region("PLACE_FIXED", ["THREADS", "M"], 2, "(M) i16 a thread, a hidden state"),
        region("O_FIXED", ["V", "M"], 2, "(V, M) i16, O in fixed point"),
        region("AVERAGE_U", ["HIDDEN_CELLS"], 8, "f64 sums of samples, laid out as U"),
        region("AVERAGE_O", ["V", "M"], 8, "(V, M) f64, likewise"),
      ],
    },
    {
      title: "the mixture",
      regions: [
        ...HISTORY_REGIONS,
        ...MATCHES_REGIONS,
        region("MATCH_SUMS", ["MATCH_LENGTH"], 4, "(match lengths) f32"),
        region("MIXTURE", ["CELLS"], 4, "(match lengths, buckets) f32"),
        region("CHAIN", ["PARTS"], 4, "(PARTS) f32", true),
        region("MIXTURE_SUMS", [2, "CELLS"], 4, "(2, match lengths, buckets) f32"),
        region("MIXTURE_BUCKETS", ["MIXTURE_PLACES", "MATCH_LENGTH"], 1, "(places, match lengths) u8"),
        region("MIXTURE_LIKELIHOODS", ["REMEMBERS", "MIXTURE_PLACES", "PARTS"], 4, "(places, PARTS) f32"),
      ],
    },
    {
      title: "weights of four bits: how they are rounded, and what rounding leaves",
      regions: [
        region("HISTOGRAM", ["CODED", 1072], 8, "f64: bins, levels, and sums and weights of levels"),
        region("DEPTHS", ["CODED", "THREADS", 2, "M"], 4, "(2, M) f32 a thread: depths of a row and their weights"),
        region("ROUNDING", ["CODED", "LAYERS", 33], 4, "a rounding table and the unit of its levels, a layer"),
        region("ROUNDED", ["CODED", "HIDDEN_WEIGHTS"], 4, "laid out as U: what the steps of tuning read"),
      ],
    },
    {
      title: "the model as it is stored",
      regions: [
        region(
          "CODES",
          ["HIDDEN_CELLS"],
          1,
          "rows of U of all layers, of 8 bits a weight or codes of 4, each table where its cells begin",
        ),
        region("CODE_SCALES", ["HIDDEN_ROWS"], 4, "(rows) f32, layer after layer"),
        region("CODE_LEVELS", ["CODED", "LAYERS", 16], 1, "(16) i8 a layer"),
        region("O_INT8", ["V", "M"], 1, "(V, M) i8"),
        region("O_SCALE", ["V"], 4, "(V) f32"),
        region("TOKENS", [], 2, "(N) u16, to the memory's end"),
      ],
    },
  ],
};

/** Addresses of a table's regions for one module, and where the last one ends. */
export interface Addresses {
  readonly at: Readonly<Record<string, number>>;
  readonly end: number;
}

const elements = ({ counts }: Region, sizes: Sizes): number =>
  counts.reduce<number>((product, count) => product * (typeof count === "number" ? count : sizes[count]), 1);

/** Where everything stands. */
export function addressesOf({ base, boundary, parts }: Table, sizes: Sizes): Addresses {
  const at: Record<string, number> = {};
  let end = base;
  for (const { regions, replacesInFlash } of parts) {
    if (replacesInFlash && sizes.FLASH) end = base;
    for (const region of regions) {
      const start = region.joined ? end : Math.ceil(end / boundary) * boundary;
      at[region.name] = start;
      // what stands at the memory's end has no bytes of its own
      end = start + (region.counts.length === 0 ? 0 : elements(region, sizes) * region.bytes);
    }
  }
  return { at, end: Math.ceil(end / boundary) * boundary };
}

/** Addresses of the device module. */
export function deviceAddresses(shape: Shape, options: ModuleOptions = {}): Addresses {
  return addressesOf(DEVICE, sizesOf(shape, options));
}

/** Addresses of the solver module. */
export function solverAddresses(shape: Shape): Addresses {
  return addressesOf(SOLVER, sizesOf(withoutLong(shape), { learning: false, recall: 0 }));
}

/** Linear memory of the device module in bytes: weights, state and scratch, what `options` ask for, and behind it the long-term memory. */
export function bytesNeeded(shape: Shape, options: ModuleOptions = {}): number {
  return deviceAddresses(validateShape(shape), options).end + (options.flash ? 0 : memoryBytes(shape));
}

/** The part of it that a predictor needs: all but what learning has. */
export function predictorBytes(shape: Shape, options: ModuleOptions = {}): number {
  return deviceAddresses(validateShape(shape), options).at.SAMPLE_RECORD! + (options.flash ? 0 : memoryBytes(shape));
}

/** Bytes of the weights, in memory or in flash, without the long-term memory. */
export function weightBytes(shape: Shape): number {
  const { at } = deviceAddresses(shape);
  return at.RESIDENT_LEVELS! - BASE;
}

/** Memory of the solver module in bytes, without the tokens, which stand behind it. */
export function solverBytesNeeded(shape: Shape): number {
  return solverAddresses(shape).at.TOKENS!;
}

/** The table as Markdown: what stands where, in order, and the bytes of each tensor. */
export function layoutTable({ parts }: Table): string {
  const size = ({ counts, bytes }: Region) =>
    [...(bytes < 1 ? [`1/${1 / bytes}`] : bytes > 1 ? [bytes] : []), ...counts].join("·") || "the rest";
  const rows = parts.flatMap(({ title, regions }) => [
    `| **${title}** | | |`,
    ...regions.map((region) => `| \`${region.name}\` | ${size(region)} | ${region.what} |`),
  ]);
  return ["| tensor | bytes | what it is |", "| --- | --- | --- |", ...rows].join("\n");
}

/** assembly/NAME/layout.ts: every region as a constant, from the counts that assembly/shape.ts has. */
export function layoutSource(table: Table, shapeModule: string, extras = ""): string {
  const { base, boundary, parts } = table;
  const used = new Set<string>();
  const sizeText = ({ counts, bytes }: Region): string => {
    for (const count of counts) if (typeof count === "string") used.add(count);
    if (bytes >= 1) return [...counts, ...(bytes > 1 ? [bytes] : [])].join(" * ");
    // the last two first, which are whole bytes: the product of all may pass 2^31
    return `${counts.slice(0, -2).join(" * ")} * ((${counts.slice(-2).join(" * ")}) / ${1 / bytes})`;
  };
  let end = "BASE";
  const lines: string[] = [];
  for (const { title, regions, replacesInFlash } of parts) {
    lines.push("", `// ${title}`);
    for (const [i, region] of regions.entries()) {
      if (i === 0 && replacesInFlash) end = `(FLASH == 0 ? ${end} : BASE)`;
      const start = region.joined ? end : `(${end} + ${boundary - 1}) & ~${boundary - 1}`;
      lines.push(`export const ${region.name}: usize = ${start};${region.what ? ` // ${region.what}` : ""}`);
      if (region.counts.length > 0) end = `${region.name} + ${sizeText(region)}`;
    }
  }
  if (table === DEVICE) {
    lines.push("", `export const END: usize = (${end} + ${boundary - 1}) & ~${boundary - 1};`);
    used.add("FLASH");
  }
  const own = ["BATCH", "TILE", "THREADS", "MIXTURE_PLACES", "CANDIDATES"] as const;
  const imported = [...used].filter((name) => !(own as readonly string[]).includes(name)).sort();
  return `// Written by \`npm run build\` from the table in host/compile/layout.ts: change it there.
import {
${imported.map((name) => `  ${name},`).join("\n")}
} from "${shapeModule}";
${extras}
/** Where the first tensor stands. */
export const BASE: usize = ${base};
${lines.join("\n")}
`;
}

/** The solver's own constants and the record of settings, for its layout. */
export function solverExtras(): string {
  return `
/** Places of one step at the most. */
export const BATCH: i32 = ${BATCH};
/** Places that one thread works on at a time; a tile of probabilities, (V, TILE) f32, stays in cache. */
export const TILE: i32 = ${TILE};
/** Threads at the most: each has a scratch of its own. */
export const THREADS: i32 = ${THREADS};
/** Places that the mixture is solved on at the most. */
export const MIXTURE_PLACES: i32 = ${MIXTURE_PLACES};
/** Candidates of a place, the token that came among them, and samples of them. */
export const CANDIDATES: i32 = ${CANDIDATES};
export const SAMPLES: i32 = ${SAMPLES};
/** Places that a pool of candidates is laid for. */
export const POOL_PLACES: i32 = ${POOL_PLACES};

/** What a fit or a tuning run is asked for; the host writes it. */
@unmanaged
export class Settings {
${SETTINGS.map(([name, type, what]) => `  ${name}: ${type}; // ${what}`).join("\n")}
}
`;
}
