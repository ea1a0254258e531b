// Lines of text (ours; hashed features: Weinberger, Dasgupta, Langford, Smola & Attenberg 2009): every word is a feature, and so is every pair of
// neighbours. In a word each run of digits counts as one "0", so that what is counted in a line does not make it another; letters count
// as small ones. Bytes above 127 are letters. The line's number of words is a feature, too.
import { spread } from "../common/hash";
import { Plan } from "./plan";

/** plan.a most bytes of a line; b features, as a power of two; c most words. The input is (u32) bytes, then the bytes. */
const LENGTHS: u32 = 16;
/** What hashes of words and pairs begin from. */
const WORD: u32 = 0x811c9dc5;
const PAIR: u32 = 0x3c6ef372;

/** Active features of the line at plan.input. */
export function encodeLine(p: Plan): u32 {
  const length = min<u32>(load<u32>(<usize>p.input), p.a);
  const text = <usize>p.input + 4;
  const shift = 32 - p.b;
  let out = <usize>p.codes;
  let words: u32 = 0;
  let before: u32 = 0;
  let hash = WORD;
  let inside = false;
  let digit = false;
  for (let i: u32 = 0; i <= length && words < p.c; ++i) {
    let byte: u32 = i < length ? load<u8>(text + <usize>i) : 32;
    if (byte - 65 < 26) byte += 32;
    const number = byte - 48 < 10;
    if (number || byte - 97 < 26 || byte > 127 || byte == 95) {
      if (!(number && digit)) hash = (hash ^ (number ? 48 : byte)) * 0x01000193; // FNV-1a
      inside = true;
      digit = number;
      continue;
    }
    digit = false;
    if (!inside) continue;
    store<u16>(out, <u16>(spread(hash) >> shift));
    store<u16>(out, <u16>(spread((before ^ PAIR) * 0x9e3779b1 + hash) >> shift), 2);
    out += 4;
    before = hash;
    hash = WORD;
    inside = false;
    ++words;
  }
  store<u16>(out, <u16>((<u32>1 << p.b) + min<u32>(words, LENGTHS - 1)));
  return <u32>((out + 2 - <usize>p.codes) >> 1);
}
