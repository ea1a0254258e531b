/** What learning takes and gives: options, checked before any work, and reports. */
import { invalidOption, refuseGone } from "../errors.ts";

/** What observing, forgetting and merging take. */
export interface LearnOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with what has been done so far: tokens of a text, or sums of statistics. */
  readonly onProgress?: ((done: { readonly tokens: number }) => void) | undefined;
}

/** What observing takes. */
export interface ObserveOptions extends LearnOptions {
  /**
   * Whether sums of which the fullest is more than half full are halved before the text is added: then learning never ends, what is
   * older weighs less, and what was observed before can no longer be forgotten. Default false.
   */
  readonly age?: boolean | undefined;
}

/** What forgetting takes. */
export interface ForgetOptions extends LearnOptions {
  /** The generation that the text was observed in, as `observe` told. Not needed where the sums were never halved, or the memory has the text. */
  readonly generation?: number | undefined;
  /** Whether the text is taken out of the memory alone, and stays in the sums: of any generation. Default false. */
  readonly memoryOnly?: boolean | undefined;
}

/** What a piece of text came to. */
export interface Observation {
  readonly tokens: number;
  readonly bytes: number;
  /** Σ −log2 p under the base, each token before it was learned. */
  readonly bits: number;
  /** Tokens in the sums afterwards. */
  readonly observedTokens: number;
  /** How often the sums were halved; what was observed in another generation cannot be forgotten. */
  readonly generation: number;
  /** Tokens in the memory afterwards. */
  readonly memoryTokens: number;
  /** Tokens that left the memory to make room, or never had any: forgetting does not bring them back. */
  readonly evictedTokens: number;
}

/** What merging came to. */
export type Merged = Pick<Observation, "observedTokens" | "generation" | "memoryTokens" | "evictedTokens">;

export interface RefitOptions {
  /** α, pseudo-tokens that the base's expectation counts for: > 0. Default 3000. */
  readonly pseudoCounts?: number | undefined;
  /** s of iterative scaling, in 0..4. Default 1. */
  readonly step?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** What a refit did. */
export interface RefitReport {
  readonly pseudoCounts: number;
  readonly step: number;
  /** Tokens it was solved from; where there are none, the model is the base again. */
  readonly tokens: number;
}

/**
 * α (ours): with it one step of 1 made no text worse from 100 words on, on four domains and an earlier base; a rule, not a search (docs/learning.md).
 */
export const PSEUDO_COUNTS = 3000;

/** Options that a refit once took. */
const GONE = {
  mass: "is pseudoCounts now",
  scope:
    "is no longer an option of refit: a refit solves the decoder alone; fit or tune a model anew to change its lower layers",
  search:
    "is no longer an option of refit: a refit takes its step from `step`; score held-out text after each to choose one",
};

/** `options` with defaults. @throws SaffuError INVALID_OPTION, naming the option, and the bound or what replaces it */
export function checkRefitOptions(options: RefitOptions) {
  refuseGone(options, GONE);
  const { pseudoCounts = PSEUDO_COUNTS, step = 1 } = options;
  if (typeof pseudoCounts !== "number" || !(pseudoCounts >= 2 ** -20 && pseudoCounts <= 1e9))
    throw invalidOption("pseudoCounts", "a number in 0.000001..1e9", pseudoCounts);
  if (typeof step !== "number" || !(step >= 0 && step <= 4)) throw invalidOption("step", "a number in 0..4", step);
  return { pseudoCounts, step };
}
