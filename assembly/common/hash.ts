// Hashes that choose what of an expectation is cut, and where features of text fall.

/** The hash of a piece that goes on with `token`; 0 is that of none. */
export function hashOn(hash: u32, token: u32): u32 {
  const mixed = (hash ^ (token + 1)) * 0x9e3779b1; // multiplicative: Knuth, The Art of Computer Programming 3, 6.4
  return mixed ^ (mixed >> 15);
}

/** Bits that depend on all of a hash, the lowest as well. */
export function spread(hash: u32): u32 {
  const mixed = hash * 0x85ebca6b;
  return mixed ^ (mixed >> 16);
}
