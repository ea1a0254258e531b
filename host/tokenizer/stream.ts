/** Encoding a text that arrives in chunks: the same tokens as of the whole, however it is cut. */
import { bytesOfText, textOf, unfinished } from "./bytes.ts";
import { settledLength } from "./pretokenize.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Chunks of a text, in order. */
export type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** Text gathered before it is looked at, in bytes: pieces are settled in large steps, so that each is seen about once. */
const GATHERED = 1 << 16;

/** Cuts of the text between which no piece lies across: each can be handled by itself. What is held back is bounded by a piece. */
export async function* settledText(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let length = 0;
  let enough = GATHERED;
  const encoder = new TextEncoder();
  for await (const chunk of chunks) {
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk.slice();
    held.push(bytes);
    length += bytes.length;
    if (length < enough) continue;
    const all = join(held, length);
    const whole = all.subarray(0, all.length - unfinished(all));
    const text = textOf(whole);
    const settled = bytesOfText(text.slice(0, settledLength(text))).length;
    if (settled > 0) yield all.subarray(0, settled);
    held = [all.subarray(settled)];
    length = all.length - settled;
    // a piece longer than what was gathered: look again only when it has doubled
    enough = Math.max(GATHERED, 2 * length);
  }
  if (length > 0) yield join(held, length);
}

/** Tokens of a text in chunks, a batch a time; together they are the tokens of the whole. */
export async function* encodeStream(tokenizer: Tokenizer, chunks: Chunks): AsyncGenerator<Uint16Array> {
  for await (const bytes of settledText(chunks)) yield tokenizer.encode(bytes);
}

function join(parts: Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
