/** What every kind of system needs to say how long it took, how much it held, and how it predicts. */
import { readFileSync } from "node:fs";
import type { ModelFiles } from "../../../../host/files/config.ts";
import { load } from "../../../../host/index.ts";
import { withoutAttention } from "../../../variants.ts";
import { modelFigure } from "../../figures/quality.ts";
import { type LoadedData, readTokens } from "../data.ts";
import type { Held, Result } from "../job.ts";

/**
 * Bytes that this process has held at most. Linux says it of the process itself; what getrusage says is at least what the parent held
 * when it started this one.
 */
export function peakMemory(): number {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))![1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

/** Seconds since it was made. */
export function clock(): () => number {
  const start = performance.now();
  return () => (performance.now() - start) / 1000;
}

/** Bits per byte of dev and test, by log2 p of each sequence's tokens. */
export function held(data: LoadedData, score: (sequence: Uint16Array) => Float64Array): Held {
  const over = ({ files, bytes }: LoadedData["dev"]) =>
    files.reduce((bits, file) => score(readTokens(file)).reduce((sum, bit) => sum - bit, bits), 0) / bytes;
  return { dev: over(data.dev), test: over(data.test) };
}

/** A saffu model's figures, int8, without and with self-attention. */
export async function modelResult(
  files: ModelFiles,
  data: LoadedData,
): Promise<Pick<Result, "alone" | "recency" | "parameters" | "bytes">> {
  const info = (await load(files)).info();
  const figure = async (some: ModelFiles) => {
    const { dev, test } = await modelFigure("", some, data.corpus);
    return { dev, test };
  };
  return {
    alone: await figure(await withoutAttention(files)),
    ...(info.shape.history > 0 && { recency: await figure(files) }),
    parameters: info.parameters,
    bytes: files.get("model.safetensors")!.length,
  };
}
