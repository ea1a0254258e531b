/**
 * The DATA of `saffu classify`: CSV with a header, NDJSON, or IDX (the format of MNIST), each read in one stream; gzipped where its name says so.
 * Rows are numbered from 1, the header of CSV is none of them.
 */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Cell } from "../../classify/table.ts";
import { invalidOption, SaffuError, shown, throwIfAborted } from "../../errors.ts";
import { reasonOf } from "../../files/directory-node.ts";
import { isRecord } from "../../files/json.ts";
import { openTexts } from "../input.ts";

export const FORMATS = ["csv", "ndjson", "idx"] as const;
export type Format = (typeof FORMATS)[number];

/** A row: its cells by column, or why it is none; of IDX, and of NDJSON lists, `values` has what is no column. */
export interface Row {
  readonly number: number;
  readonly cells: Readonly<Record<string, unknown>>;
  /** An IDX image's pixels. */
  readonly values?: ArrayLike<number> | undefined;
}

export interface Data {
  readonly format: Format;
  /** Columns, in their order: of the header, of the first object of NDJSON; none of IDX. */
  readonly columns: readonly string[];
  /** Sizes of an IDX file's items: rows and columns of an image. */
  readonly sizes: readonly number[];
  readonly rows: AsyncIterable<Row | SaffuError>;
}

export interface DataOptions {
  readonly format?: string | undefined;
  /** The IDX file with the labels. */
  readonly labels?: string | undefined;
}

const PEER = "csv-parse";
/** Bytes of a line of NDJSON, or of a record of CSV, at the most. */
const MOST_RECORD = 1 << 24;
const STANDARD_INPUT = "-";

/** Begins to read. @throws SaffuError INVALID_TEXT where it cannot be read or is no such format; UNSUPPORTED where the reader of CSV is not installed */
export async function openData(path: string, { format, labels }: DataOptions, signal: AbortSignal): Promise<Data> {
  if (format !== undefined && !FORMATS.includes(format as Format))
    throw invalidOption("format", FORMATS.join(", "), format);
  const kind = (format as Format | undefined) ?? formatOf(path);
  const stream = await streamOf(path, signal);
  if (kind === "idx")
    return openIdx(path, stream, labels === undefined ? undefined : await streamOf(labels, signal), labels);
  if (labels !== undefined) throw invalidOption("labels", "given with IDX files alone", labels);
  return kind === "ndjson" ? openNdjson(path, stream, signal) : openCsv(path, stream, signal);
}

function formatOf(path: string): Format {
  if (/\.(ndjson|jsonl)(\.gz)?$/i.test(path)) return "ndjson";
  return /(\.idx|-ubyte)(\.gz)?$/i.test(path) ? "idx" : "csv";
}

/** The bytes of a file, a pipe or standard input. @throws SaffuError INVALID_TEXT where there are none */
async function streamOf(path: string, signal: AbortSignal): Promise<Readable> {
  const source = Readable.from((await openTexts([path], signal)).chunks(), { objectMode: false });
  if (!/\.gz$/i.test(path)) return source;
  // what fails before anybody reads is told to whoever reads it then
  return pipeline(source, createGunzip(), () => {}).on("error", () => {});
}

function unreadable(path: string, cause: unknown, signal?: AbortSignal, how = ""): SaffuError {
  if (signal) throwIfAborted(signal);
  if (cause instanceof SaffuError) return cause;
  const name = path === STANDARD_INPUT ? "standard input" : path;
  return new SaffuError("INVALID_TEXT", `${name} cannot be read${how && ` ${how}`}: ${reasonOf(cause)}`, { cause });
}

async function openCsv(path: string, stream: Readable, signal: AbortSignal): Promise<Data> {
  const { parse } = await import(/* @vite-ignore */ PEER).catch((cause: Error) => {
    throw new SaffuError(
      "UNSUPPORTED",
      `CSV is read by the package ${PEER}, which is not installed: npm install ${PEER}, or give NDJSON`,
      { cause },
    );
  });
  const parser = parse({
    ...{ bom: true, relax_column_count: true, skip_empty_lines: true, max_record_size: MOST_RECORD },
  });
  const passed = pipeline(stream, parser, () => {}) as unknown as AsyncIterable<string[]>;
  const records = passed[Symbol.asyncIterator]();
  const next = async () => {
    try {
      return await records.next();
    } catch (cause) {
      throw unreadable(path, cause, signal, "as CSV (--format names another)");
    }
  };
  const header = await next();
  if (header.done) throw new SaffuError("INVALID_TEXT", `${path} is empty: CSV begins with a header`);
  const columns = header.value;
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw new SaffuError("INVALID_TEXT", `${path}: the header has the column ${shown(twice)} twice`);
  async function* rows(): AsyncGenerator<Row | SaffuError> {
    for (let number = 1; ; ++number) {
      const record = await next();
      if (record.done) return;
      const cells = record.value;
      if (cells.length !== columns.length) {
        yield new SaffuError(
          "INVALID_EXAMPLE",
          `row ${number}: has ${cells.length} cells, the header has ${columns.length}`,
        );
      } else yield { number, cells: Object.fromEntries(columns.map((name, i) => [name, cells[i]])) };
    }
  }
  return { format: "csv", columns, sizes: [], rows: rows() };
}

