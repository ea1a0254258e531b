/**
 * Builds modules ahead, into dist/modules/, for host/compile/ahead.ts. What is there already is not compiled again; what belongs to no
 * rung, or to sources of before, is deleted.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import {
  type AheadIndex,
  type AheadModule,
  aheadName,
  type ModuleRequest,
  packed,
  readModule,
  sourceFolder,
  sourcesDigest,
} from "../host/compile/ahead.ts";
import { CLASSIFIER_PROGRAMS, classifierRequest } from "../host/compile/classifier.ts";
import { compileRequestHere, deviceRequest, solverRequest } from "../host/compile/compile.ts";
import { watchRequest } from "../host/compile/watch.ts";
import { LADDER, type Profile, shapeOf } from "../host/fit/recipe.ts";
import type { Build } from "../host/model/kernel.ts";
import type { Shape } from "../host/shape.ts";

/** Builds of the solver: threads are Node's default; browsers share no memory unless a page asks for it. */
const SOLVER_BUILDS = [
  { build: "simd", threads: true },
  { build: "simd", threads: false },
] as const;
const DEVICE_BUILDS: readonly Build[] = ["scalar", "simd"];
const PROFILES = Object.keys(LADDER) as Profile[];
const INDEX = "index.json";

interface Rung extends Omit<AheadModule, "bytes"> {
  readonly of: Shape | undefined;
  readonly request: ModuleRequest;
}

/** Brings `folder` up to date, and says how many modules were compiled. */
export async function buildModules(
  folder: string,
  profiles: readonly Profile[] = PROFILES,
): Promise<{ compiled: number; modules: number; bytes: number }> {
  mkdirSync(folder, { recursive: true });
  const { version } = createRequire(import.meta.url)("assemblyscript/package.json");
  if (compilerOf(folder) !== version) for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const rungs = wanted(profiles);
  const keep = new Set([INDEX, ...rungs.map(({ file }) => file)]);
  const there = new Set(readdirSync(folder));
  for (const name of there) if (!keep.has(name)) rmSync(join(folder, name));
  const missing = rungs.filter(({ file }) => !there.has(file) || typeof readModule(folder, file) === "string");
  // first, so that a build that is stopped goes on from where it was
  if (compilerOf(folder) !== version) write(join(folder, INDEX), JSON.stringify({ compiler: version, modules: [] }));
  for (const { file, request, of } of missing)
    write(join(folder, file), packed(file, await compileRequestHere(request, of)));
  const modules = rungs.map(({ of, request, ...row }) => ({ ...row, bytes: statSync(join(folder, row.file)).size }));
  const index = `${JSON.stringify({ compiler: version, modules } satisfies AheadIndex, undefined, 1)}\n`;
  if (readFileSync(join(folder, INDEX), "utf8") !== index) write(join(folder, INDEX), index);
  return { compiled: missing.length, modules: rungs.length, bytes: modules.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Every module of the ladders of some profiles: about 35 kB of the package and 3 seconds of the first build a rung. */
function wanted(profiles: readonly Profile[]): Rung[] {
  const sources = sourcesDigest(sourceFolder());
  const shapes = profiles.flatMap((name) => LADDER[name].map((vocabulary) => ({ name, vocabulary })));
  const classifiers = DEVICE_BUILDS.flatMap((build) =>
    CLASSIFIER_PROGRAMS.map((program): Rung => {
      const request = classifierRequest(program, build);
      const { entry } = request;
      return { file: aheadName(request, sources), shape: "", entry, build, threads: false, of: undefined, request };
    }),
  );
  const request = watchRequest();
  const watch: Rung = {
    ...{ file: aheadName(request, sources), shape: "", entry: request.entry, build: "scalar", threads: false },
    ...{ of: undefined, request },
  };
  const rungs = shapes.flatMap(({ name, vocabulary }) => {
    const of = shapeOf({ profile: name, vocabulary });
    const rung = (request: ModuleRequest, build: Build, threads: boolean): Rung => {
      return { file: aheadName(request, sources), shape: name, entry: request.entry, build, threads, of, request };
    };
    return [
      ...DEVICE_BUILDS.map((build) => rung(deviceRequest(of, build), build, false)),
      ...SOLVER_BUILDS.map(({ build, threads }) => rung(solverRequest(of, build, threads), build, threads)),
    ];
  });
  return [...rungs, ...classifiers, watch];
}

/** Version of the compiler that made what is in `folder`, if anything is. */
function compilerOf(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, INDEX), "utf8")) as AheadIndex).compiler;
  } catch {
    return undefined;
  }
}

/** Whole or not at all: a module that is cut off would be found by its name. */
function write(path: string, contents: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
