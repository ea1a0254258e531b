/** Motes: what is known of a reading is known when it comes, and average precision is that of its definition. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COLUMNS, columnsOf, type Mote, steamed } from "../classify/motes.ts";
import { ranked } from "../classify/ranked.ts";

const reading = fc.record({
  humidity: fc.integer({ min: 0, max: 100 }),
  temperature: fc.integer({ min: -10, max: 40 }),
  event: fc.boolean(),
});
const mote = (readings: Mote["readings"]): Mote => ({ name: "1", readings });

describe("motes", () => {
  test("columns are of a reading and those before it, as they are defined", () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 40 }), fc.nat(39), (readings, at) => {
        const found = columnsOf(mote(readings));
        const i = at % readings.length;
        expect(columnsOf(mote(readings.slice(0, i + 1)))).toEqual(found.slice(0, i + 1));
        const values = readings.map(({ humidity }) => humidity);
        const before = values.slice(0, i).sort((a, b) => a - b);
        const minute = values.slice(Math.max(0, i - 11), i + 1);
        expect(found[i]).toHaveLength(COLUMNS.length);
        expect(found[i]!.slice(0, 4)).toEqual([
          i > 0 ? values[i]! - before[before.length >> 1]! : null,
          i > 0 ? values[i]! - values[i - 1]! : null,
          i > 5 ? values[i]! - values[i - 6]! : null,
          Math.max(...minute) - Math.min(...minute),
        ]);
      }),
    );
  });

  test("the median is of an hour, and not of more", () => {
    const readings = Array.from({ length: 1500 }, (_, i) => ({
      humidity: i < 740 ? 10 : 50,
      temperature: 20,
      event: false,
    }));
    expect(columnsOf(mote(readings))[1499]![0]).toBe(0);
    expect(columnsOf(mote(readings))[745]![0]).toBe(40);
  });

  test("steam is put where the label says, and nothing else changes", () => {
    const calm = mote(
      Array.from({ length: 900 }, (_, i) => ({ humidity: 40 + (i % 3), temperature: 25, event: false })),
    );
    for (const seed of [1, 2, 3]) {
      const { readings } = steamed(calm, seed);
      expect(readings.filter(({ event }) => event).length).toBeGreaterThan(10);
      for (const [i, each] of readings.entries()) if (!each.event) expect(each).toEqual(calm.readings[i]);
    }
  });

  test("average precision and what is found are those of all thresholds", () => {
    const scored = fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.boolean()), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(scored, fc.constantFrom(0, 0.1, 0.5), (rows, alarms) => {
        fc.pre(rows.some(([, event]) => event) && rows.some(([, event]) => !event));
        const [scores, events] = [rows.map(([score]) => score), rows.map(([, event]) => event)];
        const all = events.filter(Boolean).length;
        let [area, before, recall] = [0, 0, 0];
        for (let threshold = 6; threshold >= 0; --threshold) {
          const taken = events.filter((_, i) => scores[i]! >= threshold);
          const hits = taken.filter(Boolean).length;
          if (taken.length > 0) area += (hits / all - before) * (hits / taken.length);
          before = hits / all;
          if (taken.length - hits <= alarms * (events.length - all)) recall = hits / all;
        }
        const found = ranked(scores, events, alarms);
        expect(found.precision).toBeCloseTo(area, 12);
        expect(found.recall).toBe(recall);
      }),
    );
  });
});
