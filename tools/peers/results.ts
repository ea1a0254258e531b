/** What a run of the bench measured: results/results.json, from which the page is written. */
import { readFileSync, writeFileSync } from "node:fs";
import type { JobName } from "./jobs.ts";
import { inPeers } from "./paths.ts";

/** A peer at a job, round by round. */
export interface Series {
  readonly job: JobName;
  readonly peer: string;
  /** In the job's unit; the n-th of all series of a job stood beside one another. */
  readonly values: readonly number[];
  /** Most memory that its process had, in bytes. */
  readonly peak: number;
  /** Surprisal a token, where the job has one. */
  readonly bits?: number | undefined;
}

export interface Results {
  readonly processor: string;
  readonly node: string;
  /** What was measured, by peer. */
  readonly versions: Readonly<Record<string, string>>;
  /** Peers that were not there, and why. */
  readonly missing: Readonly<Record<string, string>>;
  readonly series: readonly Series[];
}

const FILE = inPeers("results", "results.json");

export function readResults(): Results {
  return JSON.parse(readFileSync(FILE, "utf8"));
}

export function writeResults(results: Results): void {
  writeFileSync(FILE, `${JSON.stringify(results, undefined, 1)}\n`);
}
