/**
 * N-grams of the training text that the network knows too little about (ours). Of each context of one token, then of two, and so on, the network
 * with the n-grams found so far is asked what it expects; where what came differs from that by more than its bytes are worth, the token gets a
 * factor, the logarithm of their ratio: a solution of the log-linear model p(v) ∝ network(v) · Π f(context, v), context length by context
 * length (iterative proportional fitting: Darroch & Ratcliff 1972). Counts are discounted first (discounts.ts).
 */
import { BATCH, TILE } from "../compile/sizes.ts";
import { throwIfAborted } from "../errors.ts";
import { factorsOf, MOST_ENTRIES, type NgramContext, ngramBytes, writeNgrams } from "../files/ngrams.ts";
import type { Shape } from "../shape.ts";
import { Discounts } from "./discounts.ts";
import { exp, log } from "./pinned-math.ts";
import { contextsOf, type SameContext, sortedPlaces } from "./places.ts";
import type { Solver } from "./solver.ts";
import type { Hooks } from "./steps.ts";

/** Tokens of the longest context: of bytes, and of larger vocabularies. */
const ORDERS = { bytes: 5, tokens: 3 } as const;
/** Times that a context comes at the least. */
const LEAST_TIMES = 4;
/** Places of a context that the network is asked at, evenly over the text. */
const MOST_ASKED = 128;
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
  /** The token that ends a piece of the text, where it has some: no context reaches over one. */
  readonly newline: number | undefined;
}

