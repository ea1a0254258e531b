/** Well-formed UTF-8 byte by byte (the Unicode standard, table 3-7), as a machine of eight states. */

/** Between characters. */
export const WHOLE = 0;
export const STATES = 8;
/** No well-formed text goes on like this. */
const ILL_FORMED = -1;

/** The state after `byte`, or −1. 1, 2, 3: as many bytes are missing; 4 to 7: the same after E0, ED, F0, F4, which narrow the next. */
function next(state: number, byte: number): number {
  if (state === WHOLE) {
    if (byte < 0x80) return WHOLE;
    if (byte < 0xc2 || byte > 0xf4) return ILL_FORMED;
    if (byte < 0xe0) return 1;
    if (byte < 0xf0) return byte === 0xe0 ? 4 : byte === 0xed ? 5 : 2;
    return byte === 0xf0 ? 6 : byte === 0xf4 ? 7 : 3;
  }
  const least = state === 4 ? 0xa0 : state === 6 ? 0x90 : 0x80;
  const most = state === 5 ? 0x9f : state === 7 ? 0x8f : 0xbf;
  if (byte < least || byte > most) return ILL_FORMED;
  return state < 4 ? state - 1 : state < 6 ? 1 : 2;
}

/** The state after `bytes` from `state` on, or −1 where they are not well-formed. */
export function after(state: number, bytes: Uint8Array): number {
  for (const byte of bytes) {
    state = next(state, byte);
    if (state < 0) return state;
  }
  return state;
}

/**
 * The character at `at`. `point` −1 and one byte where none is well-formed there; `length` 0 where the bytes end inside it.
 */
export function characterAt(bytes: Uint8Array, at: number): { readonly point: number; readonly length: number } {
  const lead = bytes[at]!;
  if (lead < 0x80) return { point: lead, length: 1 };
  let state = next(WHOLE, lead);
  let length = 1;
  let point = lead & (lead < 0xe0 ? 0x1f : lead < 0xf0 ? 0x0f : 0x07);
  while (state > WHOLE) {
    if (at + length >= bytes.length) return { point: -1, length: 0 };
    const byte = bytes[at + length]!;
    state = next(state, byte);
    point = (point << 6) | (byte & 0x3f);
    ++length;
  }
  return state === WHOLE ? { point, length } : { point: -1, length: 1 };
}

/** Bytes at the end of any bytes that begin a character and do not end it: at most 3. */
export function unfinished(bytes: Uint8Array): Uint8Array {
  for (let length = 1; length <= Math.min(3, bytes.length); ++length) {
    const end = bytes.subarray(bytes.length - length);
    if (after(WHOLE, end) > WHOLE) return end;
  }
  return bytes.subarray(bytes.length);
}
