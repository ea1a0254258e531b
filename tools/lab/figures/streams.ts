/**
 * What a model is worth on one text, beside compressors that have seen the same lines before: what `npm run streams` prints.
 *
 * ```ts
 * const own = await fitAndScore(fit, held, { profile: "nano" });
 * const others = compressed(compressors().installed, fit, held);
 * compare([{ name: "sshd", bytes, bits: own.held, rivals: { gzip: least(others.gzip) } }], "gzip").atOrBelow; // 1 or 0
 * ```
 */
import { KERNEL_FILES } from "../../../host/files/config.ts";
import { type FitOptions, fit, load } from "../../../host/index.ts";
import { bitsAByte, type Compressor, primed } from "../baselines/compressors.ts";

/** Bits a byte of the held-out lines, and what they took. */
export interface Scored {
  readonly vocabulary: number;
  /** By the model as its directory has it: it has not read the lines that it was fitted to. */
  readonly held: number;
  /** By the model after it has read them. */
  readonly heldAfterFit: number;
  /** Of the model's files but kernels, config.json, card and tokenizer: the weights and all that comes with them. */
  readonly weightBytes: number;
  readonly tokenizerBytes: number;
  /** CPU time of the whole fit, with what the runtime compiles beside it. */
  readonly fitSeconds: number;
  /** CPU time of scoring a byte; the least of several passes over the whole text. */
  readonly microsecondsAByte: number;
}

/** Of one compressor. */
export interface Compressed {
  /** Bits a byte that the held-out lines add to the others. */
  readonly primed: number;
  /** Bits a byte of the held-out lines without them. */
  readonly alone: number;
}

/** A figure of ours beside those of others, all in bits a byte. */
export interface Row {
  readonly name: string;
  /** Of the whole text. */
  readonly bytes: number;
  readonly bits: number;
  readonly rivals: Readonly<Record<string, number>>;
}

export interface Comparison {
  readonly texts: number;
  /** Texts on which we need no more bits. */
  readonly atOrBelow: number;
  /** Geometric mean of ours / theirs. */
  readonly mean: number;
  /** The largest of them. */
  readonly worst: number;
  readonly worstText: string;
}

/** CPU seconds over which scoring is timed, at least. */
const TIMED = 0.3;
const APART = new Set<string>([...KERNEL_FILES, "config.json", "README.md", "tokenizer.json"]);

/** Fits on `before` with one thread, and scores `held`. @throws SaffuError as fit does */
export async function fitAndScore(before: Uint8Array, held: Uint8Array, options: FitOptions): Promise<Scored> {
  const start = cpu();
  const { files, report } = await fit(() => [before], { ...options, threads: 0, kernels: ["simd"] });
  const fitSeconds = cpu() - start;
  const model = await load(files);
  const whole = Buffer.concat([before, held]);
  const bits = (text: Uint8Array) => model.score(text).bits;
  let microsecondsAByte = Number.POSITIVE_INFINITY;
  let together = 0;
  for (const from = cpu(); cpu() - from < TIMED; ) {
    const pass = cpu();
    together = bits(whole);
    microsecondsAByte = Math.min(microsecondsAByte, (1e6 * (cpu() - pass)) / whole.length);
  }
  return {
    vocabulary: report.shape.vocabulary,
    held: bits(held) / held.length,
    heldAfterFit: (together - bits(before)) / held.length,
    weightBytes: [...files].reduce((sum, [name, { length }]) => sum + (APART.has(name) ? 0 : length), 0),
    tokenizerBytes: files.get("tokenizer.json")!.length,
    fitSeconds,
    microsecondsAByte,
  };
}

/** Both figures of each compressor. */
export function compressed(
  compressors: Readonly<Record<string, Compressor>>,
  before: Uint8Array,
  held: Uint8Array,
): Record<string, Compressed> {
  const both = (compressor: Compressor) => ({
    primed: bitsAByte(held, primed(compressor, before, held)),
    alone: bitsAByte(held, compressor(held)),
  });
  return Object.fromEntries(Object.entries(compressors).map(([name, compressor]) => [name, both(compressor)]));
}

/** The bits a byte of a compressor where it may leave out what comes before: with little memory that can be in its way. */
export function least({ primed, alone }: Compressed): number {
  return Math.min(primed, alone);
}

/** How our figures stand to one rival's; texts without its figure are left out. */
export function compare(rows: readonly Row[], rival: string): Comparison {
  const all = rows
    .filter(({ rivals }) => rivals[rival] !== undefined)
    .map(({ name, bits, rivals }) => ({ name, ratio: bits / rivals[rival]! }));
  const worst = all.reduce<{ name: string; ratio: number } | undefined>(
    (most, each) => (most === undefined || each.ratio > most.ratio ? each : most),
    undefined,
  );
  return {
    texts: all.length,
    atOrBelow: all.filter(({ ratio }) => ratio <= 1).length,
    mean: Math.exp(all.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / all.length),
    worst: worst?.ratio ?? Number.NaN,
    worstText: worst?.name ?? "",
  };
}

/** Bits a byte of the held-out lines in results of before, a JSON line each, by earlierKey; the last line of a key counts. */
export function earlierBits(results: string): Map<string, number> {
  const lines = results.split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const { profile, text, sha256, held } = JSON.parse(line);
      return [earlierKey(profile, text, sha256), held];
    }),
  );
}

/** A profile and a text, its bytes included: a log of the machine's own goes on. */
export function earlierKey(profile: string, text: string, sha256: string): string {
  return `${profile} ${text} ${sha256}`;
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
