/** Runs targets over drawn inputs: what is not read must be refused with a typed error, at once, and without taking memory for it. */
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { SaffuError } from "../../host/errors.ts";
import type { Target } from "./target.ts";

/** What came of the cases of one target. */
export interface Tally {
  readonly target: string;
  readonly cases: number;
  /** Cases by outcome: "loaded", or the code of the refusal. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The refusals, with what differs from one to the next left out: how far the inputs came. */
  readonly messages: ReadonlySet<string>;
}

/** Most bytes that reading one input may take. The largest input is 30 KB; a kernel's memory and garbage fit many times over. */
const MOST_BYTES = 128 << 20;
/** A case that has not ended by then never will, in ms: the slowest takes tens of them. */
const HANG = 60_000;

/**
 * Runs `cases` inputs of a target. The same seed draws the same inputs.
 *
 * @throws Error with the input, its seed and path, where a reader throws anything but a SaffuError, misreads, or takes memory at will.
 * Where it hangs the process is ended, as nothing else can be done about it
 */
export async function fuzz(target: Target, cases: number, seed: number): Promise<Tally> {
  const outcomes = new Map<string, number>();
  const messages = new Set<string>();
  const watch = new Watch(`fuzz: ${target.name}, seed ${seed}`);
  const judge = async (read: () => void | Promise<void>): Promise<void> => {
    let outcome = "loaded";
    watch.next();
    const before = memoryInUse();
    try {
      await read();
    } catch (error) {
      if (!(error instanceof SaffuError)) throw error;
      outcome = error.code;
      messages.add(error.message.replace(/"[^"]*"|[0-9a-f]{64}|-?\d[\d.]*(e\+?\d+)?/g, "#").slice(0, 160));
    }
    const taken = memoryInUse() - before;
    if (taken > MOST_BYTES) throw new Error(`took ${taken} bytes of memory, at most ${MOST_BYTES} are allowed`);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };
  try {
    await fc.assert(target.property(judge), { numRuns: cases, seed });
  } finally {
    await watch.end();
  }
  return { target: target.name, cases, outcomes: new Map([...outcomes].sort()), messages };
}

/** On the heap and beside it, touched or not. */
function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Ends the process where the cases stop coming. It runs beside it, as a reader that hangs gives way to nothing. */
class Watch {
  private readonly count = new Int32Array(new SharedArrayBuffer(4));
  private readonly worker: Worker;

  constructor(what: string) {
    const program = `
      const { workerData: { count, what, ms } } = require("node:worker_threads");
      let last = -1;
      setInterval(() => {
        const now = Atomics.load(count, 0);
        if (now === last) {
          require("node:fs").writeSync(2, what + ": case " + now + " hangs\\n");
          process.kill(process.pid, "SIGKILL");
        }
        last = now;
      }, ms);
    `;
    this.worker = new Worker(program, { eval: true, execArgv: [], workerData: { count: this.count, what, ms: HANG } });
    this.worker.unref();
  }

  next(): void {
    Atomics.add(this.count, 0, 1);
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
