// Watching a stream, row by row, on the device: each is scored by what it surprises, ranked among the last, and learned, at once or later. Nothing is
// imported, nothing is allocated, memory has a fixed size. Every entry answers a number of 0 or above, or an error of plan.ts.
import { halve } from "./counts";
import { findWords, isNew, learnLine, lineLesson, lineTemplate, rememberNovelty, scoreLine } from "./lines";
import { isView, learnRow, rememberRow, rowLesson, scoreRow, viewBytes, VIEWS } from "./numbers";
import {
  ALARM,
  AN_ALARM,
  BEGINS,
  countsIn,
  ENDS,
  FINE,
  HELD_BACK,
  LINES,
  MAGIC,
  NOT_BEGUN,
  NUMBERS,
  OUT_OF_RANGE,
  plan,
  Plan,
  PLAN,
  ranksIn,
  SYMBOLS,
  TOO_LONG,
  WARM,
} from "./plan";
import { isTree, keepScore, LEVELS, rankOf } from "./ranks";
import { learnSymbol, scoreSymbol, symbolLesson } from "./symbols";
import { Word } from "./words";

/** Where the host writes the plan. */
export const PLAN_AT: usize = PLAN;

/** A slot: a row to be learned. What it is of follows: u32 or f32. */
@unmanaged
class Slot {
  due: u32; // the row before which it is learned
  count: u32;
}

/** Checks the settings, and forgets everything. @returns 0, or OUT_OF_RANGE where the plan is none of a watch that fits its memory */
export function begin(): i32 {
  const p = plan();
  p.begun = 0;
  if (!isSound(p)) return OUT_OF_RANGE;
  const remembered = PLAN + offsetof<Plan>("begun");
  for (let at = remembered; at < PLAN + offsetof<Plan>(); at += 4) store<u32>(at, 0);
  p.seen = 0;
  p.at = 0;
  for (let at = <usize>p.cells; at < <usize>p.stateEnd; at += 8) store<u64>(at, 0);
  p.begun = MAGIC;
  return 0;
}

/** Goes on with memory as it stands: that of a watch that was copied here. @returns 0, or OUT_OF_RANGE where it cannot be one's */
export function resume(): i32 {
  const p = plan();
  const begun = p.begun == MAGIC;
  p.begun = 0;
  if (!begun || !isSound(p) || !isState(p)) return OUT_OF_RANGE;
  p.begun = MAGIC;
  return 0;
}

/** Where a row is put. */
export function input(): i32 {
  return <i32>plan().input;
}

/** Puts four bytes into the input, from byte `at` on, for hosts that do not reach memory. @returns 0; OUT_OF_RANGE beyond its end */
export function put(at: i32, word: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (<u64>(<u32>at) + 4 > <u64>inputBytes(p)) return OUT_OF_RANGE;
  store<i32>(<usize>p.input + <usize>at, word);
  return 0;
}

/** What `push` found of the last row: 0 bits and 1 score, in sixteenths of a bit, 2 its rank, 3 how many it was ranked among, 4 its template, 5 episodes so far. */
export function result(part: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (<u32>part > 5) return OUT_OF_RANGE;
  return part == 5 ? <i32>p.episodes : load<i32>(PLAN + offsetof<Plan>("bits") + (<usize>part << 2));
}

/** FNV-1a of 32 bits of all that a watch is: to compare devices by. */
export function checksum(): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  let hash: i32 = 0x811c9dc5;
  for (let at: usize = PLAN; at < <usize>p.stateEnd; ++at) hash = (hash ^ <i32>load<u8>(at)) * 0x01000193;
  return hash;
}

/** Finds the words of the line at the input, and its template, and learns nothing. @returns how many words there are */
export function look(length: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (p.kind != LINES) return OUT_OF_RANGE;
  if (<u32>length > p.most) return TOO_LONG;
  findWords(p, length);
  return <i32>p.parts;
}

/**
 * The next row, at the input.
 *
 * @param length its bytes; of numbers 0
 * @param model sixteenths of a bit that a language model finds it to surprise; 0 without one
 * @param verdict what labels say of it: UNKNOWN, AN_ALARM, which is never learned, or FINE, which is none and is learned at once
 * @returns flags of plan.ts
 */
