/** What the tokenizer's tests check against: the regular expression itself, Hugging Face's library, naive algorithms. */
import { Tokenizer as HuggingFace } from "@huggingface/tokenizers";
import fc from "fast-check";

/** Peer: the same file in Hugging Face's library. */
export function huggingFace(json: object): {
  encode: (text: string) => number[];
  decode: (tokens: ArrayLike<number>) => string;
} {
  const peer = new HuggingFace(JSON.parse(JSON.stringify(json)), {});
  return {
    encode: (text) => peer.encode(text).ids,
    decode: (tokens) => peer.decode(Array.from(tokens), { clean_up_tokenization_spaces: false }),
  };
}

/** Letters, marks and numbers of Unicode 17.0 that 16.0 does not have: the runtime may know them, the split does not. */
const NEWER =
  /[\u1acf-\u1add\u1ae0-\u1aeb\u088f\u0c5c\u0cdc\ua7ce-\ua7cf\ua7d2\ua7d4\ua7f1\u{10940}-\u{10959}\u{10ec5}-\u{10ec7}\u{10efa}-\u{10efb}\u{11b60}-\u{11b67}\u{11db0}-\u{11ddb}\u{11de0}-\u{11de9}\u{16ea0}-\u{16eb8}\u{16ebb}-\u{16ed3}\u{16ff2}-\u{16ff6}\u{187f8}-\u{187ff}\u{18d09}-\u{18d1e}\u{18d80}-\u{18df2}\u{1e6c0}-\u{1e6de}\u{1e6e0}-\u{1e6f5}\u{1e6fe}-\u{1e6ff}\u{2b73a}-\u{2b73f}\u{2cea2}-\u{2cead}\u{323b0}-\u{33479}]/u;
/** Whether the runtime's Unicode, which the regular expressions and the peer go by, may know a character that the split does not. */
export function isNewer(text: string): boolean {
  return NEWER.test(text);
}

/** GPT-2's split, as Hugging Face's library of Rust reads it: \s is White_Space there, and not JavaScript's. */
export const SPLIT =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
/** The split of tokenizers that are trained here. */
export const CAPPED_SPLIT =
  /'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}\p{M}]{1,64}| ?\p{N}{1,64}| ?[^\p{White_Space}\p{L}\p{M}\p{N}]{1,64}|\p{White_Space}{1,64}(?!\P{White_Space})|\p{White_Space}{1,64}/gu;
/** The same of lines that are messages. */
export const LINES_SPLIT =
  /\n|'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}\p{M}]{1,64}| ?\p{N}{1,64}| ?[^\p{White_Space}\p{L}\p{M}\p{N}]{1,64}|[^\P{White_Space}\n]{1,64}(?!\P{White_Space})|[^\P{White_Space}\n]{1,64}/gu;

/**
 * The pieces of any bytes: each byte that is not part of well-formed UTF-8 becomes a lone surrogate, U+DC00 + byte, the regular
 * expression splits the text, and the surrogates become their bytes again.
 */
export function splitBytes(bytes: Uint8Array, split: RegExp): Uint8Array[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    let length = 0;
    let character = "";
    while (character === "" && ++length <= Math.min(4, bytes.length - at)) {
      try {
        character = decoder.decode(bytes.subarray(at, at + length));
      } catch {}
    }
    if (isNewer(character)) character = length === 3 ? "\ufffe" : "\u{ffffd}"; // symbols of as many bytes
    text += character === "" ? String.fromCharCode(0xdc00 + bytes[at]!) : character;
    at += character === "" ? 1 : length;
  }
  const encoder = new TextEncoder();
  let from = 0;
  return (text.match(split) ?? []).map((piece) => {
    const length = Array.from(piece).reduce((sum, character) => {
      const point = character.codePointAt(0)!;
      return sum + (point >= 0xdc80 && point <= 0xdcff ? 1 : encoder.encode(character).length);
    }, 0);
    from += length;
    return bytes.slice(from - length, from);
  });
}

/** BPE training that counts everything again for each merge. */
export function trainNaively(bytes: Uint8Array, vocabulary: number, least = 2): [left: number, right: number][] {
  let words = splitBytes(bytes, CAPPED_SPLIT).map((piece) => Array.from(piece));
  const merges: [number, number][] = [];
  while (256 + merges.length < vocabulary) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; ++i) {
        const pair = `${word[i]} ${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const [best] = Array.from(counts, ([pair, count]) => [...pair.split(" ").map(Number), count] as number[])
      .filter((row) => row[2]! >= least)
      .sort((a, b) => b[2]! - a[2]! || a[0]! - b[0]! || a[1]! - b[1]!);
    if (best === undefined) break;
    const token = 256 + merges.length;
    merges.push([best[0]!, best[1]!]);
    words = words.map((word) => {
      const merged: number[] = [];
      for (let i = 0; i < word.length; ++i) {
        if (word[i] === best[0] && word[i + 1] === best[1]) {
          merged.push(token);
          ++i;
        } else merged.push(word[i]!);
      }
      return merged;
    });
  }
  return merges.slice(0, merges.length - (merges.length % 8));
}

// characters at which the classes of the split meet: contractions, kinds of white space, numbers that are not digits, marks,
// emoji sequences, letters beyond U+FFFF, lone surrogates
const TELLING = [
  ..."aZstmdrevl'0 1\n\t\r.,-é½²٣ⅷ漢あ한ذ\u0301\u00a0\u0085\u180e\u2003\u2028\u3000\u200d\ufeff\ufffd😀👩𝒜𒐫\u{10ffff}",
];
const HALVES = ["\ud83d", "\ude00", "\udc80"];

/** Strings rich in what tells tokenizers apart. */
export const tellingText = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...TELLING) },
      { weight: 2, arbitrary: fc.constantFrom(" the", " and", "ing", "'ll", "'re", "  ", "\n\n", "\r\n") },
      { weight: 1, arbitrary: fc.constantFrom(...HALVES) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) },
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

/** Bytes: at random, of telling text, and of telling text with bytes cut out or exchanged. */
export const tellingBytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc
    .array(fc.constantFrom(0x20, 0x27, 0x61, 0x80, 0xa0, 0xbf, 0xc2, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xff), {
      maxLength: 40,
    })
    .map((bytes) => Uint8Array.from(bytes)),
  tellingText.map((text) => new TextEncoder().encode(text)),
  fc.tuple(tellingText, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 })).map(([text, changes]) => {
    const bytes = new TextEncoder().encode(text);
    for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes.subarray(changes.length);
  }),
);
