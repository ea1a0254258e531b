// Rows of numbers (ours). Each column has four views: its value, its change since the row before, its change since six rows, and the range of the last
// twelve. A view surprises by how far out it is among the last of its kind: −log2 of the share that is as far out on its side, twice; beyond all of them, by two
// bits more each time that the distance doubles. What is below three bits is ordinary, and the rest of all views adds up. A value that is missing
// surprises nobody, and is not learned.
import { logOf } from "../common/math";
import { Plan } from "./plan";
import { bitsOf } from "./surprise";

/** Views of a column. */
export const VIEWS: usize = 4;
/** Rows that are remembered for the changes: a power of two. */
export const PAST: usize = 16;
/** Sixteenths of a bit that are ordinary. */
const ORDINARY: u32 = 48;
/** Values until a view says anything. */
const FEW: u32 = 16;
/** Sixteenths of a bit a doubling, over ln 2. */
const PER_DOUBLING: f32 = 46.1662414;
/** Distances are in eighths of the range that three quarters of the values have. */
const PARTS: f32 = 8;
const FARTHEST: f32 = 1048576;
const NAN: f32 = f32.NaN;

/** A view: values as they came, `kept` f32, and the same in order, behind this. */
@unmanaged
class View {
  count: u32;
  at: u32; // where the next goes
}

// @ts-ignore: decorator
@inline
export function viewBytes(kept: u32): usize {
  return offsetof<View>() + (<usize>kept << 3);
}

// @ts-ignore: decorator
@inline
function viewAt(p: Plan, i: usize): usize {
  return <usize>p.values + i * viewBytes(p.kept);
}

/** Whether values are in order, and numbers. */
export function isView(view: usize, kept: u32): bool {
  const v = changetype<View>(view);
  if (v.count > kept || (v.count < kept ? v.at != v.count : v.at >= kept)) return false;
  const sorted = view + offsetof<View>() + (<usize>kept << 2);
  let least = -f32.MAX_VALUE;
  for (let i: usize = 0; i < <usize>v.count; ++i) {
    const value = load<f32>(sorted + (i << 2));
    if (!(value >= least && value <= f32.MAX_VALUE)) return false;
    least = value;
  }
  return true;
}

/** Scores the row at plan.input: views at plan.found (4 · columns) f32, their bits behind them. @returns the sum of what is not ordinary */
export function scoreRow(p: Plan): u32 {
  const columns = <usize>p.columns;
  const found = <usize>p.found;
  const bits = found + ((columns * VIEWS) << 2);
  let sum: u32 = 0;
  for (let column: usize = 0; column < columns; ++column) {
    const at = found + ((column * VIEWS) << 2);
    look(p, column, at);
    let own: u32 = 0;
    for (let view: usize = 0; view < VIEWS; ++view) {
      const surprise = farOut(viewAt(p, column * VIEWS + view), p.kept, load<f32>(at + (view << 2)));
      own += surprise > ORDINARY ? surprise - ORDINARY : 0;
    }
    store<u32>(bits + (column << 2), own);
    sum += own;
  }
  p.parts = p.columns;
  p.bits = sum;
  return sum;
}

/** Remembers the row for the changes of those to come. */
export function rememberRow(p: Plan): void {
  const columns = <usize>p.columns;
  const row = <usize>p.past + (((<usize>p.rows & (PAST - 1)) * columns) << 2);
  for (let i: usize = 0; i < columns; ++i) store<f32>(row + (i << 2), finite(load<f32>(<usize>p.input + (i << 2))));
}

/** The value, or the one NaN whose bits are the same on every machine. */
// @ts-ignore: decorator
@inline
function finite(value: f32): f32 {
  return abs<f32>(value) <= f32.MAX_VALUE ? value : NAN;
}

/** The views of a column, (4) f32 at `out`; NaN where there is none. */
function look(p: Plan, column: usize, out: usize): void {
  const given = load<f32>(<usize>p.input + (column << 2));
  const value = finite(given);
  store<f32>(out, value);
  store<f32>(out, finite(value - past(p, column, 1)), 4);
  store<f32>(out, finite(value - past(p, column, 6)), 8);
  let least = value;
  let most = value;
  for (let rows: usize = 1; rows < 12; ++rows) {
    const other = past(p, column, rows);
    if (other < least) least = other; // false where there is none
    if (other > most) most = other;
  }
  store<f32>(out, finite(most - least), 12);
}

