/**
 * What the watch's module has to answer, from the definitions and not from the kernels: words by regular expressions, counts in buckets that are lists,
 * ranks by counting what came, views by sorting; f32 where the definition pins it. What scoring may be retuned by stands in RULES.
 */
import { f, log } from "./oracle-math.ts";

/** Constants of the definition. */
export const RULES = {
  /** Lines: words of a template; symbols and lines: the probability of what never came. */
  ...{ depth: 3, never: 2 ** -10 },
  /** Lines: what a template counts for, sixteenths of a word that are ordinary, what novelty counts for, and its share that fades with each line. */
  ...{ templateWeight: 3, ordinaryWord: 80, noveltyWeight: 3, fades: 10, fresh: 6553, whole: 65536 },
  /** Changes between letters and digits that make an identifier of a word. */
  changes: 3,
  /** Sixteenths of a bit, per ln; the least probability; ranks are of pairs of sixteenths, below so many. */
  ...{ perLog: f(23.0831207), least: f(5.421011e-20), ranked: 2, levels: 4096 },
  /** Numbers: rows back of the changes, rows of a range; values until there is a view, sixteenths that are ordinary; far out: per ln, in parts, at most. */
  ...{ lags: [1, 6], range: 12, few: 16, ordinary: 48, perDoubling: f(46.1662414), parts: 8, farthest: 1048576 },
  /** The width by which distances are measured: ranks in eighths; where all are alike, a share of the value and at the least. */
  ...{ low: 1, high: 7, share: 0.125, narrowest: f(0.001) },
} as const;

/** Sizes and settings, as the plan has them. */
export interface WatchOracleShape {
  readonly kind: "lines" | "numbers" | "symbols";
  readonly columns: number;
  readonly most: number;
  readonly words: number;
  readonly cellBits: number;
  readonly window: number;
  readonly one: number;
  readonly warmUp: number;
  readonly guard: number;
  readonly delay: number;
  readonly gap: number;
  readonly kept: number;
  readonly period: number;
  readonly weight: number;
}

/** What a row came to. Flags: 1 alarm, 2 an episode begins, 4 ends, 8 held back, 16 warm. */
export interface WatchAnswer {
  readonly flags: number;
  /** Sixteenths of a bit: of all, and what is ranked. */
  readonly total: number;
  readonly score: number;
  readonly rank: number;
  readonly ranked: number;
  readonly template: number;
  readonly episodes: number;
  /** Sixteenths of a bit, a word or column. */
  readonly bits: readonly number[];
  /** Of lines. */
  readonly words: readonly WordOracle[];
}

export interface WordOracle {
  readonly hash: number;
  readonly start: number;
  readonly end: number;
}

const u32 = (x: number) => x >>> 0;
const times = (a: number, b: number) => u32(Math.imul(a, b));
const number = (text: string) => u32(new DataView(new TextEncoder().encode(text).buffer).getUint32(0));
const FNV = 0x811c9dc5;
const onward = (hash: number, byte: number) => times(hash ^ byte, 0x01000193);

/** Every number's hash: "num" and a zero. */
const NUMBER = number("num\0");
const CONTEXTS = {
  ...{ template: number("temp"), behindTemplate: number("temq"), word: number("word"), behindWord: number("wore") },
  ...{ beginning: number("begi"), total: number("tota"), different: number("diff") },
  ...{ symbol: number("symb"), behind: number("symc"), behindTwo: number("symd") },
};

/** Bits that depend on all of a hash. */
function spread(hash: number): number {
  const mixed = times(hash, 0x85ebca6b);
  return u32(mixed ^ (mixed >>> 16));
}

function pairOf(context: number, event: number): number {
  const mixed = times(context ^ spread(u32(times(event, 0x9e3779b1) + 0x7f4a7c15)), 0xc2b2ae35);
  return u32(mixed ^ (mixed >>> 15)) || 1;
}

/** Sixteenths of a bit that an event of probability `p` surprises by, rounded down. */
function bitsOf(p: number): number {
  return Math.trunc(f(RULES.perLog * Math.abs(log(Math.min(1, Math.max(RULES.least, p))))));
}

