/** Matches of history attention by the rule of assembly/chains.ts, of any order. */
import type { Shape } from "../../../host/shape.ts";

export interface Match {
  /** Tokens from its place to the newest. */
  readonly age: number;
  /** How many of the last tokens stand there, too. */
  readonly order: number;
  /** The token that came next. */
  readonly follower: number;
}

const TOKENS_FOLLOWED = 128;
const PAIRS_FOLLOWED = 256;
/** A ring of so many tokens, or fewer, has no chains: all its places are compared. */
const UNCHAINED = 1024;

/** A text's places by token, and by hash of the pair of tokens that ends there, oldest first. */
export class Chains {
  private readonly ofToken: number[][];
  private readonly ofPair: number[][];

  constructor(
    private readonly tokens: Uint16Array,
    private readonly shape: Shape,
  ) {
    this.ofToken = Array.from({ length: shape.vocabulary }, () => []);
    this.ofPair = Array.from({ length: shape.history / 4 }, () => []);
  }

  /** Adds the place before `end`, which has a follower now. */
  append(end: number): void {
    if (end > 0) this.ofToken[this.tokens[end - 1]!]!.push(end - 1);
    if (end > 1) this.ofPair[this.hash(end - 1)]!.push(end - 1);
  }

  /** Places within the ring, newest first, where the last of the tokens before `end` have stood. */
  matches(end: number, orders: number): Match[] {
    const { tokens, shape } = this;
    const newest = end - 1;
    if (newest < 0) return [];
    const followed = shape.history > UNCHAINED ? TOKENS_FOLLOWED : shape.history;
    const places = within(this.ofToken[tokens[newest]!]!, newest - shape.history + 1, newest, followed);
    if (newest > 0 && places.length === TOKENS_FOLLOWED && shape.history > UNCHAINED) {
      const pairs = within(this.ofPair[this.hash(newest)]!, newest - shape.history + 2, places.at(-1)!, PAIRS_FOLLOWED);
      const same = (at: number) => tokens[at] === tokens[newest] && tokens[at - 1] === tokens[newest - 1];
      places.push(...pairs.filter(same));
    }
    return places.map((at) => {
      const reach = Math.min(orders, at + 1, shape.history - (newest - at));
      let order = 1;
      while (order < reach && tokens[at - order] === tokens[newest - order]) ++order;
      return { age: newest - at, order, follower: tokens[at + 1]! };
    });
  }

  private hash(at: number): number {
    const pair = this.tokens[at - 1]! * this.shape.vocabulary + this.tokens[at]!;
    return (Math.imul(pair, 0x9e3779b1) >>> 0) >>> (34 - Math.log2(this.shape.history));
  }
}

/** The newest `most` of the places in [from, to), newest first. */
function within(places: readonly number[], from: number, to: number, most: number): number[] {
  const found: number[] = [];
  for (let i = places.length - 1; i >= 0 && places[i]! >= from && found.length < most; --i) {
    if (places[i]! < to) found.push(places[i]!);
  }
  return found;
}
