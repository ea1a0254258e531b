/**
 * Model directories on a file system (Node only).
 *
 * A directory appears whole or not at all: it is written beside its place as `.<name>.<random>.tmp`, every file and the directory
 * flushed to the disk, then renamed into place. A writer that is killed leaves at most such a temporary directory, which no load
 * ever looks at and which may be deleted. Replacing a model takes two renames; only between them (and a kill at that very moment)
 * is its place empty, with the old model in a temporary directory beside it.
 */
import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { mkdir, open, readdir, readFile, realpath, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, FORMAT, KERNEL_FILES, type ModelFiles, REQUIRED_FILES, STATISTICS } from "./config.ts";
import { isRecord, parseJson } from "./json.ts";
import { checkLength, type ReadFile } from "./read.ts";
import { LEFTOVER } from "./statistics.ts";

/**
 * Reads files of a directory.
 *
 * @throws SaffuError MODEL_MISSING_FILE, naming the path and the errno
 */
export function directoryReader(directory: string): ReadFile {
  return async (name, expected, signal) => {
    const path = join(directory, name);
    try {
      checkLength(name, (await stat(path)).size, expected);
      const { buffer, byteOffset, length } = await readFile(path, { signal });
      return new Uint8Array(buffer, byteOffset, length); // not a Buffer, whose slices are views
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof SaffuError) throw cause;
      const code = errno(cause);
      const what = code === "ENOENT" ? "is missing" : `cannot be read: ${code}`;
      throw new SaffuError("MODEL_MISSING_FILE", `${path} ${what}`, { cause });
    }
  };
}

/**
 * Writes a model directory, atomically. Missing parent directories are made. What stands at `directory` already is replaced if
 * it is a model directory, with nothing else in it, or an empty directory; anything else is left alone and refused.
 *
 * @throws SaffuError UNWRITABLE, naming the path and the errno; ABORTED. Either way nothing is left behind.
 */
export async function writeDirectory(
  directory: string,
  files: ModelFiles,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await withTemporary(directory, async (target, temporary) => {
    for (const [name, bytes] of files) {
      throwIfAborted(options.signal);
      await writeFlushed(join(temporary, name), bytes);
    }
    await flushDirectory(temporary);
    throwIfAborted(options.signal);
    await moveIntoPlace(temporary, target);
    await flushDirectory(dirname(target));
  });
}

/**
 * Checks that a model could be written to `directory`, so that a long fit fails before it starts rather than at its end.
 *
 * @throws SaffuError UNWRITABLE, as writeDirectory does
 */
export async function assertWritable(directory: string): Promise<void> {
  await withTemporary(directory, async () => {});
}

/** Runs `write` with a new temporary directory beside the target, and removes it (and any parents made for it) on failure. */
async function withTemporary(
  directory: string,
  write: (target: string, temporary: string) => Promise<void>,
): Promise<void> {
  // through a link, the directory it points to is replaced and not the link
  const target = await realpath(directory).catch(() => resolve(directory));
  const temporary = temporaryBeside(target);
  let made: string | undefined;
  try {
    await assertReplaceable(target);
    made = await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
    await write(target, temporary);
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    throw unwritable(directory, (cause as Error).message, cause);
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    if (made) await removeEmpty(dirname(target), made);
  }
}

/** Renames `temporary` to `target`; a model that stands there steps aside first, and back if the second rename fails. */
async function moveIntoPlace(temporary: string, target: string): Promise<void> {
  try {
    await rename(temporary, target); // replaces an empty directory, too
    return;
  } catch (cause) {
    if (!["ENOTEMPTY", "EEXIST", "EPERM"].includes(errno(cause))) throw cause;
  }
  await assertReplaceable(target);
  const aside = temporaryBeside(target);
  // synchronous, so that nothing comes between the two and the place is empty for microseconds
  renameSync(target, aside);
  try {
    renameSync(temporary, target);
  } catch (cause) {
    renameSync(aside, target);
    throw cause;
  }
  await rm(aside, { recursive: true, force: true }).catch(() => {}); // the new model stands: what is left over is only litter
}

/** Throws unless nothing, an empty directory, or a model directory stands at `target`. */
async function assertReplaceable(target: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(target);
  } catch (cause) {
    if (errno(cause) === "ENOENT") return;
    throw cause;
  }
  if (names.length === 0) return;
  const config: unknown = await readFile(join(target, CONFIG))
    .then(parseJson)
    .catch(() => undefined);
  if (!isRecord(config) || config.format !== FORMAT) {
    throw unwritable(target, "EEXIST: it is not empty, and not a model directory");
  }
  const listed = isRecord(config.files) ? Object.keys(config.files) : [];
  const replaceable = new Set<string>([CONFIG, STATISTICS, ...REQUIRED_FILES, ...KERNEL_FILES, ...listed]);
  const foreign = names.filter((name) => !replaceable.has(name) && !LEFTOVER.test(name));
  if (foreign.length > 0) {
    throw unwritable(target, `EEXIST: it holds files that are not the model's: ${foreign.slice(0, 5).join(", ")}`);
  }
}

/**
 * Replaces one file, atomically: written beside its place, flushed, and renamed into it.
 *
 * @throws SaffuError UNWRITABLE; what stood there before stands there still
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = resolve(path);
  const temporary = temporaryBeside(target);
  try {
    await writeFlushed(temporary, bytes);
    await rename(temporary, target);
    await flushDirectory(dirname(target));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw unwritable(path, (cause as Error).message, cause);
  }
}

/** Writes a new file and flushes it. */
export async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
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

/** Removes the empty directories from `innermost` up to `outermost`. */
async function removeEmpty(innermost: string, outermost: string): Promise<void> {
  for (let path = innermost; ; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
    if (path === outermost) return;
  }
}

function temporaryBeside(target: string): string {
  return join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
}

function unwritable(path: string, what: string, cause?: unknown): SaffuError {
  return new SaffuError("UNWRITABLE", `${path} cannot be written: ${what}`, { cause });
}

function errno(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}
