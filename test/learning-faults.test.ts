/** What a model has learned survives kills, full disks, directories that cannot be written, and other writers. */
import { execFileSync, spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withConfig } from "../host/files/config.ts";
import { assertWritable } from "../host/files/directory-node.ts";
import { STATISTICS } from "../host/files/statistics.ts";
import { writeStatistics } from "../host/files/statistics-node.ts";
import { load, type Model, save } from "../host/index.ts";
import { bundleWriter, killWriters } from "../tools/faults/kills.ts";
import { refusal } from "./model-fixture.ts";
import { needs } from "./needs.ts";

const NANO = "models/nano-en";
const LEFTOVER = ".statistics.0123456789ab.tmp";

let home: string;
let writer: string;
let place: string;
let directory: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  await chmod(home, 0o755); // one test's process is another user's
  writer = join(home, "writer.mjs");
  await bundleWriter(writer);
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
  await chmod(place, 0o755);
  directory = join(place, "model");
});

/** A model that has learned something, in `directory`, and the names and bytes of its files. */
async function learned(): Promise<{ model: Model; before: Record<string, string> }> {
  await cp(NANO, directory, { recursive: true });
  const model = await load(directory);
  await model.observe("It was the best of times");
  await model.save(directory);
  return { model, before: await contents() };
}

async function contents(of = directory): Promise<Record<string, string>> {
  const names = (await readdir(of)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(of, name), "hex")])),
  );
}

const stateOf = async (model: Model) => [
  await model.statistics(),
  Buffer.from((await model.learnedFile()) ?? []).toString("hex"),
];

/** What stands in the directory is what stood there, and it loads. */
async function intact(before: Record<string, string>): Promise<void> {
  expect(await contents()).toEqual(before);
  expect((await load(directory)).config).toBeDefined();
}

test("a writer killed at any moment leaves the last acknowledged state, or the one it was about to save", async () => {
  // each is checked by killWriters: never corrupt, never older. 25 of the 200 of `npm run faults`
  const report = await killWriters(NANO, 25, 3);
  expect(report.between + report.old + report.new).toBe(25);
  expect(report.old + report.new).toBeGreaterThan(0); // half of the kills aim at a save
  expect(report.saves).toBeGreaterThan(25);
});

