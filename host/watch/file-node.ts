/**
 * A file that is followed by its path, as `tail -F` does, through rotation, truncation and its absence.
 *
 * The file that was opened is held open, so that its inode is given to no other, and is read to its end before the one that took its name. Who
 * rotates logs often makes the new file before the writer has left the old: the old one is read until the new one has something in it.
 */
import type { BigIntStats } from "node:fs";
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { errno } from "../files/directory-node.ts";
import { type Line, LineSplitter } from "./lines.ts";
import {
  behind,
  digestOf,
  isIntact,
  NOTHING,
  type Position,
  pathOfInode,
  type Surroundings,
  surroundingsOf,
} from "./place-node.ts";
import { type FollowEvent, type Manner, type Source, unreadable } from "./source-node.ts";

/** Milliseconds for which a file that was deleted, or has a successor without a line, is held open. */
const LINGER = 60_000;
const EMPTY = new Uint8Array(0);
const NEWLINE = 0x0a;
const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;

export class FollowedFile implements Source {
  ended = false;
  changed = false;
  private file: FileHandle | undefined;
  private inode = "";
  private device = 0n;
  /** Where the next chunk is read from, and what stands before: what was read. */
  private offset = 0;
  private before: Surroundings = NOTHING;
  private modified = -1n;
  /** The chunk whose lines are being taken, which begins at `offset`. */
  private chunk: Uint8Array = EMPTY;
  /** Behind the last line that was taken. */
  private mark: { readonly offset: number; readonly before: Surroundings } = { offset: 0, before: NOTHING };
  /** Where the file was left that is not open now. */
  private last: Position | undefined;
  private readonly lines: LineSplitter;
  /** What was said last: that there is no file of this name, or another one. */
  private state: "here" | "absent" | "replaced" = "here";
  /** When that began. */
  private since = 0;
  private opened = false;

  /**
   * @param resume where reading goes on, if the file is still that
   * @param fromEnd begins at the end of a file that is there at the first step
   */
  constructor(
    readonly path: string,
    private readonly manner: Manner,
    private resume: Position | undefined,
    private fromEnd: boolean,
  ) {
    this.lines = new LineSplitter(manner.most);
    this.last = resume;
  }

  async step(): Promise<Iterable<Line> | undefined> {
    if (this.file === undefined && !(await this.open())) return undefined;
    try {
      return await this.readOn();
    } catch (cause) {
      if (typeof (cause as NodeJS.ErrnoException).syscall !== "string") throw cause; // of who is told of events
      if (!this.waits) throw unreadable(this.path, cause);
      await this.part(); // a disk or a server that fails
      if (this.state !== "absent") this.say("vanished", "absent");
      return undefined;
    }
  }

  private async readOn(): Promise<Iterable<Line> | undefined> {
    const found = await this.look();
    const here = found !== undefined && String(found.ino) === this.inode && found.dev === this.device;
    if (here && this.state !== "here") this.say("returned", "here");
    const own = here ? found : await this.file!.stat({ bigint: true });
    const quiet = Number(own.size) === this.offset && own.mtimeNs === this.modified;
    if (this.manner.follow && here && quiet) return undefined;
    const chunk = await this.read();
    // looked at behind the reading: what was there is there now, so what was read came behind it
    if (this.manner.follow && !(await isIntact(this.file!, this.offset, this.before))) return this.startAgain();
    if (chunk.length > 0) return this.linesIn(chunk);
    if (!here) return this.leave(found, own.nlink === 0n);
    this.modified = own.mtimeNs;
    return this.manner.follow ? undefined : this.finish();
  }

  position(): Position | undefined {
    if (this.file === undefined) return this.last;
    const { place } = this.lines;
    const { offset, before } =
      this.chunk.length > 0 && place > 0
        ? { offset: this.offset + place, before: behind(this.before, this.chunk.subarray(0, place)) }
        : this.mark;
    const { path, inode } = this;
    return { path, inode, offset, digest: digestOf(before) };
  }

  async close(): Promise<void> {
    this.last = this.position();
    const file = this.file;
    this.file = undefined;
    await file?.close();
  }

  private say(kind: FollowEvent["kind"], state: typeof this.state): void {
    this.state = state;
    this.since = performance.now();
    this.manner.say(kind, this.path);
  }

