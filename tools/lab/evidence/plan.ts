/**
 * Which jobs a cell of the matrix needs: a search over its options with the first seed, then the other seeds with the best. The
 * search has the whole grid at the smallest budget; at a larger one it goes on from what the next smaller budget chose.
 */
import type { Entry, Job, Options } from "./job.ts";
import type { Store } from "./store.ts";
import type { System } from "./systems.ts";

/** The matrix: tokens of training text. */
export const BUDGETS: readonly number[] = [10_000, 30_000, 100_000, 300_000, 1_000_000];
/** Axes that keep what the next smaller budget chose, from this budget on: their best value hardly moves with it. */
export const STEADY: Readonly<Record<string, number>> = { tied: 30_000, batch: 100_000, dropout: 300_000 };
/** Tokens that a training may read, all its epochs together: what else `epochs` has is not tried. */
export const MOST_TOKENS = 10_000_000;

export interface Cell {
  readonly system: System;
  readonly budget: number;
  readonly seeds: readonly number[];
  /** The same system at the next smaller budget of the matrix. */
  readonly smaller?: Cell | undefined;
}

/** How far a cell has come. */
export interface Progress {
  /** Jobs that can be run now. None: all is there. */
  readonly next: readonly Job[];
  /** The options that were best on dev, once they are known. */
  readonly chosen?: Options;
  /** Everything that the search ran. */
  readonly searched: readonly Entry[];
  /** Results of the chosen options, by seed. */
  readonly entries: readonly Entry[];
}

/** All cells, the smallest budgets first. */
export function cellsOf(systems: readonly System[], budgets: readonly number[], seeds: readonly number[]): Cell[] {
  return budgets.flatMap((budget) => systems.map((system) => cellOf(system, budget, seeds)));
}

function cellOf(system: System, budget: number, seeds: readonly number[]): Cell {
  const { seeded, seedsFrom } = system;
  const smaller = BUDGETS.filter((other) => other < budget).at(-1);
  return {
    system,
    budget,
    seeds: seeds.slice(0, seeded ? (reached(seedsFrom, budget) ?? seeds.length) : 1),
    smaller: smaller === undefined ? undefined : cellOf(system, smaller, seeds),
  };
}

/** What holds at a budget of what holds from budgets on. */
function reached<T>(from: Readonly<Record<number, T>> = {}, budget: number): T | undefined {
  return from[
    Math.max(
      ...Object.keys(from)
        .map(Number)
        .filter((tokens) => tokens <= budget),
    )
  ];
}

export function progressOf(cell: Cell, store: Store): Progress {
  const { chosen, searched, next } = search(cell, store);
  if (chosen === undefined) return { next, searched, entries: [] };
  const jobs = cell.seeds.map((seed) => jobOf(cell, chosen, seed));
  const { found, missing } = lookUp(jobs, store);
  return { next: missing, chosen, searched, entries: found };
}

/** One axis after the other, each from the best so far. */
function search(cell: Cell, store: Store): Omit<Progress, "entries"> {
  const { system, smaller } = cell;
  const axes = Object.entries(system.axes);
  const before = smaller && axes.length > 0 ? search(smaller, store) : undefined;
  if (before && before.chosen === undefined) return { next: before.next, searched: [] };
  const known = reached(system.chosenFrom, cell.budget) ?? before?.chosen;
  const given: Options = known ?? Object.fromEntries(axes.map(([axis, values]) => [axis, values[0]!]));
  let chosen: Options = { ...system.fixed, ...held(cell, given) };
  const searched = new Map<string, Entry>();
  for (const [axis] of axes) {
    let tried = before === undefined ? affordable(cell, axis) : near(cell, axis, chosen[axis]!);
    while (tried.length > 1) {
      const jobs = tried.map((value) => jobOf(cell, { ...chosen, [axis]: value }, cell.seeds[0]!));
      const { found, missing } = lookUp(jobs, store);
      for (const entry of found) searched.set(entry.key, entry);
      if (missing.length > 0) return { next: missing, searched: [...searched.values()] };
      chosen = bestOf(found).job.options;
      const more = near(cell, axis, chosen[axis]!).filter((value) => !tried.includes(value));
      if (more.length === 0) break;
      tried = [...tried, ...more]; // the best is at an end of what was tried
    }
  }
  return { next: [], chosen, searched: [...searched.values()] };
}

/** What of an axis is tried when the next smaller budget chose `value`: that, and of numbers their neighbours in the grid. */
function near(cell: Cell, axis: string, value: Options[string]) {
  const values = affordable(cell, axis);
  const { settledFrom = Number.POSITIVE_INFINITY, lessAt } = cell.system;
  const onlyLess = lessAt?.[axis] === cell.budget;
  const settled = cell.budget >= Math.min(STEADY[axis] ?? Number.POSITIVE_INFINITY, settledFrom);
  if (settled && !onlyLess) return [value];
  if (!values.every((one) => typeof one === "number")) return values;
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted.indexOf(Number(value));
  return sorted.slice(Math.max(0, at - 1), at + (onlyLess ? 1 : 2));
}

/** Values of an axis: of epochs, those that come to no more than `MOST_TOKENS`. */
function affordable({ system, budget }: Cell, axis: string): Options[string][] {
  return system.axes[axis]!.filter((value) => axis !== "epochs" || budget * Number(value) <= MOST_TOKENS);
}

/** The options with the most epochs that are affordable, where they have more. */
function held(cell: Cell, options: Options): Options {
  if (!("epochs" in cell.system.axes)) return options;
  const most = Math.max(...affordable(cell, "epochs").map(Number));
  return { ...options, epochs: Math.min(Number(options.epochs), most) };
}

function jobOf({ system, budget }: Cell, options: Options, seed: number): Job {
  return { system: system.name, budget, seed, options };
}

/** The entry with the fewest bits per byte on dev, without cache or self-attention. */
export function bestOf(entries: readonly Entry[]): Entry {
  return entries.reduce((best, entry) => (entry.result.alone.dev < best.result.alone.dev ? entry : best));
}

function lookUp(jobs: readonly Job[], store: Store): { found: Entry[]; missing: Job[] } {
  const found: Entry[] = [];
  const missing: Job[] = [];
  for (const job of jobs) {
    const entry = store.get(job);
    if (entry === undefined) missing.push(job);
    else found.push(entry);
  }
  return { found, missing };
}
