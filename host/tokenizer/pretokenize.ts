/**
 * The split of a text into pieces; no token ever crosses the border of a piece. There are three:
 *
 *     '(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+       GPT-2's
 *     the same with marks as letters, no run longer than LONGEST characters            of tokenizers that are trained here
 *     the same with each newline a piece of its own                                    of those where lines are messages
 *
 * Done by hand on bytes, because a stream has to know where later bytes could still move a border, and because bytes need not
 * be UTF-8: each byte that is not part of a well-formed character counts as a symbol (what Python's "surrogateescape" makes of
 * it, a lone surrogate, belongs to that class too). Classes are those of unicode.ts.
 */
import { classOf, LETTER, MARK, SPACE, SYMBOL } from "./unicode.ts";

/** One way to split. */
export interface Split {
  /** What marks count as: LETTER or SYMBOL. */
  readonly marks: number;
  /** Most characters of a piece, but for the blank that it may begin with. */
  readonly longest: number;
  /** Whether a newline is always a piece of its own. */
  readonly lines: boolean;
}

/** Of files that name no other: GPT-2's. */
export const GPT2: Split = { marks: SYMBOL, longest: Number.POSITIVE_INFINITY, lines: false };

/** Most characters of a piece where a tokenizer is trained here. */
const LONGEST = 64;
/** Marks belong to the letters that they stand on; a text without borders has borders all the same. */
export const CAPPED: Split = { marks: LETTER, longest: LONGEST, lines: false };
/** The same with each newline by itself, so that no token is of two lines. */
export const LINES: Split = { ...CAPPED, lines: true };

const RUN = `{1,${LONGEST}}`;
const pattern = (...spaces: readonly string[]) =>
  [
    "'(?:s|t|re|ve|m|ll|d)",
    ` ?[\\p{L}\\p{M}]${RUN}`,
    ` ?\\p{N}${RUN}`,
    ` ?[^\\p{White_Space}\\p{L}\\p{M}\\p{N}]${RUN}`,
    ...spaces,
  ].join("|");
/** Splits as regular expressions: of Oniguruma (Hugging Face's library), of JavaScript (flag u), of Rust's regex. */
export const PATTERNS: ReadonlyMap<Split, string> = new Map([
  [CAPPED, pattern(`\\p{White_Space}${RUN}(?!\\P{White_Space})`, `\\p{White_Space}${RUN}`)],
  [LINES, pattern("\\n", `[^\\P{White_Space}\\n]${RUN}(?!\\P{White_Space})`, `[^\\P{White_Space}\\n]${RUN}`)],
]);

// a class and a length of 1 to 4 bytes are packed as length · 8 + class; 0 stands for a character whose end has not come yet
const NOT_YET = 0;
const pack = (length: number, kind: number) => length * 8 + kind;

const APOSTROPHE = 0x27;
const BLANK = 0x20;
const NEWLINE = 0x0a;

const ASCII = Uint8Array.from({ length: 128 }, (_, point) => pack(1, classOf(point)));

/** Length and class of the character at `at` < `end`, packed. With `final`, nothing follows `end`. */
function characterAt({ marks }: Split, bytes: Uint8Array, at: number, end: number, final: boolean): number {
  const lead = bytes[at]!;
  return lead < 0x80 ? ASCII[lead]! : wideCharacterAt(marks, bytes, at, end, final);
}

/** Well-formed UTF-8 is that of the Unicode standard, table 3-7: nothing overlong, no surrogates, nothing above U+10FFFF. */
function wideCharacterAt(marks: number, bytes: Uint8Array, at: number, end: number, final: boolean): number {
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
  const kind = classOf(point);
  return pack(length, kind === MARK ? marks : kind);
}

/** How far a piece was looked through when it did not end: where to go on. */
export interface Scan {
  /** Behind the last character that belongs to it; 0 where nothing is known of the piece. */
  at: number;
  /** Where that character begins. */
  last: number;
  /** Characters so far, but for a blank that joins them. */
  count: number;
}

/**
 * End of the piece that begins at `start`, looking no further than `end`. With `final` the text ends there; without, more may
 * follow, and −1 says that it could change this piece.
 *
 * @param scan what an earlier call for the same piece, with fewer bytes, has left; changed where the answer is −1
 */
export function pieceEnd(
  split: Split,
  bytes: Uint8Array,
  start: number,
  end: number,
  final: boolean,
  scan?: Scan,
): number {
  if (start >= end) return -1;
  if (split.lines && bytes[start] === NEWLINE) return start + 1;
  let character = characterAt(split, bytes, start, end, final);
  if (character === NOT_YET) return -1;
  if (bytes[start] === APOSTROPHE) {
    const length = contractionLength(bytes, start + 1, end);
    if (length < 0 && !final) return -1;
    if (length > 0) return start + 1 + length;
  }
  let first = start;
  let at = start + (character >> 3);
  if ((character & 7) === SPACE && bytes[start] === BLANK && at < end) {
    // a blank joins what follows it
    const next = characterAt(split, bytes, at, end, final);
    if (next === NOT_YET) return -1;
    if ((next & 7) !== SPACE) {
      character = next;
      first = at;
      at += next >> 3;
    }
  }
  const kind = character & 7;
  let last = first;
  let count = 1;
  if (scan !== undefined && scan.at > at) ({ at, last, count } = scan);
  while (at < end && count < split.longest) {
    character = characterAt(split, bytes, at, end, final);
    if (character === NOT_YET) break;
    if (split.lines && bytes[at] === NEWLINE) return at;
    // white space before a word leaves its last character to what follows
    if ((character & 7) !== kind) return kind === SPACE && last > start ? last : at;
    last = at;
    at += character >> 3;
    ++count;
  }
  if (count === split.longest) {
    if (kind !== SPACE) return at;
    const next = at < end ? characterAt(split, bytes, at, end, final) : NOT_YET;
    if (next !== NOT_YET) return (next & 7) === SPACE || last === start ? at : last;
  }
  if (final) return at;
  if (scan !== undefined) {
    scan.at = at;
    scan.last = last;
    scan.count = count;
  }
  return -1;
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
 *
 * @param scan of the piece that the text begins with, from an earlier call with fewer bytes; changed where nothing is settled
 */
export function settledLength(split: Split, bytes: Uint8Array, scan?: Scan): number {
  let settled = 0;
  for (let at = 0, next = 0; ; at = next) {
    next = pieceEnd(split, bytes, at, bytes.length, false, at === 0 ? scan : undefined);
    if (next < 0) return settled;
    if (!isOpen(split, bytes, at, next)) settled = next;
  }
}

/**
 * Whether the piece from `at` to `end` is white space that would be longer if the text ended there: all white space at the end of
 * a text is one piece, before a word it can be two.
 */
function isOpen(split: Split, bytes: Uint8Array, at: number, end: number): boolean {
  if (split.lines && bytes[at] === NEWLINE) return false;
  let count = 0;
  for (let i = at; i < end; ++count) {
    const character = characterAt(split, bytes, i, end, true);
    if ((character & 7) !== SPACE) return false;
    i += character >> 3;
  }
  return count < split.longest;
}
