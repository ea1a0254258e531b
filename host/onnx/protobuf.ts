/**
 * The wire format of protocol buffers, as far as an ONNX file needs it: whole numbers and what has a length. A message is a list of parts,
 * joined once at the end, so that weights are not copied at each level that they are nested in.
 *
 * Written here, as a library of it is ten times this size and what runs a model imports no package.
 *
 * ```ts
 * joined(nested(7, [...text(2, "network"), ...integer(5, 1)])); // field 7 is a message with two fields
 * ```
 *
 * Source: Protocol Buffers, "Encoding".
 */
import { leb128 } from "../bytes.ts";

/** Bytes in order. */
export type Parts = readonly Uint8Array[];

const VARINT = 0;
const LENGTH = 2;

/** A field with a whole number of 0 or more. */
export function integer(field: number, value: number): Parts {
  return [Uint8Array.from([...leb128(8 * field + VARINT), ...leb128(value)])];
}

/** A field with a message, or with bytes. */
export function nested(field: number, parts: Parts): Parts {
  return [Uint8Array.from([...leb128(8 * field + LENGTH), ...leb128(lengthOf(parts))]), ...parts];
}

/** A field with a text. */
export function text(field: number, value: string): Parts {
  return nested(field, [new TextEncoder().encode(value)]);
}

export function joined(parts: Parts): Uint8Array {
  const bytes = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function lengthOf(parts: Parts): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
