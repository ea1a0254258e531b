/** Texts that are ids of tokens already. */
import { SaffuError } from "../errors.ts";

/** Whether a text is one of ids. */
export function isIds(text: unknown): text is Uint16Array {
  return ArrayBuffer.isView(text) && text[Symbol.toStringTag as never] === "Uint16Array";
}

/** A copy of ids below V. @throws SaffuError TOKEN_OUT_OF_RANGE */
export function checkIds(ids: Uint16Array, vocabulary: number): Uint16Array {
  const copy = ids.slice();
  for (const id of copy) checkId(id, vocabulary);
  return copy;
}

/** @throws SaffuError TOKEN_OUT_OF_RANGE */
export function checkId(id: number, vocabulary: number): number {
  if (Number.isInteger(id) && id >= 0 && id < vocabulary) return id;
  throw new SaffuError("TOKEN_OUT_OF_RANGE", `token ${id} is not in 0..${vocabulary - 1}`);
}
