/** saffu observe, forget, merge, refit, stats: what they print, what they change, and that they change all of it or nothing. */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withConfig } from "../host/files/config.ts";
import { readTensors, type Tensor, writeTensors } from "../host/files/safetensors.ts";
import {
  baseOf,
  CAPACITY,
  formatLearned,
  nothingObserved,
  STATISTICS,
  type Statistics,
} from "../host/files/statistics.ts";
import { load, type ModelFiles, save } from "../host/index.ts";
import { sumsOfRow } from "../tools/fuzz/plausible-sums.ts";
import { commandIn, contentsOf, failure } from "./cli-fixture.ts";

const COMMANDS = ["observe", "forget", "merge", "refit", "stats"];
/** Of bytes: a token is a byte. */
const NANO = "models/nano-en";
const TEXTS = { a: "It was the best of times, ", b: "it was the worst of times, ", c: "it was the age of wisdom" };

let saffu: ReturnType<typeof commandIn>["run"];
let start: ReturnType<typeof commandIn>["start"];
let home: string;
let place: string;
let model: string;
let fresh: Record<string, string>;
let files: ModelFiles;

/** The path of a text. */
const at = (name: string) => join(home, `${name}.txt`);
/** What the library says that DIR has learned. */
const stats = async (directory = model) => (await load(directory)).statistics();

beforeAll(async () => {
  ({ run: saffu, start } = commandIn("build/test-cli-learning"));
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  for (const [name, text] of Object.entries(TEXTS)) await writeFile(at(name), text);
  await writeFile(at("empty"), "");
  await writeFile(at("long"), "It was the epoch of belief. ".repeat(200_000));
  fresh = await contentsOf(NANO);
  files = (await load(NANO)).files;
});

beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
  model = join(place, "model");
  await cp(NANO, model, { recursive: true });
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** Runs a command that must be done, and parses what it prints. */
async function done(...words: string[]) {
  const { code, out, err } = await saffu([...words, "--json"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.endsWith("}\n")).toBe(true);
  return JSON.parse(out);
}

/** Has the library observe texts, each a piece, into a directory. */
async function observed(directory: string, ...names: (keyof typeof TEXTS)[]): Promise<void> {
  const loaded = await load(directory);
  for (const name of names) await loaded.observe(TEXTS[name]);
  await loaded.save(directory);
}

/** A model over another base: one bias differs. */
async function anotherBase(directory: string): Promise<void> {
  const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
  const bias = tensors.get("decoder.o0")!;
  const data = (bias.data as Float32Array).slice();
  data[0]! -= 1;
  const weights = writeTensors(new Map([...tensors, ["decoder.o0", { ...bias, data } as Tensor]]));
  const { shape, recipe } = (await load(NANO)).config;
  await save(directory, await withConfig(new Map([...files, ["model.safetensors", weights]]), shape, recipe));
}

describe("help", () => {
  test.each(COMMANDS)("saffu %s --help shows an example and the exit codes", async (command) => {
    const { code, out, err } = await saffu([command, "--help"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`Example:\n  saffu ${command} `);
    for (const exit of ["0 done", "7 statistics refused", "130 interrupted"]) expect(out).toContain(exit);
  });
});

describe("a wrong command line exits with 2 and one line, and changes nothing", () => {
  test.each<[string[], string]>([
    [["observe"], "'dir'"],
    [["observe", "DIR"], "'text'"],
    [["forget", "DIR"], "'text'"],
    [["observe", "DIR", "a", "--out", "D"], "--out"],
    [["merge", "DIR", "--out", "D"], "'statistics'"],
    [["merge", "DIR", "S"], "--out"],
    [["refit", "DIR"], "--out"],
    [["stats", "DIR", "--all"], "--all"],
    [["refit", "MODEL", "--out", "MODEL", "--scope", "all"], "--scope is gone: a refit solves the decoder alone"],
    [["refit", "MODEL", "--out", "MODEL", "--scope=decoder"], "--scope is gone"],
    [["refit", "MODEL", "--search", "--out", "MODEL"], "--search is gone: --step"],
    [["stats", "MODEL", "--search"], "unknown option '--search'"],
    [["refit", "MODEL", "--out", "MODEL", "--mass", "300"], "--mass is --pseudo-counts now"],
    [["refit", "MODEL", "--out", "MODEL", "--pseudo-counts", "0"], "--pseudo-counts"],
    [["refit", "MODEL", "--out", "MODEL", "--pseudo-counts", "much"], "--pseudo-counts"],
    [["refit", "MODEL", "--out", "MODEL", "--step", "4.5"], "0..4"],
  ])("%j", async (words, named) => {
    const given = words.map((word) => (word === "MODEL" ? model : word));
    expect(await saffu(given)).toEqual(failure(2, "INVALID_OPTION", named));
    expect(await contentsOf(model)).toEqual(fresh);
  });

  test.each(COMMANDS)("%s of a directory without a model exits with 3", async (command) => {
    const words = {
      observe: [at("a")],
      forget: [at("a")],
      merge: [model, "--out", place],
      refit: ["--out", place],
      stats: [],
    };
    const missing = join(place, "missing");
    const ended = await saffu([command, missing, ...words[command as keyof typeof words]]);
    expect(ended).toEqual(failure(3, "MODEL_MISSING_FILE", join(missing, "config.json")));
    expect(await readdir(place)).toEqual(["model"]);
  });
});

describe("stats", () => {
  test("tells what the library tells, and exports what it names", async () => {
    const none = await done("stats", model);
    expect(none).toEqual({
      ...(await stats()),
      observedTokens: 0,
      generation: 0,
      filled: 0,
      memoryTokens: 0,
      corrected: false,
    });
    expect(await contentsOf(model)).toEqual(fresh);
    await observed(model, "a", "b");
    await done("refit", model, "--out", model);
    const file = join(place, "out.safetensors");
    const info = await done("stats", model, "--export", file);
    expect(info).toEqual(await stats());
    expect(info).toMatchObject({ observedTokens: TEXTS.a.length + TEXTS.b.length, corrected: true });
    expect(info.baseDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(info.baseDigest).toBe(none.baseDigest);
    const bytes = await readFile(file);
    expect(info.bytes).toBe(bytes.length);
    expect(info.statisticsDigest).toBe(createHash("sha256").update(bytes).digest("hex"));
  });

  test("prints a row each for people", async () => {
    const { code, out } = await saffu(["stats", model]);
    const rows = Object.entries(await stats()).map(([name, value]) => expect.stringMatching(`^${name} +${value}$`));
    expect([code, out.trimEnd().split("\n")]).toEqual([0, rows]);
  });

  test("exports to no file that is there, and leaves none that is not whole", async () => {
    const file = join(place, "out.safetensors");
    await writeFile(file, "mine");
    expect(await saffu(["stats", model, "--export", file])).toEqual(failure(5, "UNWRITABLE", file, "EEXIST"));
    expect(await readFile(file, "utf8")).toBe("mine");
    const nowhere = join(place, "no", "such", "place");
    expect(await saffu(["stats", model, "--export", nowhere])).toEqual(failure(5, "UNWRITABLE", nowhere, "ENOENT"));
  });

  test.skipIf(process.platform === "win32")("exports nothing where there is no room", async () => {
    const file = join(place, "out.safetensors");
    // 16 blocks of 512 bytes; the statistics of nano take 32 KiB
    const { child, ended } = start(["stats", model, "--export", file], "ulimit -f 16");
    child.stdin.end();
    expect(await ended).toEqual(failure(5, "UNWRITABLE", file, "EFBIG"));
    expect(await readdir(place)).toEqual(["model"]);
  });
});

describe("observe and forget", () => {
  test("each file is a piece of its own, and so is standard input; the order is nothing", async () => {
    const report = await done("observe", model, at("a"), at("b"));
    const [one, other] = [await load(NANO), await load(NANO)];
    const bits = (await one.observe(TEXTS.a)).bits + (await one.observe(TEXTS.b)).bits;
    const bytes = TEXTS.a.length + TEXTS.b.length;
    const { statisticsDigest } = await one.statistics();
    expect(report).toEqual({
      pieces: 2,
      tokens: bytes,
      bytes,
      bitsPerByte: bits / bytes,
      observedTokens: bytes,
      generation: 0,
      memoryTokens: bytes,
      evictedTokens: 0,
      statisticsDigest,
      seconds: expect.any(Number),
    });
    expect(await readFile(join(model, STATISTICS))).toEqual(Buffer.from((await one.learnedFile())!));
    await other.observe(TEXTS.a + TEXTS.b);
    expect((await other.statistics()).statisticsDigest).not.toBe(statisticsDigest);

    await rm(join(model, STATISTICS));
    const piped = await saffu(["observe", model, at("b"), "-"], TEXTS.a);
    expect(piped).toMatchObject({ code: 0, err: "" });
    expect(piped.out).toMatch(
      /^observed 53 tokens \(53 bytes, [\d.]+ bits per byte under the base\); 53 tokens are in the statistics\n$/,
    );
    expect((await stats()).statisticsDigest).toBe(statisticsDigest);
  });

  test("bytes that are not UTF-8 are data", async () => {
    const bytes = Uint8Array.of(0xff, 0, 0x80, 0xc3);
    const { code, out } = await saffu(["observe", model, "-", "--json"], bytes);
    expect([code, JSON.parse(out).bytes]).toEqual([0, 4]);
    expect(await saffu(["forget", model, "-"], bytes)).toMatchObject({ code: 0, err: "" });
    expect(await contentsOf(model)).toEqual(fresh);
  });

  test("what is forgotten is gone to the last bit, in any order, in one run or in many", async () => {
    await observed(model, "a");
    const { statisticsDigest } = await stats();
    await observed(model, "b", "c", "b");
    const report = await done("forget", model, at("c"), at("b"));
    expect(report).toMatchObject({ pieces: 2, tokens: TEXTS.b.length + TEXTS.c.length });
    const { out } = await saffu(["forget", model, at("b")]);
    expect(out).toMatch(/^forgot 27 tokens .* 26 tokens are in the statistics\n$/);
    expect((await stats()).statisticsDigest).toBe(statisticsDigest);
    await done("forget", model, at("a"));
    expect(await contentsOf(model)).toEqual(fresh);
  });

  test("what was never observed is refused with 7, and what stands beside it in the same run stays", async () => {
    await observed(model, "a");
    const before = await contentsOf(model);
    for (const texts of [[at("b")], [at("a"), at("b")], [at("a"), at("a")]]) {
      expect(await saffu(["forget", model, ...texts])).toEqual(failure(7, "NOT_OBSERVED", "never observed"));
      expect(await contentsOf(model)).toEqual(before);
    }
    const json = await saffu(["forget", model, at("b"), "--json"]);
    expect([json.code, json.out, JSON.parse(json.err).error.code]).toEqual([7, "", "NOT_OBSERVED"]);
  });

  test.each<[string, () => string[], string]>([
    ["a file that is not there", () => [at("a"), at("nothing")], "nothing.txt"],
    ["a directory", () => [at("a"), home], "EISDIR"],
    ["standard input twice", () => ["-", at("a"), "-"], "twice"],
  ])("all texts or none: %s", async (_what, texts, named) => {
    await observed(model, "a", "b");
    const before = await contentsOf(model);
    for (const command of ["observe", "forget"]) {
      expect(await saffu([command, model, ...texts()], "")).toEqual(failure(4, "INVALID_TEXT", named));
      expect(await contentsOf(model)).toEqual(before);
    }
  });

  test("empty texts are learned, and nothing with them: an empty file, an empty standard input", async () => {
    await observed(model, "a", "b");
    const before = await stats(model);
    for (const command of ["observe", "forget"]) {
      const { code, out, err } = await saffu([command, model, at("empty"), "-", "--json"], "");
      expect([code, err]).toEqual([0, ""]);
      expect(JSON.parse(out)).toMatchObject({ pieces: 2, tokens: 0, bytes: 0, bitsPerByte: 0 });
      const { statisticsDigest, observedTokens } = before;
      expect(await stats(model)).toMatchObject({ statisticsDigest, observedTokens });
    }
  });

  test("statistics of another base, or broken ones, are not added to", async () => {
    await observed(model, "a");
    const whole = await readFile(join(model, STATISTICS));
    await writeFile(join(model, STATISTICS), whole.subarray(0, 10_000));
    expect(await saffu(["observe", model, at("b")])).toEqual(failure(3, "MODEL_CORRUPT", STATISTICS));
    const { baseDigest } = await stats(NANO);
    await anotherBase(join(place, "other"));
    await writeFile(join(place, "other", STATISTICS), whole);
    const other = (await baseOf((await load(await withoutStatistics(join(place, "other")))).config)).digest;
    for (const words of [
      ["observe", "OTHER", at("b")],
      ["stats", "OTHER"],
      ["eval", "OTHER", at("b")],
    ]) {
      const given = words.map((word) => (word === "OTHER" ? join(place, "other") : word));
      expect(await saffu(given)).toEqual(failure(7, "STATISTICS_MISMATCH", STATISTICS, baseDigest, other));
    }
    expect(await readFile(join(place, "other", STATISTICS))).toEqual(whole);
  });

  test.each<[string, NodeJS.Signals, number, () => string[]]>([
    ["while its input goes on", "SIGINT", 130, () => []],
    ["while its input goes on", "SIGTERM", 143, () => []],
    ["in the middle of a long text", "SIGINT", 130, () => [at("long"), at("long"), at("long")]],
  ])("observing is interrupted %s by %s, and the old state stands", async (_what, signal, code, more) => {
    await observed(model, "a");
    const before = await contentsOf(model);
    const { child, ended } = start(["observe", model, at("b"), "-", ...more()]);
    // more than the pipe between holds: once it is written, the command is at work
    await new Promise((resolve) => child.stdin.write("x".repeat(1 << 20), resolve));
    if (more().length > 0) child.stdin.end();
    await new Promise((resolve) => setTimeout(resolve, 500));
    child.kill(signal);
    expect(await ended).toEqual(failure(code, "ABORTED", signal));
    expect(await contentsOf(model)).toEqual(before);
  });

  test("by one process after the other add up; at the same time, no acknowledged one is lost", async () => {
    const each = await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        const text = join(place, `${i}.txt`);
        await writeFile(text, `${i}`.repeat(100));
        return saffu(["observe", model, text, "--json"]);
      }),
    );
    const kept = each.filter(({ code }) => code === 0);
    expect(kept.length).toBeGreaterThan(0);
    for (const ended of each) {
      if (ended.code !== 0) expect(ended).toEqual(failureInJson(5, "UNWRITABLE", STATISTICS));
    }
    const { observedTokens } = await done("observe", model, at("a"));
    expect(observedTokens).toBe(100 * kept.length + TEXTS.a.length);
    // what was kept can be forgotten, what was refused was never there
    for (const [i, { code }] of each.entries()) {
      expect((await saffu(["forget", model, join(place, `${i}.txt`)])).code).toBe(code === 0 ? 0 : 7);
    }
  });
});

