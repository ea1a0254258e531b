/**
 * N-grams of the training text that the network knows too little about (ours). Of each context of one token, then of two, and so on, the network
 * with the n-grams found so far is asked what it expects; where what came differs from that by more than its bytes are worth, the token gets a
 * factor, the logarithm of their ratio: a solution of the log-linear model p(v) ∝ network(v) · Π f(context, v), context length by context
 * length (iterative proportional fitting: Darroch & Ratcliff 1972). Counts are discounted first (discounts.ts).
 */
import { BATCH, TILE } from "../compile/sizes.ts";
import { throwIfAborted } from "../errors.ts";
import { factorsOf, MOST_ENTRIES, type NgramContext, ngramBytes, writeNgrams } from "../files/ngrams.ts";
import { Pace } from "../pace.ts";
import type { Shape } from "../shape.ts";
import { Discounts } from "./discounts.ts";
import { exp, log } from "./pinned-math.ts";
import { contextsOf, type Pause, type SameContext, sortedPlaces } from "./places.ts";
import type { Solver } from "./solver.ts";
import type { Hooks } from "./steps.ts";

/** Tokens of the longest context: of bytes, and of larger vocabularies. */
const ORDERS = { bytes: 5, tokens: 3 } as const;
/** Times that a context comes at the least. */
const LEAST_TIMES = 4;
/** Contexts of a length that are looked at, the most frequent: at the most, and for each that there are bytes for. */
const MOST_CONTEXTS = 65536;
const CONTEXTS_A_PLACE = 8;
/** Places of a context that the network is asked at, evenly over the text: at the most, and where all of a length would be too many. */
const MOST_ASKED = 128;
const LEAST_ASKED = 8;
/** Places of a length that it is asked at. */
const MOST_PLACES = 1 << 20;
/** Nats that a byte gains in as much text again, at the least. */
const LEAST_GAIN = 0.1;
/** Nats that a context gains each time that it comes, at the most, or nearly. */
const MOST_GAIN = 3;
/** Bytes of an entry, and of a context with its part of a bucket. */
const ENTRY = 2;
const CONTEXT = 3 + 5 / 6;
/** Bounds of a logarithm of a factor. */
const [LEAST, MOST] = [-5, 9] as const;
/** Added to both sides of a ratio that is solved again, in places. */
const PSEUDO_COUNTS = 0.3;
/** A token that never came is looked at where so many of it were expected. */
const LEAST_EXPECTED = 1;

/** What n-grams are found in. */
export interface NgramText {
  readonly solver: Solver;
  readonly shape: Shape;
  /** All of the text that the network has seen, as it stands in the solver's memory. */
  readonly tokens: Uint16Array;
  /** Most bytes. */
  readonly bytes: number;
  /** The token that ends a piece of the text, where it has some: a context begins with one at the most. */
  readonly newline: number | undefined;
}

/** A context of the text, and the places that the network is asked at. */
interface Asked {
  /** Places that it stands before. */
  readonly times: number;
  readonly places: Uint32Array;
}

/** A context that is kept, and its entries. */
interface Kept extends Asked {
  /** The newest first. */
  readonly tokens: readonly number[];
  entries: Entry[];
}

interface Entry {
  readonly token: number;
  /** Logarithm of the factor, and the factor. */
  value: number;
  factor: number;
  /** Nats that it gains in as much text again. */
  readonly gain: number;
  /** How often the token should come at the context's places. */
  readonly wanted: number;
}

/** The contexts of one length, by their tokens as a number. */
type Length = Map<number, Kept>;

/** How far a part of the work has come, 0..1, and a pause in it. */
interface Turns {
  readonly progress: (share: number) => void;
  readonly pause: Pause;
}

/** The n-grams as bytes; undefined where none is worth its bytes. @throws SaffuError ABORTED */
export async function fitNgrams(
  text: NgramText,
  { signal, onProgress }: Hooks<"ngrams">,
): Promise<Uint8Array | undefined> {
  const lengths: Length[] = [];
  let least = LEAST_GAIN;
  const orders = text.shape.vocabulary > 256 ? ORDERS.tokens : ORDERS.bytes;
  const pace = new Pace();
  const pause = async () => {
    throwIfAborted(signal);
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
  };
  const turns = (part: number): Turns => ({
    progress: (share) => onProgress?.({ phase: "ngrams", done: part + share, total: 2 * orders + 1 }),
    pause,
  });
  for (let order = 1; order <= orders; ++order) {
    const length = await solveLength(text, order, { shorter: lengths, least }, turns(order - 1));
    lengths.push(length);
    least = await trim(lengths, text.bytes, least, pause);
  }
  for (const [i, length] of lengths.entries()) await solveAgain(text, length, lengths, turns(orders + i));
  const bytes = await written(lengths, text.shape.vocabulary, pause);
  turns(2 * orders).progress(1);
  return bytes;
}

