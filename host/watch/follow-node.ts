/**
 * Lines of files that go on being written, of pipes and of standard input, each with the path that it came from: `tail -F` for a program.
 *
 * ```ts
 * const lines = follow(["/var/log/syslog", "-"], { signal, onEvent: ({ kind, path }) => console.error(path, kind) });
 * for await (const { path, bytes } of lines) …
 * await writeFile("positions.json", JSON.stringify(lines.positions())); // the next run goes on there
 * ```
 *
 * Looking at each file now and then decides what has happened, so it is the same on every filesystem; what the system tells of changes only
 * makes it look sooner. A path that is replaced twice between two looks has lost the file in the middle.
 */
import { stat } from "node:fs/promises";
import { checkOptions, checkPath, invalidOption, throwIfAborted } from "../errors.ts";
import { unlessAborted } from "../pace.ts";
import { FollowedFile } from "./file-node.ts";
import { type Line, LineSplitter } from "./lines.ts";
import { FollowedPipe, isStandardInput } from "./pipe-node.ts";
import { checkPositions, type Position } from "./place-node.ts";
import { type FollowEvent, type Manner, type Source, unreadable } from "./source-node.ts";
import { Wake } from "./wake-node.ts";

export type { Position } from "./place-node.ts";
export type { FollowEvent } from "./source-node.ts";

/** A line, and whose it is. */
export interface FollowedLine extends Line {
  readonly path: string;
}

export interface FollowOptions {
  readonly signal?: AbortSignal | undefined;
  /** Waits for more at the end of a file; without it each is read once to its end, one after the other. Default: true. */
  readonly follow?: boolean | undefined;
  /** Waits for files that are not there, or not any more. Without it the first is an error, and the second the file's end. Default: true. */
  readonly retry?: boolean | undefined;
  /** Begins at the end of files that are there at the start, and have no position. Default: false. */
  readonly fromEnd?: boolean | undefined;
  /** Milliseconds between two looks at a file that has nothing new: 1..3600000. Default: 250. */
  readonly poll?: number | undefined;
  /** Bytes that are kept of a line: 1..2^30. Default: 65536. */
  readonly most?: number | undefined;
  /** Where a former run was. A file that was renamed in its directory since is found, and read to its end first. */
  readonly positions?: readonly Position[] | undefined;
  readonly onEvent?: ((event: FollowEvent) => void) | undefined;
}

/** Lines, and where each file has been read up to. */
export interface Followed extends AsyncGenerator<FollowedLine, void, undefined> {
  /** Of each file, behind the last of its lines that was handed out; pipes have none. A line without an end counts once it is handed out. */
  positions(): Position[];
}

/** Bytes that are read at once. */
const CHUNK = 1 << 16;
const POLL = 250;
const MOST_POLL = 3_600_000;
/** Milliseconds between hints that are followed: who writes a line at a time is not looked at for each. */
const GAP = 10;

/**
 * Follows files, `-` and `/dev/stdin` among them. Of many files, each that has something new gives the lines of up to 64 KiB in turn. Nothing is
 * read before it is asked for; memory is bounded by the number of files, whatever their lines. A line's `bytes` may be kept.
 *
 * @throws SaffuError INVALID_OPTION; INVALID_TEXT where a file cannot be read and is not waited for, or is a directory; ABORTED, at once when the
 *   signal fires, which alone ends a wait
 */
export function follow(paths: readonly string[], options: FollowOptions = {}): Followed {
  checkOptions(options, ["onEvent"]);
  if (!Array.isArray(paths) || paths.length === 0) throw invalidOption("paths", "a list of at least one path", paths);
  for (const path of paths) checkPath("a path to follow", path);
  const { poll = POLL, positions = [] } = options;
  if (!(poll >= 1 && poll <= MOST_POLL)) throw invalidOption("poll", `milliseconds, 1..${MOST_POLL}`, poll);
  new LineSplitter(options.most); // refuses what is no bound
  const places = checkPositions(positions);
  const following = new Following([...new Set(paths.map(nameOf))], { ...options, poll }, places);
  return Object.assign(following.lines(), { positions: () => following.positions() });
}

/** Standard input has one name, as it is read once. */
function nameOf(path: string): string {
  return isStandardInput(path) ? "-" : path;
}

/** A source, and when it is looked at next. */
interface Followee {
  source: Source;
  due: number;
  hinted: boolean;
  /** A hint that is not followed yet. */
  soon?: boolean;
}

