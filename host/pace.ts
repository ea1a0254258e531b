/** Long work in turns of bounded length, so that timers, signals and input are served meanwhile; and waiting that a signal ends. */
import { abortedBy, checkChunks, throwIfAborted } from "./errors.ts";

/** Milliseconds of work between two turns of the event loop: half a frame of a 60 Hz screen. */
const TURN = 8;

/** What runs next after everything that waits: setImmediate where there is one, as timers wait a millisecond or four. */
const giveWay: () => Promise<void> =
  typeof setImmediate === "function"
    ? () => new Promise((resolve) => setImmediate(resolve))
    : () => new Promise((resolve) => setTimeout(resolve));

/** `if (pace.due()) await pace.rest()` inside a long loop. */
export class Pace {
  private since = performance.now();

  /** Whether the present turn has lasted long enough. */
  due(): boolean {
    return performance.now() - this.since >= TURN;
  }

  /** Lets everything else run, and begins the next turn. */
  async rest(): Promise<void> {
    await giveWay();
    this.since = performance.now();
  }
}

/** What steps come to, at once. */
export function drained<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value as T;
  }
}

/** The same in turns. @throws SaffuError ABORTED between two turns */
export async function inTurns<T>(steps: Generator<void, T>, pace: Pace, signal: AbortSignal | undefined): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value as T;
    if (!pace.due()) continue;
    await pace.rest();
    throwIfAborted(signal);
  }
}

/** Waits for what may last, or until the signal fires. @throws SaffuError ABORTED; what is waited for goes on */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return work;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(abortedBy(signal));
    signal.addEventListener("abort", abort);
  });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener("abort", abort));
}

/** The same chunks, until the signal fires, which is looked for also while a chunk is waited for. @throws SaffuError ABORTED */
export async function* abortable<T>(
  chunks: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  checkChunks(chunks);
  if (signal === undefined) {
    yield* chunks;
    return;
  }
  // one promise a wait: a race with one that lasts would keep every wait before it
  let end = () => {};
  const abort = () => end();
  signal.addEventListener("abort", abort);
  const iterator = Object(chunks)[Symbol.asyncIterator]?.() ?? (chunks as Iterable<T>)[Symbol.iterator]();
  let ended = false;
  try {
    for (;;) {
      throwIfAborted(signal);
      const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        end = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      throwIfAborted(signal);
      if (next === undefined || next.done) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } catch (cause) {
    ended ||= !signal.aborted; // the source itself has thrown
    throw cause;
  } finally {
    signal.removeEventListener("abort", abort);
    if (!ended) {
      const closed = Promise.resolve(iterator.return?.());
      if (signal.aborted)
        closed.catch(() => {}); // it may stall as well
      else await closed;
    }
  }
}
