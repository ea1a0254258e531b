/**
 * The solver module, run by one thread or several. Work is divided inside the module so that results do not depend on the number of
 * threads; here it is only started, given its settings, awaited and stopped. Where its tensors stand is the layout's to say.
 */
import { Worker } from "node:worker_threads";
import { type Addresses, MOST_BYTES, PAGE, SETTINGS, solverAddresses, solverBytesNeeded } from "../compile/layout.ts";
import { abortedBy, SaffuError } from "../errors.ts";
import { compileModule } from "../model/webassembly.ts";
import type { Shape } from "../shape.ts";

/** A number for all threads alike, or the thread's own number or the number of threads. */
export type Argument = number | "thread" | "threads";

/** What a fit or a tuning run is asked for, by the names of the layout; what is left out is 0. */
export type Settings = Partial<Record<Exclude<(typeof SETTINGS)[number][0], "followers">, number>>;

/** Runs an exported function on one thread. */
interface Runner {
  run(name: string, values: number[]): Promise<void>;
  /** Resolves when the thread is gone, whatever it was at. */
  stop(): Promise<void>;
}

/** A solver with its memory. Use `await using`-style: call `stop()` when done, whatever happened. */
export class Solver {
  private constructor(
    private readonly addresses: Addresses,
    private readonly memory: WebAssembly.Memory,
    private readonly runners: Runner[],
    /** Tokens that the memory has room for. */
    private readonly tokens: number,
  ) {}

  /**
   * @param wasm the solver module of `shape`, compiled with shared memory exactly where `threads` > 0
   * @param tokens most tokens that the memory has to hold
   * @param threads worker threads (Node); 0 runs in the calling thread
   * @param signal ends threads at once, whatever they are at: what was under way is rejected, and the solver is of no further use
   * @throws SaffuError OUT_OF_MEMORY, naming the bytes; UNSUPPORTED where the runtime forbids to compile; ABORTED
   */
  static async start(
    wasm: Uint8Array,
    shape: Shape,
    tokens: number,
    threads: number,
    signal?: AbortSignal | undefined,
  ): Promise<Solver> {
    const module = await compileModule(wasm);
    const shared = threads > 0;
    const addresses = solverAddresses(shape);
    const bytes = assertFits(shape, tokens);
    const pages = Math.ceil(bytes / PAGE);
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    } catch (cause) {
      throw new SaffuError("OUT_OF_MEMORY", `fitting needs ${bytes} bytes of memory, which the runtime refuses`, {
        cause,
      });
    }
    if (!shared) return new Solver(addresses, memory, [await startInline(module, memory)], tokens);
    const starts = await Promise.allSettled(Array.from({ length: threads }, () => startWorker(module, memory, signal)));
    const runners = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    const solver = new Solver(addresses, memory, runners, tokens);
    const failed = starts.find((start) => start.status === "rejected");
    if (failed === undefined) return solver;
    await solver.stop();
    throw failed.reason;
  }

  /** The address of a tensor. */
  address(name: string): number {
    return this.addresses.at[name]!;
  }

  /** `length` elements of a tensor, or at an address by its number, in the solver's own memory. */
  view<T>(
    type: new (buffer: ArrayBuffer, offset: number, length: number) => T,
    address: string | number,
    length: number,
  ): T {
    const offset = typeof address === "number" ? address : this.address(address);
    return new type(this.memory.buffer as ArrayBuffer, offset, length);
  }

  /** Writes all settings, and has the module take them up. */
  async configure(settings: Settings): Promise<void> {
    const at = this.address("SETTINGS");
    const view = new DataView(this.memory.buffer, at);
    for (const [i, [name, type]] of SETTINGS.entries()) {
      const value = name === "followers" ? this.address("TOKENS") + 2 * this.tokens : (settings[name] ?? 0);
      if (type === "f32") view.setFloat32(4 * i, value, true);
      else view.setUint32(4 * i, value, true);
    }
    await this.once("open");
  }

  /** Runs a function on every thread, and waits for all. */
  async all(name: string, ...values: Argument[]): Promise<void> {
    const threads = this.runners.length;
    await Promise.all(
      this.runners.map((runner, thread) =>
        runner.run(
          name,
          values.map((value) => (value === "thread" ? thread : value === "threads" ? threads : value)),
        ),
      ),
    );
  }

  /** Runs a function on the first thread. */
  async once(name: string, ...values: number[]): Promise<void> {
    await this.runners[0]!.run(name, values);
  }

  /** Ends the threads, whatever they are at, and resolves when they are gone. */
  async stop(): Promise<void> {
    await Promise.all(this.runners.map((runner) => runner.stop()));
  }
}

/** Bytes of a token: once where it stands, and once among those that follow the same token. */
const TOKEN_BYTES = 4;

/** The bytes that a solver of `shape` needs with so many tokens. @throws SaffuError OUT_OF_MEMORY where addresses do not reach them */
export function assertFits(shape: Shape, tokens: number): number {
  const bytes = solverBytesNeeded(shape) + TOKEN_BYTES * tokens;
  if (bytes <= MOST_BYTES) return bytes;
  throw new SaffuError("OUT_OF_MEMORY", `fitting needs ${bytes} bytes of memory, at most ${MOST_BYTES} can be`);
}

/** In the calling thread; gives way to other work after each call. */
async function startInline(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Runner> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  return {
    async run(name, values) {
      (exports[name] as (...values: number[]) => void)(...values);
      await new Promise((resolve) => setTimeout(resolve));
    },
    async stop() {},
  };
}

/** The worker's whole program: a string, so that it runs the same from sources and from any bundle. It declares nothing: Deno and Bun have `exports` there. */
const WORKER_PROGRAM = `(({ parentPort, workerData }) => {
  const instance = new WebAssembly.Instance(workerData.module, { env: { memory: workerData.memory } });
  parentPort.on("message", ({ name, values }) => {
    instance.exports[name](...values);
    parentPort.postMessage(null);
  });
  parentPort.postMessage(null);
})(require("node:worker_threads"));`;

async function startWorker(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  signal: AbortSignal | undefined,
): Promise<Runner> {
  // without the flags of this process: `node --input-type=module -e` would have the worker's program be a module, too
  const worker = new Worker(WORKER_PROGRAM, { eval: true, execArgv: [], workerData: { module, memory } });
  let settle: { resolve: () => void; reject: (cause: unknown) => void } | undefined;
  let lost: { cause: unknown } | undefined;
  const answer = () =>
    new Promise<void>((resolve, reject) => {
      if (lost) reject(lost.cause);
      settle = { resolve, reject };
    });
  worker.on("message", () => settle?.resolve());
  const lose = (cause: unknown) => {
    lost = { cause }; // it may come when nothing is waited for
    settle?.reject(cause);
  };
  worker.on("error", lose);
  const abort = () => lose(abortedBy(signal!));
  signal?.addEventListener("abort", abort);
  const stop = async () => {
    signal?.removeEventListener("abort", abort);
    await worker.terminate();
  };
  try {
    if (signal?.aborted) abort();
    await answer();
  } catch (cause) {
    await stop();
    if (signal?.aborted) throw cause;
    const what = `a thread of the fit does not start on this runtime (${(cause as Error).message})`;
    throw new SaffuError("UNSUPPORTED", `${what}: with the option threads: 0 it runs without, to the same bytes`, {
      cause,
    });
  }
  return {
    run(name, values) {
      const done = answer();
      worker.postMessage({ name, values });
      return done;
    },
    stop,
  };
}
