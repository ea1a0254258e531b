/**
 * Rows of a table: each column is a number (f32) or a category. A number falls into one of 16 bins of equal counts, or as many as the fit is told, the
 * outermost of which are halved again and again, for what is rare; and it is above each threshold between bins that it reaches, so that numbers
 * beyond those of the fit are at the end of a scale. A category has a bin of its own, and so has a missing value (null, undefined, or ""). Ferns
 * add what columns say together: each is the outcomes of six tests of a column against a threshold, drawn by the seed.
 *
 * A category that the fit has not seen, NaN and infinite numbers are refused.
 */
import { invalidOption, shown } from "../errors.ts";
import { bytesOf, type Encoder, type Encoding, invalidExample, mix, type Packer, type Setting } from "./encoding.ts";
import type { EncodingPlan } from "./layout.ts";

export type Cell = number | string | null | undefined;
/** The cells of a row, in the order of the columns, or by their names. */
export type Row = readonly Cell[] | Readonly<Record<string, Cell>>;

export interface TableOptions {
  /** Names of the columns, in order, 1 to 4,096. */
  readonly columns: readonly string[];
  /** Those that are categories. Default none. */
  readonly categorical?: readonly string[] | undefined;
  /** Bins of a number, 2 to 256; with `ferns`. Left out, both are chosen. */
  readonly bins?: number | undefined;
  /** Ferns of six tests, 0 to 512. */
  readonly ferns?: number | undefined;
}

interface Spec {
  readonly columns: readonly string[];
  /** Of each column: its categories in order, or null where it is a number. */
  readonly categories: readonly (readonly string[] | null)[];
  readonly binnings: number;
  readonly thresholds: number;
  readonly ferns: number;
}

/** In a binning: each threshold that is reached is a feature, and not the bin alone (assembly/classify/table.ts). */
const LEVELS = 1 << 31;
const TESTS = 6;
/** Examples beyond the outermost threshold, at the least; and how often the ends are halved, at the most. */
const [ENOUGH, MOST_TAILS] = [8, 6];
/** Rows that thresholds are taken from. */
const SAMPLE = 50_000;
const MOST_CATEGORIES = 1024;
/** Characters of a category at the most. */
const MOST_NAME = 256;

/** @throws SaffuError INVALID_OPTION */
export function table(options: TableOptions): Encoding<Row> {
  const { columns, categorical = [], bins, ferns } = options ?? {};
  if (
    !Array.isArray(columns) ||
    columns.length < 1 ||
    columns.length > 4096 ||
    new Set(columns).size !== columns.length
  ) {
    throw invalidOption("columns", "1 to 4096 names, each once", columns?.length);
  }
  for (const name of categorical) if (!columns.includes(name)) throw invalidOption("categorical", "columns", name);
  if ((bins === undefined) !== (ferns === undefined))
    throw invalidOption("bins and ferns", "given together, or none of them", bins);
  const whole = (name: string, value: number | undefined, least: number, most: number) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      throw invalidOption(name, `an integer in ${least}..${most}`, value);
    }
  };
  whole("bins", bins, 2, 256);
  whole("ferns", ferns, 0, 512);
  return {
    kind: "table",
    packer() {
      const known = columns.map((name) => (categorical.includes(name) ? new Map<string, number>() : undefined));
      const cells = columns.map((_, i) => known[i]);
      const packer: Packer<Row> = {
        pack: (row, number) => packRow(row, number, columns, known, true),
        sample: SAMPLE,
        asked: bins !== undefined ? { bins, ferns: ferns! } : undefined,
        settings(bytes, rowBytes) {
          const out: Setting[] = [];
          for (const [bins, ferns] of [
            [16, 64],
            [16, 0],
            [16, 128],
            [32, 64],
            [8, 32],
            [8, 0],
            [4, 16],
          ] as const) {
            const own = cells.reduce(
              (sum, categories) => sum + (categories ? categories.size + 2 : 2 * (bins + 2 * MOST_TAILS + 2)),
              0,
            );
            const size = own + ferns * (1 << TESTS);
            const parameters = cells.length * (24 + 4 * (bins + 2 * MOST_TAILS)) + ferns * TESTS * 8;
            if (size <= 65536 && size * rowBytes + parameters <= bytes) out.push({ bins, ferns });
          }
          return out;
        },
        fit: (sample, setting, _, seed) => fitTable(sample, columns, known, setting, seed),
      };
      return packer;
    },
  };
}

