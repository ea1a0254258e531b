/** A piece of text, token by token through something that learns. */
import { throwIfAborted } from "../errors.ts";
import type { PieceReader } from "../files/pieces.ts";
import { abortable, Pace } from "../pace.ts";
import { type Chunks, encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import type { LearnOptions, Observation } from "./options.ts";
import { accepted } from "./refusals.ts";

/** What a text came to. */
export type Passed = Pick<Observation, "tokens" | "bytes" | "bits">;

/**
 * Reads a text from its beginning, and hands over each token in turn; other work goes on meanwhile.
 *
 * @param learn answers the token's surprisal in bits, or a refusal below 0
 * @param reader takes the tokens, too
 * @throws SaffuError INVALID_TEXT where it is no text; what a refusal means; ABORTED
 */
export async function pass(
  text: string | Uint8Array | Uint16Array | Chunks,
  tokenizer: Tokenizer,
  learn: (token: number) => number,
  reader: PieceReader,
  { signal, onProgress }: LearnOptions,
): Promise<Passed> {
  throwIfAborted(signal);
  let tokens = 0;
  let bytes = 0;
  let bits = 0;
  const pace = new Pace();
  for await (const batch of batchesOf(text, tokenizer, signal)) {
    bytes += tokenizer.decode(batch).length;
    reader.add(batch);
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
  return { tokens, bytes, bits };
}

/** All tokens of a text. @throws SaffuError INVALID_TEXT, ABORTED */
export async function tokensOf(
  text: string | Uint8Array | Chunks,
  tokenizer: Tokenizer,
  { signal }: LearnOptions,
): Promise<Uint16Array> {
  const batches: Uint16Array[] = [];
  for await (const batch of batchesOf(text, tokenizer, signal)) batches.push(batch.slice());
  const tokens = new Uint16Array(batches.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const batch of batches) {
    tokens.set(batch, at);
    at += batch.length;
  }
  return tokens;
}

function batchesOf(
  text: string | Uint8Array | Uint16Array | Chunks,
  tokenizer: Tokenizer,
  signal: AbortSignal | undefined,
): Iterable<Uint16Array> | AsyncIterable<Uint16Array> {
  if (text instanceof Uint16Array) return [text];
  const chunks = typeof text === "string" || text instanceof Uint8Array ? [text] : text;
  return encodeStream(tokenizer, abortable(chunks, signal), signal);
}
