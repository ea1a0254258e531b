/**
 * Where a file has been read up to, and whether it is still that file: inodes are given again, and a file that is emptied and written anew keeps its
 * own. So a place has a digest of bytes that were read before it: the first and the last of them.
 */
import { createHash } from "node:crypto";
import { type FileHandle, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { joined } from "../bytes.ts";
import { invalidOption } from "../errors.ts";
import { isRecord } from "../files/json.ts";

/** A place in a file, to go on from after a restart; as JSON has it. */
export interface Position {
  readonly path: string;
  /** Inode of the file, in decimal digits: it may be above 2^53. */
  readonly inode: string;
  /** Bytes of it that have been read as lines. */
  readonly offset: number;
  /** Of the first and the last bytes before `offset`, up to 256 each: 32 hexadecimal digits. */
  readonly digest: string;
}

/** What stands before a place: u8 [min(offset, 256)] each. */
export interface Surroundings {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** Bytes at a file's beginning, and before a place, by which it is known again. */
const KNOWN = 256;
/** Entries of a directory that are looked at for a file that was renamed. */
const MOST_ENTRIES = 4096;
export const NOTHING: Surroundings = { head: new Uint8Array(0), tail: new Uint8Array(0) };

/** Surroundings of the place behind `chunk`, which came at a place with surroundings `before`. Copies. */
export function behind(before: Surroundings, chunk: Uint8Array): Surroundings {
  const missing = KNOWN - before.head.length;
  return {
    head: missing > 0 ? joined(before.head, chunk.subarray(0, missing)) : before.head,
    tail: joined(before.tail, chunk.subarray(-KNOWN)).slice(-KNOWN),
  };
}

/** The same as a file has them now; undefined where it is shorter. */
export async function surroundingsOf(file: FileHandle, offset: number): Promise<Surroundings | undefined> {
  const length = Math.min(KNOWN, offset);
  const [head, tail] = [await bytesAt(file, 0, length), await bytesAt(file, offset - length, length)];
  return head.length === length && tail.length === length ? { head, tail } : undefined;
}

async function bytesAt(file: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Whether a file still has what was read of it. */
export async function isIntact(file: FileHandle, offset: number, read: Surroundings): Promise<boolean> {
  const now = await surroundingsOf(file, offset);
  return now !== undefined && Buffer.compare(now.head, read.head) === 0 && Buffer.compare(now.tail, read.tail) === 0;
}

export function digestOf({ head, tail }: Surroundings): string {
  return createHash("sha256").update(head).update(tail).digest("hex").slice(0, 32);
}

/** The path of a file that was renamed within its directory, as those that rotate logs do: names that begin as its own does, up to a dot. */
export async function pathOfInode(path: string, inode: string): Promise<string | undefined> {
  const directory = dirname(path);
  const stem = /^\.?[^.]*/.exec(basename(path))![0];
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(stem)).slice(0, MOST_ENTRIES)) {
    const found = await stat(join(directory, name), { bigint: true }).catch(() => undefined);
    if (found?.isFile() && String(found.ino) === inode) return join(directory, name);
  }
  return undefined;
}

/** @throws SaffuError INVALID_OPTION where positions are none */
export function checkPositions(positions: unknown): Map<string, Position> {
  if (!Array.isArray(positions)) throw invalidOption("positions", "a list of positions", positions);
  for (const [i, each] of positions.entries()) {
    const sound =
      isRecord(each) &&
      typeof each.path === "string" &&
      typeof each.inode === "string" &&
      typeof each.digest === "string" &&
      Number.isSafeInteger(each.offset) &&
      (each.offset as number) >= 0;
    if (!sound) throw invalidOption(`positions[${i}]`, "a path, an inode, an offset ≥ 0 and a digest", each);
  }
  return new Map((positions as Position[]).map((each) => [each.path, each]));
}
