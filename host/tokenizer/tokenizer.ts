/**
 * The tokenizer: bytes to token ids and back.
 *
 * ```ts
 * const tokenizer = tokenizerFromJSON(JSON.parse(file));
 * const tokens = tokenizer.encode("any text, or any bytes");
 * new TextDecoder().decode(tokenizer.decode(tokens)); // "any text, or any bytes"
 * ```
 */

import { SaffuError } from "../errors.ts";
import { drained } from "../pace.ts";
import { type Merge, Merges } from "./bpe.ts";
import { bytesOfText } from "./bytes.ts";
import { checkIds, isIds } from "./ids.ts";
import { writeJSON } from "./json-write.ts";
import { PieceTable } from "./piece-table.ts";
import { CAPPED, GPT2, pieceEnd, type Scan, type Split } from "./pretokenize.ts";

/** A text: a string, bytes, or the ids of its tokens. */
export type Text = string | Uint8Array | Uint16Array;

export interface Tokenizer {
  /** V: ids are 0 to V − 1. */
  readonly vocabularySize: number;
  /** Most characters of a piece, but for a blank before it; no bound where there is none. */
  readonly longestPiece?: number | undefined;
  /** Whether each newline is a piece of its own. */
  readonly lines?: boolean | undefined;
  /**
   * Token ids of a text; bytes that are not UTF-8 are data like any other, ids stay as they are.
   *
   * @throws SaffuError INVALID_TEXT where it is no text; TOKEN_OUT_OF_RANGE
   */
  encode(text: Text): Uint16Array;
  /** The bytes that tokens spell. @throws SaffuError TOKEN_OUT_OF_RANGE */
  decode(tokens: ArrayLike<number>): Uint8Array;
  /** The bytes of one token, a copy. @throws SaffuError TOKEN_OUT_OF_RANGE */
  bytesOf(token: number): Uint8Array;
  /** tokenizer.json, in the Hugging Face format. */
  toJSON(): object;
}

/** Pieces whose tokens are remembered, at most, and their longest, in bytes: natural text repeats its words. */
const REMEMBERED = 16384;
const LONGEST_REMEMBERED = 65;
/** Bytes of a text between two steps of its encoding, and of a piece that are looked at in one. */
const STEP = 1 << 14;

