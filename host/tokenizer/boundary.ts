/** Where a text falls into pieces that see nothing of each other: lines, each with its newline as its last token, behind that of the line before. */
import { invalidOption } from "../errors.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** "newline": each line is a piece. "none": the text is one. */
export type Boundary = "newline" | "none";

const NEWLINE = 0x0a;

/** The option with its default. @throws SaffuError INVALID_OPTION */
export function checkBoundary(boundary: unknown = "none"): Boundary {
  if (boundary === "newline" || boundary === "none") return boundary;
  throw invalidOption("boundary", `"newline" or "none"`, boundary);
}

/**
 * The token that ends a line.
 *
 * @throws SaffuError INVALID_OPTION where there is none, or another token holds a newline as well
 */
export function newlineOf(tokenizer: Tokenizer): number {
  let found = -1;
  for (let token = 0; token < tokenizer.vocabularySize; ++token) {
    const bytes = tokenizer.bytesOf(token);
    if (!bytes.includes(NEWLINE)) continue;
    if (bytes.length > 1) {
      const what = `"none" where a token holds a newline and more, as token ${token} of the tokenizer does`;
      throw invalidOption("boundary", what, "newline");
    }
    found = token;
  }
  if (found >= 0) return found;
  throw invalidOption("boundary", `"none" where no token of the tokenizer is a newline`, "newline");
}
