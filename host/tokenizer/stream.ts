/** Encoding a text that arrives in chunks: the same tokens as of the whole, however it is cut. */
import { checkChunks, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { inTurns, Pace } from "../pace.ts";
import { bytesOfText } from "./bytes.ts";
import { GPT2, type Scan, type Split, settledLength } from "./pretokenize.ts";
import { SymbolTokenizer } from "./symbols.ts";
import { BytePairTokenizer, type Text, type Tokenizer } from "./tokenizer.ts";

/** Chunks of a text, in order; of ids for a tokenizer of symbols alone. */
export type Chunks = AsyncIterable<Text> | Iterable<Text>;

/** Bytes of a chunk looked at in one turn: what is held in memory does not grow with the chunks. */
const TURN = 1 << 16;
/** Bytes of a piece, in files that do not bound them: merging takes 30 times as many bytes of memory. */
const MOST_PIECE = 1 << 26;

/**
 * Tokens of a text in chunks, a batch at a time; together they are the tokens of the whole. Only the bytes of the last piece or
 * two are held back, until it is known where they end. Long work is done in turns of bounded length, and between them the signal
 * is looked at; a wait for a chunk it does not end.
 *
 * @throws SaffuError INVALID_TEXT where a chunk is neither a string nor bytes; OUT_OF_MEMORY where a piece has no end; ABORTED
 */
export async function* encodeStream(
  tokenizer: Tokenizer,
  chunks: Chunks,
  signal?: AbortSignal | undefined,
): AsyncGenerator<Uint16Array> {
  if (typeof tokenizer?.encode !== "function") throw invalidOption("tokenizer", "a tokenizer", tokenizer);
  checkChunks(chunks);
  const rest = yield* encodeSettled(tokenizer, chunks, signal);
  if (rest.length > 0) yield await encodeInTurns(tokenizer, rest, new Pace(), signal);
}

/**
 * The same without the text's end: bytes that could fall into other pieces if the text went on. They are what it returns.
 *
 * @throws SaffuError as encodeStream
 */
export async function* encodeSettled(
  tokenizer: Tokenizer,
  chunks: Chunks,
  signal?: AbortSignal | undefined,
): AsyncGenerator<Uint16Array, Uint8Array> {
  if (tokenizer instanceof SymbolTokenizer) return yield* tokenizer.encodeChunks(chunks, signal);
  const pace = new Pace();
  const ofBytes = isOwn(tokenizer) && tokenizer.isOfBytes;
  const parts = ofBytes ? boundedParts(chunks, signal) : settledParts(splitOf(tokenizer), chunks, signal);
  try {
    for (;;) {
      const part = await parts.next();
      if (part.done) return part.value;
      yield await encodeInTurns(tokenizer, part.value, pace, signal);
    }
  } finally {
    await parts.return(NOTHING);
  }
}

/** Length of the longest prefix whose tokens are the same whatever follows the text. */
export function settledPrefix(tokenizer: Tokenizer, bytes: Uint8Array): number {
  if (tokenizer instanceof SymbolTokenizer) return tokenizer.settledPrefix(bytes);
  if (isOwn(tokenizer) && tokenizer.isOfBytes) return bytes.length;
  return settledLength(splitOf(tokenizer), bytes);
}

const NOTHING = new Uint8Array(0);

/** Whether it encodes as the tokenizers here do, and not in a way of its own. */
function isOwn(tokenizer: Tokenizer): tokenizer is BytePairTokenizer {
  return tokenizer.encode === BytePairTokenizer.prototype.encode;
}

function splitOf(tokenizer: Tokenizer): Split {
  return isOwn(tokenizer) ? tokenizer.split : GPT2;
}

async function encodeInTurns(
  tokenizer: Tokenizer,
  bytes: Uint8Array,
  pace: Pace,
  signal: AbortSignal | undefined,
): Promise<Uint16Array> {
  if (!isOwn(tokenizer)) return tokenizer.encode(bytes);
  return inTurns(tokenizer.encodeInSteps(bytes), pace, signal);
}

/**
 * The text in parts that fall into the same pieces as the whole. A part is a view into a buffer that is overwritten when the
 * next one is asked for.
 *
 * @throws SaffuError as encodeStream
 */
export async function* settledText(split: Split, chunks: Chunks): AsyncGenerator<Uint8Array> {
  const rest = yield* settledParts(split, chunks, undefined);
  if (rest.length > 0) yield rest;
}

/** The text in parts of bounded length, of which none is held back. */
async function* boundedParts(chunks: Chunks, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, Uint8Array> {
  for await (const chunk of bytesOfChunks(chunks)) {
    for (let from = 0; from < chunk.length; from += TURN) {
      throwIfAborted(signal);
      yield chunk.subarray(from, from + TURN);
    }
  }
  return NOTHING;
}

/** The same without the end that is not settled, which it returns. */
async function* settledParts(
  split: Split,
  chunks: Chunks,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, Uint8Array> {
  let held = new Uint8Array(1 << 10);
  let length = 0;
  const scan: Scan = { at: 0, last: 0, count: 0 }; // of the piece that is held
  const pace = new Pace();
  for await (const chunk of bytesOfChunks(chunks)) {
    for (let from = 0; from < chunk.length; from += TURN) {
      const part = chunk.subarray(from, from + TURN);
      if (length + part.length > held.length) {
        if (length > MOST_PIECE) {
          throw new SaffuError(
            "OUT_OF_MEMORY",
            `the text has more than ${MOST_PIECE} bytes without a border of pieces`,
          );
        }
        const wider = new Uint8Array(2 * (length + part.length));
        wider.set(held.subarray(0, length));
        held = wider;
      }
      held.set(part, length);
      length += part.length;
      const settled = settledLength(split, held.subarray(0, length), scan);
      if (settled > 0) {
        yield held.subarray(0, settled);
        held.copyWithin(0, settled, length);
        length -= settled;
        scan.at = 0;
      }
      if (!pace.due()) continue;
      await pace.rest();
      throwIfAborted(signal);
    }
  }
  return held.subarray(0, length);
}

/** Chunks as bytes. A surrogate pair cut in two by the chunks is put together. */
export async function* bytesOfChunks(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let high = ""; // a high surrogate at the end of a string, whose other half may begin the next
  for await (const chunk of chunks) {
    if (typeof chunk !== "string") {
      if (high !== "") yield bytesOfText(high);
      high = "";
      yield bytesOfText(chunk as Uint8Array);
      continue;
    }
    const text = high + chunk;
    const whole = text.length - ((text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800 ? 1 : 0);
    high = text.slice(whole);
    yield bytesOfText(text.slice(0, whole));
  }
  if (high !== "") yield bytesOfText(high);
}