/** A context that is kept, and its entries. */
interface Kept extends SameContext {
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

/** All contexts of one length. */
interface Length {
  readonly order: number;
  readonly sorted: Uint32Array;
  contexts: Kept[];
  /** Of each place the number of its context; −1 where none is kept. */
  readonly at: Int32Array;
}

/** The n-grams as bytes; undefined where none is worth its bytes. @throws SaffuError ABORTED */
export async function fitNgrams(text: NgramText, hooks: Hooks<"ngrams">): Promise<Uint8Array | undefined> {
  const { tokens, shape, bytes } = text;
  const lengths: Length[] = [];
  let least = LEAST_GAIN;
  const orders = shape.vocabulary > 256 ? ORDERS.tokens : ORDERS.bytes;
  const progress = (part: number) => (share: number) =>
    hooks.onProgress?.({ phase: "ngrams", done: part + share, total: 2 * orders });
  for (let order = 1; order <= orders; ++order) {
    const sorted = sortedPlaces(tokens, order, shape.vocabulary);
    const length = { order, sorted, contexts: [], at: new Int32Array(tokens.length).fill(-1) };
    const found = await solveLength(text, length, { shorter: lengths, least }, progress(order - 1), hooks.signal);
    lengths.push({ ...length, contexts: found });
    least = trim(lengths, bytes, least);
  }
  for (const length of lengths)
    await solveAgain(text, length, lengths, progress(orders + length.order - 1), hooks.signal);
  return written(lengths, shape.vocabulary);
}

/** Notes which places have which context. */
function place({ contexts, sorted, at }: Length): void {
  at.fill(-1);
  for (const [number, { from, to }] of contexts.entries()) {
    for (let i = from; i < to; ++i) at[sorted[i]!] = number;
  }
}

/** What the network and the n-grams of `lengths` expect at the places of one context after the other: Σ p, (V), of all of its places. */
async function expectations(
  { solver, shape }: NgramText,
  sorted: Uint32Array,
  contexts: Iterable<SameContext>,
  lengths: readonly Length[],
  signal: AbortSignal | undefined,
  each: (context: SameContext, expected: Float64Array) => void,
): Promise<void> {
  const { vocabulary } = shape;
  const places = solver.view(Uint32Array, "PLACES", BATCH);
  const predicted = solver.view(Float32Array, "PREDICTED", BATCH * vocabulary);
  const row = new Float64Array(vocabulary);
  const scales = new Float64Array(BATCH);
  const queue: { context: SameContext; until: number; last: boolean }[] = []; // parts of contexts in the batch
  let many = 0;
  const flush = async () => {
    throwIfAborted(signal);
    await solver.all("predictPlaces", "thread", "threads", many);
    for (let i = 0; i < many; ++i) scales[i] = multiply(predicted, i, places[i]!, lengths, vocabulary);
    let from = 0;
    for (const { context, until, last } of queue) {
      addRows(predicted, scales, [from, until], row);
      from = until;
      if (!last) continue;
      const times = context.to - context.from;
      const asked = Math.min(times, MOST_ASKED);
      if (asked < times) for (let v = 0; v < vocabulary; ++v) row[v]! *= times / asked;
      each(context, row);
      row.fill(0);
    }
    queue.length = 0;
    many = 0;
  };
  for (const context of contexts) {
    const times = context.to - context.from;
    const asked = Math.min(times, MOST_ASKED);
    for (let i = 0; i < asked; ++i) {
      places[many++] = sorted[context.from + Math.floor((i * times) / asked)]!;
      const last = i === asked - 1;
      if (last || many === BATCH) queue.push({ context, until: many, last });
      if (many === BATCH) await flush();
    }
  }
  if (many > 0) await flush();
}

/** Multiplies the prediction at a place of a batch by its n-grams, and gives what brings it to unit sum. */
function multiply(
  predicted: Float32Array,
  index: number,
  at: number,
  lengths: readonly Length[],
  vocabulary: number,
): number {
  const first = (index - (index % TILE)) * vocabulary + (index % TILE);
  let sum = 1;
  for (const { contexts, at: numbers } of lengths) {
    const number = numbers[at]!;
    if (number < 0) continue;
    for (const { token, factor } of contexts[number]!.entries) {
      const cell = first + token * TILE;
      const before = predicted[cell]!;
      predicted[cell] = before * factor;
      sum += predicted[cell]! - before;
    }
  }
  return 1 / sum;
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
  { order, sorted }: Length,
  { shorter, least }: { readonly shorter: readonly Length[]; readonly least: number },
  progress: (share: number) => void,
  signal: AbortSignal | undefined,
): Promise<Kept[]> {
  const { tokens, shape, newline } = text;
  const { vocabulary } = shape;
  const discounts = new Discounts();
  const cells: { context: SameContext; token: Uint16Array; count: Uint32Array; expected: Float64Array }[] = [];
  const counts = new Uint32Array(vocabulary);
  const times = Math.max(LEAST_TIMES, Math.ceil((least * (CONTEXT + ENTRY)) / MOST_GAIN));
  const looked = contextsOf(tokens, sorted, order, times, newline);
  await expectations(text, sorted, looked, shorter, signal, (context, expected) => {
    const many = context.to - context.from;
    counts.fill(0);
    for (let i = context.from; i < context.to; ++i) ++counts[tokens[sorted[i]!]!]!;
    discounts.addContext(many);
    const worth: number[] = [];
    for (let v = 0; v < vocabulary; ++v) {
      discounts.addCell(counts[v]!, expected[v]!, many);
      if (counts[v]! > 0 || expected[v]! >= LEAST_EXPECTED) worth.push(v);
    }
    const token = Uint16Array.from(worth);
    cells.push({
      context,
      token,
      count: Uint32Array.from(token, (v) => counts[v]!),
      expected: Float64Array.from(token, (v) => expected[v]!),
    });
    progress(context.to / sorted.length);
  });
  discounts.solve();
  const kept: Kept[] = [];
  for (const { context, token, count, expected } of cells) {
    const share = discounts.shareOf(context.to - context.from);
    const entries: Entry[] = [];
    for (const [i, v] of token.entries()) {
      const entry = entryOf(v, discounts.expectedCount(count[i]!, expected[i]!), expected[i]!, share);
      if (entry.gain > least * ENTRY) entries.push(entry);
    }
    if (worthOf(entries, least) <= least * CONTEXT) continue;
    const first = sorted[context.from]!;
    const before = Array.from({ length: order }, (_, back) => tokens[first - 1 - back]!);
    kept.push({ ...context, tokens: before, entries: strongest(entries) });
  }
  progress(1);
  return kept;
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

/** Leaves those entries whose bytes gain the most: as many as there are bytes for. Gives what a byte gains then, in nats, at least `from`. */
function trim(lengths: readonly Length[], bytes: number, from: number): number {
  const entriesAt = (context: Kept, least: number) => {
    const entries = context.entries.filter(({ gain }) => gain > least * ENTRY);
    return worthOf(entries, least) > least * CONTEXT ? entries : [];
  };
  const bytesAt = (least: number) => {
    let [contexts, entries] = [0, 0];
    for (const length of lengths) {
      for (const context of length.contexts) {
        const many = entriesAt(context, least).length;
        if (many > 0) ++contexts;
        entries += many;
      }
    }
    return ngramBytes(contexts, entries);
  };
  let [low, high] = [from, from];
  while (bytesAt(high) > bytes && high < 2 ** 40) [low, high] = [high, 2 * high];
  for (let i = 0; i < 40 && high > from; ++i) {
    const middle = (low + high) / 2;
    if (bytesAt(middle) > bytes) low = middle;
    else high = middle;
  }
  for (const length of lengths) {
    for (const context of length.contexts) context.entries = entriesAt(context, high);
    length.contexts = length.contexts.filter(({ entries }) => entries.length > 0);
    place(length);
  }
  return high;
}

/** Solves the entries of one length again, over what all others say. */
async function solveAgain(
  text: NgramText,
  { contexts, sorted }: Length,
  lengths: readonly Length[],
  progress: (share: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const solved = new Map<SameContext, readonly number[]>();
  await expectations(text, sorted, contexts, lengths, signal, (context, expected) => {
    const ratios = (context as Kept).entries.map(({ token, wanted }) =>
      log((wanted + PSEUDO_COUNTS) / (expected[token]! + PSEUDO_COUNTS)),
    );
    solved.set(context, ratios);
    progress(context.to / sorted.length);
  });
  for (const context of contexts) {
    for (const [i, ratio] of solved.get(context)!.entries()) {
      const entry = context.entries[i]!;
      entry.value = Math.max(LEAST, Math.min(MOST, entry.value + ratio));
      entry.factor = exp(entry.value);
    }
  }
  progress(1);
}

/** The n-grams as bytes, with as many factors as entries can name. */
function written(lengths: readonly Length[], vocabulary: number): Uint8Array | undefined {
  const contexts = lengths.flatMap((length) => length.contexts);
  if (contexts.length === 0) return undefined;
  const levels = levelsOf(
    contexts.flatMap(({ entries }) => entries),
    factorsOf(vocabulary),
  );
  const gainOf = ({ entries }: Kept) => entries.reduce((sum, { gain }) => sum + gain, 0);
  const useful = contexts.map((context) => ({ context, gain: gainOf(context) })).sort((a, b) => b.gain - a.gain);
  const all = useful.map(
    ({ context: { tokens, entries } }): NgramContext => ({
      tokens,
      entries: entries.map(({ token, value }) => [token, nearest(levels, value)]),
    }),
  );
  return writeNgrams(all, levels.map(exp), vocabulary);
}

/** Rounds in which levels are found. */
const ROUNDS = 40;

/** The levels that values are rounded to, ascending: each the mean of those nearest to it, by how often they are wanted (Lloyd 1982). */
function levelsOf(entries: readonly Entry[], many: number): number[] {
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