function past(p: Plan, column: usize, rows: usize): f32 {
  if (<usize>p.rows < rows) return NAN;
  const row = (<usize>p.rows - rows) & (PAST - 1);
  return load<f32>(<usize>p.past + ((row * <usize>p.columns + column) << 2));
}

/** Sixteenths of a bit. */
function farOut(view: usize, kept: u32, value: f32): u32 {
  const count = changetype<View>(view).count;
  if (count < FEW || value != value) return 0;
  const sorted = view + offsetof<View>() + (<usize>kept << 2);
  const least = load<f32>(sorted);
  const most = load<f32>(sorted + (<usize>(count - 1) << 2));
  const below = placeOf(sorted, count, value, false);
  const notAbove = placeOf(sorted, count, value, true);
  const out = min<u32>(notAbove, count - below);
  const share = <f32>((out << 1) + 1) / <f32>(count + 1);
  const inside = bitsOf(share);
  if (value >= least && value <= most) return inside;
  const distance = value < least ? least - value : value - most;
  const parts = min<f32>(FARTHEST, PARTS * (distance / widthOf(sorted, count))); // never ∞ / ∞: range and distance are not both beyond f32
  return inside + <u32>(PER_DOUBLING * logOf(1 + parts));
}

/** What distances are measured by: the range of the middle three quarters, or of all, or a share of the value where all are alike. */
function widthOf(sorted: usize, count: u32): f32 {
  const low = load<f32>(sorted + (<usize>(count >> 3) << 2));
  const high = load<f32>(sorted + (<usize>((count * 7) >> 3) << 2));
  if (high > low) return high - low;
  const least = load<f32>(sorted);
  const whole = load<f32>(sorted + (<usize>(count - 1) << 2)) - least;
  return whole > 0 ? whole : max<f32>(0.001, abs<f32>(least) * 0.125);
}

/** How many of the sorted values are below `value`, or not above it. */
function placeOf(sorted: usize, count: u32, value: f32, orAlike: bool): u32 {
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = load<f32>(sorted + (<usize>middle << 2));
    if (other < value || (orAlike && other == value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is learned of the row that was scored: its views, (4 · columns) f32 at `out`. @returns how many */
export function rowLesson(p: Plan, out: usize): u32 {
  const count = <usize>p.columns * VIEWS;
  for (let i: usize = 0; i < count; ++i) store<f32>(out + (i << 2), load<f32>(<usize>p.found + (i << 2)));
  return <u32>count;
}

export function learnRow(p: Plan, lesson: usize, count: u32): void {
  for (let i: usize = 0; i < <usize>count; ++i) {
    const value = load<f32>(lesson + (i << 2));
    if (value == value) keepValue(viewAt(p, i), p.kept, value);
  }
}

/** Puts a value in the place of the oldest, and in its order. */
function keepValue(view: usize, kept: u32, value: f32): void {
  const v = changetype<View>(view);
  const came = view + offsetof<View>() + (<usize>v.at << 2);
  const sorted = view + offsetof<View>() + (<usize>kept << 2);
  let hole = v.count;
  // a state from elsewhere may have other values in order than those that came
  if (v.count == kept) hole = min<u32>(kept - 1, placeOf(sorted, kept, load<f32>(came), false));
  else ++v.count;
  store<f32>(came, value);
  v.at = v.at + 1 == kept ? 0 : v.at + 1;
  // the hole moves to where the value belongs
  for (; hole > 0 && load<f32>(sorted + (<usize>(hole - 1) << 2)) > value; --hole) move(sorted, hole - 1, hole);
  for (; hole + 1 < v.count && load<f32>(sorted + (<usize>(hole + 1) << 2)) < value; ++hole) move(sorted, hole + 1, hole);
  store<f32>(sorted + (<usize>hole << 2), value);
}

// @ts-ignore: decorator
@inline
function move(sorted: usize, from: u32, to: u32): void {
  store<f32>(sorted + (<usize>to << 2), load<f32>(sorted + (<usize>from << 2)));
}
