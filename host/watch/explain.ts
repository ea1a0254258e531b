/** What a row is shown as: its template, and what in it surprised. */
import { UNIT, type WatchDevice } from "./device.ts";

/** A word or column, and the bits that it surprised by. */
export interface Why {
  readonly text: string;
  readonly bits: number;
}

/** Words and columns that are named, at the most, and the sixteenths of a bit that they have at the least. */
const [MOST, LEAST] = [4, 6 * UNIT];
/** Words that a template has whatever they are: the tree's (assembly/watch/lines.ts). */
const DEPTH = 3;
/** What stands for what changes. */
const CHANGES = "<*>";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Of the line that was pushed last. Numbers, and words that surprised behind the first ones, are left out of its template. */
export function explainLine(device: WatchDevice, bytes: Uint8Array): { template: string; why: Why[] } {
  const words = device.words();
  const text = decoder.decode(bytes);
  // offsets are of bytes: in a text of ASCII they are those of characters
  const slice =
    text.length === bytes.length
      ? (start: number, end: number) => text.slice(start, end)
      : (start: number, end: number) => decoder.decode(bytes.subarray(start, end));
  let template = "";
  let at = 0;
  let named = 0;
  const surprising: { at: number; bits: number }[] = [];
  for (const [i, word] of words.entries()) {
    if (!word.number) named += 1;
    if (word.number || (word.bits >= LEAST && named > DEPTH)) {
      template += slice(at, word.start) + CHANGES;
      at = word.end;
    }
    if (word.bits >= LEAST) surprising.push({ at: i, bits: word.bits });
  }
  const end = words.at(-1)?.end ?? 0;
  template += slice(at, words.length === device.plan.words ? end : bytes.length);
  surprising.sort((a, b) => b.bits - a.bits || a.at - b.at);
  const why = surprising.slice(0, MOST).map(({ at, bits }) => {
    const { start, end } = words[at]!;
    return { text: slice(start, end), bits: bits / UNIT };
  });
  return { template, why };
}

/** Of the row of numbers that was pushed last. */
export function explainNumbers(device: WatchDevice, columns: readonly string[], row: ArrayLike<number>): Why[] {
  const bits = device.columnBits();
  return columns
    .map((name, i) => ({ text: `${name}=${row[i]}`, bits: bits[i]! }))
    .filter(({ bits }) => bits >= LEAST)
    .sort((a, b) => b.bits - a.bits)
    .slice(0, MOST)
    .map(({ text, bits }) => ({ text, bits: bits / UNIT }));
}