/** A byte-level BPE tokenizer. */
export class BytePairTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly longestPiece: number | undefined;
  /** Where no token crosses. */
  readonly split: Split;
  readonly lines: boolean;
  private readonly spellings: Uint8Array; // bytes of all tokens, end to end
  private readonly ends: Uint32Array; // (V + 1) where each token begins, and the last ends
  private readonly ofByte = new Uint16Array(256); // token of each single byte
  private readonly byRank: Merges;
  private readonly remembered = new PieceTable();
  private tokensOf = new Uint16Array(1 << 10); // of remembered pieces, where their bytes begin in the table
  private readonly countOf = new Uint8Array(REMEMBERED); // how many each piece has

  /**
   * @param bytes of each token, by id, no two alike; all 256 single bytes are among them
   * @param merges in order of rank; each makes a token that spells what its two parts spell
   * @param named the split that its file names
   */
  constructor(
    bytes: readonly Uint8Array[],
    private readonly merges: readonly Merge[],
    private readonly named: Split = GPT2,
  ) {
    this.vocabularySize = bytes.length;
    this.ends = new Uint32Array(bytes.length + 1);
    this.spellings = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
    for (const [token, spelled] of bytes.entries()) {
      this.spellings.set(spelled, this.ends[token]);
      this.ends[token + 1] = this.ends[token]! + spelled.length;
      if (spelled.length === 1) this.ofByte[spelled[0]!] = token;
    }
    this.byRank = new Merges(merges);
    this.longestPiece = named.longest === Number.POSITIVE_INFINITY ? undefined : named.longest;
    // where a token is a byte borders are of no account, and a stream holds the less back the more there are
    this.split = merges.length === 0 ? CAPPED : named;
    this.lines = this.split.lines;
  }

  /** Whether a token is a byte, so that none depends on what follows it. */
  get isOfBytes(): boolean {
    return this.merges.length === 0;
  }

  encode(text: Text): Uint16Array {
    if (isIds(text)) return checkIds(text, this.vocabularySize);
    return drained(this.encodeInSteps(bytesOfText(text)));
  }

  /** The same in steps of bounded length, so that other work can go on in between. */
  *encodeInSteps(bytes: Uint8Array): Generator<void, Uint16Array> {
    if (this.isOfBytes) return yield* this.encodeBytes(bytes);
    const { split } = this;
    const scan: Scan = { at: 0, last: 0, count: 0 };
    let tokens = new Uint16Array((bytes.length >> 1) + 16);
    let length = 0;
    let rest = STEP;
    for (let start = 0, end = 0; start < bytes.length; start = end) {
      scan.at = 0;
      for (let seen = start + STEP; ; seen += STEP) {
        end = pieceEnd(split, bytes, start, Math.min(seen, bytes.length), seen >= bytes.length, scan);
        if (end >= 0) break;
        yield;
      }
      // a piece has at most as many tokens as bytes
      const most = length + end - start;
      if (most > tokens.length) {
        const wider = new Uint16Array(Math.max(most, Math.min(2 * tokens.length, length + bytes.length - start)));
        wider.set(tokens);
        tokens = wider;
      }
      if (end - start > STEP) {
        const piece = this.bytesAsTokens(bytes, start, end, tokens, length);
        length += yield* this.byRank.applyLong(piece, end - start);
      } else length = this.encodePiece(bytes, start, end, tokens, length);
      if (end < rest) continue;
      rest = end + STEP;
      yield;
    }
    return tokens.slice(0, length);
  }

  /** Where a token is a byte, no border of pieces matters. */
  private *encodeBytes(bytes: Uint8Array): Generator<void, Uint16Array> {
    const tokens = new Uint16Array(bytes.length);
    for (let at = 0; at < bytes.length; at += STEP) {
      this.bytesAsTokens(bytes, at, Math.min(at + STEP, bytes.length), tokens, at);
      yield;
    }
    return tokens;
  }

  /** Writes the tokens of the piece bytes[start..end) to outTokens from `length` on; returns where they end. */
  private encodePiece(bytes: Uint8Array, start: number, end: number, outTokens: Uint16Array, length: number): number {
    if (end - start === 1) {
      outTokens[length] = this.ofByte[bytes[start]!]!;
      return length + 1;
    }
    if (end - start > LONGEST_REMEMBERED) return this.mergePiece(bytes, start, end, outTokens, length);
    const { remembered } = this;
    let size = remembered.size;
    if (size === REMEMBERED) {
      remembered.clear();
      size = 0;
    }
    const index = remembered.indexOf(bytes, start, end);
    const at = remembered.start(index);
    if (index < size) {
      const count = this.countOf[index]!;
      for (let i = 0; i < count; ++i) outTokens[length + i] = this.tokensOf[at + i]!;
      return length + count;
    }
    const merged = this.mergePiece(bytes, start, end, outTokens, length);
    if (remembered.length > this.tokensOf.length) {
      const wider = new Uint16Array(2 * remembered.length);
      wider.set(this.tokensOf);
      this.tokensOf = wider;
    }
    this.tokensOf.set(outTokens.subarray(length, merged), at);
    this.countOf[index] = merged - length;
    return merged;
  }

  private mergePiece(bytes: Uint8Array, start: number, end: number, outTokens: Uint16Array, length: number): number {
    const piece = this.bytesAsTokens(bytes, start, end, outTokens, length);
    return length + this.byRank.apply(piece, end - start);
  }

  /** Writes the token of each byte to outTokens from `length` on; returns that part of it. */
  private bytesAsTokens(bytes: Uint8Array, start: number, end: number, outTokens: Uint16Array, length: number) {
    const piece = outTokens.subarray(length, length + end - start);
    for (let i = start; i < end; ++i) piece[i - start] = this.ofByte[bytes[i]!]!;
    return piece;
  }

  decode(tokens: ArrayLike<number>): Uint8Array {
    const { ends, spellings } = this;
    let length = 0;
    for (let i = 0; i < tokens.length; ++i) {
      const token = this.checked(tokens[i]!);
      length += ends[token + 1]! - ends[token]!;
    }
    const bytes = new Uint8Array(length);
    for (let i = 0, at = 0; i < tokens.length; ++i) {
      const token = tokens[i]!;
      for (let j = ends[token]!; j < ends[token + 1]!; ++j) bytes[at++] = spellings[j]!;
    }
    return bytes;
  }

  bytesOf(token: number): Uint8Array {
    return this.spellings.slice(this.ends[this.checked(token)], this.ends[token + 1]);
  }

  toJSON(): object {
    return writeJSON(
      Array.from({ length: this.vocabularySize }, (_, token) => this.bytesOf(token)),
      this.merges,
      this.named,
    );
  }

  private checked(token: number): number {
    if (Number.isInteger(token) && token >= 0 && token < this.vocabularySize) return token;
    throw new SaffuError("TOKEN_OUT_OF_RANGE", `token ${String(token)} is not in 0..${this.vocabularySize - 1}`);
  }
}

/** V = 256, no merges; a token's id is its byte. */
export function byteTokenizer(): Tokenizer {
  return new BytePairTokenizer(
    Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    [],
  );
}
