/**
 * Writing beside a place and moving into it (Node only). What is half-written has a name of its own, which is known while it stands: a
 * process that is told to end at once removes it (`removeTemporaries`).
 */
import { randomBytes } from "node:crypto";
import { rmSync, type Stats } from "node:fs";
import { lstat, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { assertRegular } from "./regular-node.ts";

const standing = new Set<string>();

/** A name beside `target` that nothing has. It is this thread's until `discard`. */
export function temporaryBeside(target: string): string {
  return temporary(join(dirname(target), `.${basename(target)}.${unused()}.tmp`));
}

/** Twelve digits that nothing has. */
export function unused(): string {
  return randomBytes(6).toString("hex");
}

/** `path`, removed by removeTemporaries until `discard`. */
export function temporary(path: string): string {
  standing.add(path);
  return path;
}

/** Removes what stands at a temporary name, which may have been moved into place already. */
export async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => {});
  standing.delete(path);
}

/** Removes whatever is half-written, at once: for a process that ends before its time. */
export function removeTemporaries(): void {
  for (const path of standing) rmSync(path, { recursive: true, force: true });
}

/** What is at `path`, not followed; undefined where nothing is. */
export async function standingAt(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined);
}

/** Writes a new file and flushes it. @param like a file or directory whose permissions and owner it gets */
export async function writeFlushed(path: string, bytes: Uint8Array, like?: Stats | undefined): Promise<void> {
  const file = await open(path, "wx", like ? like.mode & 0o666 : 0o666);
  try {
    if (like) {
      await file.chmod(like.mode & 0o777);
      if (differs(like)) await file.chown(like.uid, like.gid).catch(() => {}); // root's to give
    }
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a directory with the permissions and the owner of another. */
export async function makeDirectory(path: string, like: Stats | undefined): Promise<void> {
  await mkdir(path, like ? 0o700 : 0o777);
  if (like === undefined) return;
  const directory = await open(path, "r");
  try {
    await directory.chmod(like.mode & 0o7777);
    if (differs(like)) await directory.chown(like.uid, like.gid).catch(() => {});
  } finally {
    await directory.close();
  }
}

function differs({ uid, gid }: Stats): boolean {
  return process.geteuid !== undefined && (uid !== process.geteuid() || gid !== process.getegid!());
}

/** Flushes a directory's entries; Windows neither can nor needs to. */
export async function flushDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Replaces files, each of them whole, or none: all are written beside their places and flushed, then moved into them. Links are
 * followed; permissions and owner of what stood there are kept. A device or a pipe is no file to be replaced: where the rename would be allowed,
 * /dev/null would be gone.
 *
 * @throws Error of the system, with `path` as it was given; what stood there before stands there still
 */
export async function replaceFiles(files: readonly (readonly [path: string, bytes: Uint8Array])[]): Promise<void> {
  const moves: { readonly path: string; readonly from: string; readonly to: string }[] = [];
  let at = "";
  try {
    for (const [path, bytes] of files) {
      at = path;
      const to = await realpath(path).catch(() => resolve(path));
      const found = await stat(to).catch(() => undefined);
      if (found) assertRegular(found);
      const from = temporaryBeside(to);
      moves.push({ path, from, to });
      await writeFlushed(from, bytes, found);
    }
    for (const { path, from, to } of moves) {
      at = path;
      await rename(from, to);
      await flushDirectory(dirname(to));
    }
  } catch (cause) {
    throw Object.assign(cause as Error, { path: at });
  } finally {
    for (const { from } of moves) await discard(from);
  }
}
