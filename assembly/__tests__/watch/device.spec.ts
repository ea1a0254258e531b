import { begin, checksum, input, look, PLAN_AT, push, put as putWord, result, resume } from "../../watch/device";
import {
  ALARM,
  AN_ALARM,
  BEGINS,
  ENDS,
  FINE,
  HELD_BACK,
  LINES,
  NOT_BEGUN,
  NUMBERS,
  OUT_OF_RANGE,
  Plan,
  PLAN,
  plan,
  SYMBOLS,
  TOO_LONG,
  WARM,
} from "../../watch/plan";
import { LEVELS } from "../../watch/ranks";
import { put } from "../support";
import { COLUMNS, DELAY, hashOf, MOST, watch, write } from "./plan";

/** Fields of a plan that the host writes. */
const SETTINGS: usize = offsetof<Plan>("begun") / 4;

function line(text: string, verdict: i32 = 0): i32 {
  return push(write(plan(), text), 0, verdict);
}

/** Rows enough that one may be an alarm, which are all alike but for the first. */
function warm(): void {
  for (let i = 0; i < 6; ++i) line("all is well");
}

/** A row of whatever the plan says. */
function any(i: i32): i32 {
  const p = plan();
  if (p.kind == NUMBERS) {
    for (let column: u32 = 0; column < p.columns; ++column) put(p.input, column, <f32>((i * 7) % 5));
    return push(0, 0, 0);
  }
  const length = min<i32>(<i32>p.most, 12);
  for (let j = 0; j < length; ++j) store<u8>(<usize>p.input + j, <u8>((i * 31 + j * 17) % 256));
  return push(length, i, i % 3);
}

