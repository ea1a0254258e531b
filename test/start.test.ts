/** `npm start`: what a newcomer sees first. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gatewayLog } from "../examples/gateway/generate.ts";

describe("npm start", () => {
  const shown = execFileSync(process.execPath, ["--import", "tsx", "tools/start.ts"], { encoding: "utf8" });

  test("names the three lines of the second day that do not belong", () => {
    const ranked = shown.split("\n").filter((line) => /^ +\d+ bits {2}2026/.test(line));
    expect(ranked).toHaveLength(3);
    for (const strange of ["sshd[2210]: Accepted password for root", "kernel: EXT4-fs error", "protocol violation"]) {
      expect(ranked.some((line) => line.includes(strange))).toBe(true);
    }
  });

  test("learns: bits of the lines that follow fall; forgets: they and the digest are as before", () => {
    const [, before, learned] = /after them: ([\d.]+) → ([\d.]+)/.exec(shown)!;
    const [, forgotten] = /bits a byte ([\d.]+), as before/.exec(shown)!;
    expect(Number(learned)).toBeLessThan(Number(before));
    expect(forgotten).toBe(before);
    expect(shown).toMatch(/digest of what is learned ([0-9a-f]{16}) → \1: the same/);
  });

  test("says bytes and milliseconds of each step", () => {
    expect(shown).toMatch(/fit +\d+ lines, \d+ bytes → a model of \d+ bytes, in \d+ ms/);
    expect(shown).toMatch(/observed in \d+ ms, refitted in \d+ ms/);
    expect(shown).toMatch(/forget +the same lines, in \d+ ms/);
  });
});

test("the log is what its generator makes", () => {
  expect(readFileSync("examples/gateway/gateway.log", "utf8")).toBe(gatewayLog());
});
