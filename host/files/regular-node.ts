/**
 * Reading a file of a directory that is not trusted (Node only): a FIFO, a device or a directory in its place is refused, and nothing
 * waits for it; its length is looked at before a byte is read.
 */
import { constants, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { throwIfAborted } from "../errors.ts";

const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants; // Windows has neither, and no FIFO by name
/** Bytes read between two looks at the signal. */
const PART = 1 << 24;

/**
 * The bytes of a regular file, followed through links.
 *
 * @param check told the length before anything is read; what it throws passes through
 * @throws Error of the system; with the code EISDIR or EFTYPE where it is no regular file
 */
export async function readRegular(
  path: string,
  check: (bytes: number) => void,
  signal?: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const found = await file.stat(); // of what was opened, not of the name
    assertRegular(found);
    check(found.size);
    const bytes = new Uint8Array(found.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      throwIfAborted(signal);
      read = (await file.read(bytes, length, Math.min(PART, bytes.length - length), length)).bytesRead;
    }
    return bytes.subarray(0, length); // less, where it was cut meanwhile
  } finally {
    await file.close();
  }
}

/** @throws Error with the code EISDIR or EFTYPE where it is no regular file */
export function assertRegular(found: Stats): void {
  if (found.isDirectory()) throw irregular("EISDIR", "it is a directory");
  if (!found.isFile()) throw irregular("EFTYPE", "it is no regular file");
}

function irregular(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
