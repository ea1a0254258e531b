/** N-grams of any number of bytes, for tests: contexts of a text, and tokens with factors as a generator draws them. */
import {
  FACTORS,
  factorsOf,
  MOST_ENTRIES,
  MOST_ORDER,
  type NgramContext,
  ngramBytes,
  writeNgrams,
} from "../../host/files/ngrams.ts";
import type { Shape } from "../../host/shape.ts";

/** @param below a draw below a bound; @param text whose contexts it has */
export function randomNgrams(
  { vocabulary, ngrams = 0 }: Shape,
  below: (bound: number) => number,
  text: readonly number[],
): Uint8Array<ArrayBuffer> {
  for (let tries = 0; tries < 100; ++tries) {
    const wanted = Math.max(1, Math.floor((ngrams - ngramBytes(0, 0)) / (8 + 2 * below(8))) - tries);
    const contexts = new Map<string, number[]>();
    for (let i = 0; i < 40 * wanted && contexts.size < wanted; ++i) {
      const at = 1 + below(text.length - 1);
      const tokens = text.slice(Math.max(0, at - 1 - below(MOST_ORDER)), at).reverse();
      contexts.set(tokens.join(), tokens);
    }
    const rest = ngrams - ngramBytes(contexts.size, 0);
    if (rest < 0 || rest % 2 !== 0 || rest / 2 > MOST_ENTRIES * contexts.size) continue;
    const all = [...contexts.values()].map((tokens) => ({ tokens, entries: [] as [number, number][] }));
    for (let left = rest / 2; left > 0; ) {
      const { entries } = all[below(all.length)]!;
      if (entries.length === MOST_ENTRIES) continue;
      entries.push([below(vocabulary), below(factorsOf(vocabulary))]);
      --left;
    }
    const factors = Array.from({ length: FACTORS }, () => 2 ** ((below(321) - 160) / 20));
    const bytes = writeNgrams(all satisfies NgramContext[], factors, vocabulary);
    if (bytes.length === ngrams) return bytes; // else a context was taken for another
  }
  throw new Error(`no n-grams of ${ngrams} bytes`);
}
