/** Bytes and the characters that stand for them in a vocabulary file. */
import { SaffuError } from "../errors.ts";

/** The printable character of each byte (GPT-2, `bytes_to_unicode`): itself where it is visible, else the next one from U+0100 on. */
const CHARACTER: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(visible ? byte : next++);
  });
})();
const BYTE = new Map(CHARACTER.map((character, byte) => [character, byte]));

/** The vocabulary entry that spells `bytes`. */
export function spell(bytes: Uint8Array): string {
  let entry = "";
  for (const byte of bytes) entry += CHARACTER[byte]!;
  return entry;
}

/** The bytes that a vocabulary entry spells, or undefined where it is empty or holds a character that stands for no byte. */
export function unspell(entry: string): Uint8Array | undefined {
  const bytes = new Uint8Array(entry.length);
  for (let i = 0; i < entry.length; ++i) {
    const byte = BYTE.get(entry[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes.length > 0 ? bytes : undefined;
}

/**
 * The bytes of a text: a string's UTF-8 (lone surrogates as U+FFFD), or the bytes themselves, not copied.
 *
 * @throws SaffuError INVALID_TEXT where it is neither a string nor a view of bytes
 */
export function bytesOfText(text: string | Uint8Array): Uint8Array {
  if (typeof text === "string") return new TextEncoder().encode(text);
  // not instanceof: the bytes may come from another realm
  if (ArrayBuffer.isView(text) && text[Symbol.toStringTag] === "Uint8Array") return text;
  throw new SaffuError(
    "INVALID_TEXT",
    `a text must be a string, a Uint8Array, or ids in a Uint16Array where they are taken, got ${nameOf(text)}`,
  );
}

/** What a value is called in a message: a kind of array by its name. */
function nameOf(value: unknown): string {
  return ArrayBuffer.isView(value) ? String(value[Symbol.toStringTag as never]) : typeof value;
}