/** Lines of a stream, without their newlines. @throws SaffuError INVALID_TEXT where it cannot be read, or a line has no end */
async function* linesOf(path: string, stream: Readable, signal: AbortSignal): AsyncGenerator<string, undefined> {
  let held: Buffer[] = [];
  let size = 0;
  const hold = (part: Buffer): void => {
    held.push(part);
    size += part.length;
    if (size > MOST_RECORD)
      throw new SaffuError("INVALID_TEXT", `${path}: a line has more than ${MOST_RECORD} bytes, which are not read`);
  };
  const taken = (): string => {
    const line = Buffer.concat(held).toString("utf8");
    held = [];
    size = 0;
    return line;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0; from = end + 1, end = chunk.indexOf(10, from)) {
        hold(chunk.subarray(from, end));
        yield taken();
      }
      hold(chunk.subarray(from));
    }
  } catch (cause) {
    throw unreadable(path, cause, signal);
  }
  if (size > 0) yield taken();
}

async function openNdjson(path: string, stream: Readable, signal: AbortSignal): Promise<Data> {
  const lines = linesOf(path, stream, signal);
  let number = 0;
  const next = async (): Promise<Row | SaffuError | undefined> => {
    for (;;) {
      const line = await lines.next();
      if (line.done) return undefined;
      if (line.value.trim() === "") continue;
      number += 1;
      try {
        const cells: unknown = JSON.parse(line.value);
        if (isRecord(cells)) return { number, cells };
        return new SaffuError("INVALID_EXAMPLE", `row ${number}: must be an object, got ${shown(cells)}`);
      } catch (cause) {
        return new SaffuError("INVALID_EXAMPLE", `row ${number}: is no JSON: ${(cause as Error).message}`);
      }
    }
  };
  const ahead: (Row | SaffuError)[] = [];
  let first: Row | undefined;
  while (first === undefined) {
    const row = await next();
    if (row === undefined) break;
    ahead.push(row);
    if (!(row instanceof SaffuError)) first = row;
  }
  async function* rows(): AsyncGenerator<Row | SaffuError> {
    yield* ahead;
    for (let row = await next(); row !== undefined; row = await next()) yield row;
  }
  return { format: "ndjson", columns: Object.keys(first?.cells ?? {}), sizes: [], rows: rows() };
}

/** Largest item of an IDX file, in bytes. */
const MOST_ITEM = 1 << 20;

/** IDX: two zeros, 8 for unsigned bytes, how many sizes, the sizes as big-endian u32 with the number of items first, then the bytes. */
async function openIdx(
  path: string,
  stream: Readable,
  labels: Readable | undefined,
  labelPath: string | undefined,
): Promise<Data> {
  const images = await startIdx(path, stream);
  const size = images.sizes.slice(1).reduce((product, each) => product * each, 1);
  if (size < 1 || size > MOST_ITEM)
    throw new SaffuError("INVALID_TEXT", `${path}: items of ${size} bytes, at most ${MOST_ITEM} are read`);
  const own = labels && (await startIdx(labelPath!, labels));
  if (own && (own.sizes.length !== 1 || own.sizes[0] !== images.sizes[0])) {
    throw new SaffuError(
      "INVALID_TEXT",
      `${labelPath}: has labels of ${own.sizes.join(" × ")}, ${path} has ${images.sizes[0]} images`,
    );
  }
  async function* rows(): AsyncGenerator<Row | SaffuError> {
    for (let number = 1; number <= images.sizes[0]!; ++number) {
      const values = await images.take(size);
      const label = own && (await own.take(1))[0]!;
      yield { number, cells: label === undefined ? {} : { label }, values };
    }
    await images.end();
  }
  return { format: "idx", columns: own ? ["label"] : [], sizes: images.sizes.slice(1), rows: rows() };
}

async function startIdx(path: string, stream: Readable) {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer = Buffer.alloc(0);
  const take = async (bytes: number): Promise<Uint8Array> => {
    while (held.length < bytes) {
      const chunk = await chunks.next().catch((cause) => {
        throw unreadable(path, cause);
      });
      if (chunk.done)
        throw new SaffuError("INVALID_TEXT", `${path}: is cut, ${bytes - held.length} bytes are missing of an item`);
      held = held.length === 0 ? chunk.value : Buffer.concat([held, chunk.value]);
    }
    const out = held.subarray(0, bytes);
    held = held.subarray(bytes);
    return new Uint8Array(out);
  };
  const head = await take(4);
  if (head[0] !== 0 || head[1] !== 0 || head[2] !== 8 || head[3]! < 1 || head[3]! > 4) {
    throw new SaffuError("INVALID_TEXT", `${path}: is no IDX file of unsigned bytes`);
  }
  const view = new DataView((await take(4 * head[3]!)).buffer);
  const sizes = Array.from({ length: head[3]! }, (_, i) => view.getUint32(4 * i));
  const end = async () => {
    const more = held.length > 0 ? held.length : ((await chunks.next()).value?.length ?? 0);
    if (more > 0) throw new SaffuError("INVALID_TEXT", `${path}: has bytes behind its ${sizes[0]} items`);
  };
  return { sizes, take, end };
}

/** A cell of a table, whatever JSON has there. */
export function cellOf(value: unknown): Cell {
  return typeof value === "string" || typeof value === "number" || value === null || value === undefined
    ? value
    : JSON.stringify(value);
}
