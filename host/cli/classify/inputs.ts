/** From rows of DATA to inputs of an encoding, by its kind. */
import type { Encoding } from "../../classify/encoding.ts";
import type { Example } from "../../classify/examples.ts";
import { features } from "../../classify/features.ts";
import { image } from "../../classify/image.ts";
import { KINDS, type Kind } from "../../classify/layout.ts";
import { lines } from "../../classify/lines.ts";
import { series } from "../../classify/series.ts";
import { table } from "../../classify/table.ts";
import { invalidOption, SaffuError, shown } from "../../errors.ts";
import { cellOf, type Data, type Row } from "./data.ts";

/** How rows are read: options of `fit`, kept with the classifier, so that later rows are read the same. */
export interface Reading {
  readonly kind: Kind;
  /** The column with the label. */
  readonly label: string;
  /** Of lines: the column with the text. */
  readonly text?: string | undefined;
  /** Columns that are the input, in order; of images, series and tables. */
  readonly columns?: readonly string[] | undefined;
}

export interface KindOptions {
  readonly kind?: string | undefined;
  readonly label?: string | undefined;
  readonly text?: string | undefined;
  readonly size?: string | undefined;
  readonly channels?: number | undefined;
  readonly categorical?: string | undefined;
  readonly onBad?: string | undefined;
  readonly features?: number | undefined;
}

/** Rows that are looked at to tell numbers from categories. */
const LOOKED_AT = 1000;
/** A list of numbers in a row of NDJSON. */
const LIST = "input";

