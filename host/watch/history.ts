/**
 * What a watch keeps of its past, so that a part of it can be taken away: the rows since a copy of the watch was made, and that copy. There are two
 * copies; the older one goes when the newer one is `reach` rows old, so that between `reach` and twice as many rows are kept.
 */

import type { Lesson } from "./lessons.ts";

/** The watch at a place: all that it is but its history. */
export interface Copy {
  readonly state: Uint8Array;
  readonly lessons: number;
  readonly episodes: readonly Episode[];
}

/** Rows of an episode, from its first alarm to its last. */
export interface Episode {
  readonly from: number;
  readonly to: number;
}

/** What came to a watch. */
export type Event =
  | { readonly do: "row"; readonly row: number; readonly input: Uint8Array | Float32Array; readonly model: number }
  /** A row that was not looked at. */
  | { readonly do: "skip"; readonly row: number }
  /** What somebody said of a row, and what that row was: the label is learned anew when the row itself is no longer kept. */
  | { readonly do: "label"; readonly row: number; readonly lesson: Lesson };

interface Part {
  /** The watch as it was before the first event. */
  readonly copy: Copy;
  /** The row before the first event. */
  readonly after: number;
  readonly events: Event[];
}

export class History {
  private parts: Part[] = [];

  constructor(
    private readonly reach: number,
    private readonly copyNow: () => Copy,
  ) {}

  /** Makes room for an event that comes behind row `after`: a copy is made where the last is `reach` rows old. */
  before(after: number): void {
    if (this.reach === 0) return;
    const last = this.parts.at(-1);
    if (last !== undefined && after - last.after < this.reach) return;
    this.parts = [...this.parts.slice(-1), { copy: this.copyNow(), after, events: [] }];
  }

  /** Keeps what came. */
  add(event: Event): void {
    this.parts.at(-1)?.events.push(event);
  }

  /** How many events have come since the last copy. */
  get since(): number {
    return this.parts.at(-1)?.events.length ?? 0;
  }

  /** Takes back what was added since there were `since` of them. */
  takeBack(since: number): void {
    this.parts.at(-1)?.events.splice(since);
  }

  /** The first row that can be taken away, or labelled; Infinity where there is none. */
  get first(): number {
    return this.parts.length === 0 ? Number.POSITIVE_INFINITY : this.parts[0]!.after + 1;
  }

  /** What came as row `row`; undefined if it is too far back, or was not looked at. */
  row(row: number): Extract<Event, { do: "row" }> | undefined {
    const part = this.parts.findLast(({ after }) => after < row);
    if (part === undefined) return undefined;
    // each row has an event, in order, with labels between them: it is there or behind
    let at = row - part.after - 1;
    while (at < part.events.length && (part.events[at]!.do === "label" || part.events[at]!.row !== row)) at += 1;
    const found = part.events[at];
    return found?.do === "row" ? found : undefined;
  }

  /** The newest copy from before row `row`, and all events since; from then on the history goes on from that copy. */
  rewind(row: number): { copy: Copy; after: number; events: Event[] } | undefined {
    const at = this.parts.findLastIndex(({ after }) => after < row);
    if (at < 0) return undefined;
    const { copy, after } = this.parts[at]!;
    const events = this.parts.slice(at).flatMap((part) => part.events);
    this.parts = [...this.parts.slice(0, at), { copy, after, events: [] }];
    return { copy, after, events };
  }

  /** All of it, for a file. */
  get kept(): readonly Part[] {
    return this.parts;
  }

  /** Goes on from what was in a file, or from what was kept; with a reach of 0 it keeps none of it. */
  restore(parts: readonly (Omit<Part, "events"> & { readonly events: readonly Event[] })[]): void {
    this.parts = (this.reach === 0 ? [] : parts).map((part) => ({ ...part, events: [...part.events] }));
  }
}