export function push(length: i32, model: i32, verdict: i32): i32 {
  const p = plan();
  if (p.begun != MAGIC) return NOT_BEGUN;
  if (<u32>length > (p.kind == NUMBERS ? 0 : p.most)) return TOO_LONG;
  if (model < 0 || <u32>verdict > <u32>FINE) return OUT_OF_RANGE;
  learnDue(p);
  const surprise = p.kind == LINES ? scoreLine(p, length) : p.kind == NUMBERS ? scoreRow(p) : scoreSymbol(p, length);
  const ofModel = (<u64>(<u32>model) * <u64>p.weight) / 1000;
  p.score = <u32>min<u64>(<u64>surprise + ofModel, <u64>i32.MAX_VALUE);
  if (p.kind == LINES) rememberNovelty(p, isNew(p) && !isWaiting(p, p.template));
  const flags = ranked(p, verdict);
  if (verdict != AN_ALARM) lesson(p, (flags & HELD_BACK) != 0);
  if (p.kind == NUMBERS) rememberRow(p);
  p.before2 = p.before;
  p.before = p.template;
  ++p.rows;
  if (p.rows % p.period == 0) halve(countsIn(p));
  return flags;
}

/** Ranks the row's score, says what follows from it, and keeps it. */
function ranked(p: Plan, verdict: i32): i32 {
  const ranks = ranksIn(p);
  const level = min<u32>(p.score >> 1, LEVELS - 1);
  const seen = ranks.seen;
  p.rank = rankOf(ranks, level);
  p.ranked = seen;
  let flags: i32 = 0;
  const warm = seen >= p.warmUp;
  if (warm) flags |= WARM;
  const alarm = verdict == AN_ALARM || (warm && verdict != FINE && p.rank <= max<u32>(1, seen / p.one));
  if (alarm) flags |= ALARM;
  const held = <u64>p.rank * 1000 <= <u64>seen * <u64>p.guard;
  if (verdict == AN_ALARM || (held && warm && verdict != FINE && p.delay > 0)) flags |= HELD_BACK;
  // of a burst one score is kept, so that it does not hide what comes behind it; it is a burst until the first of it is learned
  const again = p.kind == LINES && (flags & HELD_BACK) != 0 && verdict != AN_ALARM && isWaiting(p, p.template);
  if (!again) keepScore(ranks, level);
  if (alarm) {
    p.quiet = 0;
    if (p.open == 0) {
      p.open = 1;
      ++p.episodes;
      flags |= BEGINS;
    }
  } else if (p.open != 0 && ++p.quiet >= p.gap) {
    p.open = 0;
    flags |= ENDS;
  }
  return flags;
}

/** Learns the row, or puts it into the queue. */
function lesson(p: Plan, later: bool): void {
  const place = (p.first + p.waiting) % max<u32>(1, p.delay);
  const slot = later ? <usize>p.queue + <usize>place * <usize>p.slot : <usize>p.scratch;
  const out = slot + offsetof<Slot>();
  const s = changetype<Slot>(slot);
  s.due = p.rows + p.delay;
  s.count = p.kind == LINES ? lineLesson(p, out) : p.kind == NUMBERS ? rowLesson(p, out) : symbolLesson(p, out);
  if (later) ++p.waiting;
  else learn(p, slot);
}

/** Learns what was held back long enough. A row puts one into the queue at the most, so that there is always room. */
function learnDue(p: Plan): void {
  while (p.waiting > 0) {
    const slot = <usize>p.queue + <usize>p.first * <usize>p.slot;
    if (<i32>(changetype<Slot>(slot).due - p.rows) > 0) return;
    p.first = p.first + 1 == p.delay ? 0 : p.first + 1;
    --p.waiting;
    if (changetype<Slot>(slot).count == 0) continue; // of a burst that was learned
    learn(p, slot);
    if (p.kind == LINES) spend(p, lineTemplate(slot + offsetof<Slot>()));
  }
}

/** A burst is learned as one line, its first: those of its template that wait are not. */
function spend(p: Plan, template: u32): void {
  for (let i: u32 = 0; i < p.waiting; ++i) {
    const slot = waitingAt(p, i);
    if (lineTemplate(slot + offsetof<Slot>()) == template) changetype<Slot>(slot).count = 0;
  }
}

/** Whether a line of the template is held back. */
function isWaiting(p: Plan, template: u32): bool {
  for (let i: u32 = 0; i < p.waiting; ++i) {
    if (lineTemplate(waitingAt(p, i) + offsetof<Slot>()) == template) return true;
  }
  return false;
}

/** Slot `i` of those in use, the oldest first. */
function waitingAt(p: Plan, i: u32): usize {
  return <usize>p.queue + <usize>((p.first + i) % p.delay) * <usize>p.slot;
}

