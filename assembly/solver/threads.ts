// Threads of the solver: how work is divided, and the barrier between steps. Work is divided so that each element of a result
// is computed by one thread, in an order that does not depend on how many there are: the same bits from one thread or eight.
import { SYNC } from "./layout";

/** Waits until all threads have come here. Without shared memory there is one thread and nothing to wait for. */
export function barrier(threads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (threads == 1) return;
    const generation = atomic.load<i32>(SYNC, 4);
    if (atomic.add<i32>(SYNC, 1) + 1 == threads) {
      atomic.store<i32>(SYNC, 0);
      atomic.add<i32>(SYNC, 1, 4);
      atomic.notify(SYNC + 4);
    } else {
      // the others are at most one uneven share away: look a while before sleeping
      for (let i = 0; i < 4096 && atomic.load<i32>(SYNC, 4) == generation; ++i) {}
      while (atomic.load<i32>(SYNC, 4) == generation) atomic.wait<i32>(SYNC + 4, generation, -1);
    }
  }
}

/** First of `thread`'s share of n units, in steps of `unit`; its last is the next thread's first. */
export function shareStart(n: i32, unit: i32, thread: i32, threads: i32): i32 {
  const units = (n + unit - 1) / unit;
  return min<i32>(n, ((units * thread) / threads) * unit);
}

/** The thread that adds to a row of the decoder, and solves it, where rows are not shared in order: those that come often are spread. */
// @ts-ignore: decorator
@inline
export function ownerOf(row: u32, threads: i32): i32 {
  return <i32>((((row * 0x9e3779b9) >> 16) * <u32>threads) >> 16);
}
