/** A peer's process: started, asked for one job after another, each answer a line of JSON. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Answer {
  /** CPU seconds of the job; of all since the start in the first answer. */
  readonly cpu: number;
  /** Most memory so far, in bytes. */
  readonly peak: number;
  /** Σ surprisal, where the job scores. */
  readonly bits?: number;
  readonly tokens?: number;
  /** The peer does not do this job. */
  readonly missing?: true;
}

export class Peer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;
  private said = "";

  constructor(
    readonly name: string,
    [file, ...words]: readonly string[],
  ) {
    this.child = spawn(file!, words, { stdio: "pipe" });
    this.child.stdin.on("error", () => {}); // where it has ended, the next answer says so
    this.child.on("error", (cause) => {
      this.said += String(cause);
    });
    this.child.stderr.on("data", (chunk) => {
      this.said = `${this.said}${chunk}`.slice(-2000);
    });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** The next answer; the first comes unasked, when one token is scored. */
  async answer(): Promise<Answer> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.name} ended: ${this.said.trim()}`);
    return JSON.parse(value);
  }

  ask(request: string): Promise<Answer> {
    this.child.stdin.write(`${request}\n`);
    return this.answer();
  }

  /** Ends it, and waits for that. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.on("close", resolve));
    this.child.stdin.end();
    this.child.kill();
    await ended;
  }
}
