/** What is followed: a file by its path, a pipe, standard input. Each is read a chunk at a time, when it is asked. */
import { SaffuError } from "../errors.ts";
import { reasonOf } from "../files/directory-node.ts";
import type { Line } from "./lines.ts";
import type { Position } from "./place-node.ts";

/** What happens to a followed path. */
export interface FollowEvent {
  /**
   * `missing`: it is not there at the start. `vanished`: it was there. `returned`: it is there again, or for the first time. `rotated`: another
   * file has its name. `truncated`: it is shorter than what was read of it, or what was read is not there any more: it is read from its start.
   */
  readonly kind: "missing" | "vanished" | "returned" | "rotated" | "truncated";
  readonly path: string;
}

/** How sources are followed. */
export interface Manner {
  /** Waits for more at the end. */
  readonly follow: boolean;
  /** Waits for what is not there. */
  readonly retry: boolean;
  /** Bytes that are kept of a line. */
  readonly most: number | undefined;
  /** Chunks are read into it, by one source at a time. */
  readonly buffer: Uint8Array;
  readonly say: (kind: FollowEvent["kind"], path: string) => void;
}

export interface Source {
  readonly path: string;
  /** Nothing more will come. */
  readonly ended: boolean;
  /** The path is of another kind than this source: a pipe where a file was, or the other way round. */
  readonly changed: boolean;
  /**
   * Reads on. @returns lines, all of which have to be taken before the next step; none where there is nothing to read now
   * @throws SaffuError INVALID_TEXT
   */
  step(): Promise<Iterable<Line> | undefined>;
  /** Where it has been read up to: behind the line that was taken last. */
  position(): Position | undefined;
  close(): Promise<void>;
}

/** The error of what cannot be read. */
export function unreadable(path: string, cause: unknown): SaffuError {
  const name = path === "-" ? "standard input" : path;
  return new SaffuError("INVALID_TEXT", `${name} cannot be read: ${reasonOf(cause)}`, { cause });
}
