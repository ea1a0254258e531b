/**
 * A keyboard of words: modified Kneser-Ney over word trigrams, pruned and quantised to a number of bytes with its words among them, and
 * beside it the same, whole, of what the writer has written so far, mixed in linearly. It suggests the likeliest words with the prefix that is typed.
 */
import { NgramCounts } from "../baselines/counts.ts";
import { fitKneserNey, type LanguageModel } from "../baselines/kneser-ney.ts";
import { pruneKneserNey } from "../baselines/pruned.ts";
import type { Keyboard } from "./keystrokes.ts";

/** Words with their apostrophes, and marks, one each. */
const PARTS = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[^\p{L}\p{M}\p{N}\s]/gu;
const PREFIX = /(?:[\p{L}\p{M}\p{N}]+['’])*[\p{L}\p{M}\p{N}]*$/u;
const ORDER = 3;
/** The word that is none of the others. */
const UNKNOWN = 0;

export interface TrieOptions {
  /** Most bytes of words and n-grams. */
  readonly bytes: number;
  /** Words that it has, the most frequent. */
  readonly words: number;
  /** Share of what the writer has written. */
  readonly share: number;
}

/** What is fitted once. */
export class Trie {
  readonly model: LanguageModel;
  readonly words: readonly string[];
  readonly bytes: number;
  readonly ngrams: readonly number[];
  private readonly ids: ReadonlyMap<string, number>;

  constructor(
    text: string,
    readonly options: TrieOptions,
  ) {
    const parts = partsOf(text);
    const counts = new Map<string, number>();
    for (const part of parts) counts.set(part, (counts.get(part) ?? 0) + 1);
    const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    this.words = ["", ...sorted.slice(0, options.words).map(([word]) => word)];
    this.ids = new Map(this.words.map((word, id) => [word, id]));
    const own = this.words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0); // a byte for where each ends
    const sequence = Uint16Array.from(parts, (part) => this.ids.get(part) ?? UNKNOWN);
    const model = pruneKneserNey(new NgramCounts(sequence, ORDER, this.words.length), {
      order: ORDER,
      bytes: options.bytes - own,
    });
    this.model = model;
    this.bytes = model.bytes + own;
    this.ngrams = model.ngrams;
  }

  idOf(word: string): number {
    return this.ids.get(word) ?? UNKNOWN;
  }
}

/** Words of the writer's that have half of their share. */
const FEW = 500;
/** Words between two fits of what the writer has written. */
const REFIT = 100;

export class TrieKeyboard implements Keyboard {
  private readonly mine: string[] = [];
  private mineFitted = -REFIT;
  private own: { model: LanguageModel; ids: Map<string, number>; words: string[] } | undefined;
  private line = "";
  /** Words by probability, behind the words so far. */
  private ranked: { behind: number; words: readonly string[] } = { behind: -1, words: [] };

  constructor(
    private readonly trie: Trie,
    learned = "",
  ) {
    this.mine.push(...partsOf(learned));
  }

  type(text: string): void {
    this.line += text;
    if (!/\s$/.test(text)) return;
    this.mine.push(...partsOf(this.line));
    this.line = "";
  }

  suggest(most: number): string[] {
    const prefix = PREFIX.exec(this.line)![0];
    const before = partsOf(this.line.slice(0, this.line.length - prefix.length));
    const behind = this.mine.length + before.length;
    if (this.ranked.behind !== behind)
      this.ranked = { behind, words: this.rank([...this.mine.slice(-ORDER), ...before]) };
    const found: string[] = [];
    const lower = prefix.toLowerCase();
    for (const word of this.ranked.words) {
      if (found.length === most) break;
      if (word.length <= prefix.length || !word.toLowerCase().startsWith(lower)) continue;
      const rest = word.slice(prefix.length);
      // behind a mark a word comes after a blank
      const blank = prefix === "" && this.line !== "" ? " " : "";
      if (!found.includes(blank + rest)) found.push(blank + rest);
    }
    return found;
  }

  /** All words, the likeliest first. */
  private rank(context: readonly string[]): string[] {
    if (this.mine.length >= this.mineFitted + REFIT && this.trie.options.share > 0) {
      const words = ["", ...new Set(this.mine)];
      const ids = new Map(words.map((word, id) => [word, id]));
      const sequence = Uint16Array.from(this.mine, (word) => ids.get(word)!);
      this.own = { model: fitKneserNey(sequence, { order: ORDER, vocabulary: words.length }), ids, words };
      this.mineFitted = this.mine.length;
    }
    const { model, words, options } = this.trie;
    const scores = new Map<string, number>();
    const share = (options.share * this.mine.length) / (this.mine.length + FEW);
    const add = (of: LanguageModel, all: readonly string[], ids: readonly number[], weight: number) => {
      for (let id = 1; id < all.length; ++id) {
        const word = all[id]!;
        if (WORD.test(word)) scores.set(word, (scores.get(word) ?? 0) + weight * of.probability(ids, id));
      }
    };
    const last = context.slice(1 - ORDER);
    add(
      model,
      words,
      last.map((word) => this.trie.idOf(word)),
      1 - share,
    );
    const { own } = this;
    if (own !== undefined && share > 0) {
      add(
        own.model,
        own.words,
        last.map((word) => own.ids.get(word) ?? UNKNOWN),
        share,
      );
    }
    return [...scores].sort(([a, p], [b, q]) => q - p || (a < b ? -1 : 1)).map(([word]) => word);
  }
}

const WORD = /^[\p{L}\p{M}\p{N}]/u;

function partsOf(text: string): string[] {
  return text.match(PARTS) ?? [];
}
