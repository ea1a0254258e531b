/** Byte-pair encoding of one piece: merge the adjacent pair of lowest rank, the leftmost first, until none is left. */

/** Rank and result of each merge, by left · 65536 + right. */
export type Merges = ReadonlyMap<number, { readonly rank: number; readonly token: number }>;

/** Key of a pair of tokens. */
export function pairKey(left: number, right: number): number {
  return left * 65536 + right;
}

const LONG = 64;

/** Tokens of a piece, from the tokens of its bytes. */
export function mergePiece(tokens: number[], merges: Merges): number[] {
  return tokens.length <= LONG ? mergeShort(tokens, merges) : mergeLong(tokens, merges);
}

function mergeShort(tokens: number[], merges: Merges): number[] {
  while (tokens.length > 1) {
    let best: { rank: number; token: number } | undefined;
    let at = -1;
    for (let i = 0; i + 1 < tokens.length; ++i) {
      const merge = merges.get(pairKey(tokens[i]!, tokens[i + 1]!));
      if (merge !== undefined && (best === undefined || merge.rank < best.rank)) {
        best = merge;
        at = i;
      }
    }
    if (best === undefined) break;
    tokens[at] = best.token;
    tokens.splice(at + 1, 1);
  }
  return tokens;
}

/** The same by a heap of candidates and a linked list: n log n, for pieces without end. */
function mergeLong(tokens: number[], merges: Merges): number[] {
  const n = tokens.length;
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  // rank · n + place orders by rank, then leftmost; both stay below 2^53
  const heap = new Heap();
  const push = (at: number) => {
    const after = next[at]!;
    const merge = after < 0 ? undefined : merges.get(pairKey(tokens[at]!, tokens[after]!));
    if (merge !== undefined) heap.push(merge.rank * n + at);
  };
  for (let i = 0; i < n; ++i) push(i);
  for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
    const at = key % n;
    const rank = (key - at) / n;
    const after = next[at]!;
    if (tokens[at]! < 0 || after < 0) continue;
    const merge = merges.get(pairKey(tokens[at]!, tokens[after]!));
    if (merge?.rank !== rank) continue; // the pair has changed since
    tokens[at] = merge.token;
    tokens[after] = -1;
    next[at] = next[after]!;
    if (next[at]! >= 0) previous[next[at]!] = at;
    push(at);
    if (previous[at]! >= 0) push(previous[at]!);
  }
  return tokens.filter((token) => token >= 0);
}

/** A binary heap of numbers, least first. */
class Heap {
  private readonly keys: number[] = [];

  push(key: number): void {
    const { keys } = this;
    let at = keys.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number | undefined {
    const { keys } = this;
    const top = keys[0];
    const last = keys.pop();
    if (last === undefined || keys.length === 0) return top;
    let at = 0;
    for (let child = 1; child < keys.length; child = 2 * at + 1) {
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) ++child;
      if (keys[child]! >= last) break;
      keys[at] = keys[child]!;
      at = child;
    }
    keys[at] = last;
    return top;
  }
}
