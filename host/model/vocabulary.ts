/** What tokens spell, and which of them keep a text well-formed. */
import { SymbolTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import { after, STATES, WHOLE } from "./utf8.ts";
import { TokenKinds } from "./words.ts";

export class Vocabulary {
  /** Bytes of each token, by id. */
  readonly spelled: readonly Uint8Array[];
  /** The same as strings, a character a byte: to look them up by. */
  readonly keys: readonly string[];
  /** Tokens that are of something: of symbols V may be more. */
  readonly count: number;
  /** Of the longest, in bytes. */
  readonly longest: number;
  /** Whether each token's bytes are encoded as it: 0 where nobody has asked, 1 no, 2 yes. */
  private readonly alone: Uint8Array;
  private readonly texts: (string | undefined)[] = [];
  private words: TokenKinds | undefined;
  private readonly refused = new Array<Uint16Array | undefined>(STATES).fill(undefined);

  constructor(private readonly tokenizer: Tokenizer) {
    this.count = tokenizer instanceof SymbolTokenizer ? tokenizer.size : tokenizer.vocabularySize;
    this.alone = new Uint8Array(tokenizer.vocabularySize);
    this.spelled = Array.from({ length: tokenizer.vocabularySize }, (_, token) => tokenizer.bytesOf(token));
    this.keys = this.spelled.map((bytes) => String.fromCharCode(...bytes));
    this.longest = this.spelled.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /** What tokens are to words; made when it is first asked for. */
  get kinds(): TokenKinds {
    this.words ??= new TokenKinds(this.spelled);
    return this.words;
  }

  /** The text of a token that is whole characters; "" of any other. */
  textOf(token: number): string {
    let text = this.texts[token];
    if (text === undefined) {
      const bytes = this.spelled[token]!;
      text = after(WHOLE, bytes) === WHOLE ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : "";
      this.texts[token] = text;
    }
    return text;
  }

  /** Whether the bytes of a token are encoded as this token. */
  isEncoding(token: number): boolean {
    if (this.alone[token] === 0) {
      const tokens = this.tokenizer.encode(this.spelled[token]!);
      this.alone[token] = tokens.length === 1 && tokens[0] === token ? 2 : 1;
    }
    return this.alone[token] === 2;
  }

  /**
   * Tokens of nothing, and those that no well-formed text goes on with in a state of utf8.ts; made when they are first asked for. None where that would
   * be all, as in a vocabulary without single bytes.
   */
  illFormed(state: number): Uint16Array {
    let tokens = this.refused[state];
    if (tokens === undefined) {
      const all = Array.from(this.spelled.keys()).filter(
        (token) => token >= this.count || after(state, this.spelled[token]!) < 0,
      );
      tokens = Uint16Array.from(all.length === this.spelled.length ? [] : all);
      this.refused[state] = tokens;
    }
    return tokens;
  }
}
