/** The file that a watch goes on from: its state, compressed, and beside it what the command itself has to know again. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { SaffuError } from "../../errors.ts";
import { errno, reasonOf, replaceFile } from "../../files/directory-node.ts";
import { isRecord } from "../../files/json.ts";
import { lockStatistics } from "../../files/lock-node.ts";
import type { Held } from "../../files/statistics.ts";
import type { Position } from "../../watch/follow-node.ts";
import { type WatchOptions, watchSettings } from "../../watch/options.ts";
import { parseState } from "../../watch/state.ts";

/** Bytes of a state at the most: counts of the largest size, thrice, and the lines within the longest reach. */
const MOST = 1 << 30;
const compressed = promisify(gzip);
const whole = promisify(gunzip);
/** Places of files that are not watched today, of which so many are kept for a later run. */
const MOST_PLACES = 1024;

/** Options that a state is of, by the command's names for them; what is not there is not said. */
export type Saved = Readonly<Record<string, string>>;

/** What the command keeps beside the watch. */
export interface Notes {
  /** Where files have been read up to, and the file of labels; by their whole paths. */
  readonly positions?: readonly Position[];
  readonly labels?: readonly Position[];
  /** What was said of lines that were not there yet. */
  readonly waiting?: readonly object[];
  readonly options?: Saved;
}

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

/**
 * Keeps the file for this process, until `release`.
 *
 * @throws SaffuError BUSY where another process has it for some seconds; UNWRITABLE, ABORTED
 */
export async function lockState(path: string, signal: AbortSignal): Promise<Held> {
  const patience = new AbortController();
  let holder: string | undefined;
  try {
    return await lockStatistics(path, {
      signal: AbortSignal.any([signal, patience.signal]),
      onWait: (name) => {
        holder = name;
        patience.abort();
      },
    });
  } catch (cause) {
    if (holder === undefined || signal.aborted) throw cause;
    throw new SaffuError("BUSY", `${path} is the state of ${holder}, which watches: give another file`, { cause });
  }
}

/** Options of a watch that a state is of. */
export function savedOptions(own: WatchOptions, hasModel: boolean): Saved {
  const { shape, columns } = watchSettings(own);
  return {
    what:
      shape.kind === "numbers" ? `--numbers ${columns.join(",")}` : shape.kind === "symbols" ? "--symbols" : "lines",
    model: hasModel ? "a model" : "no model",
    "--window": String(shape.window),
    "--one-in": String(shape.one),
    "--warm-up": String(shape.warmUp),
    "--guard": String(shape.guard / 1000),
    "--delay": String(shape.delay),
    "--gap": String(shape.gap),
    "--count-bytes": String(2 ** (shape.cellBits + 3)),
    "--line-bytes": String(shape.most),
    "--words": String(shape.words),
    "--model-weight": String(shape.weight / 1000),
  };
}

/**
 * What was kept beside a state.
 *
 * @param now today's options
 * @throws SaffuError STATISTICS_MISMATCH where it is of other options, the first of which is named; MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST
 */
export async function notesOf(path: string, state: Uint8Array, now: Saved): Promise<Notes> {
  const { notes } = await parseState(state).catch((cause) => {
    throw inFile(path, cause);
  });
  if (!isRecord(notes)) return {};
  const before = isRecord(notes.options) ? notes.options : {};
  for (const [name, value] of Object.entries(now)) {
    const was = before[name];
    if (typeof was !== "string" || was === value) continue;
    const [then, today] = name.startsWith("--") ? [`${name} ${was}`, value] : [was, value];
    throw new SaffuError(
      "STATISTICS_MISMATCH",
      `${path} was saved with ${then}, not ${today}: give the same options, or another file`,
    );
  }
  return notes as Notes;
}

/** An error of a state, with its file in the place of "the watch's state". */
export function inFile(path: string, cause: unknown): unknown {
  if (!(cause instanceof SaffuError) || !cause.message.includes("the watch's state")) return cause;
  return new SaffuError(cause.code, `${cause.message.replace("the watch's state", path)}; another file begins anew`, {
    cause,
  });
}

/** Places of today's files, by the names that they have today. */
export function placesOf(saved: unknown, files: readonly string[]): Position[] {
  const all = new Map(listOf(saved).map((each) => [each.path, each]));
  return files.flatMap((path) => {
    const found = all.get(resolve(path));
    return found === undefined ? [] : [{ ...found, path }];
  });
}

/** Places to save: today's, by their whole paths, and those from before of other files, which may be watched again. */
export function placesToSave(today: readonly Position[], saved: unknown): Position[] {
  const all = new Map(listOf(saved).map((each) => [each.path, each]));
  for (const each of today) {
    const path = resolve(each.path);
    all.delete(path); // what is of today stands last
    all.set(path, { ...each, path });
  }
  return [...all.values()].slice(-MOST_PLACES);
}

function listOf(saved: unknown): Position[] {
  return Array.isArray(saved) ? saved.filter((each) => isRecord(each) && typeof each.path === "string") : [];
}
