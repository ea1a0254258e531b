/**
 * statistics.safetensors on a file system (Node only): it changes while the model beside it stays, so it is replaced alone. The new
 * file is written beside the old one, flushed, and renamed over it, then the directory is flushed: what a load finds is the old
 * one or the new one, whole. A save costs its bytes once and two flushes. Two processes that save over the same state: the later
 * one is refused.
 */
import { randomBytes } from "node:crypto";
import { renameSync, rmSync, statSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, type ModelFiles, sha256 } from "./config.ts";
import { flushDirectory, writeDirectory, writeFlushed } from "./directory-node.ts";
import type { SaveOptions } from "./statistics.ts";
import { LEFTOVER, STATISTICS } from "./statistics.ts";

/** The bytes of a directory's statistics; undefined where it has none. @throws SaffuError MODEL_MISSING_FILE */
export async function readStatistics(directory: string): Promise<Uint8Array | undefined> {
  const path = join(directory, STATISTICS);
  try {
    const { buffer, byteOffset, length } = await readFile(path);
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return undefined;
    throw new SaffuError("MODEL_MISSING_FILE", `${path} cannot be read: ${code}`, { cause });
  }
}

/**
 * Replaces a directory's statistics; `undefined` removes them. What a killed writer left behind is removed.
 *
 * @param stood what `identity` told of the directory before; undefined replaces whatever stands there
 * @throws SaffuError UNWRITABLE; what stood there stands there still, unless it is the last flush that failed
 */
export async function writeStatistics(
  directory: string,
  bytes: Uint8Array | undefined,
  stood?: string | undefined,
): Promise<void> {
  const target = join(directory, STATISTICS);
  const temporary = join(directory, `.statistics.${randomBytes(6).toString("hex")}.tmp`);
  try {
    for (const name of await readdir(directory)) {
      if (LEFTOVER.test(name)) await rm(join(directory, name), { force: true });
    }
    if (bytes !== undefined) await writeFlushed(temporary, bytes);
    // synchronous, so that another writer has microseconds and not the time of a flush to come between the look and the change
    if (stood !== undefined && identity(directory) !== stood) throw changed(target);
    if (bytes === undefined) rmSync(target, { force: true });
    else renameSync(temporary, target);
    await flushDirectory(directory);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    if (cause instanceof SaffuError) throw cause;
    throw unwritable(target, cause);
  }
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
  { signal, seen }: SaveOptions,
): Promise<void> {
  throwIfAborted(signal);
  const stood = identity(directory); // before the files are read: a later change shows
  const config = await readFile(join(directory, CONFIG)).catch(() => undefined);
  const same = config !== undefined && Buffer.compare(config, files.get(CONFIG)!) === 0;
  if (!same) {
    if (config !== undefined && seen !== undefined) throw changed(join(directory, CONFIG));
    const all = statistics ? new Map(files).set(STATISTICS, statistics) : files;
    return writeDirectory(directory, all, { signal });
  }
  if (seen !== undefined) await checkUnchanged(directory, seen);
  await writeStatistics(directory, statistics, stood);
}

/** @throws SaffuError UNWRITABLE unless a directory's statistics are those with the digest `seen`; "" for none */
async function checkUnchanged(directory: string, seen: string): Promise<void> {
  const target = join(directory, STATISTICS);
  const found = await readStatistics(directory).catch((cause) => {
    throw unwritable(target, cause);
  });
  if (seen !== (found ? await sha256(found) : "")) throw changed(target);
}

/** What tells a directory's model and statistics from others that are renamed into their place later. @throws SaffuError UNWRITABLE */
function identity(directory: string): string {
  try {
    return [CONFIG, STATISTICS]
      .map((name) => statSync(join(directory, name), { bigint: true, throwIfNoEntry: false }))
      .map((found) => (found ? `${found.ino} ${found.size} ${found.mtimeNs}` : "none"))
      .join();
  } catch (cause) {
    throw unwritable(directory, cause);
  }
}

function changed(path: string): SaffuError {
  return new SaffuError("UNWRITABLE", `${path} was changed by another since this model was loaded: load it again`);
}

function unwritable(path: string, cause: unknown): SaffuError {
  return new SaffuError("UNWRITABLE", `${path} cannot be written: ${(cause as Error).message}`, { cause });
}
