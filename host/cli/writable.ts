/** Whether a file can be written, told before the work that it is for. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf, unwritable } from "../files/directory-node.ts";
import { assertRegular } from "../files/regular-node.ts";

/**
 * Refuses before the work what cannot be written after it. Where a directory stands, the second of two renames would fail; a device or a pipe is
 * not replaced.
 *
 * @throws SaffuError UNWRITABLE
 */
export async function assertWritable(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  try {
    if (found) assertRegular(found);
  } catch (cause) {
    throw unwritable(path, reasonOf(cause), cause);
  }
  await access(dirname(path), constants.W_OK).catch((cause: Error) => {
    throw unwritable(path, reasonOf(cause), cause);
  });
}
