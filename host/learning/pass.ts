/** A piece of text, token by token through something that learns. */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { abortable, Pace } from "../pace.ts";
import { type Chunks, encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import type { LearnOptions, Observation } from "./options.ts";
import { accepted } from "./refusals.ts";

/** A text, read to its end: its tokens, and its bytes. */
export interface Piece {
  readonly tokens: Uint16Array;
  readonly bytes: number;
}

/**
 * Reads a text from its beginning.
 *
 * @throws SaffuError INVALID_TEXT where the text is empty, or no text; ABORTED
 */
export async function readPiece(
  text: string | Uint8Array | Chunks,
  tokenizer: Tokenizer,
  signal: AbortSignal | undefined,
): Promise<Piece> {
  throwIfAborted(signal);
  let tokens = new Uint16Array(1024);
  let length = 0;
  let bytes = 0;
  const pace = new Pace();
  const chunks = typeof text === "string" || text instanceof Uint8Array ? [text] : text;
  for await (const batch of encodeStream(tokenizer, abortable(chunks, signal))) {
    bytes += tokenizer.decode(batch).length;
    while (length + batch.length > tokens.length) tokens = grown(tokens);
    tokens.set(batch, length);
    length += batch.length;
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
  }
  throwIfAborted(signal);
  if (length === 0) throw new SaffuError("INVALID_TEXT", "the text is empty: there is nothing to learn");
  return { tokens: tokens.slice(0, length), bytes };
}

/**
 * Hands over each token of a piece in turn; other work goes on meanwhile.
 *
 * @param learn answers the token's surprisal in bits, or a refusal below 0
 * @returns all of an observation but what the sums hold then
 * @throws SaffuError what a refusal means; ABORTED
 */
export async function learnPiece(
  { tokens, bytes }: Piece,
  learn: (token: number) => number,
  { signal, onProgress }: LearnOptions,
): Promise<Omit<Observation, "observedTokens">> {
  let bits = 0;
  let done = 0;
  const pace = new Pace();
  for (const token of tokens) {
    bits += accepted(learn(token), token);
    ++done;
    if (pace.due()) {
      await pace.rest();
      throwIfAborted(signal);
      onProgress?.({ tokens: done });
    }
  }
  throwIfAborted(signal);
  onProgress?.({ tokens: done });
  throwIfAborted(signal); // the last look may be the one that aborts
  return { tokens: done, bytes, bits };
}

function grown(tokens: Uint16Array): Uint16Array<ArrayBuffer> {
  const wider = new Uint16Array(tokens.length * 2);
  wider.set(tokens);
  return wider;
}
