/** Values of options, as commander's parsers. Whether they are in range is for the library to say. */
import { InvalidArgumentError } from "commander";

export function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError("It is not a whole number.");
  return Number(text);
}

/** NaN passes: the library names the option and its bound. */
export function number(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}
