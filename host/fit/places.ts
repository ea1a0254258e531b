/** The places of a text by the tokens before them. */

/** Gives way to other work where it is due, between two stretches of a long loop. @throws SaffuError ABORTED */
export type Pause = () => Promise<void>;

/** Places that the same tokens stand before: `sorted[from]` up to `sorted[to]`, ascending. */
export interface SameContext {
  readonly from: number;
  readonly to: number;
}

/** Which contexts are looked at. */
export interface Looked {
  /** Tokens of a context. */
  readonly order: number;
  /** Times that it comes, at the least. */
  readonly least: number;
  /** Most contexts: the most frequent, without those of the frequency of which there are too many. */
  readonly most: number;
  /** A token that stands in no context but as the first. */
  readonly boundary: number | undefined;
}

/** Elements between two pauses. */
const STRETCH = 1 << 17;
/** Times that are told apart. */
const TIMES = 1 << 16;

/**
 * The places from `order` on in the order of the `order` tokens before each, the last token first; equal ones ascend. One counting sort a
 * token, from the first of them to the last (radix sort: Knuth, The Art of Computer Programming 3, 5.2.5).
 */
export async function sortedPlaces(
  tokens: Uint16Array,
  order: number,
  vocabulary: number,
  pause: Pause,
): Promise<Uint32Array> {
  const many = Math.max(0, tokens.length - order);
  let sorted = new Uint32Array(many);
  for (let i = 0; i < many; ++i) sorted[i] = order + i;
  let other = new Uint32Array(many);
  for (let back = order; back >= 1; --back) {
    const next = new Uint32Array(vocabulary + 1);
    // the first `back` tokens from the end on are before no place
    for (let i = order - back; i < many + order - back; ++i) ++next[tokens[i]! + 1]!;
    for (let v = 0; v < vocabulary; ++v) next[v + 1]! += next[v]!;
    for (let start = 0; start < many; start += STRETCH) {
      const end = Math.min(many, start + STRETCH);
      for (let i = start; i < end; ++i) {
        const place = sorted[i]!;
        other[next[tokens[place - back]!]!++] = place;
      }
      await pause();
    }
    [sorted, other] = [other, sorted];
  }
  return sorted;
}

/** The contexts of a text that are looked at, in the order of their places. */
export async function contextsOf(
  tokens: Uint16Array,
  sorted: Uint32Array,
  { order, least, most, boundary }: Looked,
  pause: Pause,
): Promise<SameContext[]> {
  const frequencies = new Uint32Array(TIMES);
  for (let from = 0, looked = 0; from < sorted.length; ) {
    const to = endOf(tokens, sorted, from, order);
    if (isWhole(tokens, sorted[from]!, order, boundary)) ++frequencies[Math.min(TIMES - 1, to - from)]!;
    if (to - looked >= STRETCH) {
      await pause();
      looked = to;
    }
    from = to;
  }
  let times = TIMES;
  for (let many = 0; times > least && many + frequencies[times - 1]! <= most; --times) many += frequencies[times - 1]!;
  const contexts: SameContext[] = [];
  for (let from = 0, looked = 0; from < sorted.length; ) {
    const to = endOf(tokens, sorted, from, order);
    if (to - from >= times && isWhole(tokens, sorted[from]!, order, boundary)) contexts.push({ from, to });
    if (to - looked >= STRETCH) {
      await pause();
      looked = to;
    }
    from = to;
  }
  return contexts;
}

/** Behind the last of the places that have the context of the one at `from`. */
function endOf(tokens: Uint16Array, sorted: Uint32Array, from: number, order: number): number {
  const first = sorted[from]!;
  let to = from + 1;
  while (to < sorted.length && isSame(tokens, first, sorted[to]!, order)) ++to;
  return to;
}

/** Whether the context of a place is of one piece of the text, and what ended the piece before at the most. */
function isWhole(tokens: Uint16Array, place: number, order: number, boundary: number | undefined): boolean {
  for (let back = 1; back < order; ++back) if (tokens[place - back] === boundary) return false;
  return true;
}

function isSame(tokens: Uint16Array, a: number, b: number, order: number): boolean {
  for (let back = 1; back <= order; ++back) if (tokens[a - back] !== tokens[b - back]) return false;
  return true;
}
