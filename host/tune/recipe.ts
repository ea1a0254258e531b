/** How a model is tuned: what a caller may choose, and what config.json records of it. */
import { BATCH } from "../compile/sizes.ts";
import { invalidOption, refuseGone } from "../errors.ts";

/** Where tuning starts from: the model's own weights, or random ones of its shape (`cold`: normal; `xavier`: Glorot's uniform). */
export type TuneInit = "warm" | "cold" | "xavier";

export interface TuneRecipeOptions {
  /** Passes over the text, 1..1000. Default 1. */
  readonly epochs?: number | undefined;
  /** Learning rate at its peak, 1e-7..1. Default 0.01 from a warm start, 0.03 from a cold one. */
  readonly lr?: number | undefined;
  /** Tokens a step, 1..2048. Default 256. */
  readonly batch?: number | undefined;
  /**
   * A warm start has U times this, above 0, at most 1 (default): U of a long text is so large that its units are nearly certain,
   * and back-propagation hardly moves what is certain. What is less takes a text and epochs enough to learn O for it again.
   */
  readonly soften?: number | undefined;
  /** Default "warm". */
  readonly init?: TuneInit | undefined;
  /** Whole number in 0..2^32−1: order of the text, weights of a cold start. Default 1. */
  readonly seed?: number | undefined;
}

/** The options with defaults. */
export interface TuneRecipe {
  readonly epochs: number;
  readonly lr: number;
  readonly batch: number;
  readonly soften: number;
  readonly init: TuneInit;
  readonly seed: number;
}

/** Steps of an epoch and of the run, the warm-up among them. */
export interface Schedule {
  readonly stepsPerEpoch: number;
  readonly steps: number;
  readonly warmUp: number;
}

/** Options of before. */
const GONE = { thaw: "is no longer an option of tune: inputs are one-hot or ciphers, and stay as they are" };
const INITS: readonly unknown[] = ["warm", "cold", "xavier"];
/** Share of the steps in which the learning rate rises to its peak. */
const WARM_UP = 0.02;
/** More steps than are counted. */
const TOO_MANY = 0x7fffffff;

/** @throws SaffuError INVALID_OPTION, naming the option and its bound */
export function tuneRecipe(options: TuneRecipeOptions): TuneRecipe {
  refuseGone(options, GONE);
  const { epochs = 1, batch = 256, soften = 1, init = "warm", seed = 1 } = options;
  if (!INITS.includes(init)) throw invalidOption("init", `"warm", "cold" or "xavier"`, init);
  const { lr = init === "warm" ? 0.01 : 0.03 } = options;
  integer("epochs", epochs, 1, 1000);
  if (typeof lr !== "number" || !(lr >= 1e-7 && lr <= 1)) throw invalidOption("lr", "a number in 0.0000001..1", lr);
  integer("batch", batch, 1, BATCH);
  if (typeof soften !== "number" || !(soften > 0 && soften <= 1)) {
    throw invalidOption("soften", "a number above 0, at most 1", soften);
  }
  if (init !== "warm" && soften !== 1) throw invalidOption("soften", "1 where the start is not warm", soften);
  integer("seed", seed, 0, 0xffffffff);
  return { epochs, lr, batch, soften, init, seed };
}

/** The schedule over `places` tokens. @throws SaffuError INVALID_OPTION where there are too many steps to count */
export function scheduleOf({ epochs, batch }: TuneRecipe, places: number): Schedule {
  const stepsPerEpoch = Math.ceil(places / batch);
  const steps = stepsPerEpoch * epochs;
  if (steps >= TOO_MANY)
    throw invalidOption("epochs", `at most ${Math.floor(TOO_MANY / stepsPerEpoch)} for this text`, epochs);
  return { stepsPerEpoch, steps, warmUp: Math.ceil(WARM_UP * steps) };
}

function integer(name: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw invalidOption(name, `an integer in ${least}..${most}`, value);
}