/** A copy of a model directory without its statistics. */
async function withoutStatistics(directory: string): Promise<string> {
  const copy = `${directory}-base`;
  await cp(directory, copy, { recursive: true });
  await rm(join(copy, STATISTICS), { force: true });
  return copy;
}

function failureInJson(exit: number, code: string, named: string) {
  return {
    code: exit,
    out: "",
    err: expect.stringMatching(`^\\{"error":\\{"code":"${code}","message":".*${named}.*"\\}\\}\n$`),
  };
}

describe("merge", () => {
  /** Two more devices over the same base, of which one has exported its statistics to a file. */
  async function devices(): Promise<[string, string]> {
    const [kitchen, cellar] = [join(place, "kitchen"), join(place, "cellar")];
    for (const [directory, text] of [
      [kitchen, "b"],
      [cellar, "c"],
    ] as const) {
      await cp(NANO, directory, { recursive: true });
      await observed(directory, text);
    }
    await done("stats", cellar, "--export", join(place, "cellar.safetensors"));
    return [kitchen, join(place, "cellar.safetensors")];
  }

  test("of a directory and a file is one device that saw it all, in the same directory and in another", async () => {
    const others = await devices();
    await observed(model, "a");
    const before = await contentsOf(model);
    const memoryTokens = TEXTS.a.length + TEXTS.b.length; // a file of sums alone has no memory
    const all = await load(NANO);
    for (const text of [TEXTS.c, TEXTS.a, TEXTS.b]) await all.observe(text);
    const { statisticsDigest, observedTokens } = await all.statistics();

    const out = join(place, "deep", "all");
    expect(await done("merge", model, ...others, "--out", out)).toEqual({
      merged: 2,
      observedTokens,
      memoryTokens,
      statisticsDigest,
    });
    expect(await stats(out)).toMatchObject({ statisticsDigest, memoryTokens });
    expect(await contentsOf(model)).toEqual(before);
    expect(Object.keys(await contentsOf(out))).toEqual(Object.keys(before));

    const { code, out: line, err } = await saffu(["merge", model, ...[...others].reverse(), "--out", model]);
    expect([code, line, err]).toEqual([
      0,
      `merged 2 into ${model}: ${observedTokens} tokens are in the statistics\n`,
      "",
    ]);
    expect((await stats()).statisticsDigest).toBe(statisticsDigest);
  });

  test("into a model that has learned nothing, and with itself: a piece counts as often as it is merged", async () => {
    const [, file] = await devices();
    await done("merge", model, file, file, "--out", model);
    const twice = await load(NANO);
    await twice.observe(TEXTS.c);
    await twice.observe(TEXTS.c);
    expect((await stats()).statisticsDigest).toBe((await twice.statistics()).statisticsDigest);
  });

  test("of another base is refused with 7 and both digests, and nothing is written", async () => {
    const other = join(place, "other");
    await anotherBase(other);
    await observed(other, "a");
    const [kitchen] = await devices();
    const digests = [(await stats(other)).baseDigest, (await stats()).baseDigest];
    for (const out of [model, join(place, "out")]) {
      const ended = await saffu(["merge", model, kitchen, other, "--out", out]);
      expect(ended).toEqual(failure(7, "STATISTICS_MISMATCH", other, ...digests));
      const json = await saffu(["merge", model, other, "--out", out, "--json"]);
      expect(json).toEqual(failureInJson(7, "STATISTICS_MISMATCH", digests.join(".*")));
    }
    expect(await contentsOf(model)).toEqual(fresh);
    expect(await readdir(place)).not.toContain("out");
  });

  test("of what is missing, broken or no statistics is refused with 3 by name, and nothing is written", async () => {
    const [kitchen, file] = await devices();
    const [cut, altered, bare] = ["cut", "altered", "bare"].map((name) => join(place, name)) as [
      string,
      string,
      string,
    ];
    const bytes = await readFile(file);
    await writeFile(cut, bytes.subarray(0, 10_000));
    await writeFile(altered, bytes.fill(1, 10_000, 10_001));
    await cp(NANO, bare, { recursive: true });
    for (const [path, code] of [
      [cut, "MODEL_CORRUPT"],
      [altered, "MODEL_DIGEST"],
      [bare, "MODEL_MISSING_FILE"],
      [join(place, "nothing"), "MODEL_MISSING_FILE"],
      [join(NANO, "model.safetensors"), "MODEL_CORRUPT"],
      [at("empty"), "MODEL_CORRUPT"],
    ] as const) {
      const ended = await saffu(["merge", model, kitchen, path, "--out", model]);
      expect(ended).toEqual(failure(3, code, path));
      expect(await contentsOf(model)).toEqual(fresh);
    }
  });

  test("beyond the capacity is refused with 7, and nothing is written", async () => {
    const { config } = await load(NANO);
    const base = await baseOf(config);
    const write = async (name: string, statistics: Statistics) => {
      const path = join(place, name);
      await writeFile(path, await formatLearned({ statistics, pieces: [], correction: undefined }, base));
      return path;
    };
    const one = await write("one", { ...nothingObserved(base.shape), tokens: 1 });
    const many = await write("many", { ...nothingObserved(base.shape), tokens: CAPACITY });
    const full = await write("full", sumsOfRow(base.shape, 200_000));
    for (const files of [
      [one, many],
      [full, full],
    ]) {
      const ended = await saffu(["merge", model, ...files, "--out", model]);
      expect(ended).toEqual(failure(7, "STATISTICS_FULL", files[1]!, String(CAPACITY)));
      expect(await contentsOf(model)).toEqual(fresh);
    }
    expect((await done("merge", model, many, "--out", model)).observedTokens).toBe(CAPACITY);
  });

  test("to what cannot be written exits with 5", async () => {
    const [kitchen] = await devices();
    expect(await saffu(["merge", model, kitchen, "--out", home])).toEqual(failure(5, "UNWRITABLE", home));
    const through = join(at("a"), "out");
    expect(await saffu(["merge", model, kitchen, "--out", through])).toEqual(
      failure(5, "UNWRITABLE", through, "ENOTDIR"),
    );
  });
});

