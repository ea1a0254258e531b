/** One writer at a time: nothing that was acknowledged is lost, and whoever dies while it writes keeps nobody from it. */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lockStatistics } from "../host/files/lock-node.ts";
import { LOCK } from "../host/files/statistics.ts";
import { load } from "../host/index.ts";
import { bundle } from "../tools/faults/kills.ts";
import { learnTogether } from "../tools/faults/lost.ts";
import { commandIn, contentsOf } from "./cli-fixture.ts";
import { refusal } from "./model-fixture.ts";

const NANO = "models/nano-en";
const { run, start } = commandIn("build/test-lock");

let home: string;
let holder: string;
let directory: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  holder = join(home, "holder.mjs");
  await bundle("../../test/lock-holder.ts", holder);
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  const place = await mkdtemp(join(home, "case-"));
  directory = join(place, "model");
  await cp(NANO, directory, { recursive: true });
});

const locks = async () => (await readdir(directory)).filter((name) => name.startsWith(LOCK));

/** A process that holds the directory's lock, and waits. */
async function holding() {
  const child = spawn(process.execPath, [holder, directory], { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(await locks()).toEqual([LOCK]);
  return child;
}

test("processes that learn into one directory lose no acknowledged token, and leave nothing behind", async () => {
  const { acknowledged, lost, left, pieces } = await learnTogether(NANO, 4, 3);
  expect({ lost, left }).toEqual({ lost: 0, left: [] });
  expect(acknowledged).toBeGreaterThan(0);
  for (const many of pieces) expect(many).toBeGreaterThan(0);
});

test("eight saffu observe at once all succeed, and the directory has learned all eight", async () => {
  const texts = Array.from({ length: 8 }, (_, i) => `piece ${i} of eight`);
  const ended = await Promise.all(texts.map((text) => run(["observe", directory, "-"], text)));
  for (const { code, err } of ended) expect({ code, err }).toEqual({ code: 0, err: "" });
  const alone = await load(NANO);
  for (const text of texts) await alone.observe(text);
  expect(await (await load(directory)).exportStatistics()).toEqual(await alone.exportStatistics());
  expect(Object.keys(await contentsOf(directory)).filter((name) => name.startsWith("."))).toEqual([]);
});

test("the first to observe into a model of the package make its directory once, and lose nothing", async () => {
  const place = await mkdtemp(join(home, "case-"));
  const command = join(process.cwd(), "build/test-lock/cli.js");
  const ended = await Promise.all(
    ["one", "two", "three"].map((text) => {
      const child = spawn(process.execPath, [command, "observe", "nano-en", "-"], { cwd: place });
      child.stdin.end(text);
      return new Promise((resolve) => child.on("close", resolve));
    }),
  );
  expect(ended).toEqual([0, 0, 0]);
  expect(await readdir(place)).toEqual(["nano-en"]);
  expect((await (await load(join(place, "nano-en"))).statistics()).observedTokens).toBe("onetwothree".length);
});

test("text that waits for its writer keeps nobody else waiting", async () => {
  const slow = start(["observe", directory, "-"]);
  slow.child.stdin.write("a beginning ");
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect((await run(["observe", directory, "-"], "another")).code).toBe(0);
  slow.child.stdin.end("and an end");
  expect((await slow.ended).code).toBe(0);
  const { observedTokens } = await (await load(directory)).statistics();
  expect(observedTokens).toBe("a beginning and an end".length + "another".length);
});

describe("a lock", () => {
  test("that a process holds is waited for, with a word of who it is, and left alone", async () => {
    const child = await holding();
    const leftover = ".statistics.0123456789ab.tmp"; // as it would stand while that process writes
    await writeFile(join(directory, leftover), "half");
    const model = await load(directory);
    await model.observe("meanwhile");
    const saving = model.save(directory);
    const waiting = start(["observe", directory, "-"]);
    waiting.child.stdin.end("in time");
    await new Promise((resolve) => setTimeout(resolve, 4500));
    expect(await readdir(directory)).toContain(leftover);
    expect((await (await load(directory)).statistics()).observedTokens).toBe(0);
    child.stdin.end(); // it releases
    const { code, err } = await waiting.ended;
    expect([code, err]).toEqual([0, expect.stringContaining(`waiting for process ${child.pid} `)]);
    await saving.catch((error) => expect(error).toEqual(refusal("UNWRITABLE", "changed by another")));
    expect(await readdir(directory)).not.toContain(leftover);
    expect(await locks()).toEqual([]);
  });

  test("whose wait is aborted is not taken", async () => {
    const child = await holding();
    const model = await load(directory);
    await model.observe("meanwhile");
    await expect(model.save(directory, { signal: AbortSignal.timeout(200) })).rejects.toEqual(refusal("ABORTED"));
    child.stdin.end();
    await model.save(directory);
  });

  test("of a process that was killed stops nobody", async () => {
    const child = await holding();
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
    expect(await locks()).toEqual([LOCK]);
    const lock = await lockStatistics(directory, { signal: AbortSignal.timeout(20_000) });
    lock.release();
    expect(await locks()).toEqual([]);
  });

  test.runIf(process.platform === "linux")("of a process whose number another has now stops nobody", async () => {
    const child = await holding();
    const text = Buffer.from((await contentsOf(directory))[LOCK]!, "hex").toString();
    child.stdin.end();
    await new Promise((resolve) => child.on("close", resolve));
    const reused = { ...JSON.parse(text), pid: process.pid };
    await writeFile(join(directory, LOCK), JSON.stringify(reused));
    (await lockStatistics(directory, { signal: AbortSignal.timeout(20_000) })).release();
  });

  test("that was never written stops nobody for long", async () => {
    await writeFile(join(directory, LOCK), "");
    (await lockStatistics(directory, { signal: AbortSignal.timeout(20_000) })).release();
  });

  test("is held by one at a time, however many break the one before", async () => {
    const child = await holding();
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
    const children = Array.from({ length: 6 }, () =>
      spawn(process.execPath, [holder, directory, "50"], { stdio: ["pipe", "pipe", "inherit"] }),
    );
    const said: string[] = [];
    await Promise.all(
      children.map((each) => {
        each.stdout.on("data", (chunk) => said.push(...String(chunk).trim().split("\n")));
        return new Promise((resolve) => each.on("close", resolve));
      }),
    );
    expect(said).toHaveLength(12);
    const times = said.map((line) => line.split(" ")).sort((a, b) => Number(a[1]) - Number(b[1]));
    // each has let go before the next one has it
    for (const [i, [what]] of times.entries()) expect(what, said.join()).toBe(i % 2 === 0 ? "held" : "released");
    expect(await locks()).toEqual([]);
  });

  test("that was lost meanwhile has the save refused, and the other's stands", async () => {
    const model = await load(directory);
    await model.observe("a");
    const lock = await lockStatistics(directory);
    await rm(join(directory, LOCK)); // as another does after a minute without a sign
    await expect(model.save(directory, { lock })).rejects.toThrow(refusal("UNWRITABLE", "changed by another"));
    lock.release();
    expect(await contentsOf(directory)).toEqual(await contentsOf(NANO));
  });

  test("in whose place something else stands is refused by name", async () => {
    const model = await load(directory);
    await model.observe("a");
    await cp(NANO, join(directory, LOCK), { recursive: true });
    await expect(model.save(directory)).rejects.toThrow(refusal("UNWRITABLE", LOCK));
  });
});
