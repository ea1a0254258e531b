/** Runs jobs, each in a process of its own so that its memory is its own, one at a time; what ends is appended at once. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LAB } from "../paths.ts";
import { codesOf } from "./code.ts";
import { type Job, keyOf, type Result } from "./job.ts";
import { type Cell, progressOf } from "./plan.ts";
import type { Store } from "./store.ts";

const PROCESS = fileURLToPath(new URL("job-process.ts", import.meta.url));

export interface RunOptions {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Runs what the cells still need. Returns the jobs that failed; the rest of their cells is left out. */
export async function runCells(cells: readonly Cell[], store: Store, options: RunOptions): Promise<Job[]> {
  const failed: Job[] = [];
  for (const cell of cells) {
    const missing = cell.system.missing?.();
    if (missing !== undefined) {
      options.log(`skipped, needs ${missing}: ${cell.system.name}, ${cell.budget} tokens`);
      continue;
    }
    for (let { next } = progressOf(cell, store); next.length > 0; { next } = progressOf(cell, store)) {
      const broken = await runJobs(next, store, options);
      failed.push(...broken);
      if (broken.length > 0 || options.signal?.aborted) break;
    }
    if (options.signal?.aborted) break;
  }
  return failed;
}

/** Runs jobs one after the other. Returns those that failed. */
export async function runJobs(jobs: readonly Job[], store: Store, { log, signal }: RunOptions): Promise<Job[]> {
  const failed: Job[] = [];
  for (const job of jobs) {
    if (signal?.aborted) break;
    const name = `${job.system}, ${job.budget} tokens, seed ${job.seed}, ${JSON.stringify(job.options)}`;
    const code = (await codesOf([job.system]))(job);
    try {
      const result = await runJob(job, signal);
      store.append({ key: keyOf(job), code, job, result });
      log(`${name}: ${result.alone.dev.toFixed(4)} bits per byte, ${result.seconds.toFixed(1)} s`);
    } catch (error) {
      if (signal?.aborted) break;
      log(`FAILED: ${name}: ${(error as Error).message}`);
      failed.push(job);
    }
  }
  return failed;
}

async function runJob(job: Job, signal: AbortSignal | undefined): Promise<Result> {
  const child = spawn(process.execPath, ["--import", "tsx", PROCESS], {
    cwd: LAB, // tsx is found there
    stdio: ["pipe", "pipe", "inherit"],
  });
  const stop = () => child.kill();
  signal?.addEventListener("abort", stop);
  process.once("exit", stop);
  try {
    child.stdin.end(JSON.stringify(job));
    let output = "";
    for await (const chunk of child.stdout) output += chunk;
    if (output === "") throw new Error("the process ended without a result");
    return JSON.parse(output) as Result;
  } finally {
    signal?.removeEventListener("abort", stop);
    process.off("exit", stop);
  }
}