/** Words of a line: at most `most`; numbers that follow one another are one. */
export function wordsOf(bytes: Uint8Array, most: number): WordOracle[] {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const out: WordOracle[] = [];
  for (const { 0: word, index } of text.matchAll(/[A-Za-z0-9_\u0080-\u00ff]+/g)) {
    if (out.length === most) break;
    const hash = hashOf(word, text.slice(0, index), text.slice(index + word.length));
    const last = out.at(-1);
    if (hash === NUMBER && last?.hash === NUMBER) out[out.length - 1] = { ...last, end: index + word.length };
    else out.push({ hash, start: index, end: index + word.length });
  }
  return out;
}

function hashOf(word: string, before: string, behind: string): number {
  const turns = (word.match(/[0-9]+|[^0-9]+/g) ?? []).length - 1;
  const hexadecimal = /^[0-9a-f]*$/i.test(word);
  const date = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)$/i.test(word);
  const address = /^[a-f]{1,4}$/i.test(word) && (/[0-9a-f]:$/i.test(before) || /^:[0-9a-f]/i.test(behind));
  if (
    date ||
    address ||
    (/[0-9]/.test(word) && (hexadecimal || turns >= RULES.changes - (/^[0-9]/.test(word) ? 1 : 0)))
  )
    return NUMBER;
  const masked = word.replace(/[0-9]+/g, "0").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return Array.from(masked).reduce((hash, sign) => onward(hash, sign.charCodeAt(0)), FNV);
}

/** Counts in buckets of eight: a key that finds its bucket full takes the place of the least, the first of these. */
class Buckets {
  private readonly buckets = new Map<number, { key: number; count: number }[]>();

  constructor(private readonly bits: number) {}

  private bucket(key: number): { key: number; count: number }[] {
    const at = Math.floor(spread(times(key, 0x9e3779b1)) / 2 ** (35 - this.bits));
    if (!this.buckets.has(at))
      this.buckets.set(
        at,
        Array.from({ length: 8 }, () => ({ key: 0, count: 0 })),
      );
    return this.buckets.get(at)!;
  }

  of(key: number): number {
    return this.bucket(key).find((cell) => cell.key === key)?.count ?? 0;
  }

  add(key: number): number {
    const bucket = this.bucket(key);
    const least = Math.min(...bucket.map(({ count }) => count));
    let cell = bucket.find((cell) => cell.key === key);
    if (cell === undefined) {
      cell = bucket.find(({ count }) => count === least)!;
      Object.assign(cell, { key, count: 0 });
    }
    cell.count += 1;
    return cell.count;
  }

  probability(context: number, event: number, shorter: number): number {
    const n = this.of(pairOf(context, CONTEXTS.total));
    if (n === 0) return shorter;
    const d = Math.max(1, this.of(pairOf(context, CONTEXTS.different)));
    return f(f(this.of(pairOf(context, event)) + f(d * shorter)) / f(n + d));
  }

  behind(context: number, event: number): void {
    this.add(pairOf(context, CONTEXTS.total));
    if (this.add(pairOf(context, event)) === 1) this.add(pairOf(context, CONTEXTS.different));
  }

  halve(): void {
    for (const bucket of this.buckets.values()) {
      for (const cell of bucket) {
        cell.count = Math.floor(cell.count / 2);
        if (cell.count === 0) cell.key = 0;
      }
    }
  }

  /** (2^bits) of key and count. */
  cells(): Uint32Array {
    const out = new Uint32Array(2 * 2 ** this.bits);
    for (const [at, bucket] of this.buckets) {
      for (const [i, { key, count }] of bucket.entries()) out.set([key, count], 2 * (8 * at + i));
    }
    return out;
  }
}

/** The last values of one view of a column, as they came. */
class View {
  readonly values: number[] = [];
  seen = 0;

  constructor(private readonly kept: number) {}

  keep(value: number): void {
    if (Number.isNaN(value)) return;
    this.values.push(value);
    if (this.values.length > this.kept) this.values.shift();
    this.seen += 1;
  }

  get sorted(): number[] {
    return [...this.values].sort((a, b) => a - b);
  }

