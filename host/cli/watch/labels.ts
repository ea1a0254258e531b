/**
 * What is said of lines while they are watched: a file or named pipe of JSON, a line each.
 *
 *     {"line": 4711, "label": "alarm"}
 *     {"episode": 3, "label": "fine"}
 *     {"episode": 3, "forget": true}
 *     {"from": 4711, "to": 4720, "forget": true}
 */
import { isRecord } from "../../files/json.ts";

/** What is to be done; `label` undefined is to forget. */
export interface Said {
  readonly rows: { readonly from: number; readonly to: number } | { readonly episode: number };
  readonly label: "alarm" | "fine" | undefined;
}

/** What a line says; undefined where it says nothing that is known. */
export function saidBy(line: string): Said | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return saidIn(value);
}

function saidIn(value: unknown): Said | undefined {
  if (!isRecord(value)) return undefined;
  const { line: one, episode, from = one, to = from, label, forget } = value;
  const isRow = (row: unknown): row is number => Number.isSafeInteger(row) && (row as number) >= 1;
  const rows = isRow(episode) ? { episode } : isRow(from) && isRow(to) && from <= to ? { from, to } : undefined;
  if (rows === undefined) return undefined;
  if (forget === true && label === undefined) return { rows, label: undefined };
  return (label === "alarm" || label === "fine") && forget !== true ? { rows, label } : undefined;
}

/** How far a watch is. */
export interface Progress {
  readonly lines: number;
  /** Episodes that have begun. */
  readonly episodes: number;
  /** Whether the last of them goes on. */
  readonly open: boolean;
}

/** What is said of lines that are not there yet: it waits for them. */
export class Waiting {
  /** What may wait at the most. */
  static readonly MOST = 10_000;
  private all: Said[] = [];

  /** @returns false where too many wait already */
  add(said: Said): boolean {
    if (this.all.length >= Waiting.MOST) return false;
    this.all.push(said);
    return true;
  }

  get none(): boolean {
    return this.all.length === 0;
  }

  /** Takes out what can be done now: its lines are there, its episode has ended. */
  due(progress: Progress): Said[] {
    const due = this.all.filter((said) => isThere(said, progress));
    if (due.length > 0) this.all = this.all.filter((said) => !due.includes(said));
    return due;
  }

  /** Takes out all of it. */
  rest(): Said[] {
    const rest = this.all;
    this.all = [];
    return rest;
  }

  /** As JSON, for a file that a later run goes on from. */
  get saved(): object[] {
    return this.all.map(({ rows, label }) => ({ ...rows, ...(label === undefined ? { forget: true } : { label }) }));
  }

  /** Goes on with what was saved. */
  restore(saved: unknown): void {
    if (!Array.isArray(saved)) return;
    for (const each of saved) {
      const said = saidIn(each);
      if (said !== undefined) this.add(said);
    }
  }
}

/** Whether all that is spoken of is there. */
export function isThere({ rows }: Said, { lines, episodes, open }: Progress): boolean {
  if ("to" in rows) return rows.to <= lines;
  return rows.episode < episodes || (rows.episode === episodes && !open);
}
