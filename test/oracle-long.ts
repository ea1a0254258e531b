/**
 * Long matches and the long-term memory again, in TypeScript, written from their definition: every place is looked at, contexts are sets, and every
 * product and sum is rounded to f32 where the definition pins it, so results must agree to the bit.
 */
import { exp, f, log } from "./oracle-math.ts";

/** Tokens that a match is compared over, matches that are kept, and lengths that they are told apart by. */
const LONGEST = 20;
const MOST = 64;
const LENGTHS = [1, 2, 3, 4, 6, 8, 12, 20];
/** Up to this length contexts are counted, and from there on places. */
const CONTEXTS = 4;
const BUCKETS = 18;
const CELLS = LENGTHS.length * BUCKETS;
/** A probability counts as that at the least. */
const LEAST = f(1e-10);

/** Stands between texts that are recalled: nothing is known before it. */
const BREAK = 0xffff;

/** A place of a text behind whose token the same tokens stand as behind the newest one. */
export interface LongMatch {
  /** How many of the newest tokens stand there, too, LONGEST at the most. */
  readonly length: number;
  /** The token that came next. */
  readonly follower: number;
  /** The token before the match; undefined where none is known. */
  readonly before: number | undefined;
}

/** The match at index `at` of `text`, of length 0 where the token is another than the newest of `seen`. */
export function longMatchAt(text: readonly number[], at: number, seen: readonly number[]): LongMatch {
  let length = 0;
  while (length < LONGEST && at >= length && text[at - length] === seen.at(-1 - length)) ++length;
  const before = text[at - length];
  return { length, follower: text[at + 1]!, before: before === BREAK ? undefined : before };
}

/** What stands before a place, the last token first, LONGEST at the most; behind a text's first token −1, which is less than all. */
function contextAt(text: readonly number[], place: number): number[] {
  return [...text.slice(Math.max(0, place - LONGEST), place).reverse(), -1].slice(0, LONGEST);
}

/** Less than 0, 0, or more, as an alphabet has words. */
function compared(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((token, i) => token !== b[i]);
  return at < 0 ? 0 : a[at]! - (b[at] ?? -1);
}

/** The places of a text in the order of what stands before them, the newest of equal ones first. */
export function naiveOrder(text: readonly number[]): number[] {
  const contexts = text.map((_, place) => contextAt(text, place));
  return text.map((_, place) => place).sort((a, b) => compared(contexts[a]!, contexts[b]!) || b - a);
}

/** The matches of a memory in the order in which they are found: of one that is sorted its MOST longest, else all, the newest first. */
function* inMemory(memory: readonly number[], order: readonly number[] | undefined, seen: readonly number[]) {
  const at = (place: number | undefined) =>
    place === undefined ? { length: -1, follower: 0, before: undefined } : longMatchAt(memory, place - 1, seen);
  if (order === undefined) {
    for (let place = memory.length - 1; place > 0; --place) yield at(place);
    return;
  }
  const newest = contextAt(seen, seen.length);
  let right = order.filter((place) => compared(contextAt(memory, place), newest) < 0).length;
  let left = right - 1;
  for (let i = 0; i < MOST; ++i) {
    const [before, behind] = [at(order[left]), at(order[right])];
    yield behind.length >= before.length ? behind : before;
    if (behind.length >= before.length) ++right;
    else --left;
  }
}

/** The MOST longest matches: a longer one takes the place of the one of the shortest that was found last. */
function longestOf(found: readonly LongMatch[]): LongMatch[] {
  const kept: { match: LongMatch; order: number }[] = [];
  for (const [order, match] of found.entries()) {
    if (kept.length < MOST) {
      kept.push({ match, order });
      continue;
    }
    const shortest = Math.min(...kept.map((each) => each.match.length));
    if (match.length <= shortest) continue;
    const last = Math.max(...kept.filter((each) => each.match.length === shortest).map((each) => each.order));
    kept[kept.findIndex((each) => each.order === last)] = { match, order };
  }
  return kept.map(({ match }) => match);
}

/** How often a token followed a match of so many tokens: contexts of the short lengths, all that go further being one; else places. */
function countOf(matches: readonly LongMatch[], length: number): number {
  const reaching = matches.filter((match) => match.length >= length);
  if (length > CONTEXTS) return reaching.length;
  return new Set(reaching.map((match) => (match.length > length ? "further" : String(match.before)))).size;
}

/** Matches (1; to 3; more) times agreement of followers (one; half as many, or fewer; more) times whether there is a run. */
function bucketOf(places: number, followers: number, run: number): number {
  const many = [1, 3, Number.POSITIVE_INFINITY].findIndex((most) => places <= most);
  const agreement = followers === 1 ? 0 : followers <= places / 2 ? 1 : 2;
  return (many * 3 + agreement) * 2 + (run >= 4 ? 1 : 0);
}

/** log[(c − ½ + p) / p]. */
function evidenceOf(count: number, p: number): number {
  return log(f(f(f(count - 0.5) + p) / p));
}

/** x within bounds. */
function within(least: number, x: number, most: number): number {
  return Math.max(least, Math.min(most, x));
}

