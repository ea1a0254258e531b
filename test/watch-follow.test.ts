/** Lines of files that go on being written: each comes once and in order, whatever happens to the file, and to the process that reads it. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type FollowEvent,
  type Followed,
  type FollowOptions,
  follow,
  type Position,
} from "../host/watch/follow-node.ts";
import { refusal } from "./model-fixture.ts";

const hints = vi.hoisted(() => ({ off: false }));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const watch = (...words: Parameters<typeof real.watch>) => {
    if (hints.off) throw new Error("ENOSPC: System limit for number of file watchers reached");
    return real.watch(...words);
  };
  return { ...real, watch };
});

const faults = vi.hoisted(() => ({ reads: 0 }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const open = async (...words: Parameters<typeof real.open>) => {
    const file = await real.open(...words);
    const read = file.read.bind(file) as (...given: unknown[]) => unknown;
    const failing = async (...given: unknown[]) => {
      if (faults.reads > 0 && faults.reads-- > 0) {
        throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", syscall: "read" });
      }
      return read(...given);
    };
    return Object.assign(file, { read: failing });
  };
  return { ...real, open };
});

const POLL = 10;
/** A line that does not come is given up on, so that a test ends with what has. */
const MOST_WAIT = 8_000;

let home: string;
let place: string;
let log: string;
let next = 0;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "saffu-follow-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => {
  hints.off = false;
  place = join(home, `case${next++}`);
  mkdirSync(place);
  log = join(place, "app.log");
});

/** A follower, its lines as texts, and what it says. */
class Reader {
  readonly events: string[] = [];
  readonly lines: Followed;
  private readonly controller = new AbortController();
  private asked: Promise<IteratorResult<{ path: string; bytes: Uint8Array }>> | undefined;

  constructor(paths: readonly string[], options: FollowOptions = {}) {
    const onEvent = ({ kind, path }: FollowEvent) => this.events.push(`${kind} ${path.slice(place.length + 1)}`);
    this.lines = follow(paths, { poll: POLL, signal: this.controller.signal, onEvent, ...options });
  }

  /** Asks for a line, and does not wait for it. */
  ask() {
    this.asked ??= this.lines.next();
    this.asked.catch(() => {});
    return this.asked;
  }