  bits(value: number): number {
    const { values } = this;
    const n = values.length;
    if (n < RULES.few || Number.isNaN(value)) return 0;
    const out = Math.min(
      values.filter((other) => other <= value).length,
      values.filter((other) => other >= value).length,
    );
    const inside = bitsOf(f((2 * out + 1) / f(n + 1)));
    const sorted = this.sorted;
    const [least, most] = [sorted[0]!, sorted[n - 1]!];
    if (value >= least && value <= most) return inside;
    const distance = f(value < least ? least - value : value - most);
    const parts = Math.min(RULES.farthest, f(RULES.parts * f(distance / widthOf(sorted))));
    return inside + Math.floor(f(RULES.perDoubling * log(f(1 + parts))));
  }
}

function widthOf(sorted: readonly number[]): number {
  const n = sorted.length;
  const middle = f(sorted[Math.floor((n * RULES.high) / 8)]! - sorted[Math.floor((n * RULES.low) / 8)]!);
  if (middle > 0) return middle;
  const whole = f(sorted[n - 1]! - sorted[0]!);
  return whole > 0 ? whole : Math.max(RULES.narrowest, f(Math.abs(sorted[0]!) * RULES.share));
}

/** What is learned: u32 of lines and symbols, f32 of numbers. */
type Lesson = readonly number[];

interface Waiting {
  readonly due: number;
  readonly lesson: Lesson;
  /** Of a burst that was learned. */
  spent: boolean;
}

export class WatchOracle {
  private readonly counts: Buckets;
  private readonly views: View[];
  private readonly levels: number[] = [];
  private readonly rowsBefore: (readonly number[])[] = [];
  private waiting: Waiting[] = [];
  private readonly queued: Waiting[] = [];
  private rows = 0;
  private before = 0;
  private before2 = 0;
  private open = false;
  private quiet = 0;
  private novelty = 0;
  private newest = 0;
  private last: WatchAnswer = {
    ...{ flags: 0, total: 0, score: 0, rank: 0, ranked: 0, template: 0, episodes: 0, bits: [], words: [] },
  };

  constructor(private readonly shape: WatchOracleShape) {
    this.counts = new Buckets(shape.cellBits);
    this.views = Array.from({ length: 4 * shape.columns }, () => new View(shape.kept));
  }

  /** The next row: bytes of a line or symbol, at most `most`, or numbers. */
  push(row: Uint8Array | readonly number[], model = 0, verdict: 0 | 1 | 2 = 0): WatchAnswer {
    const { shape, rows } = this;
    while (this.waiting.length > 0 && this.waiting[0]!.due <= rows) this.release(this.waiting.shift()!);
    const { total, score, template, bits, words, lesson } = this.scored(row);
    if (shape.kind === "lines") this.rememberNovelty(template);
    const whole = Math.min(2 ** 31 - 1, score + Math.floor((model * shape.weight) / 1000));
    const level = Math.min(Math.floor(whole / RULES.ranked), RULES.levels - 1);
    const among = this.levels.slice(-shape.window);
    const rank = 1 + among.filter((other) => other >= level).length;
    const warm = among.length >= shape.warmUp;
    const highest = rank <= Math.max(1, Math.floor(among.length / shape.one));
    const alarm = verdict === 1 || (verdict === 0 && warm && highest);
    const suspicious = verdict === 0 && warm && shape.delay > 0 && rank * 1000 <= among.length * shape.guard;
    const held = verdict === 1 || suspicious;
    const flags = (warm ? 16 : 0) + (held ? 8 : 0) + (alarm ? 1 : 0) + this.episode(alarm);
    const again = shape.kind === "lines" && suspicious && this.waits(template);
    if (!again) this.levels.push(level);
    if (suspicious) {
      const item = { due: rows + shape.delay, lesson, spent: false };
      this.waiting.push(item);
      this.queued.push(item);
    } else if (verdict !== 1) this.learn(lesson);
    if (shape.kind === "numbers") this.rowsBefore.push((row as readonly number[]).map(finite));
    this.before2 = this.before;
    this.before = template;
    this.rows += 1;
    if (this.rows % shape.period === 0) this.counts.halve();
    const episodes = this.last.episodes + (flags & 2 ? 1 : 0);
    this.last = { flags, total, score: whole, rank, ranked: among.length, template, episodes, bits, words };
    return this.last;
  }

  /** Learns what was held back, and of a burst nothing more. */
  private release({ lesson, spent }: Waiting): void {
    if (spent) return;
    this.learn(lesson);
    if (this.shape.kind !== "lines") return;
    for (const other of this.waiting) if (other.lesson[1] === lesson[1]) other.spent = true;
  }

