// The words of a line (ours): runs of letters, digits, "_" and bytes above 127, where letters count as small ones. What changes from line to line is
// masked: a run of digits in a word counts as one "0"; a word of hexadecimal digits, also of their letters alone in an address such as fe:80, a word that goes to and fro between letters and digits, and names of
// months and days are numbers, which are all alike.

/** What every number is, as a word. */
export const NUMBER: u32 = 0x6e756d00;
/** From so many changes between letters and digits on a word is an identifier, and a number, too; one that begins with a digit a change before. */
const CHANGES: u32 = 3;
const FNV: u32 = 0x811c9dc5;
const PRIME: u32 = 0x01000193;

/** A word: its hash, and its bytes in the line, [start, end). */
@unmanaged
export class Word {
  hash: u32;
  start: u32;
  end: u32;
}

/** Finds the words of the line at `text`: at most `most`, written from `out` on. Numbers that follow one another are one. @returns how many there are */
export function wordsOf(text: usize, length: u32, out: usize, most: u32): u32 {
  let count: u32 = 0;
  let before: u32 = 0;
  let i: u32 = 0;
  while (i < length && count < most) {
    let byte: u32 = load<u8>(text + <usize>i);
    if (!isWord(byte)) {
      ++i;
      continue;
    }
    const start = i;
    let hash = FNV;
    let hexadecimal = true;
    let digits = false;
    let changes: u32 = 0;
    let digit = byte - 48 < 10;
    const most = CHANGES - u32(digit);
    for (;;) {
      if (byte - 65 < 26) byte += 32;
      const number = byte - 48 < 10;
      if (number != digit) ++changes;
      if (!number || !digits || !digit) hash = (hash ^ (number ? 48 : byte)) * PRIME;
      if (number) digits = true;
      else if (byte - 97 > 5) hexadecimal = false;
      digit = number;
      if (++i == length) break;
      byte = load<u8>(text + <usize>i);
      if (!isWord(byte)) break;
    }
    const number = digits ? hexadecimal || changes >= most : hexadecimal && isPart(text, length, start, i);
    if (number || (i - start == 3 && isDate(hash))) hash = NUMBER;
    if (hash == NUMBER && before == NUMBER) {
      changetype<Word>(out - offsetof<Word>()).end = i;
      continue;
    }
    const word = changetype<Word>(out);
    word.hash = hash;
    word.start = start;
    word.end = i;
    out += offsetof<Word>();
    before = hash;
    ++count;
  }
  return count;
}

// @ts-ignore: decorator
@inline
function isWord(byte: u32): bool {
  return (byte | 32) - 97 < 26 || byte - 48 < 10 || byte > 127 || byte == 95;
}

/** Whether letters stand in an address: up to four hexadecimal ones, a colon beside them, and a hexadecimal digit beside that. */
function isPart(text: usize, length: u32, start: u32, end: u32): bool {
  if (end - start > 4) return false;
  if (end + 1 < length && load<u8>(text + <usize>end) == 58 && isHexadecimal(load<u8>(text + <usize>end, 1))) return true;
  return start > 1 && load<u8>(text + <usize>start - 1) == 58 && isHexadecimal(load<u8>(text + <usize>start - 2));
}

// @ts-ignore: decorator
@inline
function isHexadecimal(byte: u32): bool {
  return byte - 48 < 10 || (byte | 32) - 97 < 6;
}

/** Months and days of the week, in English, of three letters, as syslog and HTTP write them: by their hashes, January first. */
function isDate(hash: u32): bool {
  switch (hash) {
    case 0xe1edce0e:
    case 0xc502b3e2:
    case 0xdda2ec8b:
    case 0x216a8652:
    case 0xd6a2e186:
    case 0xe1bc3142:
    case 0xdfbc2e1c:
    case 0x3e63f834:
    case 0xca270d4f:
    case 0xaf475c49:
    case 0x27b19964:
    case 0xc25979d3:
    case 0xe99e8241:
    case 0x9828c985:
    case 0x11d9bfb7:
    case 0xa40e98ec:
    case 0xc3d7d148:
    case 0xd61c92d7:
    case 0xe04e3f61:
      return true;
    default:
      return false;
  }
}
