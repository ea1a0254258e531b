/** A piece of text, token by token through something that learns. */
import { throwIfAborted } from "../errors.ts";
import { abortable, Pace } from "../pace.ts";
import { type Chunks, encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import type { LearnOptions, Observation } from "./options.ts";
import { accepted } from "./refusals.ts";

/** What a text came to: its tokens, and all of an observation but what the sums hold then. */
export interface Passed extends Omit<Observation, "observedTokens"> {
  readonly piece: Uint16Array;
}

/**
 * Reads a text from its beginning, and hands over each token in turn; other work goes on meanwhile.
 *
 * @param learn answers the token's surprisal in bits, or a refusal below 0
 * @throws SaffuError INVALID_TEXT where it is no text; what a refusal means; ABORTED
 */
export async function pass(
  text: string | Uint8Array | Chunks,
  tokenizer: Tokenizer,
  learn: (token: number) => number,
  { signal, onProgress }: LearnOptions,
): Promise<Passed> {
  throwIfAborted(signal);
  let piece = new Uint16Array(1024);
  let tokens = 0;
  let bytes = 0;
  let bits = 0;
  const pace = new Pace();
  const chunks = typeof text === "string" || text instanceof Uint8Array ? [text] : text;
  for await (const batch of encodeStream(tokenizer, abortable(chunks, signal), signal)) {
    bytes += tokenizer.decode(batch).length;
    while (tokens + batch.length > piece.length) piece = grown(piece);
    piece.set(batch, tokens);
    for (const token of batch) {
      bits += accepted(learn(token), token);
      ++tokens;
      if (pace.due()) {
        await pace.rest();
        throwIfAborted(signal);
        onProgress?.({ tokens });
      }
    }
  }
  throwIfAborted(signal);
  onProgress?.({ tokens });
  throwIfAborted(signal); // the last look may be the one that aborts
  return { piece: piece.slice(0, tokens), tokens, bytes, bits };
}

function grown(tokens: Uint16Array): Uint16Array<ArrayBuffer> {
  const wider = new Uint16Array(tokens.length * 2);
  wider.set(tokens);
  return wider;
}
