/** What the fuzz runs: a reader of bytes, or a module, and what it is given. */
import fc from "fast-check";

/** A reader, and inputs for it. */
export interface Target {
  readonly name: string;
  /** Part of all cases that is this target's. */
  readonly share: number;
  /** Draws inputs, and has `judge` run the reader on each. */
  property(judge: (read: () => void | Promise<void>) => Promise<void>): fc.IAsyncProperty<[unknown]>;
}

export function target<T>(
  name: string,
  share: number,
  input: fc.Arbitrary<T>,
  read: (input: T) => void | Promise<void>,
): Target {
  const property: Target["property"] = (judge) =>
    fc.asyncProperty(input, (drawn) => judge(() => read(drawn))) as fc.IAsyncProperty<[unknown]>;
  return { name, share, property };
}

/** Throws what no caller expects, where a reader took an input for something that it is not. */
export function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`read, but ${what}`);
}

export const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
