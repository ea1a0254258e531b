/** A module with data: what its memory holds from its first moment on. */
import { joined, leb128 } from "../bytes.ts";

const DATA_SECTION = 11;

/** Bytes, and the address that they are for. */
export type Segment = readonly [address: number, bytes: Uint8Array];

/** A module, which has no data section yet, with active segments. */
export function withData(module: Uint8Array, segments: readonly Segment[]): Uint8Array {
  if (segments.length === 0) return module;
  const I32_CONST = 0x41;
  const END = 0x0b;
  const parts = segments.flatMap(([address, bytes]) => [
    Uint8Array.of(0, I32_CONST, ...signed(address), END, ...leb128(bytes.length)),
    bytes,
  ]);
  const many = leb128(segments.length);
  const length = parts.reduce((sum, part) => sum + part.length, many.length);
  return joined(module, Uint8Array.of(DATA_SECTION, ...leb128(length), ...many), ...parts);
}

/** Signed LEB128 of a number ≥ 0: the last byte's bit 6 is its sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value % 0x80) | 0x80, ...signed(Math.floor(value / 0x80))];
}