/** What a prediction leaves: of each length its cell, of each follower what it was and its counts, and sums over them. */
interface Mixed {
  readonly cells: readonly (number | undefined)[];
  readonly followers: ReadonlyMap<number, { readonly base: number; readonly counts: readonly number[] }>;
  readonly evidence: readonly number[];
  readonly value: readonly number[];
  readonly scale: number;
}

/** The weights of the long matches as a text has them, and what they make of a prediction. */
export class LongOracle {
  private readonly order: readonly number[] | undefined;
  private weights: number[] = [];
  private squares: number[] = [];
  private run = 0;
  private guess: number | undefined;
  private mixed: Mixed | undefined;

  /** @param table (2, lengths, buckets), w and b as a text begins */
  constructor(
    private readonly table: ArrayLike<number>,
    private readonly memory: readonly number[],
    indexed: boolean,
  ) {
    this.order = indexed ? naiveOrder(memory) : undefined;
    this.reset();
  }

  reset(): void {
    this.weights = Array.from(this.table);
    this.squares = this.weights.map((_, i) => (i < CELLS ? 4 : 1));
    this.run = 0;
    this.mixed = undefined;
  }

  /**
   * Mixes in what followed the long matches.
   *
   * @param seen the last R tokens
   * @param beside matches of the history, then of what is recalled, as they are found
   */
  mix(probabilities: Float32Array, seen: readonly number[], beside: readonly LongMatch[]): void {
    const memory = seen.length > 0 && this.memory.length > 1 ? [...inMemory(this.memory, this.order, seen)] : [];
    const found = [...beside, ...memory].filter(({ length }) => length > 0);
    const longest = Math.max(...found.map(({ length }) => length));
    this.guess = found.find(({ length }) => length === longest)?.follower;
    this.mixed = undefined;
    const kept = longestOf(found);
    if (kept.length === 0) return;
    const followers = [...new Set(kept.map(({ follower }) => follower))].map((token) => {
      const matches = kept.filter(({ follower }) => follower === token);
      return { token, base: probabilities[token]!, counts: LENGTHS.map((length) => countOf(matches, length)) };
    });
    const cells = LENGTHS.map((length, k) => {
      const places = kept.filter((match) => match.length >= length).length;
      const many = followers.filter(({ counts }) => counts[k]! > 0).length;
      return places > 0 ? k * BUCKETS + bucketOf(places, many, this.run) : undefined;
    });
    const evidence = LENGTHS.map(() => 0);
    const value = LENGTHS.map(() => 0);
    let rest = 1;
    let sum = 0;
    const values = followers.map(({ base, counts }) => {
      const p = Math.max(LEAST, base);
      const own = counts.map((count) => (count > 0 ? evidenceOf(count, p) : 0));
      let exponent = 0;
      for (const [k, cell] of cells.entries()) {
        if (counts[k] === 0) continue;
        const [w, b] = [this.weights[cell!]!, this.weights[CELLS + cell!]!];
        exponent = f(exponent + f(f(w * own[k]!) + b));
      }
      const made = f(p * exp(within(-8, exponent, 40)));
      for (const k of cells.keys()) {
        if (counts[k] === 0) continue;
        evidence[k] = f(evidence[k]! + f(made * own[k]!));
        value[k] = f(value[k]! + made);
      }
      rest = f(rest - p);
      sum = f(sum + made);
      return made;
    });
    const scale = f(1 / f(Math.max(0, rest) + sum));
    for (const [v, p] of probabilities.entries()) probabilities[v] = f(p * scale);
    for (const [i, { token }] of followers.entries()) probabilities[token] = f(values[i]! * scale);
    this.mixed = { cells, followers: new Map(followers.map((each) => [each.token, each])), evidence, value, scale };
  }

  /** What the last prediction gave to `token` before the long matches, which made it p. */
  before(token: number, p: number): number {
    if (this.mixed === undefined) return p;
    return this.mixed.followers.get(token)?.base ?? f(p / this.mixed.scale);
  }

  /** The weights follow `token` by the slope of its surprisal, each slope over the root of the sum of its squares. */
  adapt(token: number): void {
    const right = this.guess === token;
    if (this.mixed !== undefined) {
      const { cells, followers, evidence, value, scale } = this.mixed;
      const follower = followers.get(token);
      for (const [k, cell] of cells.entries()) {
        if (cell === undefined) continue;
        const count = follower?.counts[k] ?? 0;
        const own = count > 0 ? evidenceOf(count, Math.max(LEAST, follower!.base)) : 0;
        const slope = within(-4, f(own - f(evidence[k]! * scale)), 4);
        const came = f((count > 0 ? 1 : 0) - f(value[k]! * scale));
        this.step(cell, slope, f(0.1), [-1, 3]);
        this.step(CELLS + cell, came, f(0.2), [-8, 8]);
      }
    }
    this.run = right ? this.run + 1 : 0;
  }

  private step(cell: number, slope: number, by: number, [least, most]: readonly [number, number]): void {
    const squares = Math.min(1024, f(this.squares[cell]! + f(slope * slope)));
    this.squares[cell] = squares;
    this.weights[cell] = within(least, f(this.weights[cell]! + f(f(by / f(Math.sqrt(squares))) * slope)), most);
  }
}
