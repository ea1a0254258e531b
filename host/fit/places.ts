/** The places of a text in the order of the tokens before them. */

/** Places that the same tokens stand before: `sorted[from]` up to `sorted[to]`, ascending. */
export interface SameContext {
  readonly from: number;
  readonly to: number;
}

/**
 * The places from `order` on in the order of the `order` tokens before each, the last token first; equal ones ascend. One counting sort a
 * token, from the first of them to the last (radix sort: Knuth, The Art of Computer Programming 3, 5.2.5).
 */
export function sortedPlaces(tokens: Uint16Array, order: number, vocabulary: number): Uint32Array {
  const many = Math.max(0, tokens.length - order);
  let sorted = new Uint32Array(many);
  for (let i = 0; i < many; ++i) sorted[i] = order + i;
  let other = new Uint32Array(many);
  for (let back = order; back >= 1; --back) {
    const next = new Uint32Array(vocabulary + 1);
    for (let i = 0; i < many; ++i) ++next[tokens[sorted[i]! - back]! + 1]!;
    for (let v = 0; v < vocabulary; ++v) next[v + 1]! += next[v]!;
    for (let i = 0; i < many; ++i) {
      const place = sorted[i]!;
      other[next[tokens[place - back]!]!++] = place;
    }
    [sorted, other] = [other, sorted];
  }
  return sorted;
}

/** The contexts of `order` tokens that stand before at least `least` places, `boundary` nowhere but as the first of them. */
export function* contextsOf(
  tokens: Uint16Array,
  sorted: Uint32Array,
  order: number,
  least: number,
  boundary?: number | undefined,
): Generator<SameContext> {
  for (let from = 0, to = 0; from < sorted.length; from = to) {
    const first = sorted[from]!;
    to = from + 1;
    while (to < sorted.length && isSame(tokens, first, sorted[to]!, order)) ++to;
    if (to - from >= least && !tokens.subarray(first - order + 1, first).includes(boundary!)) yield { from, to };
  }
}

function isSame(tokens: Uint16Array, a: number, b: number, order: number): boolean {
  for (let back = 1; back <= order; ++back) if (tokens[a - back] !== tokens[b - back]) return false;
  return true;
}
