/**
 * What of a line is looked at: the whole line, the text of a field of NDJSON, numbers of it, or columns of a table.
 *
 * ```ts
 * const read = reader({ field: "MESSAGE" }); // journalctl -o json
 * const { text, problem } = read(line);
 * const values = reader({ numbers: ["1", "3"] })(line).numbers; // of CSV, or of numbers with blanks between them
 * ```
 */

import { joined } from "../bytes.ts";
import { checkOptions, invalidOption } from "../errors.ts";
import { isRecord } from "../files/json.ts";

export interface ReaderOptions {
  /** Path of the field with the text, or several with commas between them, whose texts follow one another: keys of nested objects with dots between them, `a.b`. A key that has dots itself is found, too. */
  readonly field?: string | undefined;
  /** Paths of fields with numbers, or numbers of columns, from 1 on. */
  readonly numbers?: readonly string[] | undefined;
  /** Paths of fields that are handed on as they are. */
  readonly keep?: readonly string[] | undefined;
}

/**
 * Why a line is not as it should be: it is no JSON where that is needed, it or its field is cut or nested too deep; a field or column is absent, null
 * or empty; what is there is not a finite number.
 */
export type Problem = "INVALID_JSON" | "MISSING_FIELD" | "NOT_A_NUMBER";

/** What a line has. Next to a problem there may be values all the same: the first problem is named, numbers that are missing are NaN. */
export interface Fields {
  /** UTF-8, or the bytes that were there. Of a whole line it is that line, not a copy. */
  readonly text?: Uint8Array;
  /** f64 [as many as were asked for]. */
  readonly numbers?: Float64Array;
  /** Fields that were to be kept. */
  readonly kept?: Readonly<Record<string, unknown>>;
  readonly problem?: Problem;
}

/** Whether a line has nothing that can be looked at: no text, and of numbers none. */
export function hasNone(fields: Fields): fields is Fields & { readonly problem: Problem } {
  const { problem, numbers } = fields;
  return problem !== undefined && (numbers === undefined || numbers.every((value) => Number.isNaN(value)));
}

const COLUMN = /^[1-9]\d{0,5}$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** Cells by what is between them: quoted, with two quotes for one, or up to the next. */
const CELLS = {
  "\t": /\s*(?:"((?:[^"]|"")*)"[^\t]*|([^\t]*))(?:\t|$)/gy,
  ";": /\s*(?:"((?:[^"]|"")*)"[^;]*|([^;]*))(?:;|$)/gy,
  ",": /\s*(?:"((?:[^"]|"")*)"[^,]*|([^,]*))(?:,|$)/gy,
} as const;

/**
 * A function from a line's bytes to what it has. It throws nothing, whatever the bytes. A string is taken as UTF-8, a list of numbers 0..255 as bytes
 * (that is how journald has a message that is not UTF-8), anything else as JSON; a number may be a string.
 *
 * @throws SaffuError INVALID_OPTION
 */
export function reader(options: ReaderOptions = {}): (bytes: Uint8Array) => Fields {
  checkOptions(options, []);
  const { field, numbers, keep } = options;
  if (field !== undefined) checkName("field", field);
  const fields = field?.split(",").map((name) => name.trim()) ?? [];
  for (const name of fields) checkName("field", name);
  if (keep !== undefined && (!Array.isArray(keep) || keep.length === 0)) {
    throw invalidOption("keep", "a list of at least one field", keep);
  }
  for (const name of keep ?? []) checkName("a field to keep", name);
  if (numbers !== undefined && (!Array.isArray(numbers) || numbers.length === 0)) {
    throw invalidOption("numbers", "a list of at least one field or column", numbers);
  }
  for (const name of numbers ?? []) checkName("a field of numbers", name);
  const decoder = new TextDecoder(); // what is no UTF-8 becomes U+FFFD, a byte order mark goes
  const decode = (bytes: Uint8Array) => decoder.decode(bytes);
  if (numbers === undefined && field === undefined) {
    if (keep !== undefined)
      throw invalidOption("keep", "given with field or numbers: of other lines nothing is known", keep);
    return (bytes) => ({ text: bytes });
  }
  const columns = numbers?.every((name) => COLUMN.test(name)) ?? false;
  return (bytes) => {
    const line = decode(bytes);
    const value = parsed(line);
    const text = {
      ...(field === undefined ? {} : textsOf(fields, value)),
      ...(keep === undefined ? {} : { kept: keptOf(keep, value) }),
    };
    if (numbers === undefined) return text;
    const cells = columns && !isRecord(value) ? cellsOf(line, value) : undefined;
    const found = numbersOf(numbers.map((name) => (cells ? cells[Number(name) - 1] : find(value, name))));
    const problem = text.problem ?? (value === INVALID && !cells ? "INVALID_JSON" : found.problem);
    return { ...text, numbers: found.numbers, ...(problem && { problem }) };
  };
}

