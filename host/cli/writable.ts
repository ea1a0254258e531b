/** Whether a file can be written, told before the work that it is for. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf, unwritable } from "../files/directory-node.ts";

/**
 * Refuses before the work what cannot be written after it. Where a directory stands, the second of two renames would fail.
 *
 * @throws SaffuError UNWRITABLE
 */
export async function assertWritable(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isDirectory()) throw unwritable(path, "EISDIR: it is a directory");
  await access(dirname(path), constants.W_OK).catch((cause: Error) => {
    throw unwritable(path, reasonOf(cause), cause);
  });
}
