// The document context: a decayed bag of the stream, d = Σ_i (1/T) (1 − 1/T)^i x_(−1−i), read by heads of its own. On the device its part
// of the logits is carried along, z ← (1 − 1/T) z + U[x] / T; the solvers sum the last 5·T tokens, and what is older, under 1 % of the
// bag, is left out.
import { cipherBit, cipherLength } from "./cipher";
import { ABSENT, DOCUMENT_M, DOCUMENT_SPAN } from "./shape";
import { addScaled } from "./vectors";

/** What a token's share is multiplied by with each token that follows. */
export const KEEP: f32 = <f32>(DOCUMENT_SPAN - 1) / <f32>DOCUMENT_SPAN;
/** Share of the latest token. */
export const NEW: f32 = <f32>1 / <f32>DOCUMENT_SPAN;
const WINDOW: i32 = 5 * DOCUMENT_SPAN;

/**
 * out += d U, for `n` classes of the document's heads from `first`.
 *
 * @param tokens (N) u16, the label at `at`; @param cipher (V, k) u16
 * @param u (b, width of the document's heads) f32; @param out (n) f32
 */
export function addDocument(tokens: usize, at: i32, cipher: usize, u: usize, first: usize, n: usize, out: usize): void {
  let share = NEW;
  for (let place = at - 1, end = max<i32>(0, at - WINDOW); place >= end; --place, share *= KEEP) {
    const token = <u32>load<u16>(tokens + (<usize>place << 1));
    if (token == ABSENT) break; // between texts
    const bits = cipherLength(cipher, token);
    for (let i = 0; i < bits; ++i) {
      const row = <usize>cipherBit(cipher, token, i);
      addScaled(u + ((row * DOCUMENT_M + first) << 2), share / <f32>bits, n, out);
    }
  }
}

/**
 * outSums[row] += weight · d[row] · values for each bit that lies in [firstRow, endRow).
 *
 * @param values (n) f32
 * @param outSums (b, width of the document's heads) f32, offset to the first class
 */
export function addToDocument(
  tokens: usize,
  at: i32,
  cipher: usize,
  values: usize,
  weight: f32,
  n: usize,
  firstRow: i32,
  endRow: i32,
  outSums: usize,
): void {
  let share = NEW * weight;
  for (let place = at - 1, end = max<i32>(0, at - WINDOW); place >= end; --place, share *= KEEP) {
    const token = <u32>load<u16>(tokens + (<usize>place << 1));
    if (token == ABSENT) break; // between texts
    const bits = cipherLength(cipher, token);
    for (let i = 0; i < bits; ++i) {
      const row = cipherBit(cipher, token, i);
      if (<i32>row < firstRow || <i32>row >= endRow) continue;
      addScaled(values, share / <f32>bits, n, outSums + ((<usize>row * DOCUMENT_M) << 2));
    }
  }
}
