/** One measurement: what it is, what it came to, and how both are written down. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { ROOT } from "../paths.ts";

/** What a job may set beside its system: a learning rate, a width, whether a decoder is tied. */
export type Options = Readonly<Record<string, string | number | boolean>>;

/** Whatever is not in here must not change a result. */
export interface Job {
  /** Which of `SYSTEMS`. */
  readonly system: string;
  /** Tokens of training text. */
  readonly budget: number;
  readonly seed: number;
  readonly options: Options;
}

/** Bits per byte. */
export interface Held {
  readonly dev: number;
  readonly test: number;
}

export interface Result {
  /** Without self-attention, or without a cache. */
  readonly alone: Held;
  /** With it. */
  readonly recency?: Held;
  readonly trainTokens: number;
  /** Weights, or n-grams. */
  readonly parameters: number;
  /** Bytes of the model; of neural baselines, a byte a weight. */
  readonly bytes: number;
  /** From tokens in memory to a model in memory, without compiling. */
  readonly seconds: number;
  /** Of kernels, or of jitted steps. */
  readonly compileSeconds: number;
  /** Of the process, at the end of training. */
  readonly peakMemoryBytes: number;
}

/** A line of a results file. */
export interface Entry {
  readonly key: string;
  /** Digest of what decides the result: code.ts. */
  readonly code: string;
  readonly job: Job;
  readonly result: Result;
}

/** The digest that a job's result is found by. */
export function keyOf(job: Job): string {
  return digest(JSON.stringify(sorted(job)));
}

/** Digest of files and folders (without tests), by their paths in the project and their contents. */
export function codeDigest(paths: readonly string[]): string {
  const files = paths.flatMap(filesIn).sort();
  return digest(files.map((file) => `${file}\n${readFileSync(resolve(ROOT, file), "utf8")}`).join("\n"));
}

function filesIn(path: string): string[] {
  const found = resolve(ROOT, path);
  if (statSync(found).isFile()) return [path];
  return readdirSync(found)
    .filter((name) => name !== "__tests__" && name !== "__pycache__")
    .flatMap((name) => filesIn(join(path, name)));
}

/** 16 hexadecimal digits of a text's SHA-256. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The same value with the keys of its objects in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
