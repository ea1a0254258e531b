/** Between a line that is handed out and its row nothing is saved: places in files are never ahead of what was counted. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Turns } from "../host/cli/watch/turns.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("work begins when the line that is in hand is a row, and lines wait for work that has begun", async () => {
  const turns = new Turns();
  const log: string[] = [];
  turns.begin();
  const saved = turns.alone(async () => {
    log.push("save");
    await turn();
    log.push("saved");
    return 7;
  });
  const second = turns.alone(async () => void log.push("second"));
  await turn();
  expect([log, turns.busy]).toEqual([[], false]);
  log.push("row");
  turns.end();
  expect([log, turns.busy]).toEqual([["row", "save"], true]);
  turns.begin(); // the next line is there while it is saved
  await turns.settled();
  log.push("row");
  await turn();
  expect(log).toEqual(["row", "save", "saved", "row"]); // what waits goes behind the row
  turns.end();
  expect([await saved, await second]).toEqual([7, undefined]);
  expect(log.at(-1)).toBe("second");
});

test("work that throws is told to who asked for it, and the next begins", async () => {
  const turns = new Turns();
  const failing = turns.alone(async () => {
    throw new Error("full");
  });
  await expect(failing).rejects.toThrow("full");
  expect(await turns.alone(async () => 1)).toBe(1);
});

test("in any order of lines and work, each piece of work sees as many rows as lines were handed out", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("line", "slow line", "save", "save later"), { maxLength: 30 }),
      async (acts) => {
        const turns = new Turns();
        let [out, rows] = [0, 0];
        const seen: [number, number][] = [];
        const works: Promise<unknown>[] = [];
        const save = () => {
          works.push(
            turns.alone(async () => {
              seen.push([out, rows]);
              await turn();
            }),
          );
        };
        for (const act of acts) {
          if (act === "save") save();
          else if (act === "save later") setImmediate(save);
          else {
            out += 1;
            turns.begin();
            if (turns.busy) await turns.settled();
            if (act === "slow line") await turn();
            rows += 1;
            turns.end();
            if (turns.busy) await turns.settled();
          }
        }
        await turn();
        await Promise.all(works);
        expect(seen).toHaveLength(acts.filter((act) => act.startsWith("save")).length);
        for (const [before, counted] of seen) expect(counted).toBe(before);
      },
    ),
    { numRuns: 200 },
  );
});
