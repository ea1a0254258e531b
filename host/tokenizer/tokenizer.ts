/**
 * The tokenizer: bytes to token ids and back.
 *
 * ```ts
 * const tokenizer = byteTokenizer();
 * tokenizer.encode("hi"); // Uint16Array [104, 105]
 * ```
 */
import { SaffuError } from "../errors.ts";
import { type Merges, mergePiece, pairKey } from "./bpe.ts";
import { bytesOfText, spell, textOf } from "./bytes.ts";
import { pieces } from "./pretokenize.ts";

export interface Tokenizer {
  /** V: ids are 0 to V − 1. */
  readonly vocabularySize: number;
  /** Token ids of a text; bytes that are not UTF-8 are data like any other. */
  encode(text: string | Uint8Array): Uint16Array;
  /** The bytes that tokens spell. @throws SaffuError TOKEN_OUT_OF_RANGE */
  decode(tokens: ArrayLike<number>): Uint8Array;
  /** The bytes of one token. @throws SaffuError TOKEN_OUT_OF_RANGE */
  bytesOf(token: number): Uint8Array;
  /** tokenizer.json, in the Hugging Face format. */
  toJSON(): object;
}

/** Pieces whose tokens are remembered, at most; natural text repeats its words. */
const REMEMBERED = 16384;
const LONGEST_REMEMBERED = 32;

/** A byte-level BPE tokenizer from the bytes of each token and the merges in order of rank. */
export class BytePairTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  private readonly merges: Merges;
  private readonly ofByte: readonly number[];
  private readonly seen = new Map<string, readonly number[]>();

  /**
   * @param bytes of each token, by id; all 256 single bytes are among them
   * @param pairs merges, [left, right, result]
   */
  constructor(
    private readonly bytes: readonly Uint8Array[],
    private readonly pairs: readonly (readonly [left: number, right: number, token: number])[],
  ) {
    this.vocabularySize = bytes.length;
    this.merges = new Map(pairs.map(([left, right, token], rank) => [pairKey(left, right), { rank, token }]));
    const ofByte = new Array<number>(256).fill(-1);
    for (const [token, spelled] of bytes.entries()) if (spelled.length === 1) ofByte[spelled[0]!] = token;
    this.ofByte = ofByte;
  }

  encode(text: string | Uint8Array): Uint16Array {
    let tokens = new Uint16Array(Math.max(16, text.length));
    let length = 0;
    // a string's own lone surrogates are U+FFFD, as in every encoder; only bytes have escapes
    for (const piece of pieces(typeof text === "string" ? text.toWellFormed() : textOf(text))) {
      const found = this.encodePiece(piece);
      if (length + found.length > tokens.length) {
        const grown = new Uint16Array(2 * tokens.length + found.length);
        grown.set(tokens);
        tokens = grown;
      }
      tokens.set(found, length);
      length += found.length;
    }
    return tokens.slice(0, length);
  }

  private encodePiece(piece: string): readonly number[] {
    const known = this.seen.get(piece);
    if (known !== undefined) return known;
    const tokens = mergePiece(
      Array.from(bytesOfText(piece), (byte) => this.ofByte[byte]!),
      this.merges,
    );
    if (piece.length <= LONGEST_REMEMBERED) {
      if (this.seen.size >= REMEMBERED) this.seen.clear();
      this.seen.set(piece, tokens);
    }
    return tokens;
  }

  decode(tokens: ArrayLike<number>): Uint8Array {
    let length = 0;
    for (let i = 0; i < tokens.length; ++i) length += this.bytesOf(tokens[i]!).length;
    const out = new Uint8Array(length);
    let at = 0;
    for (let i = 0; i < tokens.length; ++i) {
      const bytes = this.bytes[tokens[i]!]!;
      out.set(bytes, at);
      at += bytes.length;
    }
    return out;
  }

  bytesOf(token: number): Uint8Array {
    const bytes = this.bytes[token];
    if (bytes === undefined) {
      throw new SaffuError("TOKEN_OUT_OF_RANGE", `token ${token} is not in 0..${this.vocabularySize - 1}`);
    }
    return bytes;
  }

  toJSON(): object {
    const spelled = this.bytes.map(spell);
    const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
    return {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(spelled.map((entry, token) => [entry, token])),
        merges: this.pairs.map(([left, right]) => [spelled[left], spelled[right]]),
      },
    };
  }
}

/** V = 256, no merges; a token's id is its byte. */
export function byteTokenizer(): Tokenizer {
  return new BytePairTokenizer(
    Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    [],
  );
}
