/** saffu tune: what it prints and writes, how it fails, and that an interrupt leaves a checkpoint and nothing half-written. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { load, tune } from "../host/index.ts";
import { commandIn, contentsOf, failure } from "./cli-fixture.ts";

const NANO = "models/nano-en";
const TEXT = Array.from({ length: 120 }, (_, i) => `It was the age of wisdom, it was chapter ${i % 17}.\n`).join("");

let saffu: ReturnType<typeof commandIn>["run"];
let start: ReturnType<typeof commandIn>["start"];
let home: string;
let place: string;
let text: string;
let dev: string;

beforeAll(async () => {
  ({ run: saffu, start } = commandIn("build/test-cli-tune"));
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  [text, dev] = [join(home, "text.txt"), join(home, "dev.txt")];
  await writeFile(text, TEXT);
  await writeFile(dev, "It was the age of chapter 5.\n");
});

beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
});

afterAll(() => rm(home, { recursive: true, force: true }));

test("--help shows an example and the exit codes", async () => {
  const { code, out } = await saffu(["tune", "--help"]);
  expect(code).toBe(0);
  expect(out).toContain("Example:\n  saffu tune ");
  expect(out).toContain("130 interrupted");
});

test("writes what the library gives, and reports it", async () => {
  const out = join(place, "tuned");
  const words = ["--epochs", "2", "--lr", "0.002", "--batch", "300", "--seed", "4", "--threads", "1", "--dev", dev];
  const before = await contentsOf(NANO);
  const ended = await saffu(["tune", NANO, text, "--out", out, ...words, "--json"]);
  expect([ended.code, ended.err]).toEqual([0, ""]);
  const facts = JSON.parse(ended.out);
  const options = { epochs: 2, lr: 0.002, batch: 300, seed: 4, dev: [await readFile(dev)] };
  const { files, report } = await tune(NANO, () => [Buffer.from(TEXT)], options);
  expect(await contentsOf(out)).toEqual(
    Object.fromEntries(Array.from(files, ([name, bytes]) => [name, Buffer.from(bytes).toString("hex")])),
  );
  const { trainBits, devBitsPerByte, bestEpoch, steps } = report;
  expect(facts).toMatchObject({ directory: out, tokens: TEXT.length, textBytes: TEXT.length, steps, lr: 0.002 });
  expect(facts).toMatchObject({ trainBits, devBitsPerByte, bestEpoch, init: "warm" });
  expect((await load(out)).score(TEXT).bitsPerByte).toBeLessThan((await load(NANO)).score(TEXT).bitsPerByte);
  expect(await contentsOf(NANO)).toEqual(before);
});

test("reads standard input, and prints one line for people", async () => {
  const ended = await saffu(["tune", NANO, "-", "--out", join(place, "m"), "--init", "cold"], TEXT);
  expect(ended).toEqual({
    code: 0,
    out: expect.stringMatching(/^\S+: tuned on \d+ tokens in \d+ steps, [\d.]+ s\n$/),
    err: "",
  });
});

describe("a failure is one line, and writes nothing", () => {
  test.each<[number, string, string, string[]]>([
    [2, "INVALID_OPTION", "--out", ["tune", NANO, "TEXT"]],
    [2, "INVALID_OPTION", "'text'", ["tune", NANO, "--out", "OUT"]],
    [2, "INVALID_OPTION", "not a number", ["tune", NANO, "TEXT", "--out", "OUT", "--lr", "much"]],
    [2, "INVALID_OPTION", "--epochs", ["tune", NANO, "TEXT", "--out", "OUT", "--epochs", "1.5"]],
    [2, "INVALID_OPTION", "--thaw is gone", ["tune", NANO, "TEXT", "--out", "OUT", "--thaw", "2"]],
    [2, "INVALID_OPTION", "--init must be", ["tune", NANO, "TEXT", "--out", "OUT", "--init", "hot"]],
    [3, "MODEL_MISSING_FILE", "config.json", ["tune", "docs", "TEXT", "--out", "OUT"]],
    [4, "INVALID_TEXT", "nowhere.txt", ["tune", NANO, "nowhere.txt", "--out", "OUT"]],
    [4, "INVALID_TEXT", "nowhere.txt", ["tune", NANO, "TEXT", "--out", "OUT", "--dev", "nowhere.txt"]],
    [4, "INVALID_TEXT", "it is a directory", ["tune", NANO, "TEXT", "--out", "OUT", "--dev", "docs"]],
    [4, "INVALID_TEXT", "twice", ["tune", NANO, "-", "--out", "OUT", "--dev", "-"]],
    [3, "MODEL_CORRUPT", "no safetensors file", ["tune", NANO, "TEXT", "--out", "OUT", "--checkpoint", "LICENSE"]],
    [5, "UNWRITABLE", "checkpoint", ["tune", NANO, "TEXT", "--out", "OUT", "--checkpoint", "/nowhere/checkpoint"]],
    [5, "UNWRITABLE", "docs", ["tune", NANO, "TEXT", "--out", "docs"]],
  ])("%i %s: %s", async (exit, code, named, words) => {
    const given = words.map((word) => (word === "TEXT" ? text : word === "OUT" ? join(place, "m") : word));
    expect(await saffu(given)).toEqual(failure(exit, code, named));
    expect(await readdir(place)).toEqual([]);
  });

  test("7 CHECKPOINT_MISMATCH: of another run", async () => {
    const checkpoint = join(place, "run.safetensors");
    const words = ["tune", NANO, text, "--checkpoint", checkpoint, "--out"];
    expect(await saffu([...words, join(place, "a")])).toMatchObject({ code: 0, err: "" });
    const other = await saffu([...words, join(place, "b"), "--epochs", "3"]);
    expect(other).toEqual(failure(7, "CHECKPOINT_MISMATCH", "epochs 1, not 3"));
    expect((await readdir(place)).sort()).toEqual(["a", "run.safetensors"]);
  });
});

test("interrupted, it leaves a checkpoint alone, from which it goes on to the same files", async () => {
  const [checkpoint, out] = [join(place, "run.safetensors"), join(place, "m")];
  const words = ["tune", NANO, text, "--epochs", "100", "--batch", "100", "--checkpoint", checkpoint, "--out", out];
  const { child, ended } = start(words);
  // the first epoch's checkpoint says that it is at work
  while (!(await readdir(place)).includes("run.safetensors")) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGINT");
  expect(await ended).toEqual(failure(130, "ABORTED"));
  expect(await readdir(place)).toEqual(["run.safetensors"]);
  expect(await saffu(words)).toMatchObject({ code: 0, err: "" });
  const whole = join(place, "whole");
  expect(
    await saffu(words.map((word) => (word === out ? whole : word === checkpoint ? `${checkpoint}.2` : word))),
  ).toMatchObject({ code: 0 });
  expect(await contentsOf(out)).toEqual(await contentsOf(whole));
});
