// The rank of a score among the last W (ours): a ring of them, and how many there are of each level in a Fenwick tree (Fenwick 1994), so that a rank is a
// dozen additions whatever W is.

/** Scores are whole sixteenths of a bit, below this. */
export const LEVELS: u32 = 4096;

@unmanaged
export class Ranks {
  ring: u32; // (window) u16
  tree: u32; // (LEVELS + 1) u32; entry i covers the lowest bit of i levels up to i
  window: u32; // W
  seen: u32; // scores in the ring
  at: u32; // where the next one goes
}

/** 1 + how many of the last scores are as high as `level`, or higher. */
export function rankOf(ranks: Ranks, level: u32): u32 {
  let below: u32 = 0;
  for (let i = level; i > 0; i &= i - 1) below += load<u32>(<usize>ranks.tree + (<usize>i << 2));
  return 1 + ranks.seen - below;
}

/** Puts a score in the place of the oldest. */
export function keepScore(ranks: Ranks, level: u32): void {
  const place = <usize>ranks.ring + (<usize>ranks.at << 1);
  if (ranks.seen == ranks.window) change(ranks, load<u16>(place), -1);
  else ++ranks.seen;
  store<u16>(place, <u16>level);
  change(ranks, level, 1);
  if (++ranks.at == ranks.window) ranks.at = 0;
}

/**
 * Whether the tree counts the scores in the ring: it does where nothing is left of it once they are taken out, and then they are put back; else what is left
 * is none.
 */
export function isTree(ranks: Ranks): bool {
  if (ranks.seen < ranks.window && ranks.at != ranks.seen) return false;
  for (let i: u32 = 0; i < ranks.seen; ++i) change(ranks, load<u16>(<usize>ranks.ring + (<usize>i << 1)), -1);
  for (let i: u32 = 0; i <= LEVELS; ++i) {
    if (load<u32>(<usize>ranks.tree + (<usize>i << 2)) != 0) return false;
  }
  for (let i: u32 = 0; i < ranks.seen; ++i) change(ranks, load<u16>(<usize>ranks.ring + (<usize>i << 1)), 1);
  return true;
}

function change(ranks: Ranks, level: u32, by: i32): void {
  for (let i = level + 1; i <= LEVELS; i += i & (0 - i)) {
    const at = <usize>ranks.tree + (<usize>i << 2);
    store<u32>(at, load<u32>(at) + by);
  }
}
