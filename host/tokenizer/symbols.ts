/**
 * A tokenizer of symbols: what a token means is the caller's affair, such as a state, a template of a log line, a bin of a sensor. Ids go
 * in as they are, in a `Uint16Array`, or as text: decimal numbers with white space between them. Ids come out as such text.
 *
 * ```ts
 * const tokenizer = symbolTokenizer(12); // 0 to 15: V is a multiple of 8
 * const { files } = await fit(() => [Uint16Array.of(3, 1, 4, 1, 5)], { tokenizer });
 * ```
 */
import { invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { Pace } from "../pace.ts";
import { bytesOfText } from "./bytes.ts";
import { checkId, checkIds, isIds } from "./ids.ts";
import type { Text, Tokenizer } from "./tokenizer.ts";

/** `model.type` of its tokenizer.json, which is no format of other libraries. */
export const SYMBOLS = "Symbols";
const MOST_SYMBOLS = 65528;
/** Bytes of a chunk that are read in one step. */
const STEP = 1 << 14;
/** No id has more digits; zeros may stand before it. */
const MOST_DIGITS = 20;
const NOTHING = new Uint8Array(0);

export class SymbolTokenizer implements Tokenizer {
  /** V, the next multiple of 8. Ids from `size` on are of no symbol. */
  readonly vocabularySize: number;

  constructor(readonly size: number) {
    this.vocabularySize = Math.ceil(size / 8) * 8;
  }

  encode(text: Text): Uint16Array {
    if (isIds(text)) return checkIds(text, this.size);
    const bytes = bytesOfText(text);
    const tokens: number[] = [];
    const rest = this.read(bytes, tokens);
    if (rest < bytes.length) tokens.push(this.id(bytes.subarray(rest)));
    return Uint16Array.from(tokens);
  }

  decode(tokens: ArrayLike<number>): Uint8Array {
    let text = "";
    for (let i = 0; i < tokens.length; ++i) text += `${checkId(tokens[i]!, this.vocabularySize)} `;
    return new TextEncoder().encode(text);
  }

  bytesOf(token: number): Uint8Array {
    return this.decode([token]);
  }

  toJSON(): object {
    return { version: "1.0", model: { type: SYMBOLS, size: this.size } };
  }

  /** Length of a text without a number at its end that may go on. */
  settledPrefix(bytes: Uint8Array): number {
    let end = bytes.length;
    while (end > 0 && !isBlank(bytes[end - 1]!)) --end;
    return end;
  }

  /** Ids of a text in chunks, a batch at a time. @returns the bytes of a last number that may go on */
  async *encodeChunks(
    chunks: AsyncIterable<Text> | Iterable<Text>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint16Array, Uint8Array> {
    const pace = new Pace();
    let held: Uint8Array = NOTHING;
    for await (const chunk of chunks) {
      if (isIds(chunk)) {
        const ids = checkIds(chunk, this.size);
        if (held.length > 0) yield Uint16Array.of(this.id(held));
        held = NOTHING;
        yield ids;
        continue;
      }
      const all = bytesOfText(chunk);
      for (let from = 0; from < all.length; from += STEP) {
        const part = all.subarray(from, from + STEP);
        const bytes = new Uint8Array(held.length + part.length);
        bytes.set(held);
        bytes.set(part, held.length);
        const tokens: number[] = [];
        held = bytes.subarray(this.read(bytes, tokens));
        if (held.length > MOST_DIGITS) this.id(held); // which it is not
        if (tokens.length > 0) yield Uint16Array.from(tokens);
        if (pace.due()) await pace.rest();
        throwIfAborted(signal);
      }
    }
    return held;
  }

  /** Reads the numbers that white space follows; returns where what is left begins. */
  private read(bytes: Uint8Array, outTokens: number[]): number {
    let start = 0;
    for (let at = 0; at < bytes.length; ++at) {
      if (!isBlank(bytes[at]!)) continue;
      if (at > start) outTokens.push(this.id(bytes.subarray(start, at)));
      start = at + 1;
    }
    return start;
  }

  private id(digits: Uint8Array): number {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(digits.subarray(0, MOST_DIGITS + 1));
    if (digits.length > MOST_DIGITS || !/^[0-9]+$/.test(text)) {
      const what = "a text of symbols is of decimal numbers with white space between them";
      throw new SaffuError("INVALID_TEXT", `${what}, found ${JSON.stringify(text)}`);
    }
    return checkId(Number(text), this.size);
  }
}

/**
 * A tokenizer of `size` symbols, 0 to size − 1; V is the next multiple of 8.
 *
 * @throws SaffuError INVALID_OPTION
 */
export function symbolTokenizer(size: number): Tokenizer {
  if (!Number.isInteger(size) || size < 1 || size > MOST_SYMBOLS) {
    throw invalidOption("size", `a number of symbols in 1..${MOST_SYMBOLS}`, size);
  }
  return new SymbolTokenizer(size);
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
