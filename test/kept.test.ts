/** Modules that were compiled are kept in the user's cache, or where SAFFU_MODULES says; whatever is wrong there, a fit has its modules. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { aheadName, packed, sourceFolder, sourcesDigest } from "../host/compile/ahead.ts";
import { compileDevice, deviceRequest } from "../host/compile/compile.ts";
import { cacheFolder, keepModule, keptFolder, MOST_KEPT, readKept } from "../host/compile/kept.ts";
import { shapeOf } from "../host/fit/recipe.ts";
import { commandIn, contentsOf } from "./cli-fixture.ts";

vi.unmock("../host/compile/compile.ts"); // the real compiler

const odd = { ...shapeOf({ profile: "nano" }), groups: 3 };
const request = deviceRequest(odd, "scalar");
const name = aheadName(request, sourcesDigest(sourceFolder()));
const DAY = 86_400;

let home: string;
let place: string;
let compiled: Uint8Array;
const warnings: string[] = [];
const listen = (warning: Error) => warning.name === "SaffuWarning" && warnings.push(warning.message);
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "saffu-kept-"));
  compiled = await compileDevice(odd, "scalar");
  process.on("warning", listen);
});
afterAll(() => {
  process.off("warning", listen);
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  place = mkdtempSync(join(home, "case-"));
  warnings.length = 0;
});
afterEach(() => vi.unstubAllEnvs());

/** Warnings come in a turn of their own. */
async function warned(): Promise<string[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return warnings.splice(0);
}

/** Modules go to the user's cache below `place`, and to no folder of the tests. */
function withCache(): string {
  vi.stubEnv("SAFFU_MODULES", undefined);
  vi.stubEnv("XDG_CACHE_HOME", join(place, "cache"));
  return cacheFolder(process.platform, process.env, place)!;
}

describe("the user's cache directory", () => {
  test.each<[NodeJS.Platform, Record<string, string>, string, string | undefined]>([
    ["linux", {}, "/home/a", "/home/a/.cache/saffu/modules"],
    ["linux", { XDG_CACHE_HOME: "/var/a" }, "/home/a", "/var/a/saffu/modules"],
    ["linux", { XDG_CACHE_HOME: "relative" }, "/home/a", "/home/a/.cache/saffu/modules"],
    ["linux", { XDG_CACHE_HOME: "" }, "", undefined],
    ["darwin", { XDG_CACHE_HOME: "/var/a" }, "/Users/a", "/Users/a/Library/Caches/saffu/modules"],
    ["win32", { LOCALAPPDATA: "D:\\a" }, "C:\\Users\\a", "D:\\a\\saffu\\modules"],
    ["win32", {}, "C:\\Users\\a", "C:\\Users\\a\\AppData\\Local\\saffu\\modules"],
  ])("is the system's own: %s, %j, %s", (platform, env, folder, expected) => {
    expect(cacheFolder(platform, env, folder)).toBe(expected);
  });

  test("keeps what is compiled, for this user alone, and has it found again", async () => {
    const folder = withCache();
    expect(readKept(request)).toEqual({ bytes: undefined, damaged: [] });
    expect(await compileDevice(odd, "scalar")).toEqual(compiled);
    expect(readdirSync(folder)).toEqual([name]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readKept(request).bytes).toEqual(compiled);
    expect(await warned()).toEqual([]);
  });

  test("holds a bounded number of modules: those unused for longest go, and nothing else does", async () => {
    const folder = withCache();
    mkdirSync(folder, { recursive: true });
    const now = Date.now() / 1000;
    const put = (file: string, days: number) => {
      writeFileSync(join(folder, file), "");
      utimesSync(join(folder, file), now - days * DAY, now - days * DAY);
      return file;
    };
    const other = (i: number) => `solver-${String(i).padStart(32, "0")}.wasm.gz`;
    const modules = Array.from({ length: MOST_KEPT + 4 }, (_, i) => put(other(i), i + 2));
    const foreign = ["notes.txt", "solver-1.wasm.gz"].map((file) => put(file, 1000));
    const ofAKilled = put(`.${name}.0123456789ab.tmp`, 2);
    const underWay = put(`.${name}.ba9876543210.tmp`, 0);
    await keepModule(request, compiled);
    const left = readdirSync(folder).sort();
    expect(left).toEqual([...modules.slice(0, MOST_KEPT - 1), ...foreign, underWay, name].sort());
    expect(left).not.toContain(ofAKilled);
  });

  test.runIf(process.platform === "linux")("that cannot be made is said once, and nothing hangs", async () => {
    withCache();
    vi.stubEnv("XDG_CACHE_HOME", "/proc/self/nowhere");
    for (let again = 0; again < 2; ++again) await keepModule(request, compiled);
    expect(await warned()).toEqual([
      expect.stringMatching(/^compiled modules cannot be kept in \/proc\/self\/nowhere.*ENOENT/),
    ]);
    expect(readKept(request).bytes).toBeUndefined();
  });

  test("counts a read as a use", async () => {
    const folder = withCache();
    await keepModule(request, compiled);
    utimesSync(join(folder, name), 1000, 1000);
    readKept(request);
    expect(Date.now() - statSync(join(folder, name)).mtimeMs).toBeLessThan(DAY * 1000);
  });

  test("of another user is neither written nor read, as with sudo", async () => {
    const folder = withCache();
    await keepModule(request, compiled);
    const user = vi.spyOn(process as { geteuid(): number }, "geteuid").mockReturnValue(987654);
    try {
      expect(keptFolder()).toBeUndefined();
      expect(readKept(request).bytes).toBeUndefined();
      rmSync(folder, { recursive: true });
      await keepModule(request, compiled);
      expect(existsSync(folder)).toBe(false);
    } finally {
      user.mockRestore();
    }
  });

  test("is done without where there is no home, or one that is only said to be", async () => {
    withCache();
    vi.stubEnv("XDG_CACHE_HOME", "");
    for (const folder of ["/nonexistent", join(place, "nowhere"), "relative"]) {
      vi.stubEnv("HOME", folder);
      expect(keptFolder()).toBeUndefined();
      await keepModule(request, compiled);
      expect(existsSync(folder)).toBe(false);
    }
    expect(await warned()).toEqual([]);
  });

  test("is left alone where SAFFU_MODULES is empty: the switch", async () => {
    const folder = withCache();
    vi.stubEnv("SAFFU_MODULES", "");
    expect(await compileDevice(odd, "scalar")).toEqual(compiled);
    expect(readKept(request).bytes).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
  });
});

