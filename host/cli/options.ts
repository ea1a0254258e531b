/** Values of options, as commander's parsers. Whether they are in range is for the library to say. */
import { InvalidArgumentError } from "commander";

export function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError("It is not a whole number.");
  return Number(text);
}

export function number(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError("It is not a number.");
  return value;
}

/** An empty one, as of a variable that is not set, would be the working directory. */
export function path(text: string): string {
  if (text === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** Bytes, with k or M for thousands and millions. */
export function bytes(text: string): number {
  const found = /^(\d+(?:\.\d+)?)([kM]?)B?$/.exec(text);
  if (found === null) throw new InvalidArgumentError("It is not a number of bytes, as 20k.");
  return Math.floor(Number(found[1]) * { "": 1, k: 1000, M: 1e6 }[found[2] as "" | "k" | "M"]);
}

/** Names with commas between them. */
export function list(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("It is no list of names with commas between them.");
  return names;
}
