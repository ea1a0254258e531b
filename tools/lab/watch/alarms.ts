/** What the alarms of a watch with its usual options come to: of lines put in, and of all others. */
import { openWatch } from "../../../host/index.ts";
import { table } from "../../markdown.ts";
import type { Stream } from "./scorer.ts";

/** Lines between two that were put in together, at the most. */
const NEAR = 3;

const percent = (share: number) => (100 * share).toFixed(1);

/** A table: lines that were put in and are alarms, incidents with one, other lines that are, and episodes without a line that was put in. */
export async function alarmsOf(streams: readonly Stream[]): Promise<string> {
  const rows: string[][] = [];
  for (const { name, rows: lines, labels } of streams) {
    const watch = await openWatch({ reach: 0 });
    let [hits, others, incidents, found, calm, episodes] = [0, 0, 0, 0, 0, 0];
    let last = Number.NEGATIVE_INFINITY;
    let known = false;
    let harmless = false;
    for (const [i, line] of lines.entries()) {
      const { alarm } = watch.push(line);
      const alarms = alarm === "begin" || alarm === "on";
      if (alarm === "begin") {
        episodes += 1;
        harmless = true;
      }
      if (labels[i]) {
        if (i - last > NEAR) {
          incidents += 1;
          known = false;
        }
        last = i;
        if (alarms) hits += 1;
        if (alarms && !known) found += 1;
        known ||= alarms;
        if (alarms) harmless = false;
      } else if (alarms) others += 1;
      if (alarm === "end" && harmless) calm += 1;
    }
    const harm = labels.filter(Boolean).length;
    rows.push([
      name,
      `${percent(hits / harm)} %`,
      `${found} of ${incidents}`,
      `${percent(others / (labels.length - harm))} %`,
      `${calm} of ${episodes}`,
    ]);
  }
  return table(
    [
      "",
      "lines put in that are alarms",
      "incidents with an alarm",
      "other lines that are",
      "episodes without a line put in",
    ],
    rows,
  );
}
