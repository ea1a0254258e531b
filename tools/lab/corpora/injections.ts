/**
 * Puts anomalies into a log: single lines, bursts of one line with other numbers, runs of a foreign daemon's lines. Each carries the date (and host) of
 * its place, so that its date does not tell it.
 *
 * ```ts
 * const { rows, labels } = injected(background, { attacks, foreign, seed: 1 });
 * ```
 */
import { generator } from "../../generator.ts";
import { renumbered } from "./attacks.ts";

/** A log's line in two: what comes with the time and place, and what it says. */
export interface Dated {
  readonly stamp: string;
  readonly text: string;
  /** The line is an anomaly already. */
  readonly harm?: boolean;
}

export interface Injection {
  /** Lines without dates, of attacks: put in alone and in bursts. */
  readonly attacks: readonly string[];
  /** Runs of lines without dates, of a daemon that the background has not. */
  readonly foreign: readonly (readonly string[])[];
  readonly seed: number;
  /** Share of the rows that are put in; 0.01. */
  readonly rate?: number;
}

/** Share of the background that is left as it is, at its start. */
export const CALM = 0.2;
const BURST = { least: 5, most: 20, share: 0.35 };
const FOREIGN = { most: 4, share: 0.25 };

/** The background with anomalies among its rows, and whether each row is one. No attack is put in twice, unless there are too few. */
export function injected(background: readonly Dated[], { attacks, foreign, seed, rate = 0.01 }: Injection) {
  const random = generator(seed);
  const draw = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const wanted = Math.max(4, Math.round(background.length * rate));
  const [alone, runs] = [shuffled(attacks, random), shuffled(foreign, random)];
  const groups: string[][] = [];
  let next = 0;
  const attack = () => alone[next++ % alone.length]!;
  let left = wanted;
  const spend = (share: number, group: () => string[]) => {
    for (let own = Math.round(wanted * share); own > 0; ) {
      const lines = group();
      groups.push(lines);
      own -= lines.length;
      left -= lines.length;
    }
  };
  spend(BURST.share, () => {
    const line = attack();
    return Array.from({ length: draw(BURST.least, BURST.most) }, () => renumbered(line, random));
  });
  let run = 0;
  if (runs.length > 0) spend(FOREIGN.share, () => runs[run++ % runs.length]!.slice(0, FOREIGN.most));
  while (left-- > 0) groups.push([attack()]);
  const start = Math.ceil(background.length * CALM) + 1;
  const places = new Map<number, string[]>();
  for (const lines of groups) {
    const at = draw(start, background.length - 1);
    places.set(at, [...(places.get(at) ?? []), ...lines]);
  }
  const [rows, labels] = [[] as string[], [] as boolean[]];
  for (const [i, { stamp, text, harm }] of background.entries()) {
    for (const line of places.get(i) ?? []) {
      rows.push(background[i - 1]!.stamp + line);
      labels.push(true);
    }
    rows.push(stamp + text);
    labels.push(harm === true);
  }
  return { rows, labels };
}

/** Splits lines where the pattern of their stamp ends; one that does not begin so has none. */
export function dated(lines: readonly string[], stamp: RegExp, labels?: readonly boolean[]): Dated[] {
  return lines.map((line, i) => {
    const own = stamp.exec(line)?.[0] ?? "";
    return { stamp: own, text: line.slice(own.length), ...(labels === undefined ? {} : { harm: labels[i]! }) };
  });
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const out = [...all];
  for (let i = out.length - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
