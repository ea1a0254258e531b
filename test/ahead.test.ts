/** Modules built ahead: what is found by its name is what the compiler makes today, and a build does no more than it has to. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { aheadName, sourceFolder, sourcesDigest } from "../host/compile/ahead.ts";
import {
  compileDevice,
  compileRequests,
  compileSolver,
  deviceRequest,
  solverRequest,
} from "../host/compile/compile.ts";
import { readKept } from "../host/compile/kept.ts";
import { shapeOf } from "../host/fit/recipe.ts";
import { buildModules } from "../tools/modules.ts";

vi.unmock("../host/compile/compile.ts"); // the real compiler

const nano = shapeOf({ profile: "nano" });
let home: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "saffu-ahead-"));
  await buildModules("dist/modules"); // nothing to do where dist/ is new
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("names", () => {
  const sources = "digest of the sources";
  const requests = {
    another_build: solverRequest(nano, "scalar", true),
    without_threads: solverRequest(nano, "simd", false),
    another_shape: solverRequest({ ...nano, groups: 4 }, "simd", true),
    another_program: deviceRequest(nano, "simd"),
  };
  const name = aheadName(solverRequest(nano, "simd", true), sources);

  test.each(Object.entries(requests))("%s has another name", (_what, request) => {
    expect(aheadName(request, sources)).not.toBe(name);
  });

  test("other sources have another name, whatever changes: a byte, a file's name, a file in a folder; specs do not count", () => {
    const folder = join(home, "sources");
    const digests = new Set<string>();
    const change = (path: string, text: string) => {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), text);
      return digests.add(sourcesDigest(folder)).size;
    };
    expect(change("a.ts", "one")).toBe(1);
    expect(change("a.ts", "two")).toBe(2);
    expect(change("common/b.ts", "one")).toBe(3);
    expect(change("__tests__/a.spec.ts", "one")).toBe(3);
    expect(change("tsconfig.json", "{}")).toBe(3);
    rmSync(join(folder, "a.ts"));
    expect(change("c.ts", "two")).toBe(4);
    expect(aheadName(requests.another_program, [...digests][0]!)).not.toBe(
      aheadName(requests.another_program, [...digests][1]!),
    );
  });
});

describe("what a fit of a profile asks for", () => {
  test.each(["nano", "potato", "base"] as const)("%s: every module is there", async (profile) => {
    const shape = shapeOf({ profile });
    for (const build of ["scalar", "simd"] as const) {
      const found = readKept(deviceRequest(shape, build)).bytes;
      expect(found).toBeDefined();
      expect(await compileDevice(shape, build)).toEqual(found);
    }
    for (const threads of [true, false]) {
      const found = readKept(solverRequest(shape, "simd", threads)).bytes;
      expect(found).toBeDefined();
      expect(await compileSolver(shape, "simd", threads)).toEqual(found);
    }
  });

  test("is what the compiler makes", async () => {
    for (const request of [deviceRequest(nano, "simd"), solverRequest(nano, "simd", true)]) {
      expect(Buffer.compare((await compileRequests([request], nano))[0]!, readKept(request).bytes!)).toBe(0);
    }
  });
});

describe("a build", () => {
  test("compiles what is missing, deletes what no rung needs, and leaves the rest", async () => {
    const folder = join(home, "modules");
    mkdirSync(folder);
    for (const name of readdirSync("dist/modules")) copyFileSync(join("dist/modules", name), join(folder, name));
    const contents = () => readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "hex")]);
    const whole = contents();
    writeFileSync(join(folder, "device-00000000000000000000000000000000.wasm"), "of sources of before");
    writeFileSync(join(folder, "index.json.7.tmp"), "of a build that was killed");
    rmSync(join(folder, aheadName(deviceRequest(nano, "scalar"), sourcesDigest(sourceFolder()))));
    expect(await buildModules(folder)).toMatchObject({ compiled: 1, modules: whole.length - 1 });
    expect(contents()).toEqual(whole);
    expect(await buildModules(folder)).toMatchObject({ compiled: 0 });
  });

  test("of another compiler is built anew", async () => {
    const folder = join(home, "older");
    mkdirSync(folder);
    writeFileSync(join(folder, "index.json"), JSON.stringify({ compiler: "0.0.1", modules: [] }));
    const name = aheadName(deviceRequest(nano, "scalar"), sourcesDigest(sourceFolder()));
    writeFileSync(join(folder, name), "by another compiler");
    const { compiled, modules } = await buildModules(folder, ["nano"]);
    expect(compiled).toBe(modules);
    expect(
      Buffer.compare(
        gunzipSync(readFileSync(join(folder, name))).subarray(32),
        readKept(deviceRequest(nano, "scalar")).bytes!,
      ),
    ).toBe(0);
  });
});