describe("refit", () => {
  const text = "She sells sea shells by the sea shore. ".repeat(20);
  beforeEach(async () => {
    await writeFile(join(place, "shells.txt"), text);
  });
  const bits = async (directory: string) => (await done("eval", directory, join(place, "shells.txt"))).bitsPerByte;

  test("in the same directory changes its predictions, not its base; and is what the library does", async () => {
    const own = await load(model);
    await own.observe(text);
    await own.save(model);
    const before = await bits(model);
    const report = await done("refit", model, "--out", model);
    expect(report).toEqual({ pseudoCounts: 3000, step: 1, tokens: text.length, seconds: expect.any(Number) });
    expect(await bits(model)).toBeLessThan(before);
    const { [STATISTICS]: statistics, ...base } = await contentsOf(model);
    expect(base).toEqual(fresh);
    const same = await load(NANO);
    await same.observe(text);
    await same.refit();
    expect(statistics).toBe(Buffer.from((await same.learnedFile())!).toString("hex"));
  });

  test("to another directory leaves the first as it was, and takes the options", async () => {
    const own = await load(model);
    await own.observe(text);
    await own.save(model);
    const before = await contentsOf(model);
    const out = join(place, "out");
    const options = ["--pseudo-counts", "50", "--step", "0.5"];
    expect(await done("refit", model, "--out", out, ...options)).toMatchObject({ pseudoCounts: 50, step: 0.5 });
    expect(await contentsOf(model)).toEqual(before);
    const same = await load(model);
    await same.refit({ pseudoCounts: 50, step: 0.5 });
    expect(await readFile(join(out, STATISTICS))).toEqual(Buffer.from((await same.learnedFile())!));
    expect((await done("stats", out)).statisticsDigest).toBe((await stats()).statisticsDigest);
    // again, into the model that is there now
    expect(await done("refit", model, "--out", out, "--step", "0.25")).toMatchObject({ step: 0.25 });
    expect((await readdir(place)).sort()).toEqual(["model", "out", "shells.txt"]);
  });

  test("of nothing is the base, and says so", async () => {
    const out = join(place, "out");
    const said = `nothing is in the statistics: the base, without a correction: ${out}\n`;
    expect(await saffu(["refit", model, "--out", out])).toEqual({ code: 0, out: said, err: "" });
    expect(await contentsOf(out)).toEqual(await contentsOf(model));
  });

  test("says in a line what it was solved from", async () => {
    const own = await load(model);
    await own.observe(text);
    await own.save(model);
    const { code, out, err } = await saffu(["refit", model, "--out", model]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(new RegExp(`^refitted to ${text.length} tokens in [\\d.]+ s, step 1: `));
  });

  test("to what cannot be written exits with 5, and leaves it alone", async () => {
    const own = await load(model);
    await own.observe(text);
    await own.save(model);
    const before = await contentsOf(model);
    await mkdir(join(place, "thesis"));
    await writeFile(join(place, "thesis", "chapter.txt"), "mine");
    const out = join(place, "thesis");
    expect(await saffu(["refit", model, "--out", out])).toEqual(failure(5, "UNWRITABLE", out));
    expect(await readdir(out)).toEqual(["chapter.txt"]);
    expect(await contentsOf(model)).toEqual(before);
  });
});

test("an error's line has at most 300 characters, of any command line, and no control characters but its end", async () => {
  const long = "n".repeat(5000);
  for (const words of [
    ["info", long],
    ["info", join(place, long, "model")],
    ["info", "a\u001b[31mred\u0007"],
    ["eval", NANO, join(place, ...Array.from({ length: 40 }, (_, i) => `folder ${i}`), "text")],
    ["generate", NANO, "--seed", long],
    ["generate", NANO, "--build", '"'.repeat(3000)],
    ["fit", "-", "--out", join(place, "m"), "--profile", long],
    [long],
    ["info", `--${long}`],
    ["compile", NANO, "--target", long, "--out", join(place, "out")],
  ]) {
    for (const more of [[], ["--json"]]) {
      const { code, out, err } = await saffu([...words, ...more]);
      expect([code === 0, out]).toEqual([false, ""]);
      expect(err.length, err).toBeLessThanOrEqual(301);
      expect(err, words.join().slice(0, 50)).toMatch(/^[^\p{Cc}]+\n$/u);
      expect(err).toMatch(more.length > 0 ? /^\{"error":\{"code":"[A-Z_]+"/ : /^saffu: [A-Z_]+: /);
    }
  }
});