  async line(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no line; said: ${this.events}`)), MOST_WAIT);
    });
    const found = await Promise.race([this.ask(), late]).finally(() => clearTimeout(timer));
    this.asked = undefined;
    if (found.done) throw new Error("the end");
    return Buffer.from(found.value.bytes).toString();
  }

  async take(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.line());
    return lines;
  }

  /** Until it has said so. */
  async said(event: string): Promise<void> {
    this.ask();
    await vi.waitFor(() => expect(this.events).toContain(event), { timeout: MOST_WAIT, interval: 2 });
  }

  /** Ends it as a process ends. @returns the line that was asked for, if it had come */
  async stop(): Promise<string | undefined> {
    this.controller.abort();
    const found = await this.asked?.catch(() => undefined);
    this.asked = undefined;
    await this.lines.return(undefined).catch(() => {});
    return found?.value && Buffer.from(found.value.bytes).toString();
  }
}

/** Lines of files that are read once. */
async function read(paths: readonly string[], options: FollowOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { bytes } of follow(paths, { follow: false, ...options })) lines.push(Buffer.from(bytes).toString());
  return lines;
}

describe.each([["with hints"], ["by looking alone"]])("a followed file, %s", (how) => {
  beforeEach(() => {
    hints.off = how === "by looking alone";
  });

  test("gives what is there, and what comes; a line that is written in halves is one", async () => {
    writeFileSync(log, "one\ntw");
    const reader = new Reader([log]);
    expect(await reader.line()).toBe("one");
    const late = reader.line();
    appendFileSync(log, "o\r\n");
    expect(await late).toBe("two");
    reader.ask();
    appendFileSync(log, "\nthree\n");
    expect(await reader.take(2)).toEqual(["", "three"]);
    await reader.stop();
    expect(reader.events).toEqual([]);
  });

  test("that is renamed is read to its end, also what is still written there, then the new one from its start", async () => {
    writeFileSync(log, "1\n2\n");
    const writer = openSync(log, "a");
    const reader = new Reader([log]);
    expect(await reader.take(2)).toEqual(["1", "2"]);
    writeSync(writer, "3\n");
    renameSync(log, `${log}.1`);
    writeFileSync(log, "");
    await reader.line().then((line) => expect(line).toBe("3"));
    await reader.said("rotated app.log");
    writeSync(writer, "4\n5"); // the writer has not been told yet
    expect(await reader.line()).toBe("4");
    closeSync(writer);
    appendFileSync(log, "6\n");
    expect(await reader.take(2)).toEqual(["5", "6"]);
    await reader.stop();
    expect(reader.events).toEqual(["rotated app.log"]);
  });

  test("that is emptied is read from its start, even where it has grown longer since", async () => {
    writeFileSync(log, "first\nsecond\nha");
    const reader = new Reader([log]);
    expect(await reader.take(2)).toEqual(["first", "second"]);
    truncateSync(log);
    await reader.said("truncated app.log");
    appendFileSync(log, "a\n");
    expect(await reader.take(2)).toEqual(["ha", "a"]);
    writeFileSync(log, "a longer line than what was there before\nand another\n"); // truncates, and writes
    expect(await reader.take(2)).toEqual(["a longer line than what was there before", "and another"]);
    await reader.stop();
    expect(reader.events).toEqual(["truncated app.log", "truncated app.log"]);
  });

  test("that is emptied and renamed is read from its start under its new name", async () => {
    writeFileSync(log, "first\nsecond\n");
    const reader = new Reader([log]);
    expect(await reader.take(2)).toEqual(["first", "second"]);
    truncateSync(log);
    renameSync(log, `${log}.1`);
    appendFileSync(`${log}.1`, "a\n");
    writeFileSync(log, "b\n");
    expect(await reader.take(2)).toEqual(["a", "b"]);
    await reader.stop();
    expect(reader.events.sort()).toEqual(["rotated app.log", "truncated app.log"]);
  });

  test("that is emptied and as long again is read from its start", async () => {
    writeFileSync(log, "12\n34\n");
    const reader = new Reader([log]);
    expect(await reader.take(2)).toEqual(["12", "34"]);
    reader.ask();
    await new Promise((resolve) => setTimeout(resolve, 50)); // it has looked, and the time of a file is coarse
    writeFileSync(log, "56\n78\n");
    expect(await reader.take(2)).toEqual(["56", "78"]);
    await reader.stop();
  });

  test("that is not there is waited for, and so is one that goes; each is said once", async () => {
    const reader = new Reader([log]);
    await reader.said("missing app.log");
    writeFileSync(log, "a\n");
    expect(await reader.line()).toBe("a");
    unlinkSync(log);
    await reader.said("vanished app.log");
    await new Promise((resolve) => setTimeout(resolve, 5 * POLL));
    writeFileSync(log, "b\n");
    expect(await reader.line()).toBe("b");
    renameSync(log, `${log}.old`);
    const again = reader.line();
    await vi.waitFor(() => expect(reader.events).toHaveLength(5), { timeout: MOST_WAIT });
    renameSync(`${log}.old`, log); // the same, which has been read
    appendFileSync(log, "c\n");
    expect(await again).toBe("c");
    reader.ask();
    await vi.waitFor(() => expect(reader.events).toHaveLength(6), { timeout: MOST_WAIT });
    await reader.stop();
    expect(reader.events).toEqual(
      ["missing", "returned", "vanished", "returned", "vanished", "returned"].map((kind) => `${kind} app.log`),
    );
  });
});

describe("many sources", () => {
  test("100 files give each its own lines in order, while one of them is rotated", async () => {
    const paths = Array.from({ length: 100 }, (_, i) => join(place, `${i}.log`));
    for (const [i, path] of paths.entries()) writeFileSync(path, `${i} first\n`);
    const found = new Map<string, string[]>(paths.map((path) => [path, []]));
    const controller = new AbortController();
    let left = 4 * paths.length;
    const ended = (async () => {
      for await (const { path, bytes } of follow(paths, { poll: POLL, signal: controller.signal })) {
        found.get(path)!.push(Buffer.from(bytes).toString());
        if (--left === 0) return;
      }
    })();
    for (const word of ["second", "third", "fourth"]) {
      for (const [i, path] of paths.entries()) {
        if (i === 7 && word === "third") renameSync(path, `${path}.1`);
        appendFileSync(path, `${i} ${word}\n`);
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await vi.waitFor(() => expect(found.get(paths[7]!)!.at(-1)).toBe(`7 ${word}`), { timeout: MOST_WAIT });
    }
    await ended;
    for (const [i, path] of paths.entries()) {
      expect(found.get(path)).toEqual(["first", "second", "third", "fourth"].map((word) => `${i} ${word}`));
    }
  });

  test("a file that is named twice is read once, and one that is long does not hold up the others", async () => {
    const short = join(place, "short.log");
    writeFileSync(log, "long\n".repeat(20_000));
    writeFileSync(short, "short\n");
    const reader = new Reader([log, short, log]);
    const lines = await reader.take(20_001);
    await reader.stop();
    expect(lines.filter((line) => line === "long")).toHaveLength(20_000);
    expect(lines.indexOf("short")).toBeLessThan(14_000); // behind 64 KiB of the other
    expect(await read([log, short, log])).toHaveLength(20_001);
  });

  test("lines may be kept: what is read later is not written over them", async () => {
    writeFileSync(log, "one\ntwo\n");
    const kept: Uint8Array[] = [];
    for await (const { bytes } of follow([log], { poll: POLL })) {
      kept.push(bytes);
      if (kept.length === 2) appendFileSync(log, "three\nfour\n");
      if (kept.length === 4) break;
    }
    expect(kept.map((bytes) => Buffer.from(bytes).toString())).toEqual(["one", "two", "three", "four"]);
  });

  test("a symbolic link that points elsewhere is a rotation", async () => {
    const [a, b] = [join(place, "a"), join(place, "b")];
    writeFileSync(a, "a\n");
    writeFileSync(b, "b\n");
    symlinkSync(a, log);
    const reader = new Reader([log]);
    expect(await reader.line()).toBe("a");
    symlinkSync(b, join(place, "new"));
    renameSync(join(place, "new"), log);
    expect(await reader.line()).toBe("b");
    await reader.stop();
    expect(reader.events).toEqual(["rotated app.log"]);
  });

  test("a line of 100 MB takes as much memory as is kept of it", async () => {
    const file = openSync(log, "w");
    const part = new Uint8Array(1 << 20).fill(120);
    for (let i = 0; i < 100; ++i) writeSync(file, part);
    writeSync(file, "\nnext\n");
    closeSync(file);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 5);
    const lines: [number, number, boolean][] = [];
    for await (const { bytes, length, cut } of follow([log], { follow: false }))
      lines.push([bytes.length, length, cut]);
    clearInterval(timer);
    expect(lines).toEqual([
      [65536, 100 * part.length, true],
      [4, 4, false],
    ]);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(8 << 20);
  });
});

describe("files that are read once", () => {
  test("come one after the other, the last line of each with or without its newline", async () => {
    writeFileSync(log, "a\nb");
    writeFileSync(`${log}.2`, "c\n");
    writeFileSync(`${log}.3`, "");
    expect(await read([log, `${log}.2`, `${log}.3`])).toEqual(["a", "b", "c"]);
    expect(await read([log], { fromEnd: true })).toEqual([]);
  });

  test("have to be there, all of them, before the first is read", async () => {
    writeFileSync(log, "a\n");
    await expect(read([log, `${log}.none`])).rejects.toEqual(refusal("INVALID_TEXT", "app.log.none", "ENOENT"));
    await expect(read([place])).rejects.toEqual(refusal("INVALID_TEXT", place, "EISDIR"));
  });
});

test("what is not waited for is an error at the start, and an end later", async () => {
  await expect(new Reader([log], { retry: false }).line()).rejects.toEqual(
    refusal("INVALID_TEXT", "app.log", "ENOENT"),
  );
  await expect(new Reader([place]).line()).rejects.toEqual(refusal("INVALID_TEXT", place, "EISDIR"));
  writeFileSync(log, "a\nb");
  const reader = new Reader([log], { retry: false });
  expect(await reader.line()).toBe("a");
  unlinkSync(log);
  expect(await reader.line()).toBe("b");
  await expect(reader.line()).rejects.toThrow("the end");
});

test("a disk that fails is waited for, and read on behind the last whole line; where nothing is waited for it is an error", async () => {
  writeFileSync(log, "a\nhal");
  const reader = new Reader([log]);
  expect(await reader.line()).toBe("a");
  reader.ask();
  await new Promise((resolve) => setTimeout(resolve, 3 * POLL)); // the half line has been read
  faults.reads = 3;
  appendFileSync(log, "f\nb\n");
  expect(await reader.take(2)).toEqual(["half", "b"]);
  await reader.stop();
  expect(reader.events).toEqual(["vanished app.log", "returned app.log"]);
  faults.reads = 1;
  await expect(read([log])).rejects.toEqual(refusal("INVALID_TEXT", "app.log", "EIO"));
});

test("what who is told of events throws comes out", async () => {
  const onEvent = () => {
    throw new Error("the listener's own");
  };
  await expect(follow([log], { onEvent }).next()).rejects.toThrow("the listener's own");
  writeFileSync(log, "a\n");
  const lines = follow([log], { onEvent, poll: POLL });
  await lines.next();
  unlinkSync(log);
  await expect(lines.next()).rejects.toThrow("the listener's own");
});

test("from the end: what was there is passed over, what comes is not, nor a file that comes later", async () => {
  writeFileSync(log, "old\n".repeat(1000));
  const other = join(place, "other.log");
  const reader = new Reader([log, other], { fromEnd: true });
  await reader.said("missing other.log");
  appendFileSync(log, "new\n");
  expect(await reader.line()).toBe("new");
  writeFileSync(other, "x\n");
  expect(await reader.line()).toBe("x");
  await reader.stop();
});

describe("pipes", () => {
  test("a named pipe is waited for, and read on with its next writer", async () => {
    const pipe = join(place, "pipe");
    const reader = new Reader([pipe, log]);
    await reader.said("missing pipe");
    execFileSync("mkfifo", [pipe]);
    for (const words of ["a\nb", "c\n"]) {
      const ended = once(spawn("sh", ["-c", `printf '${words}' > "${pipe}"`]), "close");
      expect(await reader.take(words.split("\n").filter(Boolean).length)).toEqual(words.split("\n").filter(Boolean));
      await ended;
    }
    writeFileSync(log, "of a file\n");
    expect(await reader.line()).toBe("of a file");
    await reader.stop();
    expect(reader.lines.positions().map(({ path }) => path)).toEqual([log]);
  });

  test("may take the place of a file, and a file or another pipe that of a pipe", async () => {
    const path = join(place, "any");
    const written = (words: string) => once(spawn("sh", ["-c", `printf '${words}' > "${path}"`]), "close");
    writeFileSync(path, "1\n");
    const reader = new Reader([path]);
    expect(await reader.line()).toBe("1");
    for (const words of ["2\n", "3\n"]) {
      unlinkSync(path);
      execFileSync("mkfifo", [path]);
      const ended = written(words);
      expect(await reader.line()).toBe(words.trim());
      await ended;
      reader.ask();
      await new Promise((resolve) => setTimeout(resolve, 5 * POLL)); // it waits for the next writer
    }
    unlinkSync(path);
    writeFileSync(path, "4\n");
    expect(await reader.line()).toBe("4");
    await reader.stop();
  });

  test("from the end: a file that takes the place of a pipe is new", async () => {
    const path = join(place, "any");
    execFileSync("mkfifo", [path]);
    const reader = new Reader([path], { fromEnd: true });
    reader.ask();
    await new Promise((resolve) => setTimeout(resolve, 5 * POLL));
    unlinkSync(path);
    writeFileSync(path, "1\n");
    expect(await reader.line()).toBe("1");
    await reader.stop();
  });

  test("read once, ends with its writer", async () => {
    const pipe = join(place, "pipe");
    execFileSync("mkfifo", [pipe]);
    const ended = once(spawn("sh", ["-c", `seq 100000 > "${pipe}"`]), "close");
    expect(await read([pipe])).toEqual(Array.from({ length: 100_000 }, (_, i) => String(i + 1)));
    await ended;
  });

  test.each(["-", "/dev/stdin"])("standard input by the name %s, from a pipe, a file and a socket", (name) => {
    const program = join(place, "program.mjs");
    const contents = `import { follow } from "./host/watch/follow-node.ts";
      for await (const { path, bytes } of follow([${JSON.stringify(name)}])) console.log(path, Buffer.from(bytes).toString());`;
    buildSync({
      stdin: { contents, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: program,
    });
    writeFileSync(log, "a\nb");
    const run = (shell: string, input?: string) => {
      const words = ["-c", shell, process.execPath, program, log];
      return execFileSync(
        "sh",
        words,
        input === undefined ? { stdio: ["ignore", "pipe", "pipe"] } : { input },
      ).toString();
    };
    expect(run('cat "$2" | "$0" "$1"')).toBe("- a\n- b\n");
    expect(run('exec "$0" "$1" < "$2"')).toBe("- a\n- b\n");
    expect(run('exec "$0" "$1"', "a\nb")).toBe("- a\n- b\n");
    expect(run('exec "$0" "$1"')).toBe(""); // of /dev/null
  });
});

describe("a signal", () => {
  test("ends a wait at once, for files, pipes and what is not there", async () => {
    writeFileSync(log, "a\n");
    const pipe = join(place, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const [path, lines] of [
      [log, 1],
      [pipe, 0],
      [join(place, "none"), 0],
    ] as const) {
      const controller = new AbortController();
      const followed = follow([path], { poll: 3_600_000, signal: controller.signal });
      for (let i = 0; i < lines; ++i) await followed.next();
      const waiting = followed.next();
      setTimeout(() => controller.abort(), 30);
      await expect(waiting).rejects.toEqual(refusal("ABORTED"));
      expect((await followed.next()).done).toBe(true);
    }
    const controller = new AbortController();
    controller.abort();
    await expect(follow([log], { signal: controller.signal }).next()).rejects.toEqual(refusal("ABORTED"));
  });

  test("ends it between two lines of a chunk, and the place is behind the first", async () => {
    writeFileSync(log, "one\ntwo\nthree\n");
    const controller = new AbortController();
    const lines = follow([log], { signal: controller.signal });
    await lines.next();
    controller.abort();
    await expect(lines.next()).rejects.toEqual(refusal("ABORTED"));
    expect(await read([log], { positions: lines.positions() })).toEqual(["two", "three"]);
  });

  test("or the reader's end closes what was open", async () => {
    if (!existsSync("/proc/self/fd")) return;
    const { readdirSync, readlinkSync } = await import("node:fs");
    const open = () =>
      readdirSync("/proc/self/fd").filter((each) => {
        try {
          return readlinkSync(`/proc/self/fd/${each}`).startsWith(place);
        } catch {
          return false;
        }
      });
    writeFileSync(log, "a\nb\n");
    for await (const _ of follow([log])) {
      expect(open()).toHaveLength(1);
      break;
    }
    expect(open()).toEqual([]);
    const reader = new Reader([log]);
    await reader.take(2);
    reader.ask();
    await reader.stop();
    await vi.waitFor(() => expect(open()).toEqual([]));
  });
});

describe("positions", () => {
  const places = (reader: Reader): Position[] => JSON.parse(JSON.stringify(reader.lines.positions()));

  test("are behind the last line that was handed out, wherever its chunk ends", async () => {
    writeFileSync(log, "one\ntwo\nthree\nfo");
    const reader = new Reader([log]);
    for (const offset of [4, 8, 14]) {
      await reader.line();
      expect(places(reader)).toEqual([
        { path: log, inode: expect.stringMatching(/^\d+$/), offset, digest: expect.stringMatching(/^[0-9a-f]{32}$/) },
      ]);
    }
    reader.ask();
    await new Promise((resolve) => setTimeout(resolve, 3 * POLL));
    expect(places(reader)[0]!.offset).toBe(14); // the half line has been read, and is not handed out
    await reader.stop();
    appendFileSync(log, "ur\n");
    expect(await read([log], { positions: places(reader) })).toEqual(["four"]);
  });

  test("find a file that was renamed meanwhile, and then the new one", async () => {
    writeFileSync(log, "1\n2\n3\n");
    const reader = new Reader([log]);
    await reader.take(2);
    const positions = places(reader);
    await reader.stop();
    appendFileSync(log, "4\n");
    renameSync(log, join(place, "app-20260301.log"));
    expect(await read([log], { positions })).toEqual(["3", "4"]);
    writeFileSync(log, "5\n");
    expect(await read([log], { positions })).toEqual(["3", "4", "5"]);
    expect(await read([log], { positions, fromEnd: true })).toEqual(["3", "4", "5"]);
    unlinkSync(join(place, "app-20260301.log"));
    expect(await read([log], { positions })).toEqual(["5"]);
  });

  test("are of no use where the file is not the same, though its inode and its first lines are", async () => {
    const head = "time,temperature\n".repeat(40); // longer than what is compared of the beginning
    writeFileSync(log, `${head}1\n`);
    const reader = new Reader([log]);
    await reader.take(41);
    const positions = places(reader);
    await reader.stop();
    truncateSync(log);
    appendFileSync(log, `${head}2\n3\n`);
    const events: string[] = [];
    const lines = await read([log], { positions, onEvent: ({ kind }) => events.push(kind) });
    expect(lines.slice(40)).toEqual(["2", "3"]);
    expect(events).toEqual(["truncated"]);
  });

  test("of other paths are left alone, and those of files that are not there yet are kept", async () => {
    const position = { path: log, inode: "1", offset: 3, digest: "0".repeat(32) };
    const reader = new Reader([log], { positions: [position, { ...position, path: "elsewhere" }] });
    await reader.said("vanished app.log");
    expect(places(reader)).toEqual([position]);
    writeFileSync(log, "a\n");
    expect(await reader.line()).toBe("a");
    await reader.stop();
    expect(reader.events).toEqual(["vanished app.log", "returned app.log"]);
  });
});

test("bad options are refused before anything is read", () => {
  for (const [paths, options, ...named] of [
    [[], {}, "paths"],
    ["app.log", {}, "paths"],
    [[7], {}, "path"],
    [["a\0b"], {}, "path"],
    [["a"], { poll: 0 }, "poll", "1..3600000"],
    [["a"], { poll: "x" }, "poll"],
    [["a"], { most: 0 }, "most"],
    [["a"], { signal: 1 }, "signal"],
    [["a"], { onEvent: 1 }, "onEvent"],
    [["a"], { positions: {} }, "positions"],
    [["a"], { positions: [{ path: "a", inode: "1", offset: -1, digest: "" }] }, "positions[0]", "offset"],
  ] as const) {
    expect(() => follow(paths as never, options as never)).toThrow(refusal("INVALID_OPTION", ...named) as never);
  }
});

/** A line that is told from a part of it. */
const isWhole = (line: string) => /^<\d+ x*>$/.test(line);

/** A log, its writer, and what a reader has to find. Lines that a truncation may have taken are owed no more, and may come all the same. */
class World {
  file = 0;
  /** The file of the writer, and whether its name is still the log's. */
  private writer: number;
  private named = true;
  private count = 0;
  private emptied = false;
  private readonly deleted = new Set<number>();
  /** The file of the line that was read last: the reader knows it, open or by its position. */
  known = -1;
  readonly owed: { readonly line: string; readonly file: number; lost: boolean }[] = [];

  constructor() {
    this.writer = openSync(log, "a");
  }

  append(lines: number, width: number): void {
    for (let i = 0; i < lines; ++i) {
      const line = `<${this.count++} ${"x".repeat(width)}>`;
      writeSync(this.writer, `${line}\n`);
      this.owed.push({ line, file: this.file, lost: false });
    }
  }

  /** Writes a line in two, with `between` in the middle. */
  async appendHalves(between: () => Promise<void>): Promise<void> {
    const line = `<${this.count++} xxxxxxxx>`;
    writeSync(this.writer, line.slice(0, 5));
    await between();
    writeSync(this.writer, `${line.slice(5)}\n`);
    this.owed.push({ line, file: this.file, lost: false });
  }

  /**
   * Renames the log, whose writer goes on with it. Only where the reader knows the file, by a line of it since it was emptied: of two files between
   * two looks the first is lost, and a process that starts knows a renamed file by its bytes alone.
   */
  rename(): boolean {
    if (!this.named || this.known !== this.file || this.emptied) return false;
    renameSync(log, `${log}.${this.file}`);
    this.named = false;
    return true;
  }

  /** The writer makes a new log; the old is deleted, renamed or neither before. */
  reopen(): void {
    if (this.named) return;
    closeSync(this.writer);
    this.writer = openSync(log, "a");
    this.file += 1;
    [this.named, this.emptied] = [true, false];
  }

  truncate(): void {
    if (!this.named) return;
    truncateSync(log);
    this.emptied = true;
    for (const each of this.owed) if (each.file === this.file) each.lost = true;
  }

  /** Deletes the log, and makes it anew. @param open whether a reader has it open, and so loses nothing while it lasts */
  recreate(open: boolean): void {
    if (!this.named || this.known !== this.file) return;
    unlinkSync(log);
    this.deleted.add(this.file);
    if (!open) this.loseDeleted();
    this.named = false;
    this.reopen();
  }

  /** No reader has anything open. */
  loseDeleted(): void {
    for (const each of this.owed) if (this.deleted.has(each.file)) each.lost = true;
  }

  /** Takes a line that was read: the next that is owed. Parts of lines come only of files that were truncated. */
  found(line: string): void {
    if (!isWhole(line)) return;
    for (;;) {
      const next = this.owed.shift();
      if (next?.line !== line) expect(next, `read ${line}`).toMatchObject({ lost: true });
      else {
        this.known = next.file;
        if (!next.lost) this.emptied = false;
        return;
      }
    }
  }

  get open(): number {
    return this.owed.filter(({ lost }) => !lost).length;
  }

  close(): void {
    closeSync(this.writer);
  }
}

test("any order of writing, rotating, truncating, deleting, stopping and going on gives each line once, and in order", async () => {
  const operation = fc.oneof(
    fc.record({
      kind: fc.constant("append" as const),
      lines: fc.integer({ min: 1, max: 6 }),
      width: fc.constantFrom(0, 20, 300, 30_000),
    }),
    fc.record({ kind: fc.constant("read" as const), lines: fc.integer({ min: 1, max: 12 }) }),
    fc.record({
      kind: fc.constantFrom("halves", "rename", "reopen", "truncate", "recreate", "restart", "stop", "wait"),
    }),
  );
  let rotations = 0;
  let truncations = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
      place = join(home, `case${next++}`);
      mkdirSync(place);
      log = join(place, "app.log");
      const world = new World();
      let positions: Position[] = [];
      let reader: Reader | undefined;
      let opened = -1; // the file that this reader has open for sure
      const start = () => {
        reader ??= new Reader([log], { poll: 1, positions });
        return reader;
      };
      const stop = async () => {
        if (reader === undefined) return;
        const line = await reader.stop();
        if (line !== undefined) world.found(line);
        positions = JSON.parse(JSON.stringify(reader.lines.positions()));
        rotations += reader.events.filter((event) => event.startsWith("rotated")).length;
        truncations += reader.events.filter((event) => event.startsWith("truncated")).length;
        [reader, opened] = [undefined, -1];
        world.loseDeleted();
      };
      /** Reads lines while any is owed. */
      const read = async (lines: number) => {
        for (let left = lines; left > 0 && world.open > 0; --left) {
          world.found(await start().line());
          opened = world.known;
        }
      };
      const wait = async () => {
        start().ask();
        await new Promise((resolve) => setTimeout(resolve, 3));
      };
      world.append(1, 0);
      await read(1);
      for (const each of operations) {
        if (each.kind === "append") world.append(each.lines, each.width);
        else if (each.kind === "read") await read(each.lines);
        else if (each.kind === "halves") await world.appendHalves(wait);
        else if (each.kind === "wait") await wait();
        else if (each.kind === "rename") world.rename();
        else if (each.kind === "reopen") world.reopen();
        else if (each.kind === "truncate") world.truncate();
        else if (each.kind === "recreate") world.recreate(opened === world.file);
        else {
          await stop();
          if (each.kind === "restart") await wait();
        }
      }
      world.reopen();
      world.append(1, 0); // behind it nothing is left
      await read(Number.POSITIVE_INFINITY);
      expect(world.owed.filter(({ lost }) => !lost)).toEqual([]);
      await stop();
      world.close();
      rmSync(place, { recursive: true });
    }),
    { numRuns: 150, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  );
  expect(rotations).toBeGreaterThan(5);
  expect(truncations).toBeGreaterThan(5);
});