/** What the network and the n-grams of `lengths` expect at the places of one context after the other: Σ p, (V), of all of its places. */
async function expectations<T extends Asked>(
  { solver, shape, tokens }: NgramText,
  contexts: Iterable<T>,
  lengths: readonly Length[],
  pause: Pause,
  each: (context: T, expected: Float64Array) => void,
): Promise<void> {
  const { vocabulary } = shape;
  const places = solver.view(Uint32Array, "PLACES", BATCH);
  const predicted = solver.view(Float32Array, "PREDICTED", BATCH * vocabulary);
  const row = new Float64Array(vocabulary);
  const scales = new Float64Array(BATCH);
  const queue: { context: T; until: number; last: boolean }[] = []; // parts of contexts in the batch
  let many = 0;
  const flush = async () => {
    await solver.all("predictPlaces", "thread", "threads", many);
    for (let i = 0; i < many; ++i)
      scales[i] = multiply(predicted, i, tokens.subarray(0, places[i]!), lengths, vocabulary);
    let from = 0;
    for (const { context, until, last } of queue) {
      addRows(predicted, scales, [from, until], row);
      from = until;
      if (!last) continue;
      const { times, places: asked } = context;
      if (asked.length < times) for (let v = 0; v < vocabulary; ++v) row[v]! *= times / asked.length;
      each(context, row);
      row.fill(0);
    }
    queue.length = 0;
    many = 0;
    await pause();
  };
  for (const context of contexts) {
    for (const [i, place] of context.places.entries()) {
      places[many++] = place;
      const last = i === context.places.length - 1;
      if (last || many === BATCH) queue.push({ context, until: many, last });
      if (many === BATCH) await flush();
    }
  }
  if (many > 0) await flush();
}

/** Multiplies the prediction of a batch after some tokens by their n-grams, and gives what brings it to unit sum. */
function multiply(
  predicted: Float32Array,
  index: number,
  before: Uint16Array,
  lengths: readonly Length[],
  vocabulary: number,
): number {
  const first = (index - (index % TILE)) * vocabulary + (index % TILE);
  let sum = 1;
  let number = 0;
  for (let order = 1, scale = 1; order <= lengths.length && order <= before.length; ++order, scale *= vocabulary) {
    number += before[before.length - order]! * scale;
    for (const { token, factor } of lengths[order - 1]!.get(number)?.entries ?? NONE) {
      const cell = first + token * TILE;
      const own = predicted[cell]!;
      predicted[cell] = own * factor;
      sum += predicted[cell]! - own;
    }
  }
  return 1 / sum;
}

const NONE: readonly Entry[] = [];

/** Tokens, the newest first, as one number: 5 of a byte or 3 of 12 bits. */
function numberOf(tokens: readonly number[], vocabulary: number): number {
  return tokens.reduceRight((number, token) => number * vocabulary + token, 0);
}

/** row += the predictions at some places of a batch, each at its scale. */
function addRows(
  predicted: Float32Array,
  scales: Float64Array,
  [from, to]: readonly [from: number, to: number],
  row: Float64Array,
): void {
  for (let start = from; start < to; ) {
    const tile = start - (start % TILE);
    const end = Math.min(to, tile + TILE);
    for (let v = 0; v < row.length; ++v) {
      const cells = tile * row.length + v * TILE - tile;
      let sum = 0;
      for (let i = start; i < end; ++i) sum += predicted[cells + i]! * scales[i]!;
      row[v]! += sum;
    }
    start = end;
  }
}

