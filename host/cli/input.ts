/** The TEXT arguments: files in order, `-` for standard input, as one text. */
import { constants, createReadStream, fstatSync, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import { addAbortSignal, type Readable } from "node:stream";
import { isatty, ReadStream } from "node:tty";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { reasonOf } from "../files/directory-node.ts";
import { Spool } from "./spool.ts";

const STANDARD_INPUT = "-";
const CHUNK = 1 << 18;
/** Bytes that readAhead keeps of each text. */
const MOST_AHEAD = 1 << 26;

/** TEXT arguments that were looked at before any work. */
export interface Input {
  /** Bytes of the texts together; 0 where that cannot be told. */
  readonly bytes: number;
  /** Whether all of it can be read again: standard input and pipes cannot. */
  readonly again: boolean;
  /** Chunks of the texts, in order. What can be read but once (standard input, a pipe) is kept, if `keep`, for the next call. */
  chunks(keep?: boolean): AsyncGenerator<Uint8Array>;
  /** Reads what can be read but once, and keeps it: all of it, or the first 64 MiB, behind which the next `chunks` goes on. */
  readAhead(): Promise<void>;
}

/**
 * Looks at the texts: that they are there, and how large.
 *
 * @throws SaffuError INVALID_TEXT, naming a text that cannot be read; the chunks throw it too, and ABORTED
 */
export async function openTexts(texts: readonly string[], signal: AbortSignal): Promise<Input> {
  if (texts.filter((text) => text === STANDARD_INPUT).length > 1) {
    throw new SaffuError("INVALID_TEXT", "standard input (-) can be read once, it is named twice");
  }
  const sizes = await Promise.all(texts.map(sizeOf));
  const kept = new Map<string, Spool>();
  async function* keeping(text: string): AsyncGenerator<Uint8Array> {
    const spool = new Spool();
    for await (const chunk of read(text, signal)) {
      spool.add(chunk);
      yield chunk;
    }
    kept.set(text, spool);
  }
  const begun = new Map<string, { chunks: Uint8Array[]; rest: AsyncGenerator<Uint8Array> }>();
  async function* chunks(keep = false): AsyncGenerator<Uint8Array> {
    for (const [i, text] of texts.entries()) {
      const ahead = begun.get(text);
      if (ahead !== undefined) {
        begun.delete(text);
        yield* ahead.chunks;
        yield* ahead.rest;
        continue;
      }
      const before = kept.get(text);
      if (before !== undefined) yield* before.read();
      else yield* sizes[i] === undefined && keep ? keeping(text) : read(text, signal);
    }
  }
  return {
    bytes: sizes.includes(undefined) ? 0 : sizes.reduce<number>((sum, size) => sum + size!, 0),
    again: !sizes.includes(undefined),
    chunks,
    async readAhead() {
      for (const text of texts.filter((_, i) => sizes[i] === undefined)) {
        const rest = read(text, signal);
        const ahead = { chunks: [] as Uint8Array[], rest };
        let bytes = 0;
        while (bytes < MOST_AHEAD) {
          const next = await rest.next();
          if (next.done) break;
          ahead.chunks.push(next.value);
          bytes += next.value.length;
        }
        begun.set(text, ahead);
      }
    },
  };
}

/** Bytes of a file; undefined for what is none. */
async function sizeOf(text: string): Promise<number | undefined> {
  if (text === STANDARD_INPUT) return undefined;
  const found = await stat(text).catch((cause: Error) => {
    throw unreadable(text, cause);
  });
  if (found.isDirectory()) throw unreadable(text, new Error("EISDIR: it is a directory"));
  return found.isFile() ? found.size : undefined;
}

async function* read(text: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  throwIfAborted(signal);
  try {
    const stream = text === STANDARD_INPUT ? process.stdin : streamOf(text);
    addAbortSignal(signal, stream); // ends a wait for input that does not come
    yield* stream;
  } catch (cause) {
    throwIfAborted(signal);
    throw unreadable(text === STANDARD_INPUT ? "standard input" : text, cause as Error);
  }
}

/**
 * A stream of a file, a pipe or a device. Opening a named pipe would wait for its writer, and reading it or a terminal would wait for
 * input, in a thread that cannot be called back: they are opened without waiting, and waited for in the event loop.
 */
function streamOf(path: string): Readable {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const file = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (isatty(file)) return new ReadStream(file);
  if (fstatSync(file).isFIFO()) return new Socket({ fd: file, readable: true, writable: false });
  return createReadStream("", { fd: file, highWaterMark: CHUNK });
}

function unreadable(text: string, cause: Error): SaffuError {
  return new SaffuError("INVALID_TEXT", `${text} cannot be read: ${reasonOf(cause)}`, { cause });
}
