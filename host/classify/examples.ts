/** Reads labelled examples from a stream: packs them, counts and refuses what is none, and keeps them for a fit. */
import { invalidOption, SaffuError, shown } from "../errors.ts";
import { abortable, Pace } from "../pace.ts";
import { invalidExample } from "./encoding.ts";

/** One example. */
export interface Example<Input> {
  readonly input: Input;
  readonly label: string | number;
  /** What it is called in messages; by default its number in the stream, from 1 on. */
  readonly row?: number | undefined;
}
/** Examples, in one stream, read once. A source may yield the error that a row is, in the row's place. */
export type Examples<Input> = Iterable<Example<Input> | SaffuError> | AsyncIterable<Example<Input> | SaffuError>;

export interface ReadOptions {
  /** What becomes of a row that is none: all stops there, or it is left out and counted. Default `stop`. */
  readonly onBad?: "skip" | "stop" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a stream had. */
export interface Tally {
  examples: number;
  /** Rows that were left out. */
  skipped: number;
  /** What the first of them was refused for. */
  firstSkipped: string | undefined;
}

/**
 * Hands each row to `take`, which throws where it is none.
 *
 * @throws SaffuError INVALID_EXAMPLE, UNKNOWN_LABEL of a row; ABORTED
 */
export async function readExamples<Input>(
  examples: Examples<Input>,
  { onBad = "stop", signal }: ReadOptions,
  take: (input: Input, label: string, row: number) => void,
  onRow?: (done: number) => void,
): Promise<Tally> {
  const source: { [Symbol.iterator]?: unknown; [Symbol.asyncIterator]?: unknown } = Object(examples);
  if (typeof (source[Symbol.asyncIterator] ?? source[Symbol.iterator]) !== "function")
    throw invalidOption("examples", "iterable", examples);
  const tally: Tally = { examples: 0, skipped: 0, firstSkipped: undefined };
  const pace = new Pace();
  let row = 0;
  for await (const example of abortable(examples, signal)) {
    row += 1;
    try {
      if (example instanceof SaffuError) throw example;
      take(example?.input, labelOf(example, row), example?.row ?? row);
      tally.examples += 1;
    } catch (cause) {
      if (onBad !== "skip" || !isBadRow(cause)) throw cause;
      tally.skipped += 1;
      tally.firstSkipped ??= cause.message;
    }
    if (pace.due()) {
      onRow?.(row);
      await pace.rest();
    }
  }
  return tally;
}

function isBadRow(cause: unknown): cause is SaffuError {
  return cause instanceof SaffuError && (cause.code === "INVALID_EXAMPLE" || cause.code === "UNKNOWN_LABEL");
}

/** An example's label as a text. @throws SaffuError INVALID_EXAMPLE */
function labelOf(example: Example<unknown> | undefined, row: number): string {
  const label = example?.label;
  if (typeof label === "number" && Number.isFinite(label)) return String(label);
  if (typeof label === "string" && label.length > 0 && label.length <= 256) return label;
  throw invalidExample(
    example?.row ?? row,
    `its label must be a text of 1 to 256 characters, or a number, got ${shown(label)}`,
  );
}

/** The examples of a fit, as they were packed. */
export interface Kept {
  readonly tally: Tally;
  /** Sorted: as numbers where all are, else by code units; or as they were asked for. */
  readonly labels: readonly string[];
  /** (n) class of each example. */
  readonly classOf: Uint16Array;
  row(i: number): Uint8Array;
}

const MOST_CLASSES = 256;

/**
 * Reads the examples of a fit.
 *
 * @param asked labels, others than which are refused
 * @throws SaffuError as readExamples, and INVALID_EXAMPLE where nothing is left, or all is of one label
 */
export async function keepExamples<Input>(
  examples: Examples<Input>,
  pack: (input: Input, row: number) => Uint8Array,
  asked: readonly string[] | undefined,
  options: ReadOptions,
  onRow?: (done: number) => void,
): Promise<Kept> {
  const found = new Map<string, number>(asked?.map((label, i) => [label, i]));
  const ends: number[] = [];
  const classes: number[] = [];
  let store = new Uint8Array(1 << 16);
  let end = 0;
  const take = (input: Input, label: string, row: number) => {
    const packed = pack(input, row);
    let own = found.get(label);
    if (own === undefined) {
      if (asked)
        throw new SaffuError(
          "UNKNOWN_LABEL",
          `row ${row}: the label ${shown(label)} is none of the ${asked.length} that are asked for`,
        );
      if (found.size === MOST_CLASSES)
        throw invalidExample(row, `the label ${shown(label)} is one more than ${MOST_CLASSES}`);
      own = found.size;
      found.set(label, own);
    }
    if (end + packed.length > store.length) {
      store = grown(store, end, end + packed.length);
    }
    store.set(packed, end);
    end += packed.length;
    ends.push(end);
    classes.push(own);
  };
  const tally = await readExamples(examples, options, take, onRow);
  const nothing = (what: string) => new SaffuError("INVALID_EXAMPLE", what);
  if (classes.length === 0) {
    throw nothing(
      tally.skipped > 0
        ? `all ${tally.skipped} rows were skipped; the first: ${tally.firstSkipped}`
        : "there are no examples",
    );
  }
  const labels = asked ?? [...found.keys()].sort(labelOrder([...found.keys()]));
  if (labels.length < 2)
    throw nothing(`every example has the label ${shown(labels[0])}: there is nothing to tell apart`);
  const place = new Map(labels.map((label, i) => [label, i]));
  const moved = [...found.keys()].map((label) => place.get(label)!);
  return {
    ...{ tally, labels, classOf: Uint16Array.from(classes, (own) => moved[own]!) },
    row: (i) => store.subarray(i === 0 ? 0 : ends[i - 1]!, ends[i]!),
  };
}

/** @throws SaffuError OUT_OF_MEMORY */
function grown(store: Uint8Array<ArrayBuffer>, end: number, least: number): Uint8Array<ArrayBuffer> {
  try {
    const larger = new Uint8Array(Math.max(2 * store.length, least));
    larger.set(store.subarray(0, end));
    return larger;
  } catch (cause) {
    throw new SaffuError("OUT_OF_MEMORY", `there is no room for examples of more than ${end} bytes: fit fewer`, {
      cause,
    });
  }
}

function labelOrder(labels: readonly string[]): (a: string, b: string) => number {
  const numbers = labels.every((label) => String(Number(label)) === label);
  return numbers ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : 1);
}