function learn(p: Plan, slot: usize): void {
  const count = changetype<Slot>(slot).count;
  const at = slot + offsetof<Slot>();
  if (p.kind == LINES) learnLine(p, at, count);
  else if (p.kind == NUMBERS) learnRow(p, at, count);
  else learnSymbol(p, at);
}

function inputBytes(p: Plan): u32 {
  return p.kind == NUMBERS ? p.columns << 2 : (p.most + 3) & ~3;
}

/** Words of a lesson. */
function lessonWords(p: Plan): u32 {
  return p.kind == NUMBERS ? p.columns * <u32>VIEWS : p.kind == SYMBOLS ? 3 : 2 + p.words;
}

/** Whether every table stands in memory, in the order of the plan, and the settings are within bounds. */
function isSound(p: Plan): bool {
  if (p.magic != MAGIC || p.kind > SYMBOLS || p.columns > 64 || p.most > 65536 || p.words > 256) return false;
  if (p.kind == NUMBERS ? p.columns < 1 || p.kept < 16 || p.kept > 65536 : p.most < 1) return false;
  if (p.kind == LINES && p.words < 1) return false;
  if (p.cellBits < 3 || p.cellBits > 24 || p.window < 1 || p.window > 65535 || p.period < 1) return false;
  if (p.one < 1 || p.guard > 1000 || p.delay > 65536 || p.gap < 1 || p.weight > 1000000) return false;
  if (p.slot != <u32>offsetof<Slot>() + (lessonWords(p) << 2)) return false;
  const columns = p.kind == NUMBERS ? <u64>p.columns : 0;
  const views = columns * <u64>VIEWS;
  let from = <u64>PLAN + <u64>offsetof<Plan>();
  from = behind(from, p.cells, <u64>8 << <u64>p.cellBits);
  from = behind(from, p.ring, <u64>p.window << 1);
  from = behind(from, p.tree, <u64>(LEVELS + 1) << 2);
  from = behind(from, p.values, views * <u64>viewBytes(p.kept));
  from = behind(from, p.past, columns << 6);
  from = behind(from, p.queue, <u64>p.delay * <u64>p.slot);
  from = behind(from, p.stateEnd, 0);
  from = behind(from, p.input, <u64>inputBytes(p));
  const found = p.kind == NUMBERS ? (views + columns) << 2 : <u64>p.words * <u64>(offsetof<Word>() + 4);
  from = behind(from, p.found, found);
  from = behind(from, p.scratch, <u64>p.slot);
  return from <= <u64>p.end && <u64>p.end <= <u64>memory.size() << 16;
}

/** Where what stands at `at` ends; nowhere in memory if it is not on a boundary, or begins before `from`. */
function behind(from: u64, at: u32, bytes: u64): u64 {
  return (at & 63) != 0 || <u64>at < from ? u64.MAX_VALUE >> 1 : <u64>at + bytes;
}

/** Whether what is remembered leads nowhere outside the tables, and is what the kernels keep: what waits in the order that it is due, values in theirs. */
function isState(p: Plan): bool {
  if (p.seen > p.window || p.at >= p.window || p.open > 1) return false;
  if (p.parts > (p.kind == LINES ? p.words : p.kind == NUMBERS ? p.columns : 0)) return false;
  if (p.waiting > p.delay || (p.delay > 0 ? p.first >= p.delay : p.first != 0)) return false;
  for (let i: u32 = 0; i < p.window; ++i) {
    if (<u32>load<u16>(<usize>p.ring + (<usize>i << 1)) >= LEVELS) return false;
  }
  if (!isTree(ranksIn(p))) return false;
  for (let i: u32 = 0; i < p.delay; ++i) {
    if (changetype<Slot>(<usize>p.queue + <usize>i * <usize>p.slot).count > lessonWords(p)) return false;
  }
  let next: u32 = 0; // the least that the next one's due may be, in rows from now
  for (let i: u32 = 0; i < p.waiting; ++i) {
    const due = changetype<Slot>(<usize>p.queue + <usize>((p.first + i) % p.delay) * <usize>p.slot).due - p.rows;
    if (due < next || due >= p.delay) return false;
    next = due + 1;
  }
  if (p.kind == NUMBERS) {
    for (let i: usize = 0; i < <usize>p.columns * VIEWS; ++i) {
      if (!isView(<usize>p.values + i * viewBytes(p.kept), p.kept)) return false;
    }
  }
  return true;
}
