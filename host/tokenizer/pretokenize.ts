/** GPT-2's split into pieces: no token ever crosses the border of a piece. */
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The pieces of `text`, in order; together they are the text. A lone surrogate is a symbol like any other. */
export function pieces(text: string): string[] {
  return text.match(PIECE) ?? [];
}

/**
 * Length of the longest prefix of `text` whose pieces stay the same whatever follows: all but the last two pieces, since more
 * text can lengthen the last piece and take the last space from the one before it.
 */
export function settledLength(text: string): number {
  const all = pieces(text);
  if (all.length <= 2) return 0;
  return text.length - all[all.length - 1]!.length - all[all.length - 2]!.length;
}
