/**
 * Training a byte-level BPE (Sennrich, Haddow & Birch 2016): count the pieces, then merge the most frequent adjacent pair until
 * the vocabulary is full. Ties go to the lower left id, then the lower right id, so that the result depends on the text alone.
 *
 * No two merges spell the same token: nothing has crossed the borders of a token while it grew, so its bytes can have been
 * merged in one order only.
 */
import { checkChunks, checkOptions, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { type Boundary, checkBoundary } from "./boundary.ts";
import type { Merge } from "./bpe.ts";
import { PairCounts } from "./pair-counts.ts";
import { PieceTable } from "./piece-table.ts";
import { CAPPED, LINES, pieceEnd, type Split } from "./pretokenize.ts";
import { type Chunks, settledText } from "./stream.ts";
import { BytePairTokenizer, byteTokenizer, type Tokenizer } from "./tokenizer.ts";

export interface TrainOptions {
  /** V, a multiple of 8 in 256..65528. */
  readonly vocabulary: number;
  /** Ascending, from 256 on: a text with too few pairs gets the largest of these that it fills. By default any multiple of 8 will do. */
  readonly sizes?: readonly number[] | undefined;
  /** Times that a pair has to occur to be merged, 2 or more. Default 2. */
  readonly minFrequency?: number | undefined;
  /** "newline" has no token that holds a newline and more. Default "none". */
  readonly boundary?: Boundary | undefined;
  /** Looked at between chunks of the text and at every turn of the event loop. */
  readonly signal?: AbortSignal | undefined;
  /** `done` of `total` merges; at the end the two are equal. */
  readonly onProgress?: ((progress: { phase: "tokenizer"; done: number; total: number }) => void) | undefined;
}

/** Bytes in distinct pieces that can be trained on; each takes about 30 bytes of memory. */
const MOST_DISTINCT = 1 << 27;
/** Milliseconds of work between turns of the event loop. */
const TURN = 16;

/**
 * A tokenizer of `vocabulary` tokens: the 256 bytes, whose ids are their values, then merges in order. It has fewer, rounded
 * down to one of `sizes`, where the text has no more pairs that occur `minFrequency` times.
 *
 * @throws SaffuError INVALID_OPTION; INVALID_TEXT where the text is empty; OUT_OF_MEMORY; ABORTED
 */
export async function trainTokenizer(chunks: Chunks, options: TrainOptions): Promise<Tokenizer> {
  checkOptions(options);
  checkChunks(chunks);
  const { vocabulary, minFrequency = 2 } = options;
  const split = checkBoundary(options.boundary) === "newline" ? LINES : CAPPED;
  if (!Number.isInteger(vocabulary) || vocabulary % 8 !== 0 || vocabulary < 256 || vocabulary > 65528) {
    throw new SaffuError(
      "INVALID_OPTION",
      `vocabulary must be a multiple of 8 in 256..65528, got ${String(vocabulary)}`,
    );
  }
  if (!Number.isInteger(minFrequency) || minFrequency < 2) {
    throw invalidOption("minFrequency", "a whole number, 2 or more", minFrequency);
  }
  let done = 0;
  let total = vocabulary - 256;
  const report = () => options.onProgress?.({ phase: "tokenizer", done, total });
  const turn = turns(options.signal, report);
  throwIfAborted(options.signal);
  report();
  const pairs = await countPairs(chunks, split, turn, minFrequency);

  const bytes: Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const merges: Merge[] = [];
  for (; done < total; ++done) {
    await turn();
    const best = pairs.mostFrequent();
    if (best === undefined) break;
    const [left, right] = best;
    merges.push([left, right, bytes.length]);
    pairs.merge(left, right, bytes.length);
    bytes.push(joined(bytes[left]!, bytes[right]!));
  }
  const filled = bytes.length < vocabulary ? options.sizes?.findLast((size) => size <= bytes.length) : undefined;
  const size = filled ?? bytes.length - (bytes.length % 8);
  total = done;
  report();
  if (size === 256) return byteTokenizer();
  return new BytePairTokenizer(bytes.slice(0, size), merges.slice(0, size - 256), split);
}

async function countPairs(chunks: Chunks, split: Split, turn: () => Promise<void>, least: number): Promise<PairCounts> {
  const words = new PieceTable();
  const counts: number[] = [];
  for await (const bytes of settledText(split, chunks)) {
    for (let start = 0, end = 0; start < bytes.length; start = end) {
      end = pieceEnd(split, bytes, start, bytes.length, true);
      const word = words.indexOf(bytes, start, end);
      counts[word] = (counts[word] ?? 0) + 1;
    }
    if (words.length > MOST_DISTINCT) {
      throw new SaffuError("OUT_OF_MEMORY", `the text has more than ${MOST_DISTINCT} bytes in distinct pieces`);
    }
    await turn();
  }
  if (words.size === 0)
    throw new SaffuError("INVALID_TEXT", "the text is empty: there is nothing to train a tokenizer on");
  const pairs = new PairCounts(words.length, least);
  for (const [word, count] of counts.entries()) {
    pairs.addWord(words.get(word), count);
    if (word % 1024 === 0) await turn();
  }
  return pairs;
}

/** A function to call between steps of work: it gives way to the event loop now and then. @throws SaffuError ABORTED */
function turns(signal: AbortSignal | undefined, report: () => void): () => Promise<void> {
  let last = Date.now();
  return async () => {
    throwIfAborted(signal);
    if (Date.now() - last < TURN) return;
    report();
    await new Promise((resolve) => setTimeout(resolve));
    last = Date.now();
    throwIfAborted(signal);
  };
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(left.length + right.length);
  bytes.set(left);
  bytes.set(right, left.length);
  return bytes;
}
