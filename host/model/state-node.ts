/**
 * statistics.safetensors on a file system (Node only): it changes while the model beside it stays, so it is replaced alone. The new
 * file is written beside the old one, flushed, and renamed over it, then the directory is flushed: what a load finds is the old
 * one or the new one, whole. A save costs its bytes once and two flushes.
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { CONFIG, type ModelFiles, sha256 } from "./config.ts";
import { flushDirectory, writeDirectory, writeFlushed } from "./directory-node.ts";
import type { SaveOptions } from "./model.ts";
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
 * Replaces a directory's statistics; `undefined` removes them.
 *
 * @throws SaffuError UNWRITABLE; what stood there stands there still
 */
export async function writeStatistics(directory: string, bytes: Uint8Array | undefined): Promise<void> {
  const target = join(directory, STATISTICS);
  const temporary = join(directory, `.statistics.${randomBytes(6).toString("hex")}.tmp`);
  try {
    for (const name of await readdir(directory)) {
      if (LEFTOVER.test(name)) await rm(join(directory, name), { force: true });
    }
    if (bytes === undefined) await rm(target, { force: true });
    else {
      await writeFlushed(temporary, bytes);
      await rename(temporary, target);
    }
    await flushDirectory(directory);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new SaffuError("UNWRITABLE", `${target} cannot be written: ${(cause as Error).message}`, { cause });
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
  const config = await readFile(join(directory, CONFIG)).catch(() => undefined);
  const same = config !== undefined && Buffer.compare(config, files.get(CONFIG)!) === 0;
  if (!same) {
    const all = statistics ? new Map(files).set(STATISTICS, statistics) : files;
    return writeDirectory(directory, all, { signal });
  }
  const before = await readStatistics(directory);
  const found = before ? await sha256(before) : "";
  if (seen !== undefined && seen !== found) {
    const path = join(directory, STATISTICS);
    throw new SaffuError("UNWRITABLE", `${path} was changed by another since this model was loaded: load it again`);
  }
  await writeStatistics(directory, statistics);
}