function fitTable(
  sample: readonly Uint8Array[],
  columns: readonly string[],
  known: readonly (ReadonlyMap<string, number> | undefined)[],
  { bins, ferns }: Setting,
  seed: number,
): Encoder<Row> {
  const rows = sample.map((bytes) => new Float32Array(bytes.slice().buffer));
  const sorted = columns.map((_, i) => {
    const values = Float32Array.from(rows, (row) => row[i]!);
    return values.filter((value) => !Number.isNaN(value)).sort();
  });
  const binnings: number[] = [];
  const thresholds: number[] = [];
  const add = (column: number, levels: readonly number[]) => {
    binnings.push(column, thresholds.length, levels.length);
    thresholds.push(...levels);
  };
  for (const [i, categories] of known.entries()) {
    if (categories) {
      add(
        i,
        Array.from({ length: Math.max(0, categories.size - 1) }, (_, level) => level + 0.5),
      );
      continue;
    }
    add(i, quantiles(sorted[i]!, bins!));
    const [first, many] = binnings.slice(-2) as [number, number];
    binnings.push(i, first, (many | LEVELS) >>> 0);
  }
  const tests: [number, number][] = [];
  let state = mix(seed ^ 0x7f4a7c15);
  const draw = (n: number) => {
    state = mix(state + 0x9e3779b9);
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let i = 0; i < ferns! * TESTS; ++i) {
    const column = draw(columns.length);
    const values = sorted[column]!;
    // inside the middle of what the column has
    const at =
      values.length > 0 ? Math.floor(values.length * 0.05) + draw(Math.max(1, Math.floor(values.length * 0.9))) : 0;
    tests.push([column, known[column] ? (values[at] ?? 0) - 0.5 : (values[at] ?? 0)]);
  }
  const words = binnings.length + thresholds.length + tests.length * 2;
  const parameters = new Uint8Array(words * 4);
  new Uint32Array(parameters.buffer).set(binnings);
  new Float32Array(parameters.buffer).set(thresholds, binnings.length);
  for (const [i, [column, threshold]] of tests.entries()) {
    const at = binnings.length + thresholds.length + i * 2;
    new Uint32Array(parameters.buffer)[at] = column;
    new Float32Array(parameters.buffer)[at + 1] = threshold;
  }
  const spec: Spec = {
    columns,
    categories: known.map((categories) => (categories ? [...categories.keys()] : null)),
    binnings: binnings.length / 3,
    thresholds: thresholds.length,
    ferns: ferns!,
  };
  return tableEncoder(spec, parameters);
}

/** Thresholds between bins of equal counts, of which the outermost are halved as long as there is enough beyond; ascending, none twice. */
function quantiles(sorted: Float32Array, bins: number): number[] {
  const count = sorted.length;
  const places = Array.from({ length: bins - 1 }, (_, i) => Math.floor(((i + 1) * count) / bins));
  for (let i = 0, beyond = count / bins / 2; beyond >= ENOUGH && i < MOST_TAILS; ++i, beyond /= 2) {
    places.unshift(Math.floor(beyond));
    places.push(count - 1 - Math.floor(beyond));
  }
  const out: number[] = [];
  for (const place of places) {
    const value = sorted[place];
    if (value !== undefined && value > (out.at(-1) ?? sorted[0]!)) out.push(value);
  }
  return out;
}

/** The encoder of a classifier's directory. */
export function tableEncoder(spec: Spec, parameters: Uint8Array): Encoder<Row> {
  const { columns, categories, binnings, thresholds, ferns } = spec;
  const known = categories.map((names) => (names ? new Map(names.map((name, i) => [name, i])) : undefined));
  let [features, most] = [ferns * (1 << TESTS), ferns];
  const view = new DataView(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  for (let i = 0; i < binnings; ++i) {
    const many = view.getUint32(i * 12 + 8, true);
    const count = (many & ~LEVELS) >>> 0;
    features += count + 2;
    most += (many & LEVELS) !== 0 ? Math.max(1, count) : 1;
  }
  const plan: EncodingPlan = {
    kind: "table",
    ...{ features, most },
    unit: 1,
    numbers: [columns.length, binnings, ferns, TESTS, 3 * binnings, 3 * binnings + thresholds],
    parameters,
    inputBytes: columns.length * 4,
    tableBytes: 0,
  };
  const pack = (row: Row, number: number) => packRow(row, number, columns, known, false);
  return { kind: "table", spec: { ...spec }, plan, pack };
}

function packRow(
  row: Row,
  number: number,
  columns: readonly string[],
  known: readonly (Map<string, number> | undefined)[],
  learning: boolean,
): Uint8Array {
  if (typeof row !== "object" || row === null)
    throw invalidExample(number, `must be a list or an object of cells, got ${shown(row)}`);
  if (Array.isArray(row) && row.length !== columns.length) {
    throw invalidExample(number, `has ${row.length} cells, the table has ${columns.length} columns`);
  }
  const out = new Float32Array(columns.length);
  for (const [i, column] of columns.entries()) {
    const named = row as Readonly<Record<string, Cell>>;
    if (!Array.isArray(row) && !Object.hasOwn(named, column))
      throw invalidExample(number, `has no column ${shown(column)}`);
    const cell = Array.isArray(row) ? (row[i] as Cell) : named[column];
    out[i] = cellOf(cell, number, column, known[i], learning);
  }
  return bytesOf(out);
}

function cellOf(
  cell: Cell,
  row: number,
  column: string,
  categories: Map<string, number> | undefined,
  learning: boolean,
): number {
  if (cell === null || cell === undefined || cell === "") return Number.NaN;
  if (categories === undefined) {
    const value =
      typeof cell === "number" ? cell : typeof cell === "string" && cell.trim() !== "" ? Number(cell) : Number.NaN;
    if (!Number.isFinite(Math.fround(value)))
      throw invalidExample(row, `column ${shown(column)} must be a finite number, got ${shown(cell)}`);
    return value;
  }
  if (typeof cell === "object" || typeof cell === "symbol" || typeof cell === "function" || Number.isNaN(cell))
    throw invalidExample(row, `column ${shown(column)} must be a category, got ${shown(cell)}`);
  const name = String(cell);
  const found = categories.get(name);
  if (found !== undefined) return found;
  if (!learning)
    throw invalidExample(row, `column ${shown(column)} has the category ${shown(name)}, which the fit has not seen`);
  if (name.length > MOST_NAME) {
    throw invalidExample(
      row,
      `column ${shown(column)} has a category of ${name.length} characters, at most ${MOST_NAME} are read: is it a text?`,
    );
  }
  if (categories.size >= MOST_CATEGORIES) {
    throw invalidExample(
      row,
      `column ${shown(column)} has more than ${MOST_CATEGORIES} categories: is it a number, or a name?`,
    );
  }
  categories.set(name, categories.size);
  return categories.size - 1;
}
