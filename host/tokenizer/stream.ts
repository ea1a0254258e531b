/** Encoding a text that arrives in chunks: the same tokens as of the whole, however it is cut. */
import { bytesOfText } from "./bytes.ts";
import { settledLength } from "./pretokenize.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Chunks of a text, in order. */
export type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** Bytes of a chunk looked at in one turn: what is held in memory does not grow with the chunks. */
const TURN = 1 << 16;

/**
 * Tokens of a text in chunks, a batch at a time; together they are the tokens of the whole. Only the bytes of the last piece or
 * two are held back, until it is known where they end: at most as many again may be waited for.
 *
 * @throws SaffuError INVALID_TEXT where a chunk is neither a string nor bytes
 */
export async function* encodeStream(tokenizer: Tokenizer, chunks: Chunks): AsyncGenerator<Uint16Array> {
  for await (const bytes of settledText(chunks)) yield tokenizer.encode(bytes);
}

/**
 * The text in parts that fall into the same pieces as the whole. A part is a view into a buffer that is overwritten when the
 * next one is asked for.
 */
export async function* settledText(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let held = new Uint8Array(1 << 10);
  let length = 0;
  let enough = 1;
  for await (const chunk of bytesOfChunks(chunks)) {
    for (let from = 0; from < chunk.length; from += TURN) {
      const part = chunk.subarray(from, from + TURN);
      if (length + part.length > held.length) {
        const wider = new Uint8Array(2 * (length + part.length));
        wider.set(held.subarray(0, length));
        held = wider;
      }
      held.set(part, length);
      length += part.length;
      if (length < enough) continue;
      const settled = settledLength(held.subarray(0, length));
      if (settled > 0) {
        yield held.subarray(0, settled);
        held.copyWithin(0, settled, length);
        length -= settled;
      }
      // a piece is looked at again only when there is twice as much: linear time, however long it is and small the chunks
      enough = 2 * length;
    }
  }
  if (length > 0) yield held.subarray(0, length);
}

/** Chunks as bytes. A surrogate pair cut in two by the chunks is put together. */
async function* bytesOfChunks(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let high = ""; // a high surrogate at the end of a string, whose other half may begin the next
  for await (const chunk of chunks) {
    if (typeof chunk !== "string") {
      if (high !== "") yield bytesOfText(high);
      high = "";
      yield bytesOfText(chunk);
      continue;
    }
    const text = high + chunk;
    const whole = text.length - ((text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800 ? 1 : 0);
    high = text.slice(whole);
    yield bytesOfText(text.slice(0, whole));
  }
  if (high !== "") yield bytesOfText(high);
}
