/**
 * What people use today: bytes of a text by programs that compress, those that are installed. Containers are left out where the program
 * lets them be.
 *
 * ```ts
 * const { gzip } = compressors().installed;
 * bitsAByte(held, primed(gzip, fit, held)); // with what the program has seen before
 * bitsAByte(held, gzip(held)); // alone
 * ```
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";

/** Bytes that a text is compressed to. */
export type Compressor = (text: Uint8Array) => number;

/** Memory of PPMd, in bytes, where it may have as much as it likes. */
const AMPLE = 16 << 20;
/** The least that 7z gives PPMd. */
export const LEAST_MEMORY = 1 << 16;

const PROGRAMS: Record<string, Compressor> = {
  gzip: (text) => deflateRawSync(text, { level: 9, memLevel: 9 }).length,
  xz: (text) => piped("xz", ["-9e", "--format=raw", "--lzma2=preset=9e,dict=64MiB", "-c"], text),
  zstd: (text) => piped("zstd", ["-19", "--long=27", "-q", "-c", "--no-check", `--stream-size=${text.length}`], text),
  "PPMd 4": (text) => ppmd(text, 4, AMPLE),
  "PPMd 6": (text) => ppmd(text, 6, AMPLE),
  "PPMd 16": (text) => ppmd(text, 16, AMPLE),
};

/** Names of PPMd's orders among the programs. */
export const PPMD = ["PPMd 4", "PPMd 6", "PPMd 16"] as const;

/**
 * The compressors that this machine has, by name, and those that it lacks.
 *
 * @param memory bytes of one more: PPMd of order 6 in so much
 * @throws where that is less than LEAST_MEMORY
 */
export function compressors(memory?: number): { installed: Record<string, Compressor>; missing: string[] } {
  const all = { ...PROGRAMS, ...(memory !== undefined && { [ppmdIn(memory)]: smallPpmd(memory) }) };
  const installed: Record<string, Compressor> = {};
  const missing: string[] = [];
  for (const [name, compressor] of Object.entries(all)) {
    try {
      compressor(Buffer.from("does it run?"));
      installed[name] = compressor;
    } catch {
      missing.push(name);
    }
  }
  return { installed, missing };
}

/** The name of PPMd of order 6 in so many bytes. */
export function ppmdIn(memory: number): string {
  return `PPMd 6 in ${memory / 1024} KiB`;
}

/** Bytes that `text` adds to what comes before it. */
export function primed(compressor: Compressor, before: Uint8Array, text: Uint8Array): number {
  return compressor(Buffer.concat([before, text])) - compressor(before);
}

export function bitsAByte(text: Uint8Array, bytes: number): number {
  return (8 * bytes) / text.length;
}

function smallPpmd(memory: number): Compressor {
  if (!(memory >= LEAST_MEMORY)) throw new Error(`memory must be at least ${LEAST_MEMORY} bytes, got ${memory}`);
  return (text) => ppmd(text, 6, memory);
}

function piped(program: string, words: readonly string[], input: Uint8Array): number {
  const most = 2 * input.length + 4096;
  return execFileSync(program, words, { input, stdio: ["pipe", "pipe", "ignore"], maxBuffer: most }).length;
}

/** PPMd variant H as 7z has it: its stream alone, without archive. Out of a pipe: of a file, 7z knows the size and gives less memory than is asked for. */
function ppmd(text: Uint8Array, order: number, memory: number): number {
  const folder = mkdtempSync(join(tmpdir(), "saffu-ppmd-"));
  try {
    const words = ["a", `-m0=PPMd:o=${order}:mem=${memory}b`, "-mhc=off", "-si", "archive.7z"];
    execFileSync("7z", words, { cwd: folder, input: text, stdio: ["pipe", "ignore", "ignore"] });
    return packedBytes(readFileSync(join(folder, "archive.7z")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Bytes between an archive's signature header of 32 bytes, which tells where its header stands, and that: 7zFormat.txt of the LZMA SDK. */
function packedBytes(archive: Buffer): number {
  return Number(archive.readBigUInt64LE(12));
}
