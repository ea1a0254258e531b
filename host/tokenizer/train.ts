/**
 * Training a byte-level BPE (Sennrich et al. 2016): count the pieces, then merge the most frequent adjacent pair until the
 * vocabulary is full. Ties go to the lower left id, then the lower right id, so the result depends on the text alone.
 */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { pairKey } from "./bpe.ts";
import { bytesOfText, textOf } from "./bytes.ts";
import { pieces } from "./pretokenize.ts";
import { type Chunks, settledText } from "./stream.ts";
import { BytePairTokenizer, type Tokenizer } from "./tokenizer.ts";

export interface TrainOptions {
  /** V, a multiple of 8 in 256..65528. */
  readonly vocabulary: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { phase: "tokenizer"; done: number; total: number }) => void) | undefined;
}

/**
 * A tokenizer of at most `vocabulary` tokens: fewer, rounded down to a multiple of 8, where the text has no more pairs that
 * occur twice.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_TEXT (empty), ABORTED
 */
export async function trainTokenizer(chunks: Chunks, options: TrainOptions): Promise<Tokenizer> {
  const { vocabulary, signal, onProgress } = options;
  if (!Number.isInteger(vocabulary) || vocabulary % 8 !== 0 || vocabulary < 256 || vocabulary > 65528) {
    throw new SaffuError("INVALID_OPTION", `vocabulary must be a multiple of 8 in 256..65528, got ${vocabulary}`);
  }
  const words = await countPieces(chunks, signal);
  if (words.length === 0)
    throw new SaffuError("INVALID_TEXT", "the text is empty: there is nothing to train a tokenizer on");
  const pairs = new Pairs(words);
  const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const merges: [number, number, number][] = [];
  while (bytes.length < vocabulary) {
    if (merges.length % 64 === 0) {
      throwIfAborted(signal);
      onProgress?.({ phase: "tokenizer", done: merges.length, total: vocabulary - 256 });
      await new Promise((resolve) => setTimeout(resolve));
    }
    const best = pairs.mostFrequent();
    if (best === undefined) break;
    const [left, right] = best;
    merges.push([left, right, bytes.length]);
    pairs.merge(left, right, bytes.length);
    bytes.push(Uint8Array.of(...bytes[left]!, ...bytes[right]!));
  }
  onProgress?.({ phase: "tokenizer", done: vocabulary - 256, total: vocabulary - 256 });
  const size = bytes.length - (bytes.length % 8);
  return new BytePairTokenizer(bytes.slice(0, size), merges.slice(0, size - 256));
}

interface Word {
  readonly tokens: number[];
  readonly count: number;
}

/** Distinct pieces of the text with their counts, in order of first appearance. */
async function countPieces(chunks: Chunks, signal: AbortSignal | undefined): Promise<Word[]> {
  const counts = new Map<string, number>();
  for await (const bytes of settledText(chunks)) {
    throwIfAborted(signal);
    for (const piece of pieces(textOf(bytes))) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  return Array.from(counts, ([piece, count]) => ({ tokens: Array.from(bytesOfText(piece)), count }));
}

/** Counts of adjacent pairs, where each occurs, and which is the most frequent. */
class Pairs {
  private readonly counts = new Map<number, number>();
  private readonly where = new Map<number, Set<number>>();

  constructor(private readonly words: Word[]) {
    for (const [at, { tokens, count }] of words.entries()) {
      for (let i = 0; i + 1 < tokens.length; ++i) this.add(pairKey(tokens[i]!, tokens[i + 1]!), count, at);
    }
  }

  /** The most frequent pair that occurs at least twice; of equals, the lowest key: left id, then right id. */
  mostFrequent(): [number, number] | undefined {
    let best = -1;
    let most = 1;
    for (const [key, count] of this.counts) {
      if (count > most || (count === most && key < best)) {
        best = key;
        most = count;
      }
    }
    return best < 0 ? undefined : [Math.floor(best / 65536), best % 65536];
  }

  /** Replaces the pair by `token` in every word that holds it. */
  merge(left: number, right: number, token: number): void {
    const key = pairKey(left, right);
    for (const at of this.where.get(key) ?? []) {
      const { tokens, count } = this.words[at]!;
      for (let i = 0; i + 1 < tokens.length; ++i) this.add(pairKey(tokens[i]!, tokens[i + 1]!), -count, at);
      let length = 0;
      for (let i = 0; i < tokens.length; ++i) {
        const merged = tokens[i] === left && i + 1 < tokens.length && tokens[i + 1] === right;
        tokens[length++] = merged ? token : tokens[i]!;
        if (merged) ++i;
      }
      tokens.length = length;
      for (let i = 0; i + 1 < tokens.length; ++i) this.add(pairKey(tokens[i]!, tokens[i + 1]!), count, at);
    }
    this.counts.delete(key);
    this.where.delete(key);
  }

  private add(key: number, count: number, at: number): void {
    const sum = (this.counts.get(key) ?? 0) + count;
    if (sum > 0) this.counts.set(key, sum);
    else this.counts.delete(key);
    if (count < 0) return;
    const places = this.where.get(key);
    if (places === undefined) this.where.set(key, new Set([at]));
    else places.add(at);
  }
}
