/**
 * statistics.safetensors on a file system (Node only): it changes while the model beside it stays, so it is replaced alone. The new
 * file is written beside the old one, flushed, and renamed over it, then the directory is flushed: what a load finds is the old
 * one or the new one, whole. A save costs its bytes once and two flushes. One process writes at a time (lock-node.ts). Two that save over
 * the same state: the later one is refused.
 */
import { lstatSync, renameSync, rmSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, type ModelFiles, parseConfig, sha256 } from "./config.ts";
import { errno, reasonOf, unwritable, writeDirectory } from "./directory-node.ts";
import { lockStatistics } from "./lock-node.ts";
import { checkLength, checkMost } from "./read.ts";
import { readRegular } from "./regular-node.ts";
import { type Held, LEFTOVER, mostLearnedBytes, type SaveOptions, STATISTICS } from "./statistics.ts";
import { discard, flushDirectory, standingAt, temporary, unused, writeFlushed } from "./temporary-node.ts";

/**
 * The bytes of a directory's statistics; undefined where it has none.
 *
 * @param most bytes that the model's can have: a longer file is refused before it is read
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, ABORTED
 */
export async function readStatistics(
  directory: string,
  most: number,
  signal?: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  return readStatisticsFile(join(directory, STATISTICS), most, signal).catch((cause) => {
    if ((cause as SaffuError).cause && errno((cause as SaffuError).cause) === "ENOENT") return undefined;
    throw cause;
  });
}

/** The same of a file by its path, which has to be there. */
export async function readStatisticsFile(
  path: string,
  most: number,
  signal?: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    return await readRegular(path, (length) => checkMost(path, length, most), signal);
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    throw new SaffuError("MODEL_MISSING_FILE", `${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** How a directory's statistics are replaced. */
interface Replacing {
  /** What `identity` told of the directory before; undefined replaces whatever stands there. */
  readonly stood?: string | undefined;
  readonly lock?: Held | undefined;
}

/**
 * Replaces a directory's statistics; `undefined` removes them. What a killed writer left behind is removed: the lock's holder is the only
 * one that writes. Permissions and owner stay, those of config.json where there were no statistics.
 *
 * @throws SaffuError UNWRITABLE; what stood there stands there still, unless it is said to be replaced
 */
export async function writeStatistics(
  directory: string,
  bytes: Uint8Array | undefined,
  { stood, lock }: Replacing = {},
): Promise<void> {
  const target = join(directory, STATISTICS);
  const beside = temporary(join(directory, `.statistics.${unused()}.tmp`));
  try {
    const before = await standingAt(target);
    for (const name of await readdir(directory)) {
      if (LEFTOVER.test(name)) await rm(join(directory, name), { force: true });
    }
    const like = before ?? (await standingAt(join(directory, CONFIG)));
    if (bytes !== undefined) await writeFlushed(beside, bytes, like?.isFile() ? like : undefined);
    // synchronous, so that another writer has microseconds and not the time of a flush to come between the look and the change
    lock?.assertHeld();
    if (stood !== undefined && identity(directory) !== stood) throw changed(target);
    if (bytes === undefined) rmSync(target, { force: true });
    else renameSync(beside, target);
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    throw unwritable(target, reasonOf(cause), cause);
  } finally {
    await discard(beside);
  }
  await flushDirectory(directory).catch((cause) => {
    const what = "is replaced, do not save it again; a loss of power may undo it, as its directory cannot be flushed";
    throw new SaffuError("UNWRITABLE", `${target} ${what}: ${reasonOf(cause)}`, { cause });
  });
}

/**
 * Refuses statistics that are a link, by its name: replacing them would leave what they are linked with as it was, unseen.
 *
 * @throws SaffuError UNWRITABLE
 */
export async function assertUnlinked(directory: string): Promise<void> {
  const target = join(directory, STATISTICS);
  const found = await standingAt(target);
  if (found?.isSymbolicLink())
    throw unwritable(target, "it is a symbolic link; link the directory, or put the file in its place");
  if (found?.isFile() && found.nlink > 1)
    throw unwritable(target, `it is a file of ${found.nlink} names (hard links); put a copy in its place`);
}

/**
 * Writes a model and its statistics, as Model.save tells.
 *
 * @throws SaffuError UNWRITABLE, ABORTED
 */
export async function saveModel(
  directory: string,
  files: ModelFiles,
  statistics: Uint8Array | undefined,
  options: SaveOptions,
): Promise<void> {
  const { signal } = options;
  throwIfAborted(signal);
  const lock = options.lock ?? (await lockStatistics(directory, { signal }));
  try {
    await saveLocked(directory, files, statistics, { ...options, lock });
  } finally {
    if (options.lock === undefined) lock.release();
  }
}

async function saveLocked(
  directory: string,
  files: ModelFiles,
  statistics: Uint8Array | undefined,
  { signal, seen, lock, most }: SaveOptions,
): Promise<void> {
  const stood = identity(directory); // before the files are read: a later change shows
  const own = files.get(CONFIG)!;
  const config = await readRegular(join(directory, CONFIG), (length) => checkLength(CONFIG, length, undefined)).catch(
    () => undefined,
  );
  const same = config !== undefined && Buffer.compare(config, own) === 0;
  if (!same) {
    if (config !== undefined && seen !== undefined) throw changed(join(directory, CONFIG));
    const all = statistics ? new Map(files).set(STATISTICS, statistics) : files;
    return writeDirectory(directory, all, { signal });
  }
  await assertUnlinked(directory);
  if (seen !== undefined) await checkUnchanged(directory, seen, most ?? mostLearnedBytes(parseConfig(own).shape));
  throwIfAborted(signal);
  await writeStatistics(directory, statistics, { stood, lock });
}

/** @throws SaffuError UNWRITABLE unless a directory's statistics are those with the digest `seen`; "" for none */
async function checkUnchanged(directory: string, seen: string, most: number): Promise<void> {
  const target = join(directory, STATISTICS);
  const found = await readStatistics(directory, most).catch((cause) => {
    throw unwritable(target, reasonOf((cause as SaffuError).cause ?? cause), cause);
  });
  if (seen !== (found ? await sha256(found) : "")) throw changed(target);
}

/** What tells a directory's model and statistics from others that are renamed into their place later. @throws SaffuError UNWRITABLE */
function identity(directory: string): string {
  try {
    return [CONFIG, STATISTICS]
      .map((name) => lstatSync(join(directory, name), { bigint: true, throwIfNoEntry: false }))
      .map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeNs}` : "none"))
      .join();
  } catch (cause) {
    throw unwritable(directory, reasonOf(cause), cause);
  }
}

function changed(path: string): SaffuError {
  return new SaffuError("UNWRITABLE", `${path} was changed by another since this model was loaded: load it again`);
}
