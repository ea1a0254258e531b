/** Which jobs a cell of the matrix needs: a search over its options with the first seed, then the other seeds with the best. */
import type { Entry, Job, Options } from "./job.ts";
import type { Store } from "./store.ts";
import type { System } from "./systems.ts";

export interface Cell {
  readonly system: System;
  readonly budget: number;
  readonly seeds: readonly number[];
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
  return budgets.flatMap((budget) =>
    systems.map((system) => ({ system, budget, seeds: system.seeded ? seeds : seeds.slice(0, 1) })),
  );
}

export function progressOf({ system, budget, seeds }: Cell, store: Store): Progress {
  const job = (options: Options, seed: number): Job => ({ system: system.name, budget, seed, options });
  const firsts = Object.entries(system.axes).map(([axis, values]) => [axis, values[0]!]);
  let chosen: Options = { ...system.fixed, ...Object.fromEntries(firsts) };
  const searched = new Map<string, Entry>();
  for (const [axis, values] of Object.entries(system.axes)) {
    if (values.length < 2) continue;
    const jobs = values.map((value) => job({ ...chosen, [axis]: value }, seeds[0]!));
    const { found, missing } = lookUp(jobs, store);
    for (const entry of found) searched.set(entry.key, entry);
    if (missing.length > 0) return { next: missing, searched: [...searched.values()], entries: [] };
    chosen = bestOf(found).job.options;
  }
  const { found, missing } = lookUp(
    seeds.map((seed) => job(chosen, seed)),
    store,
  );
  return { next: missing, chosen, searched: [...searched.values()], entries: found };
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