describe("a folder that SAFFU_MODULES names", () => {
  test("is used in place of the cache, and never bounded", async () => {
    const cache = withCache();
    const folder = join(place, "named");
    mkdirSync(folder);
    vi.stubEnv("SAFFU_MODULES", folder);
    const many = Array.from({ length: MOST_KEPT + 4 }, (_, i) => `solver-${String(i).padStart(32, "0")}.wasm.gz`);
    for (const file of many) writeFileSync(join(folder, file), "");
    await keepModule(request, compiled);
    expect(readdirSync(folder).length).toBe(many.length + 1);
    expect(existsSync(cache)).toBe(false);
  });

  test("that cannot be written or made costs the time of compiling, and is said once", async () => {
    const file = join(place, "file");
    writeFileSync(file, "");
    for (const folder of [file, join(file, "below"), join(place, "no", "parent"), "/proc/nope"]) {
      vi.stubEnv("SAFFU_MODULES", folder);
      await keepModule(request, compiled);
      await keepModule(request, compiled);
      expect(readKept(request).bytes).toBeUndefined();
      const said = await warned();
      expect(said).toEqual([expect.stringContaining(`cannot be kept in ${folder}`)]);
      expect(said[0]).toContain("SAFFU_MODULES");
    }
  });
});

describe("a module that is damaged", () => {
  const ofAnother = () => packed(aheadName(deviceRequest(odd, "simd"), sourcesDigest(sourceFolder())), compiled);
  test.each<[string, (path: string) => void]>([
    ["cut", (path) => writeFileSync(path, packed(name, compiled).subarray(0, 100))],
    ["empty", (path) => writeFileSync(path, "")],
    ["altered", (path) => writeFileSync(path, packed(name, compiled).with(2000, 7))],
    ["not packed", (path) => writeFileSync(path, compiled)],
    ["another's", (path) => writeFileSync(path, ofAnother())],
    ["no module", (path) => writeFileSync(path, "no module")],
    ["endless", (path) => writeFileSync(path, packed(name, new Uint8Array(1 << 24)))],
    ["larger than any", (path) => writeFileSync(path, new Uint8Array(1 << 21))],
    ["a pipe that nobody writes to", (path) => execFileSync("mkfifo", [path])],
  ])("%s: is none, and gives way to a whole one", async (_what, damage) => {
    const folder = withCache();
    mkdirSync(folder, { recursive: true });
    damage(join(folder, name));
    expect(readKept(request)).toEqual({ bytes: undefined, damaged: [join(folder, name)] });
    await keepModule(request, compiled);
    expect(readKept(request)).toEqual({ bytes: compiled, damaged: [] });
    expect(await warned()).toEqual([]);
  });

  test("behind a link gives way in place of the link: what it leads to is left alone", async () => {
    const folder = withCache();
    mkdirSync(folder, { recursive: true });
    const other = join(place, "notes.txt");
    writeFileSync(other, "mine");
    for (const target of [other, place, "nowhere", name]) {
      rmSync(join(folder, name), { force: true });
      symlinkSync(target, join(folder, name));
      await keepModule(request, compiled);
      expect(readKept(request)).toEqual({ bytes: compiled, damaged: [] });
      expect([readdirSync(folder), readFileSync(other, "utf8")]).toEqual([[name], "mine"]);
    }
    expect(await warned()).toEqual([]);
  });

  test("is compiled anew, and this is said once", async () => {
    const folder = withCache();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), "");
    expect(await compileDevice(odd, "scalar")).toEqual(compiled);
    expect(await warned()).toEqual([`the compiled module ${join(folder, name)} is damaged: it is compiled anew`]);
    expect(await compileDevice(odd, "scalar")).toEqual(compiled);
    expect(await warned()).toEqual([]);
  });
});

