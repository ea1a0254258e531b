// Random matches of history attention, and what is counted of them by definition.
import { listMatch, Matches, MATCHES_BYTES, weightOf } from "../history/matches";
import { MATCH_LENGTH, MOST_MATCHES, V } from "../shape";
import { below } from "./support";

/** Matches that a spec writes at the most. */
export const MOST: i32 = 16;
const RECORD = memory.data(MATCHES_BYTES + 16, 16);
export const matches = changetype<Matches>(RECORD);
/** Behind the record, in the order that it promises. */
export const LIST: usize = RECORD + 16;
export const TOTALS: usize = LIST + MOST_MATCHES * 4;
export const DISTINCT: usize = TOTALS + MATCH_LENGTH * 4;
export const SEEN: usize = DISTINCT + MATCH_LENGTH * 4;

export const lengths = new StaticArray<i32>(MOST);
export const followers = new StaticArray<i32>(MOST);

/** An empty list. */
export function clearMatches(): void {
  matches.count = 0;
  memory.fill(TOTALS, 0, MATCH_LENGTH * 4);
}

/** n matches of lengths up to `longest`, with their totals. */
export function writeMatches(n: i32, longest: i32): void {
  clearMatches();
  for (let i = 0; i < n; ++i) {
    lengths[i] = i == 0 ? longest : 1 + below(longest);
    followers[i] = below(6); // few, so that several matches agree
    listMatch(lengths[i], followers[i], 1 + below(60000), matches);
  }
}

/** Matches of length l + 1 or more, or those of them that `token` followed. */
export function count(l: i32, token: i32): i32 {
  let n = 0;
  for (let i = 0; i < matches.count; ++i) if (lengths[i] > l && (token < 0 || followers[i] == token)) ++n;
  return n;
}

/** Weights of the matches of length l + 1 or more, or of those that `token` followed. */
export function weight(l: i32, token: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < matches.count; ++i) {
    if (lengths[i] > l && (token < 0 || followers[i] == token)) sum += <f64>weightOf(load<u32>(LIST + ((<usize>i) << 2)));
  }
  return sum;
}

/** Tokens that followed a match of length l + 1 or more. */
export function distinctOf(l: i32): i32 {
  let n = 0;
  for (let v = 0; v < V; ++v) if (count(l, v) > 0) ++n;
  return n;
}

/** The bucket by its definition. */
export function denseBucket(total: i32, distinct: i32): i32 {
  let many = 7;
  if (total <= 64) many = 6;
  if (total <= 16) many = 5;
  if (total <= 8) many = 4;
  if (total <= 4) many = total - 1;
  if (distinct == 1) return many * 4;
  if (distinct == total) return many * 4 + 3;
  return many * 4 + (<f64>distinct <= <f64>total / 2 ? 1 : 2);
}

export function bucketAt(l: i32): i32 {
  return denseBucket(count(l, -1), distinctOf(l));
}