  private waits(template: number): boolean {
    return this.waiting.some(({ lesson }) => lesson[1] === template);
  }

  private rememberNovelty(template: number): void {
    const never = this.counts.of(pairOf(CONTEXTS.template, template)) === 0;
    const isNew = template !== this.newest && never && !this.waits(template);
    this.novelty -= Math.floor(this.novelty / RULES.fades);
    if (!isNew) return;
    this.novelty += RULES.fresh;
    this.newest = template;
  }

  /** Flags of the episode that begins or ends with this row. */
  private episode(alarm: boolean): number {
    if (alarm) {
      const begins = !this.open;
      this.open = true;
      this.quiet = 0;
      return begins ? 2 : 0;
    }
    if (!this.open) return 0;
    this.quiet += 1;
    if (this.quiet < this.shape.gap) return 0;
    this.open = false;
    return 4;
  }

  private scored(row: Uint8Array | readonly number[]) {
    if (this.shape.kind === "lines") return this.line(row as Uint8Array);
    return this.shape.kind === "symbols" ? this.symbol(row as Uint8Array) : this.numbers(row as readonly number[]);
  }

  private line(bytes: Uint8Array) {
    const { counts } = this;
    const words = wordsOf(bytes, this.shape.words);
    const template = words
      .filter(({ hash }) => hash !== NUMBER)
      .slice(0, RULES.depth)
      .reduce((place, { hash }) => pairOf(place, hash), pairOf(CONTEXTS.template, words.length));
    const alone = counts.probability(CONTEXTS.template, template, RULES.never);
    const own = bitsOf(counts.probability(pairOf(CONTEXTS.behindTemplate, this.before), template, alone));
    const bits = words.map(({ hash }, i) => {
      const shorter = counts.probability(CONTEXTS.word, hash, RULES.never);
      const before = words[i - 1]?.hash ?? CONTEXTS.beginning;
      return bitsOf(counts.probability(pairOf(CONTEXTS.behindWord, before), hash, shorter));
    });
    const lesson = [this.before, template, ...words.map(({ hash }) => hash)];
    const above = bits.map((each) => Math.max(0, each - RULES.ordinaryWord));
    const weighed = (RULES.templateWeight * own + sumOf(above)) * RULES.whole;
    const score = Math.floor(weighed / (RULES.whole + RULES.noveltyWeight * this.novelty));
    return { total: own + sumOf(bits), score, template, bits, words, lesson };
  }

  private symbol(bytes: Uint8Array) {
    const { counts, before, before2 } = this;
    const template = bytes.reduce(onward, CONTEXTS.symbol);
    let p = counts.probability(CONTEXTS.symbol, template, RULES.never);
    p = counts.probability(pairOf(CONTEXTS.behind, before), template, p);
    p = counts.probability(pairOf(pairOf(CONTEXTS.behindTwo, before2), before), template, p);
    return { total: bitsOf(p), score: bitsOf(p), template, bits: [], words: [], lesson: [before2, before, template] };
  }

  private numbers(row: readonly number[]) {
    const lesson = row.flatMap((given, column) => {
      const value = finite(given);
      const past = (rows: number) => this.rowsBefore.at(-rows)?.[column] ?? Number.NaN;
      const range = [value];
      for (let rows = 1; rows < RULES.range; ++rows) if (!Number.isNaN(past(rows))) range.push(past(rows));
      const known = range.filter((other) => !Number.isNaN(other));
      const widest = Number.isNaN(value) ? Number.NaN : finite(Math.max(...known) - Math.min(...known));
      return [value, ...RULES.lags.map((rows) => finite(value - past(rows))), widest];
    });
    const bits = row.map((_, column) =>
      sumOf(
        [0, 1, 2, 3].map((view) => {
          const i = 4 * column + view;
          return Math.max(0, this.views[i]!.bits(lesson[i]!) - RULES.ordinary);
        }),
      ),
    );
    return { total: sumOf(bits), score: sumOf(bits), template: 0, bits, words: [], lesson };
  }

