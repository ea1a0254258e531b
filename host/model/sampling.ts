/** Options of generation, checked before the first token. */
import { SaffuError } from "../errors.ts";

export interface GenerateOptions {
  /** Most tokens to generate, 1 to 1,000,000. Default 256. */
  readonly maxTokens?: number | undefined;
  /** ≥ 0; 0 always takes the likeliest token. Default 0.8. */
  readonly temperature?: number | undefined;
  /** Keeps the k likeliest tokens; 0 keeps all. Default 0. */
  readonly topK?: number | undefined;
  /** In (0, 1]: keeps the fewest likeliest tokens that together reach this probability. Default 1. */
  readonly topP?: number | undefined;
  /** Whole number in 0..2^32−1: same seed, same text, on every runtime. Default 1. */
  readonly seed?: number | undefined;
  /** Generation ends before any of these strings; they are not emitted. */
  readonly stop?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `options` with defaults. @throws SaffuError INVALID_OPTION, naming the option and the bound */
export function checkGenerateOptions(options: GenerateOptions) {
  const { maxTokens = 256, temperature = 0.8, topK = 0, topP = 1, seed = 1, stop = [], signal } = options;
  integer("maxTokens", maxTokens, 1, 1_000_000);
  integer("topK", topK, 0, 65535);
  integer("seed", seed, 0, 0xffffffff);
  // 2^-20 still divides any logarithm of a probability to a finite number
  if (!(temperature === 0 || (temperature >= 2 ** -20 && temperature <= 1000))) {
    throw invalid("temperature", "0 or a number in 0.000001..1000", temperature);
  }
  if (!(topP > 0 && topP <= 1)) throw invalid("topP", "a number above 0, at most 1", topP);
  if (!Array.isArray(stop) || stop.some((text) => typeof text !== "string" || text === "")) {
    throw invalid("stop", "an array of non-empty strings", stop);
  }
  return { maxTokens, temperature, topK, topP, seed, stop, signal };
}

function integer(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalid(name, `an integer in ${least}..${most}`, value);
  }
}

function invalid(name: string, bound: string, found: unknown): SaffuError {
  return new SaffuError("INVALID_OPTION", `${name} must be ${bound}, got ${String(found)}`);
}