/** What is to be fitted: the encoding, how rows are read, and the rows. @throws SaffuError INVALID_OPTION, INVALID_EXAMPLE */
export async function readingOf(
  data: Data,
  options: KindOptions,
): Promise<{ encoding: Encoding<unknown>; reading: Reading; rows: AsyncIterable<Row | SaffuError> }> {
  const label = options.label ?? (data.format === "idx" ? "label" : undefined);
  if (label === undefined) throw invalidOption("label", "given: the column with the label", undefined);
  const kind = (options.kind ?? (data.format === "idx" ? "image" : "table")) as Kind;
  if (!KINDS.includes(kind)) throw invalidOption("kind", KINDS.join(", "), kind);
  const ahead: (Row | SaffuError)[] = [];
  const iterator = data.rows[Symbol.asyncIterator]();
  while (ahead.length < LOOKED_AT) {
    const next = await iterator.next();
    if (next.done) break;
    ahead.push(next.value);
  }
  async function* rows() {
    yield* ahead;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const known = ahead.filter((row): row is Row => !(row instanceof SaffuError));
  if (!data.columns.includes(label)) {
    throw new SaffuError(
      "INVALID_EXAMPLE",
      `there is no column ${shown(label)} for the label; there are ${data.columns.join(", ") || "none"}`,
    );
  }
  const columns = data.columns.filter((name) => name !== label);
  const listed = known[0]?.values?.length ?? (known[0]?.cells[LIST] as ArrayLike<number> | undefined)?.length;
  const many = listed ?? columns.length;
  const reading: Reading = {
    kind,
    label,
    ...(listed === undefined && kind !== "lines" && kind !== "features" ? { columns } : {}),
  };
  const give = (encoding: unknown, more: Partial<Reading> = {}) => ({
    encoding: encoding as Encoding<unknown>,
    reading: { ...reading, ...more },
    rows: rows(),
  });
  if (kind === "image") {
    const [height, width] = data.sizes.length === 2 ? data.sizes : sizeOf(options.size, many);
    return give(image({ width: width!, height: height! }));
  }
  if (kind === "series") {
    const { channels = 1 } = options;
    if (!(channels >= 1 && many % channels === 0))
      throw invalidOption("channels", `a number that divides ${many} values`, channels);
    return give(series({ length: many / channels, channels }));
  }
  if (kind === "lines") {
    const text = options.text ?? (columns.length === 1 ? columns[0] : columns.includes("text") ? "text" : undefined);
    if (text === undefined || !columns.includes(text))
      throw invalidOption("text", `the column with the text, of ${columns.join(", ")}`, text);
    return give(lines(), { text });
  }
  if (kind === "features") {
    const { features: size } = options;
    if (size === undefined) throw invalidOption("features", "given: how many there are", undefined);
    const values = known[0]?.cells.values !== undefined;
    return give(features({ features: size, most: 1024, values }));
  }
  const named = options.categorical
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const categorical = named ?? columns.filter((name) => isCategorical(name, known, options.onBad === "skip"));
  return give(table({ columns, categorical }));
}

/**
 * Whether a column has words. One with numbers as well is not guessed at, unless bad rows are skipped: then what is rarer is bad.
 *
 * @throws SaffuError INVALID_OPTION
 */
function isCategorical(name: string, rows: readonly Row[], skips: boolean): boolean {
  const words = rows.filter(({ cells }) => isWord(cells[name]));
  const numbers = rows.filter(({ cells }) => isNumber(cells[name]));
  if (words.length === 0 || numbers.length === 0) return words.length > 0;
  if (skips) return words.length > numbers.length;
  const rare = (words.length > numbers.length ? numbers : words)[0]!;
  const what = `row ${rare.number} has ${shown(rare.cells[name])}`;
  throw new SaffuError(
    "INVALID_OPTION",
    `categorical must be given where a column has words and numbers, as ${shown(name)} has (${what}): or mend the row`,
  );
}

function isNumber(cell: unknown): boolean {
  return typeof cell === "number" || (typeof cell === "string" && cell.trim() !== "" && Number.isFinite(Number(cell)));
}

function isWord(cell: unknown): boolean {
  if (typeof cell === "boolean") return true;
  return typeof cell === "string" && cell.trim() !== "" && !Number.isFinite(Number(cell));
}

/** Height and width, of "WxH" or of a square. */
function sizeOf(size: string | undefined, pixels: number): number[] {
  const given = size === undefined ? undefined : /^(\d+)x(\d+)$/.exec(size);
  if (given === null) throw invalidOption("size", `WIDTHxHEIGHT, as 28x28`, size);
  if (given !== undefined) return [Number(given[2]), Number(given[1])];
  const side = Math.sqrt(pixels);
  if (!Number.isInteger(side))
    throw invalidOption("size", `given as WIDTHxHEIGHT, as ${pixels} pixels are no square`, undefined);
  return [side, side];
}

/** The input of a row. @throws SaffuError INVALID_EXAMPLE */
export function inputOf({ kind, text, columns }: Reading, { cells, values, number }: Row): unknown {
  const cell = (name: string): unknown => {
    if (Object.hasOwn(cells, name)) return cells[name];
    throw new SaffuError("INVALID_EXAMPLE", `row ${number}: has no column ${shown(name)}: has the header changed?`);
  };
  if (kind === "features") return { ids: cells.ids, ...(cells.values === undefined ? {} : { values: cells.values }) };
  if (kind === "lines") return cell(text!);
  if (kind === "table") return columns!.map((name) => cellOf(cell(name)));
  if (values !== undefined) return values;
  if (columns === undefined) return cell(LIST);
  return columns.map((name) => numberOf(cell(name), name, number));
}

function numberOf(cell: unknown, column: string, row: number): number {
  const value =
    typeof cell === "number" ? cell : typeof cell === "string" && cell.trim() !== "" ? Number(cell) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new SaffuError("INVALID_EXAMPLE", `row ${row}: column ${shown(column)} must be a number, got ${shown(cell)}`);
}

/** Rows as labelled examples; one that is none is handed on as the error that it is. */
export async function* examplesOf(
  rows: AsyncIterable<Row | SaffuError>,
  reading: Reading,
): AsyncGenerator<Example<unknown> | SaffuError> {
  for await (const row of rows) {
    if (row instanceof SaffuError) {
      yield row;
      continue;
    }
    let example: Example<unknown> | SaffuError;
    try {
      example = { input: inputOf(reading, row), label: labelOf(row, reading), row: row.number };
    } catch (cause) {
      if (!(cause instanceof SaffuError)) throw cause;
      example = cause;
    }
    yield example;
  }
}

/** A row's label as it stands; the library says what of it is none. @throws SaffuError INVALID_EXAMPLE where the column is not there */
function labelOf({ cells, number }: Row, { label }: Reading): string {
  if (!Object.hasOwn(cells, label))
    throw new SaffuError("INVALID_EXAMPLE", `row ${number}: has no column ${shown(label)} for the label`);
  const value = cells[label];
  return (typeof value === "boolean" ? String(value) : value) as string;
}