  private learn(lesson: Lesson): void {
    const { counts } = this;
    if (this.shape.kind === "numbers") {
      for (const [i, value] of lesson.entries()) this.views[i]!.keep(value);
    } else if (this.shape.kind === "symbols") {
      const [before2, before, symbol] = lesson as [number, number, number];
      counts.behind(CONTEXTS.symbol, symbol);
      counts.behind(pairOf(CONTEXTS.behind, before), symbol);
      counts.behind(pairOf(pairOf(CONTEXTS.behindTwo, before2), before), symbol);
    } else {
      const [before, template, ...words] = lesson as [number, number, ...number[]];
      counts.behind(CONTEXTS.template, template);
      counts.behind(pairOf(CONTEXTS.behindTemplate, before), template);
      for (const [i, word] of words.entries()) {
        counts.behind(CONTEXTS.word, word);
        counts.behind(pairOf(CONTEXTS.behindWord, words[i - 1] ?? CONTEXTS.beginning), word);
      }
    }
  }

  /**
   * All that the watch is: its memory from the plan to `stateEnd`, by the addresses of the plan, whose fields `settings` are in order, with those that it
   * remembers left 0. Values that came are told apart by their size alone: of −0 and 0 in one view it knows no order.
   */
  image(settings: Uint8Array, at: Readonly<Record<string, number>>): Uint8Array {
    const { shape, last } = this;
    const base = 64;
    const view = new DataView(new ArrayBuffer(at.stateEnd! - base));
    new Uint8Array(view.buffer).set(settings);
    const words = (address: number, values: ArrayLike<number>) => {
      for (let i = 0; i < values.length; ++i) view.setUint32(address - base + 4 * i, values[i]!, true);
    };
    const floats = (address: number, values: readonly number[]) => {
      for (const [i, value] of values.entries()) view.setFloat32(address - base + 4 * i, value, true);
    };
    // what it remembers, behind its 29 settings; how many scores there are, and where the next goes, stand among those
    const kept = this.levels.length;
    words(base + 4 * 18, [Math.min(kept, shape.window), kept % shape.window]);
    const first = this.queued.length - this.waiting.length;
    const parts = shape.kind === "numbers" ? shape.columns : last.words.length;
    words(base + 4 * 29, [
      ...[0x31574653, this.rows, this.before, this.before2, first % Math.max(1, shape.delay), this.waiting.length],
      ...[
        last.episodes,
        Number(this.open),
        this.quiet,
        this.novelty,
        this.newest,
        last.total,
        last.score,
        last.rank,
        last.ranked,
        last.template,
      ],
      this.rows > 0 ? parts : 0,
    ]);
    words(at.cells!, this.counts.cells());
    const ring = this.levels.slice(-shape.window);
    const from = kept - ring.length;
    for (const [i, level] of ring.entries())
      view.setUint16(at.ring! - base + 2 * ((from + i) % shape.window), level, true);
    // entry i of the tree covers as many levels, up to the i-th, as the lowest bit of i says
    const tree = Array.from({ length: RULES.levels + 1 }, (_, i) => {
      const many = i & -i;
      return ring.filter((level) => level + 1 > i - many && level + 1 <= i).length;
    });
    words(at.tree!, tree);
    for (const [i, own] of this.views.entries()) {
      const head = at.values! + i * (8 + 8 * shape.kept);
      const oldest = own.seen - own.values.length;
      words(head, [own.values.length, own.seen % shape.kept]);
      for (const [j, value] of own.values.entries()) floats(head + 8 + 4 * ((oldest + j) % shape.kept), [value]);
      floats(head + 8 + 4 * shape.kept, own.sorted);
    }
    for (let i = Math.max(0, this.rowsBefore.length - 16); i < this.rowsBefore.length; ++i) {
      floats(at.past! + 4 * shape.columns * (i % 16), this.rowsBefore[i]!);
    }
    // a slot that was used before keeps what the next does not write over
    for (const [i, { due, lesson, spent }] of this.queued.entries()) {
      const slot = at.queue! + (i % shape.delay) * at.slot!;
      words(slot, [due, spent ? 0 : lesson.length]);
      (shape.kind === "numbers" ? floats : words)(slot + 8, lesson as number[]);
    }
    return new Uint8Array(view.buffer);
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** A number as f32; NaN where it is none. */
function finite(value: number): number {
  return Number.isFinite(f(value)) ? f(value) : Number.NaN;
}
