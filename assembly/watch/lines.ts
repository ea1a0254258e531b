// Lines (ours). A line's template is where it falls in a tree of fixed depth: how many words it has, and its first words, numbers left out. (He, Zhu, Zheng &
// Lyu 2017 have such a tree; its leaves compare lines, so that what a template is depends on their order. Here it follows from the line alone, and the
// words behind the first ones are left to counts.) What surprises is the template behind that of the line before, and each word behind the word before it.
// Each line begins anew, so that a burst does not explain itself. Weights were chosen on logs that docs/watch.md does not report on.
import { countBehind, countOf, pairOf, probabilityOf } from "./counts";
import { countsIn, Plan } from "./plan";
import { bitsOf } from "./surprise";
import { NUMBER, Word, wordsOf } from "./words";

/** Words of the template, numbers left out. */
const DEPTH: u32 = 3;
/** Contexts: of a template or word by itself, behind the one before, and where a line begins. */
const TEMPLATE: u32 = 0x74656d70;
const TEMPLATE_BEHIND: u32 = 0x74656d71;
const WORD: u32 = 0x776f7264;
const WORD_BEHIND: u32 = 0x776f7265;
const BEGINNING: u32 = 0x62656769;
/** Sixteenths of a bit of a word that are ordinary. */
const ORDINARY: u32 = 80;
const TEMPLATE_WEIGHT: u32 = 3;
const NOVELTY_WEIGHT: u64 = 3;
/** Of a template or word that never came. */
const NEVER: f32 = 0.0009765625;

/**
 * Scores the line at plan.input: plan.parts words at plan.found, each with its bits behind them all; plan.bits is their sum, and the template's.
 *
 * @returns sixteenths of a bit: the template's thrice, and of each word what is not ordinary; the less, the more lines before were new
 */
export function scoreLine(p: Plan, length: u32): u32 {
  const counts = countsIn(p);
  const found = <usize>p.found;
  findWords(p, length);
  const count = p.parts;
  const alone = probabilityOf(counts, TEMPLATE, p.template, NEVER);
  const ofTemplate = bitsOf(probabilityOf(counts, pairOf(TEMPLATE_BEHIND, p.before), p.template, alone));
  p.bits = ofTemplate;
  let score = TEMPLATE_WEIGHT * ofTemplate;
  let before = BEGINNING;
  const bits = wordBits(p);
  for (let i: usize = 0; i < <usize>count; ++i) {
    const word = changetype<Word>(found + i * offsetof<Word>()).hash;
    const shorter = probabilityOf(counts, WORD, word, NEVER);
    const surprise = bitsOf(probabilityOf(counts, pairOf(WORD_BEHIND, before), word, shorter));
    store<u32>(bits + (i << 2), surprise);
    p.bits += surprise;
    score += surprise > ORDINARY ? surprise - ORDINARY : 0;
    before = word;
  }
  return <u32>((<u64>score << 16) / (65536 + NOVELTY_WEIGHT * <u64>p.novelty));
}

/** Whether the line's template is new: never learned, and not the one that was new last. */
export function isNew(p: Plan): bool {
  return p.template != p.newest && countOf(countsIn(p), pairOf(TEMPLATE, p.template)) == 0;
}

/** Remembers how many lines were new of late: where many are, as behind a restart, being so says less. */
export function rememberNovelty(p: Plan, isNew: bool): void {
  p.novelty -= p.novelty / 10;
  if (!isNew) return;
  p.novelty += 6553;
  p.newest = p.template;
}

/** The words of the line at plan.input, and its template. */
export function findWords(p: Plan, length: u32): void {
  p.parts = wordsOf(<usize>p.input, length, <usize>p.found, p.words);
  p.template = templateOf(<usize>p.found, p.parts);
}

/** Where the bits of each word stand: (words) u32. */
export function wordBits(p: Plan): usize {
  return <usize>p.found + <usize>p.words * offsetof<Word>();
}

function templateOf(found: usize, count: u32): u32 {
  let template = pairOf(TEMPLATE, count);
  let left = DEPTH;
  for (let i: usize = 0; i < <usize>count && left > 0; ++i) {
    const word = changetype<Word>(found + i * offsetof<Word>()).hash;
    if (word == NUMBER) continue;
    template = pairOf(template, word);
    --left;
  }
  return template;
}

/** What is learned of the line that was scored: (2 + words) u32 at `out`, the template before it, its own, its words. @returns how many */
export function lineLesson(p: Plan, out: usize): u32 {
  store<u32>(out, p.before);
  store<u32>(out, p.template, 4);
  for (let i: usize = 0; i < <usize>p.parts; ++i) {
    store<u32>(out + (i << 2), changetype<Word>(<usize>p.found + i * offsetof<Word>()).hash, 8);
  }
  return 2 + p.parts;
}

/** The template of a lesson. */
// @ts-ignore: decorator
@inline
export function lineTemplate(lesson: usize): u32 {
  return load<u32>(lesson, 4);
}

export function learnLine(p: Plan, lesson: usize, count: u32): void {
  const counts = countsIn(p);
  const template = lineTemplate(lesson);
  countBehind(counts, TEMPLATE, template);
  countBehind(counts, pairOf(TEMPLATE_BEHIND, load<u32>(lesson)), template);
  let before = BEGINNING;
  for (let i: usize = 2; i < <usize>count; ++i) {
    const word = load<u32>(lesson + (i << 2));
    countBehind(counts, WORD, word);
    countBehind(counts, pairOf(WORD_BEHIND, before), word);
    before = word;
  }
}
