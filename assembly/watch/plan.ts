// What a watch is, as data: its settings, where its tables stand, and what it remembers from row to row. One module, built once, watches streams of every
// kind. The host writes the settings from its table (host/watch/layout.ts), `begin` checks them, and from then on the kernels trust them. From the plan
// to `stateEnd` memory is all that a watch is: a copy of it is a snapshot.
import { Counts } from "./counts";
import { Ranks } from "./ranks";

/** Where the plan stands. */
export const PLAN: usize = 64;
/** What it begins with: "SFW1". */
export const MAGIC: u32 = 0x31574653;

/** What a row is. */
export const LINES: u32 = 0;
export const NUMBERS: u32 = 1;
export const SYMBOLS: u32 = 2;

/** Errors that the entries answer. */
export const NOT_BEGUN: i32 = -1;
export const TOO_LONG: i32 = -3;
export const OUT_OF_RANGE: i32 = -4;

/** What `push` answers of a row. */
export const ALARM: i32 = 1; // among the highest of the last W
export const BEGINS: i32 = 2; // an episode begins with it
export const ENDS: i32 = 4; // an episode ends with it, which was the last of a quiet stretch
export const HELD_BACK: i32 = 8; // it is learned later, or never
export const WARM: i32 = 16; // there are rows enough that its rank means something

/** What is said of a row beforehand. */
export const AN_ALARM: i32 = 1;
export const FINE: i32 = 2;

/** Addresses are of 64-byte boundaries. */
@unmanaged
export class Plan {
  magic: u32;
  kind: u32;
  columns: u32; // of numbers, 1 to 64
  most: u32; // bytes of a line, at most 65536
  words: u32; // of a line that are looked at, 1 to 256
  one: u32; // a row in so many may be an alarm, N
  warmUp: u32; // rows before the first may be
  guard: u32; // thousandths: of rows, the most surprising, that are held back
  delay: u32; // rows until what is held back is learned; 0 where nothing is held back
  gap: u32; // rows without an alarm that end an episode
  kept: u32; // values of a column that the next are compared with
  period: u32; // rows until counts are halved
  weight: u32; // thousandths: what the bits of a model are multiplied by
  cells: u32; // of counts
  cellBits: u32; // 2^cellBits of them
  ring: u32; // (window) u16 scores
  tree: u32; // (LEVELS + 1) u32
  window: u32; // W
  seen: u32;
  at: u32;
  values: u32; // (columns, 4, 2, kept) f32: as they came, and in order
  past: u32; // (16, columns) f32: the last rows
  queue: u32; // (delay) slots of what is held back
  slot: u32; // bytes of one
  stateEnd: u32;
  input: u32; // a line, or (columns) f32
  found: u32; // (words) Word, or (4 · columns) f32; and behind them bits, (words) or (columns) u32 sixteenths
  scratch: u32; // a slot of the row under way
  end: u32;
  // what it remembers
  begun: u32;
  rows: u32; // modulo 2^32
  before: u32; // the template, or symbol, of the row before
  before2: u32; // and of the one before that
  first: u32; // the oldest slot of the queue
  waiting: u32; // slots in use
  episodes: u32; // that have begun
  open: u32; // whether one has not ended
  quiet: u32; // rows since its last alarm
  novelty: u32; // how many of the rows before were of a new template: a share that fades, of 65536
  newest: u32; // the last template that was new
  // of the last row
  bits: u32; // sixteenths of a bit: what it is surprised by, all together
  score: u32; // sixteenths of a bit: what is ranked
  rank: u32; // 1 where none of the last W was as high
  ranked: u32; // how many it was compared with
  template: u32;
  parts: u32; // words or columns that were scored
}

// @ts-ignore: decorator
@inline
export function plan(): Plan {
  return changetype<Plan>(PLAN);
}

/** The counts' own record, which stands in the plan. */
// @ts-ignore: decorator
@inline
export function countsIn(p: Plan): Counts {
  return changetype<Counts>(changetype<usize>(p) + offsetof<Plan>("cells"));
}

// @ts-ignore: decorator
@inline
export function ranksIn(p: Plan): Ranks {
  return changetype<Ranks>(changetype<usize>(p) + offsetof<Plan>("ring"));
}
