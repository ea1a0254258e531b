/** What long work on a solver shares: its options, its progress, and calls of bounded length between which a signal is seen. */
import { checkOptions, invalidOption, refuseGone, SaffuError, throwIfAborted } from "../errors.ts";
import type { Build } from "../model/kernel.ts";
import type { Solver } from "./solver.ts";

/** How far long work has come. `total` is 0 where it is not known. */
export interface PhaseProgress<Phase extends string> {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
}

/** How a caller follows long work, and ends it. */
export interface Hooks<Phase extends string> {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PhaseProgress<Phase>) => void) | undefined;
}

/** How the work is done; no result depends on it. */
export interface RunOptions {
  /** Worker threads; 0 works in the calling thread. Default 2 under Node. */
  readonly threads?: number | undefined;
  /** `scalar` works where SIMD is missing. */
  readonly build?: Build | undefined;
}

/** Fewest tokens that a model is fitted to: below it there is nothing to count. */
export const LEAST_TOKENS = 16;
/** Steps that are run between two looks at the signal: fewest, and most. */
export const STEPS = [1, 64] as const;
/** Places likewise, where there are no steps. */
export const PLACES = [512, 16384] as const;
/** Milliseconds that a call is meant to take. */
const CALL = 100;
/** Options by names of before. */
const GONE = { flavour: "is build now" };

/** The options with defaults. @throws SaffuError INVALID_OPTION */
export function runOptions(options: RunOptions): { threads: number; build: Build } {
  checkOptions(options);
  refuseGone(options, GONE);
  const { threads, build = "simd" } = options;
  if (build !== "simd" && build !== "scalar") {
    throw invalidOption("build", `"simd" or "scalar"`, build);
  }
  return { threads: threadsOf(threads), build };
}

function threadsOf(threads: number | undefined): number {
  if (threads === undefined) return typeof process === "undefined" ? 0 : 2;
  if (!Number.isInteger(threads) || threads < 0 || threads > 16) {
    throw invalidOption("threads", "an integer in 0..16", threads);
  }
  return threads;
}

/** @throws SaffuError INVALID_TEXT where a text is too short to be counted */
export function assertEnough(tokens: number, what: string): void {
  if (tokens >= LEAST_TOKENS) return;
  throw new SaffuError("INVALID_TEXT", `the text has ${tokens} tokens, ${what} needs at least ${LEAST_TOKENS}`);
}

/** Lets timers, signals and input be served between two long pieces of work. @throws SaffuError ABORTED */
export async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  throwIfAborted(signal);
}

/**
 * Runs steps [first, last) of an exported function in calls of bounded work.
 *
 * @param total of the phase; @param done of it before step 0; @param args of the function before its steps
 */
export async function runSteps<Phase extends string>(
  solver: Solver,
  name: string,
  phase: Phase,
  [first, last]: readonly [first: number, last: number],
  total: number,
  { signal, onProgress }: Hooks<Phase>,
  { done = 0, args = [] }: { readonly done?: number; readonly args?: readonly number[] } = {},
): Promise<void> {
  await inCalls([first, last], STEPS, signal, async (from, to) => {
    await solver.all(name, "thread", "threads", ...args, from, to);
    onProgress?.({ phase, done: done + to, total });
  });
}

/**
 * Work in calls of bounded time: how much is done in one follows from how long the last one took. Which calls it is divided into changes no
 * result.
 *
 * @param call does [from, to)
 * @param least what is not divided further
 */
export async function inCalls(
  [first, last]: readonly [first: number, last: number],
  [least, most]: readonly [least: number, most: number],
  signal: AbortSignal | undefined,
  call: (from: number, to: number) => Promise<void>,
): Promise<void> {
  let size = least;
  for (let from = first; from < last; ) {
    throwIfAborted(signal);
    const to = Math.min(last, from + size);
    const start = performance.now();
    await call(from, to);
    const fitting = ((to - from) * CALL) / Math.max(1, performance.now() - start);
    size = Math.max(least, Math.min(most, 2 * size, fitting - (fitting % least)));
    from = to;
  }
}

/** Seconds since the last call. */
export function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