class Following {
  private readonly wake = new Wake();
  private readonly manner: Manner;
  private followees: Followee[] = [];
  /** Positions of files that are not read any more, or not yet. */
  private readonly others: Map<string, Position>;
  /** Paths that have had a source. */
  private readonly begun = new Set<string>();
  private step: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly paths: readonly string[],
    private readonly options: FollowOptions & { readonly poll: number },
    private readonly places: Map<string, Position>,
  ) {
    const { follow = true, retry = true, most, onEvent } = options;
    const say: Manner["say"] = (kind, path) => onEvent?.({ kind, path });
    this.manner = { follow, retry, most, say, buffer: new Uint8Array(CHUNK) };
    this.others = new Map([...places].filter(([path]) => paths.includes(path)));
  }

  positions(): Position[] {
    const all = new Map(this.others);
    for (const { source } of this.followees) {
      const position = source.position();
      if (position !== undefined) all.set(source.path, position);
    }
    return [...all.values()];
  }

  async *lines(): AsyncGenerator<FollowedLine, void, undefined> {
    const { signal } = this.options;
    const all: Followee[] = [];
    try {
      if (!this.manner.follow) for (const path of this.paths) await this.checkThere(path);
      for (const path of this.paths) all.push({ source: await this.sourceOf(path), due: 0, hinted: true });
      if (this.manner.follow) {
        this.followees = all;
        this.wake.watch(this.paths, (path) => this.hint(path));
        yield* this.read();
        return;
      }
      for (const each of all) {
        this.followees = [each]; // its predecessors have ended
        yield* this.read();
      }
    } finally {
      this.wake.close();
      // what is read just now is not waited for where a signal has fired: a dead server may never answer
      const closed = this.step.catch(() => {}).then(() => Promise.all(all.map(({ source }) => source.close())));
      if (!signal?.aborted) await closed;
      else closed.catch(() => {});
    }
  }

  /** Reads the followees until all have ended. */
  private async *read(): AsyncGenerator<FollowedLine, void, undefined> {
    const { signal, poll } = this.options;
    while (this.followees.length > 0) {
      let busy = false;
      let next = performance.now() + poll;
      for (const each of this.followees) {
        const now = performance.now();
        if (!each.hinted && each.due > now) {
          next = Math.min(next, each.due);
          continue;
        }
        each.hinted = false;
        const step = each.source.step();
        this.step = step;
        const lines = await unlessAborted(step, signal);
        const { path, changed } = each.source;
        if (lines === undefined && !changed) {
          each.due = performance.now() + poll;
          continue;
        }
        [busy, each.hinted] = [true, true];
        for (const { bytes, length, cut } of lines ?? []) {
          yield { path, bytes, length, cut };
          throwIfAborted(signal); // before the next is taken: its place is told as read
        }
        if (changed) each.source = await this.sourceOf(path);
      }
      this.drop();
      if (!busy && this.followees.length > 0) await this.wake.wait(next - performance.now(), signal);
    }
  }

  /** Leaves the sources that have ended. */
  private drop(): void {
    for (const { source } of this.followees.filter((each) => each.source.ended)) {
      const position = source.position();
      if (position !== undefined) this.others.set(source.path, position);
    }
    this.followees = this.followees.filter((each) => !each.source.ended);
  }

  private hint(path: string): void {
    const followee = this.followees.find(({ source }) => source.path === path);
    if (followee === undefined || followee.hinted || followee.soon) return;
    followee.soon = true;
    setTimeout(() => {
      [followee.hinted, followee.soon] = [true, false];
      this.wake.ring();
    }, GAP).unref();
  }

  private async sourceOf(path: string): Promise<Source> {
    const found = isStandardInput(path) ? undefined : await stat(path).catch(() => undefined);
    const place = this.places.get(path);
    const fromEnd = this.options.fromEnd === true && !this.begun.has(path);
    this.places.delete(path); // it is of the first file, as the end is
    this.begun.add(path);
    if (!isStandardInput(path) && (found === undefined || found.isFile() || found.isDirectory())) {
      return new FollowedFile(path, this.manner, place, fromEnd);
    }
    this.others.delete(path);
    const pipe: Source = new FollowedPipe(path, this.manner, () => {
      const followee = this.followees.find(({ source }) => source === pipe);
      if (followee !== undefined) followee.hinted = true;
      this.wake.ring();
    });
    return pipe;
  }

  /** @throws SaffuError INVALID_TEXT */
  private async checkThere(path: string): Promise<void> {
    if (isStandardInput(path) || this.places.has(path)) return;
    const found = await stat(path).catch((cause) => {
      throw unreadable(path, cause);
    });
    if (found.isDirectory()) throw unreadable(path, new Error("EISDIR: it is a directory"));
  }
}
