/** The results as the pages read them: by system and budget, with what the seeds leave open. */
import type { Entry, Held } from "./job.ts";
import { type Cell, type Progress, progressOf } from "./plan.ts";
import { difference, type Estimate, estimate, pooledDifference } from "./statistics.ts";
import type { Store } from "./store.ts";

/** With history attention or a cache, or without. */
export type Form = "alone" | "recency";

/** One of two that are compared. */
export interface Side {
  readonly system: string;
  readonly budget: number;
  /** By default without. */
  readonly form?: Form;
}

export interface Finding extends Progress {
  readonly cell: Cell;
}

export class Findings {
  readonly all: readonly Finding[];

  constructor(cells: readonly Cell[], store: Store) {
    this.all = cells.map((cell) => ({ cell, ...progressOf(cell, store) }));
  }

  /** Budgets of which anything is known. */
  get budgets(): number[] {
    return [...new Set(this.all.filter(({ entries }) => entries.length > 0).map(({ cell }) => cell.budget))];
  }

  of(system: string, budget: number): Finding | undefined {
    return this.all.find(({ cell }) => cell.system.name === system && cell.budget === budget);
  }

  /** Bits per byte of each seed. */
  values(system: string, budget: number, form: Form, split: keyof Held): number[] {
    return (this.of(system, budget)?.entries ?? []).flatMap(({ result }) => result[form]?.[split] ?? []);
  }

  /** How far `a` is from `b`, below zero where `a` is better; undefined until both are measured. */
  gap(a: Side, b: Side, split: keyof Held): Estimate | undefined {
    const values = ({ system, budget, form = "alone" }: Side) => this.values(system, budget, form, split);
    return (this.oneSeed(a) || this.oneSeed(b) ? pooledDifference : difference)(values(a), values(b));
  }

  /** Whether but one seed was run of what seeds make a difference to. */
  oneSeed({ system, budget }: Side): boolean {
    const finding = this.of(system, budget);
    return finding?.cell.system.seeded === true && finding.entries.length === 1;
  }

  /** Of some systems the one with the fewest bits per byte on dev. */
  best(systems: readonly string[], budget: number, form: Form = "alone"): string | undefined {
    const known = systems
      .map((name) => ({ name, values: this.values(name, budget, form, "dev") }))
      .filter(({ values }) => values.length > 0)
      .map(({ name, values }) => ({ name, dev: estimate(values).mean }));
    return known.sort((a, b) => a.dev - b.dev)[0]?.name;
  }
}

/** Seconds of training of the chosen options, a mean over seeds. */
export function secondsOf({ entries }: Finding): Estimate {
  return estimate(entries.map(({ result }) => result.seconds));
}

/** Seconds with the search: all that the search ran, without what of it is the chosen options' own. */
export function secondsWithSearch(finding: Finding): number {
  const own = new Set(finding.entries.map(({ key }) => key));
  const others = finding.searched.filter(({ key }) => !own.has(key));
  return secondsOf(finding).mean + others.reduce((sum, { result }) => sum + result.seconds, 0);
}

export function meanOf(entries: readonly Entry[], value: (entry: Entry) => number): number {
  return estimate(entries.map(value)).mean;
}

/** "3.197 ± 0.003", or the one value. */
export function shown({ mean, half }: Estimate, digits = 3): string {
  return Number.isNaN(half) ? mean.toFixed(digits) : `${mean.toFixed(digits)} ± ${half.toFixed(digits)}`;
}

/** 10,000. */
export function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}
