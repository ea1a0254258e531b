/** Bytes: one after the other, and numbers in them. */

/** Bytes one after the other; what is undefined is left out. */
export function joined(...parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + (part?.length ?? 0), 0));
  let at = 0;
  for (const part of parts) {
    if (part === undefined) continue;
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** LEB128 of a number ≥ 0. */
export function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...leb128(Math.floor(value / 0x80))];
}
