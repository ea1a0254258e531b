// A small watch at raw addresses, for the specs of its kernels: every table where host/watch/layout.ts would have it.
import { VIEWS, viewBytes } from "../../watch/numbers";
import { LINES, MAGIC, NUMBERS, Plan, plan, PLAN, SYMBOLS } from "../../watch/plan";
import { LEVELS } from "../../watch/ranks";

export const MOST: u32 = 64;
export const WORDS: u32 = 8;
export const COLUMNS: u32 = 2;
export const KEPT: u32 = 16;
export const WINDOW: u32 = 8;
export const DELAY: u32 = 3;

let end: u32 = 0;

function place(bytes: u32): u32 {
  const at = end;
  end = (end + bytes + 63) & ~63;
  return at;
}

/** A plan of so many bits of counts, not yet begun; nothing is remembered. */
export function watch(kind: u32, bits: u32): Plan {
  memory.fill(PLAN, 0, 1 << 18);
  const p = plan();
  const columns = kind == NUMBERS ? COLUMNS : 0;
  const views = columns * <u32>VIEWS;
  p.magic = MAGIC;
  p.kind = kind;
  p.columns = columns;
  p.most = kind == NUMBERS ? 0 : MOST;
  p.words = kind == LINES ? WORDS : 0;
  p.one = 4;
  p.warmUp = 4;
  p.guard = 250;
  p.delay = DELAY;
  p.gap = 2;
  p.kept = kind == NUMBERS ? KEPT : 0;
  p.period = 1000;
  p.weight = 1000;
  p.cellBits = bits;
  p.window = WINDOW;
  p.slot = 8 + 4 * (kind == NUMBERS ? views : kind == SYMBOLS ? 3 : 2 + WORDS);
  end = (<u32>PLAN + <u32>offsetof<Plan>() + 63) & ~63;
  p.cells = place(8 << bits);
  p.ring = place(2 * WINDOW);
  p.tree = place(4 * (LEVELS + 1));
  p.values = place(views * <u32>viewBytes(p.kept));
  p.past = place(64 * columns);
  p.queue = place(DELAY * p.slot);
  p.stateEnd = end;
  p.input = place(kind == NUMBERS ? 4 * columns : MOST + 3);
  p.found = place(kind == NUMBERS ? 4 * (views + columns) : WORDS * 16);
  p.scratch = place(p.slot);
  p.end = end;
  return p;
}

/** Writes a line or symbol at the input. @returns its bytes */
export function write(p: Plan, text: string): i32 {
  const bytes = String.UTF8.encode(text);
  memory.copy(<usize>p.input, changetype<usize>(bytes), bytes.byteLength);
  return bytes.byteLength;
}

/** A hash of memory, from the plan to its end, to see that nothing beyond was touched or all is as it was. */
export function hashOf(from: usize, to: usize): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let at = from; at < to; ++at) hash = (hash ^ <u32>load<u8>(at)) * 0x01000193;
  return hash;
}