describe("the device", () => {
  test("answers nothing before it has begun, and begins with a sound plan alone", () => {
    const p = watch(LINES, 6);
    expect(PLAN_AT).toBe(PLAN);
    expect(push(0, 0, 0)).toBe(NOT_BEGUN);
    expect(look(0)).toBe(NOT_BEGUN);
    expect(putWord(0, 0)).toBe(NOT_BEGUN);
    expect(result(0)).toBe(NOT_BEGUN);
    expect(checksum()).toBe(NOT_BEGUN);
    expect(resume()).toBe(OUT_OF_RANGE);
    expect(begin()).toBe(0);
    expect(input()).toBe(<i32>p.input);
    expect(push(0, 0, 0)).toBe(0);
    p.magic = 0;
    expect(begin()).toBe(OUT_OF_RANGE);
    expect(push(0, 0, 0)).toBe(NOT_BEGUN);
  });

  test("refuses whatever is no plan, or watches, whatever a field says; nothing beyond the plan is written", () => {
    const kinds: u32[] = [LINES, NUMBERS, SYMBOLS];
    const values: u32[] = [0, 1, 2, 3, 7, 15, 16, 24, 25, 63, 64, 65, 100, 128, 256, 257, 1000, 1001, 4096, 65535, 65536, 65537];
    const more: u32[] = [1 << 20, (1 << 20) + 1, 1 << 24, 0x7fffffc0, 0x7fffffff, 0x80000000, 0xffffffc0, 0xffffffff];
    let refused = 0;
    let begun = 0;
    for (let k = 0; k < 3; ++k) {
      for (let field: usize = 0; field < SETTINGS; ++field) {
        for (let v = 0; v < values.length + more.length + 6; ++v) {
          const p = watch(kinds[k], 6);
          const behind = <usize>p.end;
          const at = PLAN + (field << 2);
          const was = load<u32>(at);
          const which = v - values.length - more.length;
          const near: u32[] = [was + 1, was - 1, was + 64, was - 64, was * 2, was >> 1];
          store<u32>(at, v < values.length ? values[v] : which < 0 ? more[v - values.length] : near[which]);
          memory.fill(behind, 0x5a, 256);
          let ok = true;
          if (begin() == OUT_OF_RANGE) {
            ++refused;
            ok = ok && push(0, 0, 0) == NOT_BEGUN;
          } else {
            ++begun;
            for (let i = 0; i < 6; ++i) ok = ok && any(i) >= 0;
          }
          for (let i: usize = 0; i < 256; i += 8) ok = ok && load<u64>(behind + i) == 0x5a5a5a5a5a5a5a5a;
          expect(ok).toBe(true, `field ${field}, value ${v}`);
        }
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(begun).toBeGreaterThan(500);
  });

  test("takes rows within their bounds", () => {
    watch(LINES, 6);
    begin();
    expect(push(<i32>MOST, 0, 0)).toBeGreaterThanOrEqual(0);
    expect(push(<i32>MOST + 1, 0, 0)).toBe(TOO_LONG);
    expect(push(-1, 0, 0)).toBe(TOO_LONG);
    expect(push(0, -1, 0)).toBe(OUT_OF_RANGE);
    expect(push(0, 0, 3)).toBe(OUT_OF_RANGE);
    expect(push(0, 0, -1)).toBe(OUT_OF_RANGE);
    expect(look(<i32>MOST + 1)).toBe(TOO_LONG);
    const before = checksum();
    expect(push(0, 0, 3)).toBe(OUT_OF_RANGE);
    expect(checksum()).toBe(before);
    watch(NUMBERS, 6);
    begin();
    expect(push(1, 0, 0)).toBe(TOO_LONG);
    expect(push(0, 0, 0)).toBe(0);
    expect(look(0)).toBe(OUT_OF_RANGE);
  });

  test("puts words into the input, from any byte on, and none beyond", () => {
    const p = watch(LINES, 6);
    begin();
    expect(putWord(0, 0x64636261)).toBe(0);
    expect(putWord(3, 0x20202020)).toBe(0);
    expect(load<u32>(<usize>p.input)).toBe(0x20636261);
    expect(putWord(<i32>MOST - 4, 1)).toBe(0);
    expect(putWord(<i32>MOST - 3, 1)).toBe(OUT_OF_RANGE);
    expect(putWord(-1, 1)).toBe(OUT_OF_RANGE);
    expect(putWord(-4, 1)).toBe(OUT_OF_RANGE);
    expect(putWord(i32.MAX_VALUE, 1)).toBe(OUT_OF_RANGE);
    const q = watch(NUMBERS, 6);
    begin();
    expect(putWord(4 * <i32>COLUMNS - 4, reinterpret<i32>(<f32>2.5))).toBe(0);
    expect(load<f32>(<usize>q.input + 4)).toBe(2.5);
    expect(putWord(4 * <i32>COLUMNS, 1)).toBe(OUT_OF_RANGE);
  });

  test("says of the last row what it came to, and how many episodes there were", () => {
    watch(LINES, 6);
    begin();
    warm();
    const usual = result(1);
    const template = result(4);
    const flags = line("what is this 42");
    expect(flags).toBe(ALARM | BEGINS | HELD_BACK | WARM);
    expect(result(1)).toBeGreaterThan(usual);
    expect(result(2)).toBe(1);
    expect(result(3)).toBe(6);
    expect(result(4)).not.toBe(template);
    expect(result(5)).toBe(1);
    expect(result(6)).toBe(OUT_OF_RANGE);
    expect(result(-1)).toBe(OUT_OF_RANGE);
    expect(look(write(plan(), "all is well"))).toBe(3);
    expect(result(4)).toBe(template);
  });

  test("ends an episode after as many rows without an alarm as `gap` says", () => {
    watch(LINES, 6);
    begin();
    warm();
    expect(line("now", AN_ALARM) & (ALARM | BEGINS)).toBe(ALARM | BEGINS);
    expect(line("now", AN_ALARM) & (ALARM | BEGINS)).toBe(ALARM);
    expect(line("fine", FINE) & (ALARM | ENDS)).toBe(0);
    expect(line("now", AN_ALARM) & (ALARM | BEGINS | ENDS)).toBe(ALARM);
    expect(line("fine", FINE) & (ALARM | ENDS)).toBe(0);
    expect(line("fine", FINE) & (ALARM | ENDS)).toBe(ENDS);
    expect(line("fine", FINE) & (ALARM | ENDS)).toBe(0);
    expect(result(5)).toBe(1);
  });

  test("learns what is held back later, what is an alarm never, what is fine at once", () => {
    const p = watch(LINES, 6);
    begin();
    warm();
    const cells = <usize>p.cells;
    let before = hashOf(cells, <usize>p.ring);
    expect(line("an alarm", AN_ALARM) & HELD_BACK).toBe(HELD_BACK);
    expect(hashOf(cells, <usize>p.ring)).toBe(before);
    expect(p.waiting).toBe(0);
    expect(line("quite new", FINE) & HELD_BACK).toBe(0);
    expect(hashOf(cells, <usize>p.ring)).not.toBe(before);
    before = hashOf(cells, <usize>p.ring);
    p.novelty = 0; // as behind many lines that are not new
    expect(line("what is this 42") & HELD_BACK).toBe(HELD_BACK);
    expect(hashOf(cells, <usize>p.ring)).toBe(before);
    expect(p.waiting).toBe(1);
    for (let i: u32 = 1; i < DELAY; ++i) {
      line("an alarm", AN_ALARM);
      expect(hashOf(cells, <usize>p.ring)).toBe(before);
    }
    line("an alarm", AN_ALARM);
    expect(hashOf(cells, <usize>p.ring)).not.toBe(before);
    expect(p.waiting).toBe(0);
  });

  test("counts a model's bits by their weight, and stays within i32", () => {
    const p = watch(LINES, 6);
    p.weight = 500;
    begin();
    push(write(p, "a"), 0, 0);
    const alone = result(1);
    begin();
    push(write(p, "a"), 1001, 0);
    expect(result(1)).toBe(alone + 500);
    p.weight = 1000000;
    begin();
    push(write(p, "a"), i32.MAX_VALUE, 0);
    expect(result(1)).toBe(i32.MAX_VALUE);
  });

  test("forgets everything where it begins", () => {
    const kinds: u32[] = [LINES, NUMBERS, SYMBOLS];
    for (let k = 0; k < 3; ++k) {
      watch(kinds[k], 6);
      begin();
      const nothing = checksum();
      for (let i = 0; i < 40; ++i) any(i);
      expect(checksum()).not.toBe(nothing);
      begin();
      expect(checksum()).toBe(nothing);
    }
  });
});

describe("a watch that was copied", () => {
  test("goes on as if it had not stopped", () => {
    const kinds: u32[] = [LINES, NUMBERS, SYMBOLS];
    for (let k = 0; k < 3; ++k) {
      const p = watch(kinds[k], 6);
      begin();
      for (let i = 0; i < 40; ++i) any(i);
      const bytes = <usize>p.stateEnd - PLAN;
      const copy = <usize>1 << 17;
      memory.copy(copy, PLAN, bytes);
      for (let i = 40; i < 60; ++i) any(i);
      const wanted = checksum();
      memory.copy(PLAN, copy, bytes);
      expect(resume()).toBe(0);
      for (let i = 40; i < 60; ++i) any(i);
      expect(checksum()).toBe(wanted);
    }
  });

  test("is refused where what it remembers leads outside, or is out of order", () => {
    let p = watch(LINES, 6);
    const refused = (what: string): void => {
      expect(resume()).toBe(OUT_OF_RANGE, what);
      expect(push(0, 0, 0)).toBe(NOT_BEGUN, what);
    };
    begin();
    for (let i = 0; i < 40; ++i) line(i % 2 == 0 ? "a b" : `c${i}x d`);
    line("what is this");
    line("and that");
    expect(p.waiting).toBeGreaterThan(0);
    const bytes = <usize>p.stateEnd - PLAN;
    const copy = <usize>1 << 17;
    memory.copy(copy, PLAN, bytes);
    p.seen = p.window + 1;
    refused("seen");
    memory.copy(PLAN, copy, bytes);
    p.at = p.window;
    refused("at");
    memory.copy(PLAN, copy, bytes);
    p.open = 2;
    refused("open");
    memory.copy(PLAN, copy, bytes);
    p.parts = p.words + 1;
    refused("parts");
    memory.copy(PLAN, copy, bytes);
    p.waiting = p.delay + 1;
    refused("waiting");
    memory.copy(PLAN, copy, bytes);
    p.first = p.delay;
    refused("first");
    memory.copy(PLAN, copy, bytes);
    store<u16>(<usize>p.ring + 4, <u16>LEVELS);
    refused("ring");
    memory.copy(PLAN, copy, bytes);
    store<u32>(<usize>p.queue + <usize>p.slot + 4, 3 + p.words);
    refused("count");
    memory.copy(PLAN, copy, bytes);
    store<u32>(<usize>p.queue + <usize>p.first * <usize>p.slot, p.rows + p.delay);
    refused("due");
    memory.copy(PLAN, copy, bytes);
    p.begun = 0;
    refused("begun");
    memory.copy(PLAN, copy, bytes);
    p.cells += 64;
    refused("cells");
    memory.copy(PLAN, copy, bytes);
    expect(resume()).toBe(0);
    p = watch(NUMBERS, 6);
    begin();
    for (let i = 0; i < 40; ++i) any(i);
    store<u32>(<usize>p.values, p.kept + 1);
    refused("view");
  });

  test("takes no harm, and does none, whatever a byte of its memory says", () => {
    const kinds: u32[] = [LINES, NUMBERS, SYMBOLS];
    let drawn: u32 = 11;
    for (let k = 0; k < 3; ++k) {
      for (let i = 0; i < 1000; ++i) {
        const p = watch(kinds[k], 4);
        begin();
        for (let j = 0; j < 20; ++j) any(j);
        for (let j = 0; j < 3; ++j) {
          drawn = drawn * 1664525 + 1013904223;
          // what is remembered lies behind the settings; the tree of ranks, the most of it, is of any numbers
          const from = PLAN + offsetof<Plan>("begun");
          const place = from + <usize>(drawn >> 9) % (<usize>p.stateEnd - from);
          drawn = drawn * 1664525 + 1013904223;
          store<u8>(place, <u8>(drawn >> 24));
        }
        const behind = <usize>p.end;
        memory.fill(behind, 0x5a, 256);
        let ok = true;
        if (resume() == 0) for (let j = 0; j < 8; ++j) ok = ok && any(j) >= 0;
        for (let j: usize = 0; j < 256; j += 8) ok = ok && load<u64>(behind + j) == 0x5a5a5a5a5a5a5a5a;
        expect(ok).toBe(true, `${i}`);
      }
    }
  });
});
