/**
 * Model directories on a file system (Node only).
 *
 * A directory appears whole or not at all: it is written beside its place as `.<name>.<random>.tmp`, every file and the directory
 * flushed to the disk, then renamed into place. A writer that is killed leaves at most such a temporary directory, which no load
 * ever looks at and which may be deleted. Replacing a model takes two renames; only between them (and a kill at that very moment)
 * is its place empty, with the old model in a temporary directory beside it.
 */
import { renameSync } from "node:fs";
import { link, mkdir, readdir, realpath, rename, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { checkFiles, checkOptions, checkPath, invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import {
  CLASSIFIER_FORMAT,
  CONFIG,
  FORMAT,
  isFileName,
  KERNEL_FILES,
  type ModelFiles,
  REQUIRED_FILES,
  STATISTICS,
} from "./config.ts";
import { isRecord, parseJson } from "./json.ts";
import { checkLength, type ReadFile } from "./read.ts";
import { readRegular } from "./regular-node.ts";
import { PASSING } from "./statistics.ts";
import {
  discard,
  flushDirectory,
  makeDirectory,
  replaceFiles,
  standingAt,
  temporaryBeside,
  writeFlushed,
} from "./temporary-node.ts";

/**
 * Reads files of a directory.
 *
 * @throws SaffuError MODEL_MISSING_FILE, naming the path and the errno
 */
export function directoryReader(directory: string): ReadFile {
  return async (name, expected, signal) => {
    const path = join(directory, name);
    try {
      return await readRegular(path, (length) => checkLength(name, length, expected), signal);
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof SaffuError) throw cause;
      const code = errno(cause);
      const what = code === "ENOENT" ? "is missing" : `cannot be read: ${code === "EFTYPE" ? reasonOf(cause) : code}`;
      throw new SaffuError("MODEL_MISSING_FILE", `${path} ${what}`, { cause });
    }
  };
}

/**
 * Writes a model directory, atomically. Missing parent directories are made. What stands at `directory` already is replaced if
 * it is a model directory, with nothing else in it, or an empty directory; anything else is left alone and refused. The directory
 * and its files keep the permissions of those they replace; new files get those of config.json.
 *
 * @throws SaffuError UNWRITABLE, naming the path and the errno; INVALID_OPTION; ABORTED. Either way nothing is left behind.
 */
export async function writeDirectory(
  directory: string,
  files: ModelFiles,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  checkPath("directory", directory);
  checkOptions(options);
  checkFiles(files);
  for (const name of files.keys()) {
    if (name !== CONFIG && name !== STATISTICS && !isFileName(name)) {
      throw invalidOption("a file's name", "one in the directory", name);
    }
  }
  await withTemporary(directory, async (target, temporary) => {
    const config = await standingAt(join(target, CONFIG));
    for (const [name, bytes] of files) {
      throwIfAborted(options.signal);
      const before = await standingAt(join(target, name));
      await writeFlushed(join(temporary, name), bytes, before?.isFile() ? before : config);
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
    await makeDirectory(temporary, await standingAt(target));
    await write(target, temporary);
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    throw unwritable(directory, reasonOf(cause), cause);
  } finally {
    await discard(temporary);
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
  await discard(aside); // the new model stands: what is left over is only litter
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
  const config: unknown = await readRegular(join(target, CONFIG), (length) => checkLength(CONFIG, length, undefined))
    .then(parseJson)
    .catch(() => undefined);
  if (!isRecord(config) || ![FORMAT, CLASSIFIER_FORMAT].includes(config.format as string)) {
    throw unwritable(target, "EEXIST: it is not empty, and not a model directory");
  }
  const listed = isRecord(config.files) ? Object.keys(config.files) : [];
  const replaceable = new Set<string>([CONFIG, STATISTICS, ...REQUIRED_FILES, ...KERNEL_FILES, ...listed]);
  const foreign = names.filter((name) => !replaceable.has(name) && !PASSING.test(name));
  if (foreign.length > 0) {
    throw unwritable(target, `EEXIST: it holds files that are not the model's: ${foreign.slice(0, 5).join(", ")}`);
  }
}

/**
 * Replaces files, atomically, each of them whole or none: written beside their places, flushed, and renamed into them. Links are
 * followed; permissions are kept.
 *
 * @throws SaffuError UNWRITABLE, naming the path; what stood there before stands there still
 */
export async function replaceFile(...files: readonly (readonly [path: string, bytes: Uint8Array])[]): Promise<void> {
  await replaceFiles(files).catch((cause) => {
    throw unwritable((cause as NodeJS.ErrnoException).path!, reasonOf(cause), cause);
  });
}

/**
 * Writes a new file, whole or not at all.
 *
 * @throws SaffuError UNWRITABLE, also where something stands there already
 */
export async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const beside = temporaryBeside(resolve(path));
  try {
    if (await standingAt(path)) throw Object.assign(new Error("EEXIST: file already exists"), { code: "EEXIST" });
    await writeFlushed(beside, bytes);
    // a link fails where something has come meanwhile; some file systems have none
    await link(beside, path).catch((cause) => {
      if (["EEXIST", "ENOENT"].includes(errno(cause))) throw cause;
      return rename(beside, path);
    });
    await flushDirectory(dirname(resolve(path)));
  } catch (cause) {
    throw unwritable(path, reasonOf(cause), cause);
  } finally {
    await discard(beside);
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

/** The error for a path that cannot be written. @param what the reason, as reasonOf has it */
export function unwritable(path: string, what: string, cause?: unknown): SaffuError {
  return new SaffuError("UNWRITABLE", `${path} cannot be written: ${what}`, { cause });
}

/** What the system says, without the call and its paths: "ENOSPC: no space left on device". */
export function reasonOf(cause: unknown): string {
  return (cause as Error).message.replace(/^([A-Z]\w+: [^,]+), .*$/s, "$1");
}

/** The system's name of an error. */
export function errno(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

/**
 * A path, or an http(s) or file URL, as a text.
 *
 * @param kinds what a source may be, in messages
 * @throws SaffuError INVALID_OPTION
 */
export function addressOf(source: unknown, kinds: string): string {
  const text = source instanceof URL ? source.href : source;
  checkPath("source", text);
  try {
    if (/^https?:/i.test(text as string)) new URL(text as string);
    if (/^file:/i.test(text as string)) fileURLToPath(text as string);
  } catch (cause) {
    throw invalidOption("source", `${kinds} (${(cause as Error).message})`, text);
  }
  return text as string;
}
