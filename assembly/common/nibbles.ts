// Rows of codes of four bits: those of columns 2c and 2c + 1 in one byte, the first in the low bits.

/** The code of column c. */
// @ts-ignore: decorator
@inline
export function codeAt(codes: usize, c: usize): usize {
  return (<usize>load<u8>(codes + (c >> 1)) >> ((c & 1) << 2)) & 15;
}