  /**
   * Opens the file that it was, under its name or the one that it has now, or else what has the name. False where there is none. Each step is right
   * though the file is renamed before the next.
   */
  private async open(): Promise<boolean> {
    const { resume, fromEnd } = this;
    const found = await this.look();
    if (found?.isDirectory() && !this.opened) throw unreadable(this.path, new Error("EISDIR: it is a directory"));
    if (found !== undefined && !found.isFile() && !found.isDirectory()) {
      this.changed = true;
      return false;
    }
    this.fromEnd = false; // what comes later is new
    let again: "here" | "renamed" | undefined;
    try {
      again = resume && (await this.openAgain(resume));
      if (again === undefined && !(await this.openAt(this.path, fromEnd && !resume ? "end" : "start"))) return false;
    } catch (cause) {
      if (!this.waits && !this.opened) throw unreadable(this.path, cause);
      this.ended = !this.waits;
      if (this.waits && this.state !== "absent") this.say(this.opened || resume ? "vanished" : "missing", "absent");
      return false;
    }
    if (again === "renamed") return true; // what has its name now is told of when it has been read
    if (this.state === "absent") this.say("returned", "here");
    else if (resume && !again) this.say(resume.inode === this.inode ? "truncated" : "rotated", "here");
    return true;
  }

  /** @returns undefined where the file is not there any more, or has other bytes; throws where that cannot be told */
  private async openAgain(resume: Position): Promise<"here" | "renamed" | undefined> {
    const absent = (cause: unknown) => {
      if (/^(ENOENT|ENOTDIR)$/.test(errno(cause))) return false;
      throw cause;
    };
    if (await this.openAt(this.path, resume).catch(absent)) return "here";
    const renamed = await pathOfInode(this.path, resume.inode);
    return renamed !== undefined && (await this.openAt(renamed, resume).catch(absent)) ? "renamed" : undefined;
  }

  /** @returns false where the file is not the one of the position */
  private async openAt(path: string, place: Position | "start" | "end"): Promise<boolean> {
    const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    try {
      const found = await file.stat({ bigint: true });
      const { ino, dev, size } = found;
      if (!found.isFile() && typeof place === "string") throw new Error("EINVAL: it is no file");
      const offset = place === "start" ? 0 : place === "end" ? Number(size) : place.offset;
      const known = typeof place === "string" || String(ino) === place.inode;
      const before = known ? await surroundingsOf(file, offset) : undefined;
      if (before === undefined || (typeof place !== "string" && digestOf(before) !== place.digest)) {
        await file.close();
        return false;
      }
      [this.file, this.inode, this.device] = [file, String(ino), dev];
      this.begin(offset, before);
      this.resume = undefined;
      [this.opened, this.fromEnd] = [true, false]; // a file that comes later is new
      return true;
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }

  private begin(offset: number, before: Surroundings): void {
    [this.offset, this.before, this.modified] = [offset, before, -1n];
    this.mark = { offset, before };
    this.lines.end(); // a line that had begun is read again
  }

  private look(): Promise<BigIntStats | undefined> {
    return stat(this.path, { bigint: true }).catch(() => undefined);
  }

  private async read(): Promise<Uint8Array> {
    const { buffer } = this.manner;
    const { bytesRead } = await this.file!.read(buffer, 0, buffer.length, this.offset);
    const chunk = buffer.subarray(0, bytesRead);
    return chunk.includes(NEWLINE) ? chunk.slice() : chunk; // lines that end in it are views of it
  }

  private *linesIn(chunk: Uint8Array): Generator<Line> {
    this.chunk = chunk;
    yield* this.lines.push(chunk);
    const { place } = this.lines;
    if (place > 0) {
      this.mark = { offset: this.offset + place, before: behind(this.before, chunk.subarray(0, place)) };
    }
    this.before = behind(this.before, chunk);
    this.offset += chunk.length;
    this.chunk = EMPTY;
  }

  /** The line that has no end, as the file goes no further. */
  private *rest(): Generator<Line> {
    const line = this.lines.end();
    this.mark = { offset: this.offset, before: this.before };
    if (line !== undefined) yield line;
  }

  private startAgain(): Iterable<Line> {
    const rest = [...this.rest()];
    this.manner.say("truncated", this.path);
    this.begin(0, NOTHING);
    return rest;
  }

  /** The file has been read, and its name is no more its own. @param found what has the name now @param deleted whether it has no name at all */
  private async leave(found: BigIntStats | undefined, deleted: boolean): Promise<Iterable<Line> | undefined> {
    if (found === undefined) {
      if (this.state !== "absent") this.say("vanished", "absent");
      if (!this.waits) return this.finish();
      if (deleted && performance.now() - this.since > LINGER) await this.part(); // the disk has its room again
      return undefined;
    }
    if (this.state !== "replaced") this.say(this.state === "absent" ? "returned" : "rotated", "replaced");
    const begun = !this.manner.follow || !found.isFile() || found.size > 0n;
    if (!begun && performance.now() - this.since < LINGER) return undefined;
    const rest = [...this.rest()];
    await this.close();
    this.state = "here";
    return rest;
  }

  /** Leaves a file that may come back. */
  private async part(): Promise<void> {
    await this.close();
    this.resume = this.last;
  }

  private get waits(): boolean {
    return this.manner.follow && this.manner.retry;
  }

  private finish(): Iterable<Line> {
    this.ended = true;
    return this.rest();
  }
}
