/** Options of generation, checked before the first token. */
import { checkOptions, invalidOption } from "../errors.ts";

export interface GenerateOptions {
  /** Most tokens to generate, 1 to 1,000,000. Default 256. */
  readonly maxTokens?: number | undefined;
  /** ≥ 0; 0 always takes the likeliest token. Default 0.8. */
  readonly temperature?: number | undefined;
  /** Keeps the k likeliest tokens; 0 keeps all. Default 0. */
  readonly topK?: number | undefined;
  /** In 0.000001..1: keeps the fewest likeliest tokens that together reach this probability. Default 1. */
  readonly topP?: number | undefined;
  /** Whole number in 0..2^32−1: same seed, same text, on every runtime. Default 1. */
  readonly seed?: number | undefined;
  /** Generation ends before any of these strings; they are not emitted. */
  readonly stop?: readonly string[] | undefined;
  /** Whether the prompt's end is healed, so that a word that it leaves unfinished can be finished. Default true. */
  readonly heal?: boolean | undefined;
  /** Whether the text is kept well-formed UTF-8. Default true. */
  readonly wellFormed?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with each token as it is sampled, before the text that it completes (or holds back) is emitted. */
  readonly onToken?: ((token: number) => void) | undefined;
}

/** `options` with defaults. @throws SaffuError INVALID_OPTION, naming the option and the bound */
export function checkGenerateOptions(options: GenerateOptions) {
  checkOptions(options, ["onToken"]);
  const { maxTokens = 256, temperature = 0.8, topK = 0, topP = 1, seed = 1, stop = [], signal, onToken } = options;
  const { heal = true, wellFormed = true } = options;
  integer("maxTokens", maxTokens, 1, 1_000_000);
  integer("topK", topK, 0, 65535);
  integer("seed", seed, 0, 0xffffffff);
  // 2^-20 still divides any logarithm of a probability to a finite number
  if (temperature !== 0 && !within(temperature, 2 ** -20, 1000)) {
    throw invalidOption("temperature", "0 or a number in 0.000001..1000", temperature);
  }
  // as a float of 32 bits it must not come to 0
  if (!within(topP, 2 ** -20, 1)) throw invalidOption("topP", "a number in 0.000001..1", topP);
  if (!Array.isArray(stop)) throw invalidOption("stop", "an array of texts", stop);
  for (const text of stop)
    if (typeof text !== "string" || text === "") throw invalidOption("stop", "a text, not empty", text);
  for (const [name, value] of Object.entries({ heal, wellFormed })) {
    if (typeof value !== "boolean") throw invalidOption(name, "true or false", value);
  }
  return { maxTokens, temperature, topK, topP, seed, stop, signal, onToken, heal, wellFormed };
}

function integer(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || !within(value, least, most)) {
    throw invalidOption(name, `an integer in ${least}..${most}`, value);
  }
}

/** False for NaN, and for what is no number. */
function within(value: number, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}
