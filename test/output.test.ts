/** A report that cannot be written: what was done and what was not is told apart. */
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { load } from "../host/index.ts";
import { commandIn, contentsOf } from "./cli-fixture.ts";

const NANO = "models/nano-en";
const { main } = commandIn("build/test-output");

let home: string;
let place: string;
let model: string;
let text: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  text = join(home, "text.txt");
  await writeFile(text, "It was the best of times, it was the worst of times. ".repeat(100));
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
  model = join(place, "model");
  await cp(NANO, model, { recursive: true });
});

/** Runs a command with a file, or a shell's redirection, for its standard output or error. */
async function redirected(
  words: readonly string[],
  redirection: string,
): Promise<{ code: number | null; err: string }> {
  const child = spawn("/bin/sh", ["-c", `exec "$0" "$@" ${redirection}`, process.execPath, main, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  child.stdout.resume();
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, err };
}

/** What changes something, by what says that it is done. */
const CHANGES: [string, () => string[], string][] = [
  ["observe", () => ["observe", model, text], "model is saved"],
  ["observe, with --json", () => ["observe", model, text, "--json"], "model is saved"],
  ["refit", () => ["refit", model, "--out", join(place, "out")], "out is saved"],
  ["merge", () => ["merge", model, model, "--out", join(place, "out")], "out is saved"],
  ["fit", () => ["fit", text, "--profile", "nano", "--passes", "1", "--out", join(place, "out")], "out is written"],
  ["tune", () => ["tune", model, text, "--out", join(place, "out")], "out is written"],
  ["compile", () => ["compile", model, "--target", "wasm", "--out", join(place, "out")], "out is written"],
  ["stats", () => ["stats", model, "--export", join(place, "out")], "out is written"],
];

describe.runIf(process.platform === "linux")("standard output is full", () => {
  test.each(CHANGES)("%s is done, and says so with an exit code of its own", async (_name, words, what) => {
    if (words()[0] === "merge") {
      const learned = await load(model);
      await learned.observe("a");
      await learned.save(model);
    }
    const { code, err } = await redirected(words(), "> /dev/full");
    expect([code, err]).toEqual([8, expect.stringMatching(/UNWRITABLE.*ENOSPC.*the work is done, do not repeat it/)]);
    expect(err).toContain(what);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("what was observed then stands in the directory, once", async () => {
    await redirected(["observe", model, text], "> /dev/full");
    const once = await load(NANO);
    await once.observe("It was the best of times, it was the worst of times. ".repeat(100));
    expect(await (await load(model)).exportStatistics()).toEqual(await once.exportStatistics());
  });

  test("what was not done is not said to be", async () => {
    const before = await contentsOf(model);
    for (const words of [
      ["observe", model, join(home, "nothing")],
      ["forget", model, text],
    ]) {
      const { code, err } = await redirected(words, "> /dev/full");
      expect([4, 7]).toContain(code);
      expect(err).not.toContain("done");
    }
    expect(await contentsOf(model)).toEqual(before);
  });

  test.each([["info"], ["eval"], ["generate"], ["stats"]])("%s, which is its output, fails with 5", async (name) => {
    const { code, err } = await redirected([name, model, ...(name === "eval" ? [text] : [])], "> /dev/full");
    expect([code, err]).toEqual([
      5,
      expect.stringMatching(/^saffu: UNWRITABLE: standard output [^\n]*ENOSPC[^\n]*\n$/),
    ]);
  });
});

describe.skipIf(process.platform === "win32")("a stream that is closed", () => {
  test.each(CHANGES)("standard output, or its reader gone: %s is done", async (_name, words) => {
    if (words()[0] === "stats" || words()[0] === "merge") return;
    expect(await redirected(words(), ">&-")).toEqual({ code: 0, err: "" });
    expect(await redirected(words(), "| true")).toMatchObject({ code: 0 });
  });

  test.each(["2>&-", "2>/dev/full"])("standard error (%s): the exit code is the same", async (redirection) => {
    for (const [words, code] of [
      [["eval", model, join(home, "nothing")], 4],
      [["info", join(home, "nothing")], 3],
      [["info", model], 0],
      [["info"], 2],
    ] as const) {
      expect((await redirected(words, redirection)).code, words.join(" ")).toBe(code);
    }
  });
});
