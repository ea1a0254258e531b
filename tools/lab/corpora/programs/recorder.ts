/**
 * Records what a real program logs while it is used, on loopback, with and without harm. A recording is made once, below build/watch: clients are drawn
 * from a seed, the program's times, ports and process numbers are the machine's.
 *
 * ```ts
 * const log = new Log(folder, random);
 * log.start(program("nginx", "usr/sbin/nginx"), ["-p", folder]);
 * await log.harm(() => probe());   // lines written meanwhile are labelled
 * await log.stop();
 * return log.rows();
 * ```
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { debianFile } from "../debian.ts";

/** How long a log must not have grown to be at rest, ms. */
const REST = 40;
/** How long a program has to answer, ms. */
const PATIENCE = 15_000;

/** A program of a Debian package that is not installed, and where it finds its libraries. */
export interface Program {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  /** What the program is called as, where that makes a difference. */
  readonly name?: string;
}

export function program(name: string, path: string, libraries: readonly string[] = []): Program {
  const found = libraries.flatMap((each) =>
    ["usr/lib", "lib"].flatMap((folder) => {
      const all = join(debianFile(each, "usr"), "..", folder);
      if (!existsSync(all)) return [];
      return readdirSync(all)
        .filter((triple) => triple.endsWith("-linux-gnu"))
        .map((triple) => join(all, triple));
    }),
  );
  return { path: debianFile(name, path), env: { ...process.env, LD_LIBRARY_PATH: found.join(":") } };
}

/** A log file, the program that writes it, and which of its bytes were written during harm. */
export class Log {
  readonly file: string;
  readonly #harm: [number, number][] = [];
  #running: ChildProcess | undefined;

  /** `usual`: lines that every use of the program writes; they are not labelled, whoever caused them. */
  constructor(
    folder: string,
    readonly usual = /^$/,
  ) {
    this.file = join(folder, "log");
    appendFileSync(this.file, "");
  }

  /** Starts a program whose output is the log. */
  start({ path, env, name }: Program, words: readonly string[], user: { uid?: number; gid?: number } = {}): void {
    const out = openSync(this.file, "a");
    this.#running = spawn(path, words, {
      env,
      stdio: ["ignore", out, out],
      ...user,
      ...(name === undefined ? {} : { argv0: name }),
    });
    closeSync(out);
  }

  /** Ends the program by a signal and waits. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#running;
    this.#running = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  /** Sends the program a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#running?.kill(signal);
  }

  write(line: string): void {
    appendFileSync(this.file, `${line}\n`);
  }

  get lines(): number {
    return readFileSync(this.file).reduce((count, byte) => count + (byte === 10 ? 1 : 0), 0);
  }

  /** Labels all that is logged while `run` runs: nobody else may use the program. */
  async harm(run: () => Promise<unknown> | unknown): Promise<void> {
    const start = await this.#rest();
    await run();
    this.#harm.push([start, await this.#rest()]);
  }

  /** Lines as they were logged; a line is labelled where it begins during harm, unless it is usual. */
  rows(): { rows: string[]; labels: boolean[] } {
    const [rows, labels] = [[] as string[], [] as boolean[]];
    const bytes = readFileSync(this.file);
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(10, at) < 0 ? bytes.length : bytes.indexOf(10, at);
      const line = bytes.subarray(at, end).toString().trimEnd();
      if (line !== "") {
        rows.push(line);
        labels.push(!this.usual.test(line) && this.#harm.some(([from, to]) => at >= from && at < to));
      }
      at = end + 1;
    }
    return { rows, labels };
  }

  async #rest(): Promise<number> {
    for (let size = statSync(this.file).size; ; ) {
      await sleep(REST);
      const now = statSync(this.file).size;
      if (now === size) return now;
      size = now;
    }
  }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until a port answers. Throws where it does not for `patience` ms. */
export async function answering(port: number, patience = PATIENCE): Promise<void> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(50)) {
    const socket = connect(port, "127.0.0.1");
    const answered = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (answered) return;
  }
  throw new Error(`nothing answers on port ${port}`);
}

/** Sends bytes to a port, and waits until the other side closes or says nothing for a while. */
export async function sent(port: number, bytes: string | Uint8Array, host = "127.0.0.1", from?: string): Promise<void> {
  const socket = connect({ port, host, ...(from === undefined ? {} : { localAddress: from }) });
  await new Promise<void>((resolve) => {
    socket.setTimeout(200, () => socket.destroy());
    socket.once("connect", () => socket.write(bytes));
    socket.on("data", () => undefined);
    socket.once("error", () => resolve()).once("close", () => resolve());
  });
}

/** Runs a program to its end, whatever it says. */
export function ran({ path, env }: Program, words: readonly string[], input?: string): Promise<void> {
  return new Promise((resolve) => {
    const child = execFile(path, words, { env, timeout: PATIENCE }, () => resolve());
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input ?? "");
  });
}

export { sleep };
