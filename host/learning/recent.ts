/** The latest tokens observed, piece by piece, in bounded memory. Each piece begins with BREAK; the oldest may have lost its head. */
import { BREAK, MOST_RECENT } from "../files/statistics.ts";

/** `recent` with a piece added: what no longer fits is dropped from the oldest end. */
export function remember(recent: Uint16Array, piece: Uint16Array): Uint16Array {
  if (piece.length === 0) return recent;
  const kept = Math.max(0, MOST_RECENT - piece.length - 1);
  const before = recent.subarray(Math.max(0, recent.length - kept));
  const all = new Uint16Array(before.length + 1 + piece.length);
  all.set(before);
  all[before.length] = BREAK;
  all.set(piece, before.length + 1);
  return all.subarray(Math.max(0, all.length - MOST_RECENT)).slice();
}

/** All tokens, without the breaks. */
export function withoutBreaks(recent: Uint16Array): Uint16Array {
  return recent.filter((token) => token !== BREAK);
}
