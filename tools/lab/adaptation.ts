/**
 * What a shipped model gains from text of another domain: `npm run adaptation --prefix tools/lab`. Bits per byte of the rest of the domain, before and
 * after, beside n-gram counts of the same texts and fits on the new text alone. The tables stand in docs/learning.md.
 */
import { fit, load } from "../../host/index.ts";
import { writeBlock } from "../markdown.ts";
import { fitKneserNey } from "./baselines/kneser-ney.ts";
import { domains } from "./corpora/domains.ts";
import { benchCorpus, firstWords } from "./corpora/gutenberg.ts";
import { inRoot } from "./paths.ts";

const SIZES = [100, 1000, 10_000, 50_000];
/** Characters that are scored: they begin after the largest piece. */
const REST = 150_000;
const encoder = new TextEncoder();

const MODEL = inRoot("models/potato-en");
const { tokenizer } = await load(MODEL);
const { vocabularySize: vocabulary } = tokenizer;
const train = tokenizer.encode(benchCorpus().train);
const goal: number[] = [];
let worst = 0;

const page: string[] = [];
/** Prints a line, and keeps it for the page. */
function tell(line: string): void {
  console.log(line);
  page.push(line);
}

for (const { name, text } of domains()) {
  const head = firstWords(text, SIZES.at(-1)!);
  const rest = text.slice(head.length, head.length + REST);
  const restTokens = tokenizer.encode(rest);
  const restBytes = encoder.encode(rest).length;
  const before = (await load(MODEL)).score(rest).bitsPerByte;
  tell(`${name}, ${restBytes} bytes:\n`);
  tell(
    "| words | tokens | base | observed | refitted | less | seconds | KN 3 of train + new | KN 3 of new | fit on new |",
  );
  tell(`|${" ---: |".repeat(10)}`);
  for (const words of SIZES) {
    const piece = firstWords(head, words);
    const tokens = tokenizer.encode(piece);
    const model = await load(MODEL);
    let start = performance.now();
    const lap = () => {
      const seconds = (performance.now() - start) / 1000;
      start = performance.now();
      return seconds;
    };
    await model.observe(piece);
    const observing = lap();
    const observed = model.score(rest).bitsPerByte;
    lap();
    await model.refit();
    const refitting = observing + lap();
    const refitted = model.score(rest).bitsPerByte;
    const together = new Uint16Array(train.length + tokens.length);
    together.set(train);
    together.set(tokens, train.length);
    const ngrams = (of: Uint16Array) => {
      const scores = fitKneserNey(of, { order: 3, vocabulary }).score(restTokens);
      return -scores.reduce((sum, bits) => sum + bits, 0) / restBytes;
    };
    const fresh = await load((await fit(() => [encoder.encode(piece)], { tokenizer, groups: 8, units: 16 })).files);
    const cells = [before, observed, refitted].map((value) => value.toFixed(3));
    const less = (value: number) => `${(100 * (1 - value / before)).toFixed(1)} %`;
    const others = [ngrams(together), ngrams(tokens), fresh.score(rest).bitsPerByte].map((value) => value.toFixed(3));
    tell(`| ${[words, tokens.length, ...cells, less(refitted), refitting.toFixed(2), ...others].join(" | ")} |`);
    if (words === 10_000) goal.push(1 - refitted / before);
    worst = Math.max(worst, refitted / before);
  }
  tell("");
}
const mean = goal.reduce((sum, value) => sum + value, 0) / goal.length;
tell(
  `refit at 10,000 words: ${(100 * Math.max(...goal)).toFixed(1)} % at best, ${(100 * mean).toFixed(1)} % in the mean (goal: 6 %)`,
);
tell(`largest ratio to the base anywhere: ${worst.toFixed(4)} (goal: never above 1)`);
writeBlock(inRoot("docs/learning.md"), "adaptation", page.join("\n"));
