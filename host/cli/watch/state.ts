/** The file that a watch goes on from: its state, compressed, and where its files have been read up to. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { SaffuError } from "../../errors.ts";
import { errno, reasonOf, replaceFile } from "../../files/directory-node.ts";

/** Bytes of a state at the most: counts of the largest size, thrice, and the lines within the longest reach. */
const MOST = 1 << 30;
const compressed = promisify(gzip);
const whole = promisify(gunzip);

/** What is in the file; undefined where there is none yet. @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT */
export async function readState(path: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (errno(cause) === "ENOENT") return undefined;
    throw new SaffuError("MODEL_MISSING_FILE", `${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  try {
    return await whole(bytes, { maxOutputLength: MOST });
  } catch (cause) {
    throw new SaffuError("MODEL_CORRUPT", `${path} is not the state of a watch: ${reasonOf(cause)}`, { cause });
  }
}

/** Replaces the file in one rename. @returns bytes written. @throws SaffuError UNWRITABLE */
export async function writeState(path: string, state: Uint8Array): Promise<number> {
  const bytes = await compressed(state, { level: 1 });
  await replaceFile([path, bytes]);
  return bytes.length;
}
