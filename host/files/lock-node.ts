/**
 * One writer at a time (Node only): a file in the directory says who learns there. What loads, learns and saves holds it from before the
 * load to after the save, so that no save is over an older state than the last.
 *
 * A lock whose process is gone is broken at once. A process of another machine, or one that cannot be told from a later one of its
 * number, is taken for gone when it has not touched its lock for a minute by the clock of the one that waits; if it comes back
 * after that, its save is refused. Breaking takes a lock itself: the lock that is broken is the one that was looked at.
 *
 * ```ts
 * const lock = await lockStatistics("models/mine");
 * try { … } finally { lock.release(); }
 * ```
 */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync, rmSync, writeSync } from "node:fs";
import { stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { errno, reasonOf, unwritable } from "./directory-node.ts";
import { type Held, LOCK, STATISTICS } from "./statistics.ts";

/** Milliseconds: an untouched lock is broken after so long, one without contents after so long, and a holder touches its own so often. */
const [GONE_AFTER, UNWRITTEN_AFTER, TOUCHED_EVERY] = [60_000, 2_000, 5_000];
/** Milliseconds between two looks at a lock of another: the first, and the longest; and after which a caller is told that it waits. */
const [LOOK, LONGEST_LOOK, TOLD_AFTER] = [4, 100, 3_000];
/** A lock is one line of JSON. */
const LONGEST = 4096;

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  /** The machine, and its namespace of process numbers. */
  readonly host: string;
  /** When the process began, in the kernel's own count; "" where that cannot be told. */
  readonly began: string;
  readonly id: string;
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, with who holds the lock, where it takes long. */
  readonly onWait?: ((holder: string) => void) | undefined;
}

/**
 * Waits until no other writes to the directory's statistics, and keeps others from it until `release`.
 *
 * @returns a lock of nothing where neither directory nor parent is there
 * @throws SaffuError UNWRITABLE where no lock can be made; ABORTED
 */
export async function lockStatistics(directory: string, options: LockOptions = {}): Promise<Held> {
  try {
    for (;;) {
      const path = await placeOf(directory);
      if (path === undefined) return { assertHeld() {}, release() {} };
      const lock = await acquire(path, options);
      if ((await placeOf(directory)) === path) return lock;
      lock.release(); // the directory has come, or gone, meanwhile
    }
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    throw unwritable(join(directory, STATISTICS), reasonOf(cause), cause);
  }
}

/** In the directory; beside it where it is not there yet. */
async function placeOf(directory: string): Promise<string | undefined> {
  if (await isDirectory(directory)) return join(directory, LOCK);
  const target = resolve(directory);
  const [parent, name] = [dirname(target), basename(target)];
  return (await isDirectory(parent)) ? join(parent, `.${name}${LOCK}`) : undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function acquire(path: string, options: LockOptions): Promise<Held> {
  const { signal, onWait } = options;
  const began = performance.now();
  const own = JSON.stringify({ ...SELF, id: randomBytes(8).toString("hex") } satisfies Holder);
  let watched: { readonly state: string; readonly since: number } | undefined;
  let told = false;
  for (let wait = LOOK; ; wait = Math.min(LONGEST_LOOK, 1.5 * wait)) {
    throwIfAborted(signal);
    if (create(path, own)) return held(path, own);
    const found = look(path);
    if (found === undefined) continue;
    const now = performance.now();
    const state = `${found.text} ${found.touched}`;
    if (watched?.state !== state) watched = { state, since: now };
    const holder = holderIn(found.text);
    const patience = holder ? (isGone(holder) ? 0 : GONE_AFTER) : UNWRITTEN_AFTER;
    if (now - watched.since >= patience) {
      await breakLock(path, found.text, options);
      continue;
    }
    if (!told && now - began >= TOLD_AFTER) {
      told = true;
      onWait?.(holder ? `process ${holder.pid} of ${holder.host.split(" ")[0]}` : "another process");
    }
    await pause(wait * (0.5 + Math.random()), signal);
  }
}

/** Removes a lock that still says what it said. Who breaks one excludes others that would: theirs may be the next one already. */
async function breakLock(path: string, text: string, options: LockOptions): Promise<void> {
  const breaking = await acquire(`${path}.break`, { signal: options.signal });
  try {
    if (look(path)?.text === text) rmSync(path, { force: true });
  } finally {
    breaking.release();
  }
}

/** Makes the lock, unless there is one. */
function create(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, "wx");
  } catch (cause) {
    if (errno(cause) === "EEXIST") return false;
    throw cause;
  }
  try {
    writeSync(file, text);
  } catch (cause) {
    rmSync(path, { force: true });
    throw cause;
  } finally {
    closeSync(file);
  }
  return look(path)?.text === text; // else it took so long to write that it was taken for abandoned
}

function held(path: string, own: string): Held {
  const touch = () => {
    const now = new Date();
    utimes(path, now, now).catch(() => {}); // it may be gone: assertHeld says so
  };
  const timer = setInterval(touch, TOUCHED_EVERY);
  timer.unref();
  const lock: Held = {
    assertHeld() {
      if (look(path)?.text === own) return;
      throw new SaffuError("UNWRITABLE", `${path} was changed by another since this model was loaded: load it again`);
    },
    release() {
      clearInterval(timer);
      standing.delete(lock);
      if (look(path)?.text === own) rmSync(path, { force: true });
    },
  };
  standing.add(lock);
  return lock;
}

/** Locks that this thread holds. */
const standing = new Set<Held>();

/** Gives up all locks at once: for a process that ends before its time. */
export function releaseLocks(): void {
  for (const lock of standing) lock.release();
}

/** What a lock says, and when it was touched; undefined where there is none. @throws Error of the system, or where something else is in its place */
function look(path: string): { readonly text: string; readonly touched: number } | undefined {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;
  let file: number | undefined;
  try {
    file = openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    const found = fstatSync(file);
    if (!found.isFile() || found.size > LONGEST) throw new Error(`EEXIST: ${basename(path)} is no lock`);
    return { text: readFileSync(file, "utf8"), touched: found.mtimeMs };
  } catch (cause) {
    if (errno(cause) === "ENOENT") return undefined;
    throw cause;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function holderIn(text: string): Holder | undefined {
  try {
    const { pid, host, began, id } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 0 && [host, began, id].every((part) => typeof part === "string")
      ? { pid, host, began, id }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a holder is surely gone: of this machine, and without a process, or with a later one of the same number. */
function isGone({ pid, host, began }: Holder): boolean {
  if (host !== SELF.host) return false;
  try {
    process.kill(pid, 0); // looks, and sends nothing
  } catch (cause) {
    return errno(cause) === "ESRCH";
  }
  const now = beganOf(pid);
  return began !== "" && now !== "" && now !== began;
}

/** When a process began, in ticks since the machine started (Linux); "" elsewhere. */
function beganOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    return line.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? ""; // the name before it may hold anything
  } catch {
    return "";
  }
}

/** A machine whose containers count processes apart is several. */
function hostOf(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

const SELF = { pid: process.pid, host: hostOf(), began: beganOf(process.pid) };

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}
