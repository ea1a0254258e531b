// Walks a layout in order of address.

let end: usize = 0;
let boundary: usize = 1;

/** Regions that reach into the one after them, and regions that stand off their boundary. */
export let overlapping: i32 = 0;
export let misaligned: i32 = 0;

/** Starts a walk at the layout's first address; a region may begin at multiples of `at` alone. */
export function walk(from: usize, at: usize): void {
  end = from;
  boundary = at;
  overlapping = 0;
  misaligned = 0;
}

/** The next region: n elements of so many bytes; of 4 or 8 where it has no boundary of its own. */
export function follows(at: usize, n: i32, size: i32, own: usize = boundary): void {
  if (at % own != 0) ++misaligned;
  if (at < end || at > <usize>i32.MAX_VALUE) ++overlapping; // the last: wrapped below zero
  end = at + <usize>(n * size);
}