describe("a disk that takes no more", () => {
  /** Whether this process may mount file systems. */
  const mayMount = (() => {
    const probe = join(tmpdir(), `saffu-mount-${process.pid}`);
    try {
      execFileSync("mkdir", [probe]);
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", probe], { stdio: "ignore" });
      execFileSync("umount", [probe]);
      return true;
    } catch {
      return false;
    } finally {
      execFileSync("rmdir", [probe]);
    }
  })();

  needs("the right to mount file systems", mayMount)("on a file system of its own", () => {
    let mounted = false;
    const mount = (options: string) => {
      execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", place]);
      mounted = true;
    };
    afterEach(() => {
      if (mounted) execFileSync("umount", [place]);
      mounted = false;
    });

    test("full: the save is refused, the old state stands, and once there is room it can be saved again", async () => {
      mount("size=512k");
      const { model, before } = await learned();
      await model.observe("it was the worst of times");
      await model.refit();
      const wanted = await stateOf(model);
      const filler = join(place, "filler");
      await writeFile(filler, new Uint8Array(512 << 10)).catch(() => {}); // whatever there is room for
      await expect(model.save(directory)).rejects.toThrow(refusal("UNWRITABLE", join(directory, STATISTICS), "ENOSPC"));
      await intact(before);
      expect(await stateOf(model)).toEqual(wanted);
      await rm(filler);
      await model.save(directory);
      expect(await stateOf(await load(directory))).toEqual(wanted);
    });

    test("read-only: the same, with or without something left behind by a killed writer", async () => {
      mount("size=512k");
      const { model } = await learned();
      await writeFile(join(directory, LEFTOVER), "half");
      const before = await contents();
      await model.observe("it was the worst of times");
      execFileSync("mount", ["-o", "remount,ro", place]);
      await expect(model.save(directory)).rejects.toThrow(refusal("UNWRITABLE", join(directory, STATISTICS), "EROFS"));
      await intact(before);
      execFileSync("mount", ["-o", "remount,rw", place]);
      await rm(join(directory, LEFTOVER));
      execFileSync("mount", ["-o", "remount,ro", place]);
      await expect(model.save(directory)).rejects.toThrow(refusal("UNWRITABLE", join(directory, STATISTICS), "EROFS"));
    });
  });

  /** Runs the writer of the kill tests until it fails by itself. */
  async function failing(command: string, words: string[], options: object = {}) {
    const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let [out, err] = ["", ""];
    child.stdout!.on("data", (chunk) => {
      out += chunk;
      if (out.includes("saved")) child.kill("SIGKILL"); // it must not come to that
    });
    child.stderr!.on("data", (chunk) => {
      err += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    return { code, out, err };
  }

  test.skipIf(process.platform === "win32")("a file that may not grow so far", async () => {
    const { before } = await learned();
    // 16 blocks of 512 bytes; the statistics of nano take 32 KiB
    const limited = `ulimit -f 16; exec "$0" "$@"`;
    const { code, out, err } = await failing("/bin/sh", ["-c", limited, process.execPath, writer, directory, "1"]);
    expect([code, out]).toEqual([1, expect.stringMatching(/^ready \w+\nbegin \w+\n$/)]);
    expect(err).toMatch(/UNWRITABLE[\s\S]*EFBIG|EFBIG[\s\S]*UNWRITABLE/);
    expect(err).toContain(join(directory, STATISTICS));
    await intact(before);
  });

  test.skipIf(process.platform === "win32")("a directory of another's", async () => {
    const { before } = await learned();
    await chmod(directory, 0o555);
    // mode bits do not bind root: the process is nobody's then
    const nobody = process.getuid!() === 0 ? { uid: 65534, gid: 65534 } : {};
    const { code, out, err } = await failing(process.execPath, [writer, directory, "1"], nobody);
    await chmod(directory, 0o755);
    expect([code, out]).toEqual([1, expect.stringMatching(/^ready \w+\nbegin \w+\n$/)]);
    expect(err).toMatch(/UNWRITABLE[\s\S]*EACCES|EACCES[\s\S]*UNWRITABLE/);
    await intact(before);
  });
});

describe("a directory that is gone", () => {
  test("before the save: model and statistics are written whole", async () => {
    const { model, before } = await learned();
    await rm(place, { recursive: true });
    await model.save(directory);
    expect(await contents()).toEqual(before);
    expect(await stateOf(await load(directory))).toEqual(await stateOf(model));
  });

  test("during the save: it is refused, and nothing is left", async () => {
    const { model, before } = await learned();
    const bytes = (await model.learnedFile())!;
    const moved = join(place, "moved");
    await rename(directory, moved);
    await expect(writeStatistics(directory, bytes)).rejects.toThrow(
      refusal("UNWRITABLE", join(directory, STATISTICS), "ENOENT"),
    );
    expect(await readdir(place)).toEqual(["moved"]);
    expect(await contents(moved)).toEqual(before);
  });

  test("and a file in its place: it is refused", async () => {
    const { model } = await learned();
    await rm(directory, { recursive: true });
    await writeFile(directory, "mine");
    await expect(model.save(directory)).rejects.toThrow(refusal("UNWRITABLE", directory, "ENOTDIR"));
    expect(await readFile(directory, "utf8")).toBe("mine");
    expect(await readdir(place)).toEqual(["model"]);
  });
});

describe("another writer between load and save", () => {
  const REFUSED = () => refusal("UNWRITABLE", join(directory, STATISTICS), "changed by another", "load it again");

  test.each<[string, (other: Model) => Promise<unknown>]>([
    ["learned something else", (other) => other.observe("it was the age of wisdom")],
    ["learned the same", (other) => other.observe("it was the worst of times")],
    ["forgot all there was", (other) => other.forget("It was the best of times")],
    ["refitted", (other) => other.refit()],
  ])("that %s: the save is refused, and the other's stands", async (_what, change) => {
    await learned();
    const [model, other] = [await load(directory), await load(directory)];
    await change(other);
    await other.save(directory);
    const after = await contents();
    await model.observe("it was the worst of times");
    const wanted = await stateOf(model);
    await expect(model.save(directory)).rejects.toThrow(REFUSED());
    await intact(after);
    // nothing is lost: it can be saved elsewhere, and the other goes on
    await model.save(join(place, "elsewhere"));
    expect(await stateOf(await load(join(place, "elsewhere")))).toEqual(wanted);
    await other.observe("it was the age of foolishness");
    await other.save(directory);
    expect(await stateOf(await load(directory))).toEqual(await stateOf(other));
  });

  test("that was the first to save: a model without statistics notices, too", async () => {
    await cp(NANO, directory, { recursive: true });
    const [model, other] = [await load(directory), await load(directory)];
    await other.observe("a");
    await other.save(directory);
    await model.observe("b");
    await expect(model.save(directory)).rejects.toThrow(REFUSED());
  });

  test("that fitted anew: the save is refused, and the other's model stands", async () => {
    const { model } = await learned();
    const { shape } = model.config;
    await save(directory, await withConfig(model.files, shape, { fitted: "anew" }));
    const after = await contents();
    expect(Object.keys(after)).not.toContain(STATISTICS);
    await model.observe("it was the worst of times");
    await expect(model.save(directory)).rejects.toThrow(
      refusal("UNWRITABLE", join(directory, "config.json"), "changed by another"),
    );
    await intact(after);
  });

  test("at the very same time: one of them is acknowledged, and its state stands", async () => {
    await learned();
    for (let round = 0; round < 5; ++round) {
      const models = await Promise.all(Array.from({ length: 6 }, () => load(directory)));
      await Promise.all(models.map((model, i) => model.observe(`${round} of ${i}`.repeat(i + 1))));
      const results = await Promise.allSettled(models.map((model) => model.save(directory)));
      const won = models.filter((_, i) => results[i]!.status === "fulfilled");
      expect(won.length, `round ${round}`).toBe(1);
      for (const result of results) {
        if (result.status === "rejected") expect(result.reason).toEqual(refusal("UNWRITABLE", directory));
      }
      expect(await stateOf(await load(directory))).toEqual(await stateOf(won[0]!));
      expect(Object.keys(await contents()).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }
  });

  test("that put something unreadable there: the save is refused", async () => {
    const { model } = await learned();
    await rm(join(directory, STATISTICS));
    await mkdir(join(directory, STATISTICS));
    await model.observe("it was the worst of times");
    await expect(model.save(directory)).rejects.toThrow(refusal("UNWRITABLE", join(directory, STATISTICS), "EISDIR"));
    expect(await readdir(join(directory, STATISTICS))).toEqual([]);
  });
});

describe("what a killed writer left behind", () => {
  test("is no part of the model: load does not look at it", async () => {
    const { model } = await learned();
    const whole = (await model.learnedFile())!;
    await model.observe("it was the worst of times");
    const newer = (await model.learnedFile())!;
    for (const bytes of [new Uint8Array(0), newer.subarray(0, 5000), newer]) {
      await writeFile(join(directory, LEFTOVER), bytes);
      expect(await (await load(directory)).learnedFile()).toEqual(whole);
      expect(await readFile(join(directory, LEFTOVER))).toHaveLength(bytes.length);
    }
  });

  test("is removed by the next save, and nothing else is", async () => {
    const { model } = await learned();
    const own = [
      ".statistics.mine.tmp",
      ".statistics.0123456789ab.tmp~",
      "statistics.0123456789ab.tmp",
      ".other.0123456789ab.tmp",
    ];
    for (const name of [LEFTOVER, ".statistics.fedcba987654.tmp", ...own])
      await writeFile(join(directory, name), "half");
    await model.observe("it was the worst of times");
    await model.save(directory);
    const names = await readdir(directory);
    expect(names.filter((name) => name.endsWith("tmp") || name.endsWith("~")).sort()).toEqual(own.sort());
    expect(await stateOf(await load(directory))).toEqual(await stateOf(model));
  });

  test("does not stand in the way of a new model in its place", async () => {
    const { model } = await learned();
    await writeFile(join(directory, LEFTOVER), "half");
    await assertWritable(directory); // as a fit asks before its work, and writes after it
    await save(directory, model.files);
    expect(await contents()).toEqual(await contents(NANO));
    expect(await readdir(place)).toEqual(["model"]);
  });
});

test("saves of one model that overlap are done one after the other", async () => {
  const { model } = await learned();
  const saves = [];
  for (const text of ["it was the worst of times", "it was the age of wisdom"]) {
    await model.observe(text);
    saves.push(model.save(directory), model.save(directory));
  }
  await Promise.all(saves);
  expect(await stateOf(await load(directory))).toEqual(await stateOf(model));
});

test("a model that has forgotten all it had learned has no statistics, on disk neither", async () => {
  const { model } = await learned();
  await model.forget("It was the best of times");
  await model.save(directory);
  expect(await contents()).toEqual(await contents(NANO));
});
