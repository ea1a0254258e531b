/** A stream of rows, watched: what comes in, and what each row came to. */
import { checkOptions, invalidOption, throwIfAborted } from "../errors.ts";
import { chunksOf } from "../model/web-streams.ts";
import { abortable, Pace } from "../pace.ts";
import { type Fields, hasNone, reader } from "./fields.ts";
import { linesOf } from "./lines.ts";
import type { WatchOptions } from "./options.ts";
import type { Watch, WatchRow } from "./watch.ts";

export interface WatchStreamOptions extends WatchOptions {
  /** Lines are JSON, and this field of them is the row: a path, `a.b`; or several, with commas between them, one behind the other. */
  readonly field?: string | undefined;
  /** Lines are JSON or columns, and these fields, or columns from 1 on, are a row of numbers. */
  readonly numbers?: readonly string[] | undefined;
  /** Fields of the lines that rows have as `kept`. */
  readonly keep?: readonly string[] | undefined;
  /** Told of each line that is no row: it is counted, and not looked at. */
  readonly onBad?: ((bad: BadLine) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A line that is no row. */
export interface BadLine {
  readonly line: number;
  readonly problem: NonNullable<Fields["problem"]>;
}

/** A row, and the text that it was read from; of numbers the whole line. */
export interface StreamRow extends WatchRow {
  readonly text: string;
  /** Fields of the line that were to be kept. */
  readonly kept?: Readonly<Record<string, unknown>> | undefined;
}

type Chunk = string | Uint8Array;

/** A text in chunks, or a web stream of bytes. */
export type Source = AsyncIterable<Chunk> | Iterable<Chunk> | ReadableStream<Uint8Array>;

/** What of a stream's options is the watch's own. */
export function watchOptionsOf(options: WatchStreamOptions): WatchOptions {
  const { numbers, kind = numbers === undefined ? "lines" : "numbers", columns = numbers } = options;
  if (kind === "numbers" && numbers === undefined) {
    throw invalidOption("numbers", "given with rows of numbers: the fields or columns that are read", numbers);
  }
  if (numbers !== undefined && Array.isArray(columns) && columns.length !== numbers.length) {
    throw invalidOption("columns", `as many names as numbers, ${numbers.length}`, columns.length);
  }
  if (numbers !== undefined && kind !== "numbers") throw invalidOption("kind", `"numbers" with numbers`, kind);
  return { ...options, kind, columns };
}

/**
 * Opens a watch of a stream, and tells what rows come to: what the entries' `watch` is.
 *
 * @throws SaffuError as `open`, and INVALID_OPTION, INVALID_TEXT, ABORTED
 */
export async function* watchWith(
  open: (options: WatchOptions) => Promise<Watch>,
  source: Source,
  options: WatchStreamOptions,
): AsyncGenerator<StreamRow> {
  checkOptions(options, ["onBad"]);
  const opened = await open(watchOptionsOf(options));
  try {
    yield* watchStream(opened, source, options);
  } finally {
    opened.close();
  }
}

/**
 * What rows come to, one by one, as they come. Empty lines are rows, too.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_TEXT, ABORTED
 */
async function* watchStream(watch: Watch, source: Source, options: WatchStreamOptions): AsyncGenerator<StreamRow> {
  const { field, numbers, keep, onBad, signal, lineBytes } = options;
  const read = reader({ field, numbers, keep });
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const whole = field === undefined && numbers === undefined;
  const pace = new Pace();
  for await (const { bytes } of linesOf(abortable(chunksFrom(source), signal), {
    most: whole ? (lineBytes ?? 4096) : 1 << 20,
  })) {
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
    const fields = read(bytes);
    const { text, numbers: row, kept } = fields;
    if (hasNone(fields)) {
      watch.skip();
      onBad?.({ line: watch.lines, problem: fields.problem });
      continue;
    }
    const shown = decoder.decode(row === undefined ? text : bytes);
    yield { ...watch.push(row ?? text!), text: shown, ...(kept === undefined ? {} : { kept }) };
  }
}

function chunksFrom(source: Source): AsyncIterable<Chunk> | Iterable<Chunk> {
  const stream = source as ReadableStream<Uint8Array> | null;
  return typeof stream?.getReader === "function" ? chunksOf(stream) : (source as Iterable<Chunk>);
}
