// Sums of u32 that are never wrapped: what would pass an end is refused before anything changes.

/** A sum xor this is the room that there is for what is added to it, or taken from it: above, what its complement holds. */
// @ts-ignore: decorator
@inline
export function flipOf(add: i32): u32 {
  return <u32>-i32(add > 0);
}

/**
 * Adds `n` sums of another device, staged as u32 at `values`, to those that begin at `sums`, or takes them away: all of them, or none
 * where one would leave 0..2^32 − 1. Without `commit` it only looks.
 *
 * @param add 1 or -1
 */
export function mergeSums(values: usize, n: usize, add: i32, sums: usize, commit: bool): bool {
  const flip = flipOf(add);
  for (let writes = 0; writes <= i32(commit); ++writes) {
    for (let at: usize = 0; at < n << 2; at += 4) {
      const sum = load<u32>(sums + at);
      const value = load<u32>(values + at);
      if (writes != 0) store<u32>(sums + at, sum + add * value);
      else if (value > (sum ^ flip)) return false;
    }
  }
  return true;
}
