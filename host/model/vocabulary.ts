/** What tokens spell, and which of them keep a text well-formed. */
import type { Tokenizer } from "../tokenizer/index.ts";
import { after, STATES } from "./utf8.ts";

export class Vocabulary {
  /** Bytes of each token, by id. */
  readonly spelled: readonly Uint8Array[];
  /** Of the longest, in bytes. */
  readonly longest: number;
  private readonly refused = new Array<Uint16Array | undefined>(STATES).fill(undefined);

  constructor(tokenizer: Tokenizer) {
    this.spelled = Array.from({ length: tokenizer.vocabularySize }, (_, token) => tokenizer.bytesOf(token));
    this.longest = this.spelled.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /**
   * Tokens that no well-formed text goes on with in a state of utf8.ts; made when they are first asked for. None where that would
   * be all, as in a vocabulary without single bytes.
   */
  illFormed(state: number): Uint16Array {
    let tokens = this.refused[state];
    if (tokens === undefined) {
      const all = Array.from(this.spelled.keys()).filter((token) => after(state, this.spelled[token]!) < 0);
      tokens = Uint16Array.from(all.length === this.spelled.length ? [] : all);
      this.refused[state] = tokens;
    }
    return tokens;
  }
}
