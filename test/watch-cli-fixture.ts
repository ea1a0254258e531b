/** What tests of `saffu watch` share: lines of a made-up log, rows that were printed, and a command that goes on while a test writes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeEach } from "vitest";
import { generator } from "../tools/generator.ts";
import type { commandIn } from "./cli-fixture.ts";

const KINDS = [
  (n: number) => `sshd[${n}]: session opened for user ${["ann", "bob", "eve"][n % 3]}`,
  (n: number) => `sshd[${n}]: session closed for user ${["ann", "bob", "eve"][n % 3]}`,
  (n: number) => `dhcpd: lease 10.0.0.${n % 250} renewed by lamp-${n % 7} for 3600 s`,
  (n: number) => `cron[${n}]: run backup: ok, ${n % 40} files`,
  (n: number) => `ntpd: offset 0.00${n % 10} s from 10.0.0.1`,
];

/** Ordinary lines, the same for the same seed. */
export function ordinary(count: number, seed = 1): string[] {
  const random = generator(seed);
  return Array.from({ length: count }, () =>
    KINDS[Math.floor(random() ** 2 * KINDS.length)]!(Math.floor(random() * 900)),
  );
}

/** Lines that are like no other. */
export function strange(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `kernel: reactor ${i} melts, wormhole opened at deck ${i * 7}`);
}

export interface Row {
  readonly line: number;
  readonly text: string;
  readonly [field: string]: unknown;
}

/** Rows that were printed. */
export function rowsOf(out: string): Row[] {
  return out
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Waits for what a test cannot go on without. */
export async function until(what: string, is: () => unknown): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 10) {
    if (is()) return;
    await pause(10);
  }
  throw new Error(`${what} does not come`);
}

/** A command that goes on: what it has said so far. */
export function running(saffu: ReturnType<typeof commandIn>, words: readonly string[], shell?: string) {
  const { child, ended } = saffu.start(["watch", ...words], shell);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  child.stdin.on("error", () => {}); // it may end before it has read all
  return {
    child,
    ended,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
    /** Waits until the row of that line is printed. */
    row: (line: number) => until(`the row of line ${line}: ${err}`, () => out.includes(`{"line":${line},`)),
    said: (text: string) => until(`"${text}"`, () => err.includes(text)),
    /** Ends it by a signal. */
    async stop(signal: NodeJS.Signals = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

/** A folder of its own for each test of a file, all of which go at the end. */
export function folderEach() {
  const root = mkdtempSync(join(tmpdir(), "saffu-watch-"));
  let number = 0;
  let place = root;
  beforeEach(() => {
    place = join(root, String(++number));
    mkdirSync(place);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const at = (name: string) => join(place, name);
  return {
    /** Its path now. */
    folder: () => place,
    at,
    /** Writes a file of lines. @returns its path */
    write(name: string, lines: readonly string[]): string {
      writeFileSync(at(name), lines.map((line) => `${line}\n`).join(""));
      return at(name);
    },
  };
}
