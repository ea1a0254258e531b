// Symbols: rows that are alike or not, and nothing else. One surprises behind the two before it, by the chain of contexts that probabilityOf is made for.
import { countBehind, pairOf, probabilityOf } from "./counts";
import { countsIn, Plan } from "./plan";
import { bitsOf } from "./surprise";

const SYMBOL: u32 = 0x73796d62;
const BEHIND: u32 = 0x73796d63;
const BEHIND_TWO: u32 = 0x73796d64;
const NEVER: f32 = 0.0009765625;

/** Scores the symbol that the bytes at plan.input are. @returns bits */
export function scoreSymbol(p: Plan, length: u32): u32 {
  let symbol = SYMBOL;
  for (let i: usize = 0; i < <usize>length; ++i) symbol = (symbol ^ load<u8>(<usize>p.input + i)) * 0x01000193; // FNV-1a
  p.template = symbol;
  p.parts = 0;
  const counts = countsIn(p);
  const behind = pairOf(BEHIND, p.before);
  let probability = probabilityOf(counts, SYMBOL, symbol, NEVER);
  probability = probabilityOf(counts, behind, symbol, probability);
  p.bits = bitsOf(probabilityOf(counts, pairOf(pairOf(BEHIND_TWO, p.before2), p.before), symbol, probability));
  return p.bits;
}

/** What is learned of it: 3 u32 at `out`, the symbols before it and itself. @returns 3 */
export function symbolLesson(p: Plan, out: usize): u32 {
  store<u32>(out, p.before2);
  store<u32>(out, p.before, 4);
  store<u32>(out, p.template, 8);
  return 3;
}

export function learnSymbol(p: Plan, lesson: usize): void {
  const counts = countsIn(p);
  const before = load<u32>(lesson, 4);
  const symbol = load<u32>(lesson, 8);
  countBehind(counts, SYMBOL, symbol);
  countBehind(counts, pairOf(BEHIND, before), symbol);
  countBehind(counts, pairOf(pairOf(BEHIND_TWO, load<u32>(lesson)), before), symbol);
}
