/** A piece of text, token by token through something that learns. */
import { throwIfAborted } from "../errors.ts";
import type { PieceReader } from "../files/pieces.ts";
import { abortable, Pace } from "../pace.ts";
import { type Chunks, encodeStream, isIds, type Text, type Tokenizer } from "../tokenizer/index.ts";
import type { LearnOptions, Observation } from "./options.ts";
import { accepted, READ_AHEAD } from "./refusals.ts";

/** A text, read to its end or as far as READ_AHEAD. */
export interface Read {
  /** Its tokens so far, and their bytes. */
  readonly tokens: Uint16Array;
  readonly bytes: number;
  /** What is left of a longer one. */
  readonly rest: AsyncGenerator<Uint16Array> | undefined;
  readonly tokenizer: Tokenizer;
}

/** What a text came to. */
export type Passed = Pick<Observation, "tokens" | "bytes" | "bits">;

/**
 * Reads a text from its beginning.
 *
 * @throws SaffuError INVALID_TEXT where it is no text; ABORTED
 */
export async function readAhead(
  text: Text | Chunks,
  tokenizer: Tokenizer,
  signal: AbortSignal | undefined,
): Promise<Read> {
  throwIfAborted(signal);
  if (isIds(text)) {
    const tokens = tokenizer.encode(text);
    return { tokens, bytes: tokenizer.decode(tokens).length, rest: undefined, tokenizer };
  }
  const chunks = typeof text === "string" || ArrayBuffer.isView(text) ? [text as Text] : text;
  const stream = encodeStream(tokenizer, abortable(chunks, signal), signal);
  const pace = new Pace();
  let tokens = new Uint16Array(1024);
  let length = 0;
  let bytes = 0;
  for (let next = await stream.next(); !next.done; next = await stream.next()) {
    const batch = next.value;
    if (length + batch.length > tokens.length) {
      const wider = new Uint16Array(2 * (length + batch.length));
      wider.set(tokens);
      tokens = wider;
    }
    tokens.set(batch, length);
    length += batch.length;
    bytes += tokenizer.decode(batch).length;
    if (length >= READ_AHEAD) return { tokens: tokens.subarray(0, length), bytes, rest: stream, tokenizer };
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
  }
  throwIfAborted(signal);
  return { tokens: tokens.subarray(0, length), bytes, rest: undefined, tokenizer };
}

/**
 * Hands over each token of a text in turn; other work goes on meanwhile.
 *
 * @param learn answers the token's surprisal in bits, or a refusal below 0
 * @param reader takes the tokens, too
 * @throws SaffuError what a refusal means; what the text's source throws; ABORTED
 */
export async function learnText(
  { tokens, bytes, rest, tokenizer }: Read,
  learn: (token: number) => number,
  reader: PieceReader,
  { signal, onProgress }: LearnOptions,
): Promise<Passed> {
  throwIfAborted(signal);
  const pace = new Pace();
  const passed = { tokens: 0, bytes, bits: 0 };
  const learnAll = async (batch: Uint16Array) => {
    reader.add(batch);
    for (const token of batch) {
      passed.bits += accepted(learn(token), token);
      ++passed.tokens;
      if (pace.due()) {
        await pace.rest();
        throwIfAborted(signal);
        onProgress?.({ tokens: passed.tokens });
      }
    }
  };
  await learnAll(tokens);
  for await (const batch of rest ?? []) {
    passed.bytes += tokenizer.decode(batch).length;
    await learnAll(batch);
  }
  throwIfAborted(signal);
  onProgress?.({ tokens: passed.tokens });
  throwIfAborted(signal); // the last look may be the one that aborts
  return passed;
}
