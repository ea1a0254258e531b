/**
 * How many unfinished words a model finishes, with the prompt's end healed and without: `npm run -s completions`. At temperature 0
 * the text goes on; a word is finished where what comes begins with the letters that are missing.
 */
import { readFileSync } from "node:fs";
import { fit } from "../host/fit/fit.ts";
import { load, type Model } from "../host/index.ts";

/** A text that ends inside a word, and what is missing of it. */
export interface Unfinished {
  readonly prompt: string;
  readonly missing: string;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const WORDS = 171;

/** The most frequent English words of the licence, of four letters or more, short of their last. */
export function shortOfALetter(): Unfinished[] {
  const counts = new Map<string, number>();
  for (const [word] of readFileSync("LICENSE", "utf8").matchAll(/\b[a-z]{4,}\b/g)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, WORDS);
  return words.map(([word]) => ({ prompt: `It was the ${word.slice(0, -1)}`, missing: word.slice(-1) }));
}

/** Where the gateway's log is cut: a model is fitted on what comes before. */
const LEARNED_LINES = 740;

export async function logModel(): Promise<Model> {
  const text = new TextEncoder().encode(`${logLines().slice(0, LEARNED_LINES).join("\n")}\n`);
  // with as many of the log's words as tokens as there can be
  return load((await fit(() => [text], { profile: "potato", vocabulary: 1024 })).files);
}

/** The words of the log's later lines, of four letters or more, with their first `typed` letters there. */
export function wordsOfLog(typed: number): Unfinished[] {
  return logLines()
    .slice(LEARNED_LINES)
    .flatMap((line) =>
      Array.from(line.matchAll(/(?<= )[a-z]{4,}\b/g), ({ 0: word, index }) => ({
        prompt: line.slice(0, index + typed),
        missing: word.slice(typed),
      })),
    );
}

function logLines(): string[] {
  return readFileSync("examples/gateway/gateway.log", "utf8").trim().split("\n");
}

/** How many of them the model finishes. */
export async function finished(model: Model, all: readonly Unfinished[], heal: boolean): Promise<number> {
  let count = 0;
  for (const { prompt, missing } of all) {
    let text = "";
    for await (const piece of model.generate(prompt, { heal, temperature: 0, maxTokens: missing.length }))
      text += piece;
    if (text.startsWith(missing)) ++count;
  }
  return count;
}

/** How many of them are finished by one of n suggestions. */
export function suggested(model: Model, all: readonly Unfinished[], n: number): number {
  return all.filter(({ prompt, missing }) => model.suggest(prompt, { n }).some(({ rest }) => rest === missing)).length;
}

/** How many it would finish that chose the letter whose text has the best score: what a model knows, whatever its tokens. */
function byScore(model: Model, all: readonly Unfinished[]): number {
  return all.filter(({ prompt, missing }) => {
    const bits = (letter: string) => model.score(prompt + letter).bits;
    return [...LETTERS].every((letter) => letter === missing || bits(letter) > bits(missing));
  }).length;
}

if (process.argv[1]?.endsWith("completions.ts")) {
  const row = async (name: string, model: Model, all: readonly Unfinished[]) => {
    const counts = [await finished(model, all, false), await finished(model, all, true)];
    const words = [suggested(model, all, 1), suggested(model, all, 3)];
    const said = `${counts[0]} of ${all.length} as it is, ${counts[1]} healed`;
    console.log(`${name}: ${said}; ${words[0]} by the first suggestion, ${words[1]} by one of three`);
  };
  const english = await load("models/potato-en");
  const words = shortOfALetter();
  await row("words short of their last letter, potato-en", english, words);
  console.log(`  by score: ${byScore(english, words)}`);
  const log = await logModel();
  for (const typed of [0, 1, 2, 3]) await row(`words of the log, ${typed} letters typed`, log, wordsOfLog(typed));
}
