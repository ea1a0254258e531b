/**
 * Bytes and the strings that stand for them: GPT-2's printable character for each byte, and UTF-8 in which a byte that is not
 * valid becomes a lone surrogate (as Python's "surrogateescape" does), so that any bytes survive the way there and back.
 */

/** Code point that stands for each byte in a vocabulary file (GPT-2, `bytes_to_unicode`). */
const PRINTABLE: readonly number[] = (() => {
  const points: number[] = [];
  let next = 256;
  for (let byte = 0; byte < 256; ++byte) {
    const visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    points.push(visible ? byte : next++);
  }
  return points;
})();
const BYTE_OF = new Map(PRINTABLE.map((point, byte) => [String.fromCharCode(point), byte]));

/** The vocabulary entry that spells `bytes`. */
export function spell(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(PRINTABLE[byte]!)).join("");
}

/** The bytes that a vocabulary entry spells, or undefined where it holds a character that stands for none. */
export function unspell(entry: string): Uint8Array | undefined {
  const bytes = new Uint8Array(entry.length);
  for (let i = 0; i < entry.length; ++i) {
    const byte = BYTE_OF.get(entry[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** Where the escaped bytes begin: byte 0x80 is U+DC80. */
const ESCAPE = 0xdc00;

/**
 * Text of `bytes`, strict UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF); every other byte becomes
 * U+DC00 + byte.
 */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return escapedText(bytes);
  }
}

function escapedText(bytes: Uint8Array): string {
  const parts: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let from = 0; // start of a run of whole characters
  let at = 0;
  const flush = () => {
    if (at > from) parts.push(decoder.decode(bytes.subarray(from, at)));
  };
  while (at < bytes.length) {
    const length = characterLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    flush();
    parts.push(String.fromCharCode(ESCAPE + bytes[at]!));
    from = ++at;
  }
  flush();
  return parts.join("");
}

/** Length of the well-formed character at `at`, or 0 (Unicode 15, table 3-7). */
function characterLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; ++i) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

/** How many of the last bytes may be the beginning of a character that is not whole yet, 0 to 3. */
export function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); ++back) {
    const byte = bytes[bytes.length - back]!;
    if (byte >= 0xc2 && byte < 0xf5) return characterLength(bytes, bytes.length - back) > 0 ? 0 : back;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** The bytes of a text of textOf: escaped bytes as they were, other lone surrogates as U+FFFD. */
export function bytesOfText(text: string): Uint8Array {
  // every escaped byte is one UTF-16 unit, so 3 bytes a unit always suffice
  const out = new Uint8Array(text.length * 3);
  let length = 0;
  const encoder = new TextEncoder();
  let from = 0;
  for (let i = 0; i <= text.length; ++i) {
    const unit = i < text.length ? text.charCodeAt(i) : -1;
    const paired = i > 0 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800;
    const escaped = unit >= 0xdc80 && unit <= 0xdcff && !paired;
    if (!escaped && i < text.length) continue;
    if (i > from) length += encoder.encodeInto(text.slice(from, i), out.subarray(length)).written;
    if (escaped) out[length++] = unit - ESCAPE;
    from = i + 1;
  }
  return out.subarray(0, length);
}
