/** docs/performance.md, from what was measured. Where a peer is faster stands first. */
import { table } from "../markdown.ts";
import { JOBS, type Job, OPTIONAL } from "./jobs.ts";
import type { Results, Series } from "./results.ts";

/** The peer that the others are compared with. */
const OWN = "saffu";

interface Row {
  readonly series: Series;
  readonly cost: number;
  /** Of the peer's rounds to saffu's beside them: median and quartiles. */
  readonly ratio: readonly [low: number, median: number, high: number];
}

export function page(results: Results): string {
  const rows = new Map(JOBS.map((job) => [job, rowsOf(results, job)]));
  const measured = JOBS.filter((job) => rows.get(job)!.length > 0);
  return `${[
    "# Performance",
    `saffu and other ways to the same end, measured in one run of \`npm run bench:peers\` ([tools/peers](../tools/peers)), which wrote this page.`,
    "## Where a peer is faster",
    faster(measured, rows),
    ...measured.flatMap((job) => [`## ${job.title}`, job.what, tableOf(results, job, rows.get(job)!)]),
    "## What was measured",
    how(results),
    Object.entries(results.versions)
      .map(([peer, version]) => `- ${peer}: ${version}`)
      .join("\n"),
    ...absent(results),
  ].join("\n\n")}\n`;
}

/** A job's peers, the fastest first. */
function rowsOf({ series }: Results, job: Job): Row[] {
  const of = series.filter(({ job: name }) => name === job.name);
  const own = of.find(({ peer }) => peer === OWN);
  if (own === undefined) return [];
  const rows = of.map((each) => {
    const ratios = each.values.map((value, round) => value / own.values[round]!);
    return {
      series: each,
      cost: quantile(each.values, 0.5),
      ratio: [quantile(ratios, 0.25), quantile(ratios, 0.5), quantile(ratios, 0.75)] as const,
    };
  });
  return rows.sort((a, b) => a.cost - b.cost);
}

/** Of each job the peers that are faster in three rounds of four, nearly. */
function faster(jobs: readonly Job[], rows: ReadonlyMap<Job, readonly Row[]>): string {
  const lines = jobs.flatMap((job) => {
    const better = rows.get(job)!.filter(({ series, ratio }) => !series.peer.startsWith(OWN) && ratio[2] < 1);
    if (better.length === 0) return [];
    const own = rows.get(job)!.find(({ series }) => series.peer === OWN)!;
    const named = better.map(({ series, ratio }) => {
      const bits = series.bits !== undefined && own.series.bits !== undefined && job.name === "fit";
      const worth = bits ? `, at ${series.bits!.toFixed(2)} bits a token against ${own.series.bits!.toFixed(2)}` : "";
      return `${series.peer} takes ${times(ratio[1])} of saffu's CPU time${worth}`;
    });
    return [`- **${job.title}**: ${named.join("; ")}.`];
  });
  return lines.length > 0 ? lines.join("\n") : "In no job of this run.";
}

function tableOf({ missing }: Results, job: Job, rows: readonly Row[]): string {
  const bits = job.name === "fit";
  const memory = bits || job.name === "first"; // a process that goes on has that of all its jobs
  const heads = ["", job.unit, "× saffu", "middle half of the rounds"];
  heads.push(...(bits ? ["bits a token"] : []), ...(memory ? ["peak memory, MB"] : []));
  const absent = Object.keys(missing).filter((peer) => OPTIONAL[peer]?.includes(job.name));
  return table(heads, [
    ...rows.map(({ series, cost, ratio: [low, median, high] }) => [
      series.peer,
      figure(cost),
      series.peer === OWN ? "1" : times(median),
      series.peer === OWN ? "" : `${times(low)} to ${times(high)}`,
      ...(bits ? [series.bits?.toFixed(3) ?? ""] : []),
      ...(memory ? [(series.peak / 1e6).toFixed(0)] : []),
    ]),
    ...absent.map((peer) => [peer, "not measured", ...heads.slice(2).map(() => "")]),
  ]);
}

function how({ processor, node, series }: Results): string {
  const rounds = JOBS.map(({ name }) => series.find(({ job }) => job === name)?.values.length ?? 0).filter(
    (n) => n > 0,
  );
  const [least, most] = [Math.min(...rounds), Math.max(...rounds)];
  return [
    `Every figure is CPU time, user and system, of one process on one thread, as the median of ${least === most ? most : `${least} to ${most}`} rounds.`,
    "In a round each peer does the job once, one behind the other, so that a busy moment of the machine meets all of them; a ratio is of two costs of one round.",
    "All are warm but at a cold start.",
    `The model is potato-en's network without its history, batch 1: all peers but KenLM run the same weights, and their surprisals agree. Processor: ${processor}. Node.js ${node}.`,
  ].join(" ");
}

function absent({ missing }: Results): string[] {
  const names = Object.entries(missing);
  if (names.length === 0) return [];
  return ["Not measured in this run:", names.map(([peer, why]) => `- ${peer}: ${why}`).join("\n")];
}

/** The value that `share` of them lie below, between two of them in proportion. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return below + (above - below) * (at - Math.floor(at));
}

/** A ratio. */
function times(value: number): string {
  return value >= 10 || value < 0.1 ? figure(value) : value.toFixed(2);
}

/** Two digits, or whole. */
function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(2)).toString();
}