/** The contexts of one length that are worth their bytes, at so many nats a byte, over what shorter ones say. */
async function solveLength(
  text: NgramText,
  order: number,
  { shorter, least }: { readonly shorter: readonly Length[]; readonly least: number },
  { progress, pause }: Turns,
): Promise<Length> {
  const { tokens, shape, bytes, newline } = text;
  const { vocabulary } = shape;
  const sorted = await sortedPlaces(tokens, order, vocabulary, pause);
  const looked = {
    order,
    least: Math.max(LEAST_TIMES, Math.ceil((least * (CONTEXT + ENTRY)) / MOST_GAIN)),
    most: Math.min(MOST_CONTEXTS, Math.ceil((CONTEXTS_A_PLACE * bytes) / (CONTEXT + ENTRY))),
    boundary: newline,
  };
  const found = await contextsOf(tokens, sorted, looked, pause);
  const discounts = new Discounts();
  const cells: { context: Asked & SameContext; token: Uint16Array; count: Uint32Array; expected: Float64Array }[] = [];
  const counts = new Uint32Array(vocabulary);
  await expectations(text, askedOf(found, sorted), shorter, pause, (context, expected) => {
    const { times, from, to } = context;
    counts.fill(0);
    for (let i = from; i < to; ++i) ++counts[tokens[sorted[i]!]!]!;
    discounts.addContext(times);
    const worth: number[] = [];
    for (let v = 0; v < vocabulary; ++v) {
      discounts.addCell(counts[v]!, expected[v]!, times);
      if (counts[v]! > 0 || expected[v]! >= LEAST_EXPECTED) worth.push(v);
    }
    const token = Uint16Array.from(worth);
    cells.push({
      context,
      token,
      count: Uint32Array.from(token, (v) => counts[v]!),
      expected: Float64Array.from(token, (v) => expected[v]!),
    });
    progress(to / sorted.length);
  });
  discounts.solve();
  const kept: Length = new Map();
  for (const { context, token, count, expected } of cells) {
    const { times, places } = context;
    const share = discounts.shareOf(times);
    const entries: Entry[] = [];
    for (const [i, v] of token.entries()) {
      const entry = entryOf(v, discounts.expectedCount(count[i]!, expected[i]!), expected[i]!, share);
      if (entry.gain > least * ENTRY) entries.push(entry);
    }
    await pause();
    if (worthOf(entries, least) <= least * CONTEXT) continue;
    const before = Array.from({ length: order }, (_, back) => tokens[places[0]! - 1 - back]!);
    kept.set(numberOf(before, vocabulary), { times, places, tokens: before, entries: strongest(entries) });
  }
  progress(1);
  return kept;
}

/** The contexts with the places that the network is asked at, as many of each as lead to no more than MOST_PLACES in all. */
function* askedOf(contexts: readonly SameContext[], sorted: Uint32Array): Generator<Asked & SameContext> {
  let most = MOST_ASKED;
  const all = () => contexts.reduce((sum, { from, to }) => sum + Math.min(most, to - from), 0);
  while (most > LEAST_ASKED && all() > MOST_PLACES) most /= 2;
  for (const { from, to } of contexts) {
    const times = to - from;
    const asked = Math.min(times, most);
    const places = Uint32Array.from({ length: asked }, (_, i) => sorted[from + Math.floor((i * times) / asked)]!);
    yield { from, to, times, places };
  }
}

/** The factor of a token that comes `again` times in as much text, where it was expected `expected` times here, and a share of that there. */
function entryOf(token: number, again: number, expected: number, share: number): Entry {
  const later = expected * share;
  const value = Math.max(LEAST, Math.min(MOST, log(again / later)));
  const factor = exp(value);
  return { token, value, factor, gain: again * value - later * (factor - 1), wanted: again / share };
}

/** Nats that entries gain over those that their bytes have to, those that gain less being left out. */
function worthOf(entries: readonly Entry[], least: number): number {
  return entries.reduce((sum, { gain }) => sum + Math.max(0, gain - least * ENTRY), 0);
}

/** As many as a context has room for, those that gain the most, in the order of their tokens. */
function strongest(entries: Entry[]): Entry[] {
  if (entries.length <= MOST_ENTRIES) return entries;
  const kept = entries.toSorted((a, b) => b.gain - a.gain || a.token - b.token).slice(0, MOST_ENTRIES);
  return kept.sort((a, b) => a.token - b.token);
}

/** Rounds in which the worth of a byte is found. */
const HALVINGS = 24;

