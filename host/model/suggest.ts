/**
 * The likeliest words that a text goes on with: the rest of the word that it ends in, or the word after it.
 *
 * The text's end is healed (healing.ts), and from its continuations on the likeliest beginning is gone on with until no other can come to a
 * likelier word than the n that are found: uniform-cost search (Dijkstra 1959) on −log p, so that the n are the n likeliest of all, unless the bound on
 * predictions ends it first. A word's probability is that of its letters and of a border behind them; letters that can be cut into tokens in several
 * ways have the sum of the ways found.
 */
import { checkOptions, invalidOption, SaffuError } from "../errors.ts";
import { SymbolTokenizer } from "../tokenizer/index.ts";
import type { Continuation, Healer } from "./healing.ts";
import type { Predictor } from "./kernel.ts";
import type { Vocabulary } from "./vocabulary.ts";
import { endOf, endsWithToken, goesOn, hasEnded, type WordState, wordAfter } from "./words.ts";

/** A word that a text may go on with. */
export interface Suggestion {
  /** What to insert behind the text: what is missing of the word; before the next word a blank, where the text ends with none. */
  readonly rest: string;
  /** The whole word. */
  readonly word: string;
  /** That the text goes on so, and that the word ends there. That it has ended already is a possibility, too. */
  readonly probability: number;
}

export interface SuggestOptions {
  /** Most suggestions, 1..20. Default 3. */
  readonly n?: number | undefined;
  /** Most bytes of what is to be inserted, 1..256. Default 64. */
  readonly maxBytes?: number | undefined;
}

const MOST = 20;
const MOST_BYTES = 256;
/** Most predictions of one search, and so most beginnings that are kept. */
const MOST_STEPS = 128;

/** The options with their defaults. @throws SaffuError INVALID_OPTION */
export function checkSuggestOptions(options: SuggestOptions): { readonly n: number; readonly maxBytes: number } {
  checkOptions(options, []);
  const { n = 3, maxBytes = 64 } = options;
  if (!Number.isInteger(n) || n < 1 || n > MOST) throw invalidOption("n", `an integer in 1..${MOST}`, n);
  if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes > MOST_BYTES) {
    throw invalidOption("maxBytes", `an integer in 1..${MOST_BYTES}`, maxBytes);
  }
  return { n, maxBytes };
}

/** @throws SaffuError UNSUPPORTED where a model has no words, or cannot try one and go back */
export function assertSuggests({ kernels, tokenizer }: Healer): void {
  if (tokenizer instanceof SymbolTokenizer) {
    throw new SaffuError(
      "UNSUPPORTED",
      "suggest: this model's tokens are symbols, which make no words: see candidates",
    );
  }
  if (!kernels.restores)
    throw new SaffuError("UNSUPPORTED", "suggest: the kernel of this model cannot go back: fit or tune it anew");
}

/** The beginning of a word, and the tokens that lead to it. */
interface Beginning {
  /** Read as text: they stand for bytes of the prompt. */
  readonly before: Uint16Array;
  /** Appended to try them. */
  readonly tokens: readonly number[];
  /** What is added to the prompt, a character a byte. */
  readonly added: string;
  readonly state: WordState;
  readonly probability: number;
}

/**
 * The n likeliest words, the likeliest first; fewer where there are no more, or none is found in 128 predictions. The predictor is as it was
 * afterwards.
 *
 * @param found of `continuations`
 * @param tail the text's last bytes, as `endOf` takes them
 */
export function suggestions(
  predictor: Predictor,
  found: readonly Continuation[],
  vocabulary: Vocabulary,
  tail: Uint8Array,
  { n, maxBytes }: { readonly n: number; readonly maxBytes: number },
): Suggestion[] {
  const { probabilities } = predictor;
  const { kinds, keys, count } = vocabulary;
  const end = endOf(tail);
  const search = new Search(n, maxBytes);
  for (const { before, token, added, probability } of found) {
    const state = wordAfter(end.state, added);
    search.add({ before, tokens: [token], added: latin(added), state, probability }, added.length);
  }
  const start = predictor.save();
  for (let step = 0; step < MOST_STEPS; ++step) {
    const beginning = search.take(MOST_STEPS - step);
    if (beginning === undefined) break;
    const { before, tokens, added, state } = beginning;
    for (const token of before) predictor.feed(token);
    for (const token of tokens) predictor.append(token); // not feed: what is tried says nothing of the text
    predictor.predict();
    let ended = 0;
    for (let token = 0; token < count; ++token) {
      const probability = beginning.probability * probabilities[token]!;
      if (kinds.ends(state, token)) ended += probability;
      else if (search.wants(probability)) {
        const reached = kinds.after(state, token);
        const longer = { before, tokens: [...tokens, token], added: added + keys[token]!, state: reached, probability };
        search.add(longer, keys[token]!.length);
      }
    }
    if (ended > 0) search.finish(added.slice(0, Math.max(0, added.length - state.joiner)), ended);
    predictor.restore(start);
  }
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const text = (before: Uint8Array, added: string) => decoder.decode(Uint8Array.of(...before, ...bytesOf(added)));
  return search.best().map(([added, probability]) => ({
    rest: text(end.state.begun, added),
    word: text(end.word, added).replace(/^ /, ""),
    probability,
  }));
}

/** What has been found, and what is to be gone on with. */
class Search {
  /** The likeliest first. */
  private open: Beginning[] = [];
  private readonly words = new Map<string, number>();
  /** Probability of the n-th word found. */
  private bound = 0;
  private room = MOST_STEPS;

  constructor(
    private readonly n: number,
    private readonly maxBytes: number,
  ) {}

  /** Whether a beginning of such a probability can still become one of the n. */
  wants(probability: number): boolean {
    const { open, room, bound } = this;
    return probability > bound && (open.length < room || probability > open[room - 1]!.probability);
  }

  /** @param last bytes of `added` that its last token has added */
  add(beginning: Beginning, last: number): void {
    const { added, state, probability } = beginning;
    if (hasEnded(state)) this.finish(added.slice(0, Math.max(0, added.length - last + state.end)), probability);
    else if (endsWithToken(state)) this.finish(added, probability);
    else if (goesOn(state) && added.length <= this.maxBytes && this.wants(probability)) {
      const { open } = this;
      let [low, high] = [0, open.length]; // behind all that are as likely: in the order they came
      while (low < high) {
        const middle = (low + high) >> 1;
        if (open[middle]!.probability >= probability) low = middle + 1;
        else high = middle;
      }
      open.splice(low, 0, beginning);
      open.length = Math.min(open.length, this.room);
    }
  }

  /** A word that has ended; nothing where it had before anything was added. */
  finish(added: string, probability: number): void {
    if (added === "" || added === " " || added.length > this.maxBytes) return;
    this.words.set(added, (this.words.get(added) ?? 0) + probability);
    if (this.words.size >= this.n) this.bound = this.best().at(-1)![1];
  }

  /** The likeliest beginning, if one can still become one of the n. @param room predictions that are left */
  take(room: number): Beginning | undefined {
    this.room = room;
    const first = this.open.shift();
    return first !== undefined && first.probability > this.bound ? first : undefined;
  }

  /** The n likeliest words so far. */
  best(): [added: string, probability: number][] {
    const sorted = [...this.words].sort(([a, p], [b, q]) => q - p || (a < b ? -1 : 1));
    return sorted.slice(0, this.n);
  }
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
