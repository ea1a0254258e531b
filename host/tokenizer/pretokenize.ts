/**
 * GPT-2's split of a text into pieces; no token ever crosses the border of a piece.
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+       (JavaScript, flag u)
 *
 * Done by hand on bytes, because a stream has to know where later bytes could still move a border, and because bytes need not
 * be UTF-8: each byte that is not part of a well-formed character counts as a symbol (what Python's "surrogateescape" makes of
 * it, a lone surrogate, belongs to that class too). Letters, numbers and white space are those of the runtime's Unicode.
 */

// a class and a length of 1 to 4 bytes are packed as length · 4 + class; 0 stands for a character whose end has not come yet
const SPACE = 0;
const LETTER = 1;
const NUMBER = 2;
const SYMBOL = 3;
const NOT_YET = 0;
const pack = (length: number, kind: number) => length * 4 + kind;

const APOSTROPHE = 0x27;
const BLANK = 0x20;

function classOf(point: number): number {
  const character = String.fromCodePoint(point);
  if (/\p{L}/u.test(character)) return LETTER;
  if (/\p{N}/u.test(character)) return NUMBER;
  return /\s/u.test(character) ? SPACE : SYMBOL;
}

const ASCII = Uint8Array.from({ length: 128 }, (_, point) => pack(1, classOf(point)));

/** Classes of U+0000 to U+FFFF, plus one; filled as characters are met. */
let known: Uint8Array | undefined;

function wideClassOf(point: number): number {
  if (point > 0xffff) return classOf(point);
  known ??= new Uint8Array(0x10000);
  if (known[point] === 0) known[point] = classOf(point) + 1;
  return known[point]! - 1;
}

/** Length and class of the character at `at` < `end`, packed. With `final`, nothing follows `end`. */
function characterAt(bytes: Uint8Array, at: number, end: number, final: boolean): number {
  const lead = bytes[at]!;
  return lead < 0x80 ? ASCII[lead]! : wideCharacterAt(bytes, at, end, final);
}

/** Well-formed UTF-8 is that of the Unicode standard, table 3-7: nothing overlong, no surrogates, nothing above U+10FFFF. */
function wideCharacterAt(bytes: Uint8Array, at: number, end: number, final: boolean): number {
  const lead = bytes[at]!;
  const length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  if (length === 1) return pack(1, SYMBOL);
  let point = lead & (0x7f >> length);
  for (let i = 1; i < length; ++i) {
    if (at + i >= end) return final ? pack(1, SYMBOL) : NOT_YET;
    const byte = bytes[at + i]!;
    const least = i > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = i > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < least || byte > most) return pack(1, SYMBOL);
    point = (point << 6) | (byte & 0x3f);
  }
  return pack(length, wideClassOf(point));
}

/**
 * End of the piece that begins at `start`, looking no further than `end`. With `final` the text ends there; without, more may
 * follow, and −1 says that it could change this piece.
 */
export function pieceEnd(bytes: Uint8Array, start: number, end: number, final: boolean): number {
  if (start >= end) return -1;
  let character = characterAt(bytes, start, end, final);
  if (character === NOT_YET) return -1;
  if (bytes[start] === APOSTROPHE) {
    const length = contractionLength(bytes, start + 1, end);
    if (length < 0 && !final) return -1;
    if (length > 0) return start + 1 + length;
  }
  let at = start + (character >> 2);
  if ((character & 3) === SPACE) {
    // a blank joins what follows it
    if (bytes[start] !== BLANK || at >= end) return spaceEnd(bytes, start, end, final);
    character = characterAt(bytes, at, end, final);
    if (character === NOT_YET) return -1;
    if ((character & 3) === SPACE) return spaceEnd(bytes, start, end, final);
    at += character >> 2;
  }
  const kind = character & 3;
  while (at < end) {
    character = characterAt(bytes, at, end, final);
    if (character === NOT_YET) return -1;
    if ((character & 3) !== kind) return at;
    at += character >> 2;
  }
  return final ? at : -1;
}

/** White space up to the end of the text, or else all of its run but the last character, which is left to what follows. */
function spaceEnd(bytes: Uint8Array, start: number, end: number, final: boolean): number {
  let at = start;
  let last = start;
  while (at < end) {
    const character = characterAt(bytes, at, end, final);
    if (character === NOT_YET) return -1;
    if ((character & 3) !== SPACE) return last > start ? last : at;
    last = at;
    at += character >> 2;
  }
  return final ? at : -1;
}

/** Length of s, t, re, ve, m, ll or d at `at`; 0 where none of them stands there, −1 where the text ends too early to tell. */
function contractionLength(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = String.fromCharCode(bytes[at]!);
  if ("stmd".includes(first)) return 1;
  if (!"rvl".includes(first)) return 0;
  if (at + 1 >= end) return -1;
  return bytes[at + 1] === (first === "l" ? 0x6c : 0x65) ? 2 : 0;
}

/**
 * Length of the longest settled prefix of a text that may go on: cut off there, prefix and rest fall into the same pieces as
 * the whole.
 */
export function settledLength(bytes: Uint8Array): number {
  let settled = 0;
  for (let at = 0, next = 0; ; at = next) {
    next = pieceEnd(bytes, at, bytes.length, false);
    if (next < 0) return settled;
    // white space at the end of a text is one piece, before a word it can be two: never cut after it
    if (!isWhiteSpace(bytes, at, next)) settled = next;
  }
}

/** Whether the piece from `at` to `end` is all white space: begins with it, and not as a blank that joins a word. */
function isWhiteSpace(bytes: Uint8Array, at: number, end: number): boolean {
  if ((characterAt(bytes, at, end, true) & 3) !== SPACE) return false;
  return bytes[at] !== BLANK || at + 1 === end || (characterAt(bytes, at + 1, end, true) & 3) === SPACE;
}