describe("the command", () => {
  const { main } = commandIn("build/test-kept");
  const words = (out: string) => [
    "fit",
    "LICENSE",
    "--out",
    join(place, out),
    "--profile",
    "nano",
    "--groups",
    "3",
    "--passes",
    "1",
  ];
  /** Runs the command with the cache below `place`. */
  async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const { spawn } = await import("node:child_process");
    const { SAFFU_MODULES: _, ...rest } = process.env;
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...rest, XDG_CACHE_HOME: join(place, "cache"), ...env },
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.on("close", (code) => resolve({ code, out, err })),
    );
  }
  const cache = () => join(place, "cache", "saffu", "modules");

  test("fills an empty cache twice at once: both models are right, and every module is whole", async () => {
    const both = await Promise.all([run(words("a")), run(words("b"))]);
    expect(both.map(({ code, err }) => [code, err])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    expect(await contentsOf(join(place, "a"))).toEqual(await contentsOf(join(place, "b")));
    const kept = readdirSync(cache());
    expect(kept.filter((file) => file.startsWith("solver-")).length).toBe(1);
    expect(kept.filter((file) => file.startsWith("device-")).length).toBe(2);
    expect(kept.length).toBe(3);
    const again = await run(words("c"), { PATH: "", NODE_OPTIONS: "" });
    expect([again.code, again.err]).toEqual([0, ""]);
    expect(await contentsOf(join(place, "c"))).toEqual(await contentsOf(join(place, "a")));
  });

  test("says in one line what is damaged, and in none with --json; the next run says nothing", async () => {
    await run(words("a"));
    const damaged = join(cache(), readdirSync(cache()).find((file) => file.startsWith("solver-"))!);
    for (const json of [[], ["--json"]]) {
      writeFileSync(damaged, "");
      const { code, err } = await run([...words("b"), ...json]);
      expect(code).toBe(0);
      expect(err).toBe(
        json.length > 0 ? "" : `saffu: the compiled module ${damaged} is damaged: it is compiled anew\n`,
      );
      expect(readFileSync(damaged).length).toBeGreaterThan(1000);
      expect((await run(words("c"))).err).toBe("");
    }
  });

  // root may write all the same
  if (process.geteuid?.() !== 0) {
    test("fits where the home is for reading alone, and says it in one line", async () => {
      mkdirSync(join(place, "cache"));
      chmodSync(join(place, "cache"), 0o500);
      const { code, err } = await run(words("a"));
      expect(code).toBe(0);
      expect(err).toMatch(/^saffu: compiled modules cannot be kept in [^\n]*EACCES[^\n]*\n$/);
    });
  }

  test("fits where a file has the cache's place, and says it in one line", async () => {
    writeFileSync(join(place, "cache"), "");
    const { code, err } = await run(words("a"));
    expect(code).toBe(0);
    expect(err).toMatch(/^saffu: compiled modules cannot be kept in [^\n]*ENOTDIR[^\n]*\n$/);
  });
});