function checkName(what: string, name: unknown): void {
  if (typeof name !== "string" || name === "") throw invalidOption(what, "the path of a field", name);
}

const BLANK = Uint8Array.of(0x20);

/** What stands for a line that is no JSON. */
const INVALID = Symbol("no JSON");

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return INVALID;
  }
}

/** The value at a path, or undefined. A whole key is taken before the part of it up to a dot. */
function find(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value) && !/^\d+(\.|$)/.test(path)) return undefined;
  if (Object.hasOwn(value, path)) return (value as Record<string, unknown>)[path];
  for (let dot = path.indexOf("."); dot >= 0; dot = path.indexOf(".", dot + 1)) {
    const key = path.slice(0, dot);
    if (!Object.hasOwn(value, key)) continue;
    const found = find((value as Record<string, unknown>)[key], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Texts of fields, with blanks between them; those that are missing are left out, if not all are. */
function textsOf(fields: readonly string[], line: unknown): Fields {
  const found = fields.map((field) => textOf(find(line, field), line));
  const texts = found.flatMap(({ text }) => (text === undefined ? [] : [text]));
  if (texts.length < 2) return found.find(({ text }) => text !== undefined) ?? found[0]!;
  return { text: joined(...texts.flatMap((text, i) => (i === 0 ? [text] : [BLANK, text]))) };
}

/** Values of fields as they are in the line, by name; those that are missing are left out. */
function keptOf(fields: readonly string[], line: unknown): Record<string, unknown> {
  const found = fields.map((field) => [field, find(line, field)] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

function textOf(value: unknown, line: unknown): Fields {
  if (line === INVALID) return { problem: "INVALID_JSON" };
  if (value === undefined || value === null) return { problem: "MISSING_FIELD" };
  if (typeof value === "string") return { text: new TextEncoder().encode(value) };
  if (Array.isArray(value) && value.every((each) => Number.isInteger(each) && each >= 0 && each <= 255)) {
    return { text: Uint8Array.from(value) };
  }
  try {
    return { text: new TextEncoder().encode(JSON.stringify(value)) };
  } catch {
    return { problem: "INVALID_JSON" }; // nested so deep that it cannot be written
  }
}

/** Columns of a line: of a list of JSON its items, else what is between tabs, semicolons, commas or blanks, whichever of these is there first. */
function cellsOf(line: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const between = (["\t", ";", ","] as const).find((each) => line.includes(each));
  if (between === undefined) return line.split(/\s+/).filter(Boolean);
  const cells: string[] = [];
  const pattern = new RegExp(CELLS[between]);
  while (pattern.lastIndex < line.length) {
    const [, quoted, plain] = pattern.exec(line)!;
    cells.push(quoted?.replaceAll('""', '"') ?? plain!);
  }
  return cells;
}

function numbersOf(values: readonly unknown[]): { numbers: Float64Array; problem?: Problem } {
  let problem: Problem | undefined;
  const numbers = Float64Array.from(values, (value) => {
    const given = typeof value === "string" ? value.trim() : value;
    const missing = given === undefined || given === null || given === "";
    const number =
      typeof given === "number" || (typeof given === "string" && DECIMAL.test(given)) ? Number(given) : NaN;
    if (Number.isFinite(number)) return number;
    problem ??= missing ? "MISSING_FIELD" : "NOT_A_NUMBER";
    return Number.NaN;
  });
  return problem === undefined ? { numbers } : { numbers, problem };
}
