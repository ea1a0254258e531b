/**
 * Scorers that only count, and need nothing but this: how rare a line is once its numbers are masked. For labelled streams, the share of anomalies among the
 * lines of the same template.
 */
import type { Scorer, Stream } from "./scorer.ts";

/** A line without what differs from one of its kind to the next: hexadecimal and decimal digits. */
export function masked(line: string): string {
  return line.replace(/\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b/gi, "#").replace(/\d+/g, "#");
}

/** −log of a template's share among the lines so far, the line itself counted. */
export const TEMPLATES: Scorer = {
  name: "masked templates, frequency",
  scores: ({ kind, rows }: Stream) => {
    if (kind !== "lines") return undefined;
    const counts = new Map<string, number>();
    return (rows as readonly string[]).map((line, i) => {
      const template = masked(line);
      const count = (counts.get(template) ?? 0) + 1;
      counts.set(template, count);
      return -Math.log(count / (i + 1));
    });
  },
};

/** Words, signs and numbers; a number stands for all of its length. */
export function wordsOf(line: string): string[] {
  const found = line.match(/[A-Za-z]+|[^\sA-Za-z0-9]|\d+/g) ?? [];
  return found.map((word) => (/\d/.test(word) ? `#${word.length}` : word.toLowerCase()));
}

/** Sum, over a line's different words, of −log of the share of lines so far that have the word: naive Bayes of the usual alone. */
export const WORDS: Scorer = {
  name: "words, frequency",
  scores: ({ kind, rows }: Stream) => {
    if (kind !== "lines") return undefined;
    const counts = new Map<string, number>();
    return (rows as readonly string[]).map((line, i) => {
      let score = 0;
      for (const word of new Set(wordsOf(line))) {
        const count = (counts.get(word) ?? 0) + 1;
        counts.set(word, count);
        score -= Math.log(count / (i + 2));
      }
      return score;
    });
  },
};

/** Share of anomalies among the lines of a template so far, towards that of all lines. */
export const TOLD_TEMPLATES: Scorer = {
  name: "masked templates, share of anomalies",
  scores: ({ kind, rows, labels }: Stream) => {
    if (kind !== "labelled") return undefined;
    const counts = new Map<string, { hits: number; all: number }>();
    let hits = 0;
    return (rows as readonly string[]).map((line, i) => {
      const template = masked(line);
      const count = counts.get(template) ?? { hits: 0, all: 0 };
      const score = (count.hits + (hits + 1) / (i + 2)) / (count.all + 1);
      counts.set(template, count);
      count.all += 1;
      count.hits += labels[i] ? 1 : 0;
      hits += labels[i] ? 1 : 0;
      return score;
    });
  },
};
