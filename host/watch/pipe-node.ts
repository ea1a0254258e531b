/**
 * What can be read but once and is waited for in the event loop: standard input, a named pipe, a terminal or a serial line. A named pipe that its
 * writer has left is opened again, for the next.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isatty, ReadStream } from "node:tty";
import { errno } from "../files/directory-node.ts";
import { type Line, LineSplitter } from "./lines.ts";
import { type Manner, type Source, unreadable } from "./source-node.ts";

const STANDARD_INPUT = /^(-|\/dev\/stdin|\/dev\/fd\/0)$/;
/** Pipes of this process, which nobody opens a second time. */
const OWN = /^\/(dev\/fd|proc\/(self|\d+)\/fd)\//;
const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;

export function isStandardInput(path: string): boolean {
  return STANDARD_INPUT.test(path);
}

export class FollowedPipe implements Source {
  ended = false;
  changed = false;
  private readonly lines: LineSplitter;
  private stream: Readable | undefined;
  private inode = -1n;
  private over = false;
  private failure: unknown;
  private absent = false;
  private opened = false;

  /** @param ready is called when there may be something to read */
  constructor(
    readonly path: string,
    private readonly manner: Manner,
    private readonly ready: () => void,
  ) {
    this.lines = new LineSplitter(manner.most);
  }

  async step(): Promise<Iterable<Line> | undefined> {
    if (this.stream === undefined && !(await this.open())) return undefined;
    const chunk: Buffer | null = this.failure === undefined && !this.over ? this.stream!.read() : null;
    if (chunk !== null) return this.lines.push(chunk);
    if (this.failure !== undefined || this.over) return this.leave();
    await this.look();
    return undefined;
  }

  position(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.stream?.destroy();
    this.stream = undefined;
  }

  /** False where there is nothing to open, or it is no pipe any more. */
  private async open(): Promise<boolean> {
    try {
      await this.attach();
    } catch (cause) {
      if (!this.waits) throw unreadable(this.path, cause);
      if (!this.absent) this.manner.say(this.opened ? "vanished" : "missing", this.path);
      this.absent = true;
      return false;
    }
    if (this.absent) this.manner.say("returned", this.path);
    [this.absent, this.opened] = [false, true];
    return !this.changed;
  }

  private async attach(): Promise<void> {
    [this.over, this.failure] = [false, undefined];
    if (isStandardInput(this.path)) {
      this.listen(process.stdin);
      return;
    }
    const file = openSync(this.path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const found = fstatSync(file, { bigint: true });
    this.inode = found.ino;
    if (found.isFIFO()) this.listen(new Socket({ fd: file, readable: true, writable: false }));
    else if (isatty(file)) this.listen(new ReadStream(file));
    else {
      closeSync(file);
      if (!found.isFile()) throw new Error("EINVAL: it is neither a file nor a pipe nor a terminal");
      this.changed = true;
    }
  }

  private listen(stream: Readable): void {
    this.stream = stream;
    const current = (change: () => void) => () => {
      if (this.stream !== stream) return;
      change();
      this.ready();
    };
    stream.on(
      "readable",
      current(() => {}),
    );
    stream.on(
      "end",
      current(() => {
        this.over = true;
      }),
    );
    stream.on("error", (cause) =>
      current(() => {
        this.failure = cause;
      })(),
    );
  }

  /** The pipe has no writer any more, or has failed. */
  private async leave(): Promise<Iterable<Line>> {
    const old = this.stream!;
    const line = this.lines.end();
    const { failure } = this;
    if (failure !== undefined && (!this.waits || isStandardInput(this.path))) throw unreadable(this.path, failure);
    this.stream = undefined;
    if (this.waits)
      await this.open(); // before the old is closed: a writer always finds a reader
    else this.ended = true;
    old.destroy();
    return line === undefined ? [] : [line];
  }

  /** Whether the path is still the pipe that is open. */
  private async look(): Promise<void> {
    if (!this.waits) return;
    const found = await stat(this.path, { bigint: true }).catch((cause) => {
      if (errno(cause) !== "ENOENT") throw unreadable(this.path, cause);
    });
    if (found?.ino === this.inode) return;
    if (found === undefined) {
      if (!this.absent) this.manner.say("vanished", this.path);
      this.absent = true;
      return;
    }
    if (!this.absent) this.manner.say("rotated", this.path);
    this.stream!.destroy();
    this.stream = undefined;
    await this.open();
  }

  /** Whether there may be another writer. */
  private get waits(): boolean {
    return this.manner.follow && this.manner.retry && !isStandardInput(this.path) && !OWN.test(this.path);
  }
}
