// Long matches as a spec offers them, one by one, and which of them are kept, by definition.
import { candidateFollower, candidateLength, Candidates, candidateOf } from "../history/candidates";
import { ABSENT, MOST_LONG, V } from "../shape";

/** Matches that a spec offers at the most. */
const MOST: i32 = 8192;
/** The record, the list, and of each length the last one's index. */
const RECORD = memory.data(16 + 8 * MOST_LONG + 24 + 16, 16);
export const candidates = changetype<Candidates>(RECORD);

const lengths = new StaticArray<i32>(MOST);
const followers = new StaticArray<i32>(MOST);
const befores = new StaticArray<i32>(MOST);
let offered = 0;
/** Of each that is kept, which of those that were offered it is. */
const kept = new StaticArray<i32>(MOST_LONG);
let count = 0;

/** Nothing is offered yet. */
export function offerNone(): void {
  offered = 0;
}

/** A match that has to be offered next. */
export function wantOffer(length: i32, follower: i32, before: i32): void {
  lengths[offered] = length;
  followers[offered] = follower;
  befores[offered++] = before;
}

/** Those that were offered, the longest of them: one that is longer stands where the one stood of the shortest that was offered last. */
function keep(): void {
  count = 0;
  for (let i = 0; i < offered; ++i) {
    if (followers[i] >= V) continue;
    if (count < MOST_LONG) {
      kept[count++] = i;
      continue;
    }
    let worst = 0;
    for (let slot = 1; slot < count; ++slot) {
      const shorter = lengths[kept[slot]] - lengths[kept[worst]];
      if (shorter < 0 || (shorter == 0 && kept[slot] > kept[worst])) worst = slot;
    }
    if (lengths[i] > lengths[kept[worst]]) kept[worst] = i;
  }
}

/** How much of the list, and of what is said of all, is not as wanted. */
export function wrongCandidates(): i32 {
  keep();
  if (candidates.count != <u32>count) return MOST_LONG;
  let n = 0;
  for (let slot = 0; slot < count; ++slot) {
    const i = kept[slot];
    const own = candidateOf(candidates, slot);
    if (candidateLength(candidates, slot) != <u32>lengths[i] || candidateFollower(candidates, slot) != <u32>followers[i]) ++n;
    if (<u32>(own >> 32) != <u32>befores[i]) ++n;
  }
  let longest = 0;
  let guess = <i32>ABSENT;
  for (let i = 0; i < offered; ++i) {
    if (followers[i] >= V || lengths[i] <= longest) continue;
    longest = lengths[i];
    guess = followers[i];
  }
  return n + i32(candidates.longest != <u32>longest) + i32(candidates.guess != <u32>guess);
}
