/** Saffu's scorers. */
import type { Scorer } from "./scorer.ts";

export const SAFFU: readonly Scorer[] = [];