/** Leaves those entries whose bytes gain the most: as many as there are bytes for. Gives what a byte gains then, in nats, at least `from`. */
async function trim(lengths: readonly Length[], bytes: number, from: number, pause: Pause): Promise<number> {
  const bytesAt = async (least: number) => {
    let [contexts, entries] = [0, 0];
    for (const length of lengths) {
      for (const context of length.values()) {
        if (worthOf(context.entries, least) <= least * CONTEXT) continue;
        ++contexts;
        for (const { gain } of context.entries) if (gain > least * ENTRY) ++entries;
      }
      await pause();
    }
    return ngramBytes(contexts, entries);
  };
  let [low, high] = [from, from];
  while ((await bytesAt(high)) > bytes && high < 2 ** 40) [low, high] = [high, 2 * high];
  for (let i = 0; i < HALVINGS && high > from; ++i) {
    const middle = (low + high) / 2;
    if ((await bytesAt(middle)) > bytes) low = middle;
    else high = middle;
  }
  for (const length of lengths) {
    for (const [number, context] of length) {
      const worth = worthOf(context.entries, high) > high * CONTEXT;
      context.entries = worth ? context.entries.filter(({ gain }) => gain > high * ENTRY) : [];
      if (context.entries.length === 0) length.delete(number);
    }
    await pause();
  }
  return high;
}

/** Solves the entries of one length again, over what all others say. */
async function solveAgain(
  text: NgramText,
  length: Length,
  lengths: readonly Length[],
  { progress, pause }: Turns,
): Promise<void> {
  const solved = new Map<Kept, readonly number[]>();
  await expectations(text, length.values(), lengths, pause, (context, expected) => {
    const ratios = context.entries.map(({ token, wanted }) =>
      log((wanted + PSEUDO_COUNTS) / (expected[token]! + PSEUDO_COUNTS)),
    );
    solved.set(context, ratios);
    progress(solved.size / length.size);
  });
  for (const [{ entries }, ratios] of solved) {
    for (const [i, ratio] of ratios.entries()) {
      const entry = entries[i]!;
      entry.value = Math.max(LEAST, Math.min(MOST, entry.value + ratio));
      entry.factor = exp(entry.value);
    }
  }
  progress(1);
}

/** The n-grams as bytes, with as many factors as entries can name. */
async function written(lengths: readonly Length[], vocabulary: number, pause: Pause): Promise<Uint8Array | undefined> {
  const contexts = lengths.flatMap((length) => [...length.values()]);
  if (contexts.length === 0) return undefined;
  const entries = contexts.flatMap((context) => context.entries);
  const levels = await levelsOf(entries, factorsOf(vocabulary), pause);
  const gainOf = (context: Kept) => context.entries.reduce((sum, { gain }) => sum + gain, 0);
  const useful = contexts.map((context) => ({ context, gain: gainOf(context) })).sort((a, b) => b.gain - a.gain);
  const all: NgramContext[] = [];
  for (const { context } of useful) {
    all.push({
      tokens: context.tokens,
      entries: context.entries.map(({ token, value }) => [token, nearest(levels, value)]),
    });
    await pause();
  }
  return writeNgrams(all, levels.map(exp), vocabulary);
}

/** Rounds in which levels are found. */
const ROUNDS = 40;

/** The levels that values are rounded to, ascending: each the mean of those nearest to it, by how often they are wanted (Lloyd 1982). */
async function levelsOf(entries: readonly Entry[], many: number, pause: Pause): Promise<number[]> {
  const sorted = entries.toSorted((a, b) => a.value - b.value);
  const length = Math.min(many, sorted.length);
  let levels = Array.from({ length }, (_, i) => sorted[Math.floor(((i + 0.5) * sorted.length) / length)]!.value);
  for (let round = 0; round < ROUNDS; ++round) {
    const sums = levels.map(() => 0);
    const weights = levels.map(() => 0);
    let level = 0;
    for (const { value, wanted } of sorted) {
      while (level + 1 < levels.length && levels[level + 1]! - value <= value - levels[level]!) ++level;
      sums[level]! += value * wanted;
      weights[level]! += wanted;
    }
    levels = levels.map((own, i) => (weights[i]! > 0 ? sums[i]! / weights[i]! : own));
    await pause();
  }
  return levels;
}

/** The number of the level that is nearest. */
function nearest(levels: readonly number[], value: number): number {
  let best = 0;
  for (let i = 1; i < levels.length; ++i) {
    if (Math.abs(levels[i]! - value) < Math.abs(levels[best]! - value)) best = i;
  }
  return best;
}
