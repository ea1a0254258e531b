/** Long work in turns of bounded length, so that timers, signals and input are served meanwhile. */

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
