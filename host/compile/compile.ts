/**
 * The modules of one shape: built ahead (ahead.ts), kept from earlier (kept.ts), or compiled from the AssemblyScript sources. The compiler is an optional peer of the
 * package. It is loaded here, on first use, by a name that bundlers do not follow; nothing that runs a model imports this file.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { ownPackage } from "../files/package-node.ts";
import type { Build } from "../model/kernel.ts";
import { withPages } from "../model/predictor-module.ts";
import { cipherWidth, hiddenLayers, type Shape, withoutLong, withoutMemory } from "../shape.ts";
import { type ModuleRequest, shapesAhead, sourceFolder } from "./ahead.ts";
import { KEPT_MODULES, keepModule, readKept, warnOfDamage } from "./kept.ts";
import { bytesNeeded, PAGE } from "./layout.ts";
import { type ModuleOptions, moduleOptions } from "./options.ts";

const MEMORY_PAGES_LIMIT = 65536;
/** What a module begins with: a zero and "asm". */
const MAGIC = 0x0061736d;
/** The package that has the compiler, as in peerDependencies, and its entry. */
const COMPILER = "assemblyscript";
const COMPILER_ENTRY = [COMPILER, "asc"].join("/");

/**
 * The device module of `shape`: no imports, no start function, and a memory of exactly the pages it needs.
 *
 * @throws SaffuError OUT_OF_MEMORY where the shape needs more than WebAssembly can address; UNSUPPORTED where it is not built ahead and
 * the compiler is not installed
 */
export async function compileDevice(
  shape: Shape,
  build: Build,
  options: ModuleOptions = {},
  signal?: AbortSignal | undefined,
): Promise<Uint8Array> {
  return (await compileDevices(shape, [build], options, signal)).get(build)!;
}

/** The same of several builds; what is to be compiled is compiled in one process, where each after the first costs a third. */
export async function compileDevices<B extends Build>(
  shape: Shape,
  builds: readonly B[],
  options: ModuleOptions = {},
  signal?: AbortSignal | undefined,
): Promise<Map<B, Uint8Array>> {
  const requests = builds.map((build) => deviceRequest(shape, build, options));
  const modules = await readOrCompile(requests, shape, signal);
  return new Map(builds.map((build, i) => [build, sizedFor(shape, modules[i]!, options)]));
}

/** A device module with room for the shape's memory, whatever it was compiled for. @throws SaffuError OUT_OF_MEMORY */
export function sizedFor(shape: Shape, module: Uint8Array, options: ModuleOptions = {}): Uint8Array {
  return withPages(module, pagesOf(shape, options));
}

/** The solver module of `shape`, which fits and tunes; it imports its memory as `env.memory`, shared where `threads`. @throws SaffuError UNSUPPORTED, ABORTED */
export async function compileSolver(
  shape: Shape,
  build: Build,
  threads: boolean,
  signal?: AbortSignal | undefined,
): Promise<Uint8Array> {
  const [module] = await readOrCompile([solverRequest(shape, build, threads)], shape, signal);
  return module!;
}

/**
 * Finds out before long work whether its modules can be had at its end: that all are there, or that the compiler is installed.
 *
 * @throws SaffuError UNSUPPORTED
 */
export async function assertCompilable(wanted: readonly ModuleRequest[], shape: Shape): Promise<void> {
  for (const request of wanted) {
    const kept = readKept(request);
    if (kept.bytes !== undefined) continue;
    warnOfDamage(kept);
    if (compilerFile() === undefined) await compiler(request.entry, shape); // else it is loaded where it works, apart
    return;
  }
}

/** What compileDevice asks for. @throws SaffuError OUT_OF_MEMORY */
export function deviceRequest(shape: Shape, build: Build, options: ModuleOptions = {}): ModuleRequest {
  pagesOf(shape, options); // refuses what is too much
  const pages = pagesOf(withoutMemory(shape), options); // how long the memory is, is no part of the code: its pages are added
  const further = hiddenLayers(shape).length > 1 || shape.windowAttention;
  const packs = moduleOptions(shape, options).pack > 0;
  const files = ["index.ts", ...(further ? ["further.ts"] : []), ...(packs ? ["packing.ts"] : [])];
  return requestOf("device", files, shapeConstants(shape, options), [
    ...features(build),
    "--optimizeLevel=3",
    "--shrinkLevel=1",
    "--converge",
    `--initialMemory=${pages}`,
    `--maximumMemory=${pages}`,
  ]);
}

/** Pages of a device module's memory. @throws SaffuError OUT_OF_MEMORY */
function pagesOf(shape: Shape, options: ModuleOptions): number {
  const pages = Math.ceil(bytesNeeded(shape, options) / PAGE);
  if (pages <= MEMORY_PAGES_LIMIT) return pages;
  throw new SaffuError(
    "OUT_OF_MEMORY",
    `the shape needs ${pages} pages of memory, at most ${MEMORY_PAGES_LIMIT} exist`,
  );
}

/** What compileSolver asks for. */
export function solverRequest(shape: Shape, build: Build, threads: boolean): ModuleRequest {
  return requestOf("solver", ["index.ts"], shapeConstants(withoutLong(shape), { learning: false, recall: 0 }), [
    ...features(build),
    ...(threads ? ["--enable=threads", "--sharedMemory"] : []),
    "--optimizeLevel=2", // with 3 it compiles half as long again, and works no faster
    "--importMemory",
    "--initialMemory=1",
    `--maximumMemory=${MEMORY_PAGES_LIMIT}`,
  ]);
}

/** What the MVP does not have is switched off by name; the compiler enables some of it by default. */
function features(build: Build): string[] {
  const off = "--disable=bulk-memory,sign-extension,nontrapping-f2i,mutable-globals";
  return build === "simd" ? ["--enable=simd"] : [off];
}

function requestOf(entry: string, files: string[], constants: string[], options: string[]): ModuleRequest {
  const uses = constants.flatMap((constant) => ["--use", constant]);
  return {
    entry,
    files: files.map((file) => `${entry}/${file}`),
    options: ["--runtime=stub", "--noAssert", "--use=abort=", ...uses, ...options],
  };
}

/** The modules: built ahead, kept, or compiled. `shape` is for the error; classifiers have none. @throws SaffuError UNSUPPORTED, ABORTED */
export async function readOrCompile(
  wanted: readonly ModuleRequest[],
  shape: Shape | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array[]> {
  const kept = wanted.map(readKept);
  const missing = wanted.filter((_, i) => kept[i]!.bytes === undefined);
  for (const each of kept) warnOfDamage(each);
  const compiled = missing.length > 0 ? await compileRequests(missing, shape, signal) : [];
  for (const [i, request] of missing.entries()) await keepModule(request, compiled[i]!);
  return kept.map(({ bytes }) => bytes ?? compiled.shift()!);
}

/**
 * Compiles, whatever is built ahead. `shape` is for the error. The compiler has a process of its own: it looks up for nothing while it works, so an
 * abort ends it, and the 300 MB that it takes go with it. Where no process can be started it works here.
 *
 * @throws SaffuError UNSUPPORTED, ABORTED
 */
export async function compileRequests(
  requests: readonly ModuleRequest[],
  shape: Shape | undefined,
  signal?: AbortSignal | undefined,
): Promise<Uint8Array[]> {
  const file = compilerFile();
  const lines = requests.map(commandLine);
  const apart = file && (await compileApart({ file, sources: sourceFolder(), lines }, signal));
  if (apart) return apart;
  const modules: Uint8Array[] = [];
  for (const request of requests) modules.push(await compileRequestHere(request, shape));
  return modules;
}

/**
 * Compiles in this process, which hears nothing meanwhile. The compiler's code is warm from the second module on: of many, each costs a fraction
 * of what it costs in a process of its own.
 *
 * @throws SaffuError UNSUPPORTED
 */
export async function compileRequestHere(request: ModuleRequest, shape: Shape | undefined): Promise<Uint8Array> {
  const { entry } = request;
  const { bytes, said } = await compileHere(await compiler(entry, shape), sourceFolder(), commandLine(request));
  if (bytes === undefined) throw new SaffuError("UNSUPPORTED", `the ${entry} module does not compile: ${said}`);
  return bytes;
}

/** The compiler's, for a module. */
function commandLine({ files, options }: ModuleRequest): string[] {
  return [...files, "--outFile=module.wasm", ...options];
}

/** What the compiler gives: no bytes where it fails, and what it says then. */
interface Compiled {
  readonly bytes: Uint8Array | undefined;
  readonly said: string;
}

async function compileHere(
  { main }: typeof import("assemblyscript/asc"),
  sources: string,
  words: string[],
): Promise<Compiled> {
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await main(words, {
    readFile: (name) => {
      const path = join(sources, name);
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    writeFile: (_name, contents) => {
      bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  return { bytes: error ? undefined : bytes, said: stderr.toString() };
}

/**
 * The same, as the whole program of a process: a string, so that it runs the same from sources and from any bundle. It writes each module behind
 * its length.
 */
const APART = `
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
const { file, sources, lines } = JSON.parse(readFileSync(0, "utf8"));
const { main } = await import(file);
for (const words of lines) {
  let bytes;
  const { error } = await main(words, {
    readFile: (name) => (existsSync(join(sources, name)) ? readFileSync(join(sources, name), "utf8") : null),
    writeFile: (_name, contents) => { bytes = contents; },
    listFiles: () => [],
  });
  if (error) process.exit(1);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  process.stdout.write(length);
  process.stdout.write(bytes);
}
`;

/** The modules, or nothing where another process cannot compile them: then this one can, or says why not. @throws SaffuError ABORTED */
async function compileApart(
  task: { file: string; sources: string; lines: string[][] },
  signal: AbortSignal | undefined,
): Promise<Uint8Array[] | undefined> {
  throwIfAborted(signal);
  // with a signal of a group of its own, as Ctrl-C is for this process to hear; killed, as a thread would be seconds in ending
  const child = spawn(process.execPath, ["--input-type=module", "-e", APART], {
    detached: signal !== undefined,
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  let abort = () => {};
  try {
    child.stdin.on("error", () => {}); // it has ended before it has read all: its exit code says so
    child.stdin.end(JSON.stringify(task));
    const chunks: Uint8Array[] = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    const code = await new Promise<number | null>((resolve) => {
      child.on("error", () => resolve(null));
      child.on("close", resolve);
      abort = () => {
        child.kill("SIGKILL");
        resolve(null);
      };
      signal?.addEventListener("abort", abort);
    });
    throwIfAborted(signal);
    return code === 0 ? parted(Buffer.concat(chunks), task.lines.length) : undefined;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** So many modules, each behind its length; nothing where the bytes are anything else, as where something else has printed, too. */
function parted(bytes: Buffer, wanted: number): Uint8Array[] | undefined {
  const modules: Uint8Array[] = [];
  let at = 0;
  while (modules.length < wanted && at + 8 <= bytes.length && bytes.readUInt32BE(at + 4) === MAGIC) {
    const start = at + 4;
    at = start + bytes.readUInt32LE(at);
    modules.push(new Uint8Array(bytes.subarray(start, at)));
  }
  return modules.length === wanted && at === bytes.length ? modules : undefined;
}

/** The compiler's own file, as an address; undefined where it cannot be told, or this process is of no node that could be started again. */
function compilerFile(): string | undefined {
  if (!/^node(js)?(\.exe)?$/.test(basename(process.execPath))) return undefined;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${COMPILER}/package.json`);
    const { exports } = JSON.parse(readFileSync(manifest, "utf8"));
    return pathToFileURL(join(dirname(manifest), exports["./asc"].import)).href;
  } catch {
    return undefined;
  }
}

/**
 * The compiler, without the listener that its code generator leaves on the process: with it, whatever is thrown uncaught anywhere
 * in the program is printed with the generator's source, megabytes on one line.
 */
async function compiler(entry: string, shape: Shape | undefined): Promise<typeof import("assemblyscript/asc")> {
  const before = process.listeners("uncaughtException");
  const loaded = await import(/* @vite-ignore */ /* webpackIgnore: true */ COMPILER_ENTRY).catch((cause) => {
    if ((cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") throw notInstalled(entry, shape, cause);
    const what = `the compiler ${COMPILER}, which the ${entry} module of this shape needs, cannot be loaded here`;
    throw new SaffuError("UNSUPPORTED", `${what}: ${(cause as Error).message}`, { cause });
  });
  for (const listener of process.listeners("uncaughtException")) {
    // Emscripten's: it asks for its own way of leaving the stack; others may have come meanwhile
    if (!before.includes(listener) && String(listener).includes("unwind")) process.off("uncaughtException", listener);
  }
  return loaded;
}

/** Says what to install, and why a fit of a profile may need it. */
function notInstalled(entry: string, wanted: Shape | undefined, cause: unknown): SaffuError {
  const range = ownPackage()?.manifest.peerDependencies[COMPILER];
  const remedy = `npm install ${COMPILER}@${range}, or name compiled modules in ${KEPT_MODULES}`;
  if (wanted === undefined) {
    return new SaffuError("UNSUPPORTED", `the modules of classifiers are not in dist/modules: ${remedy}`, { cause });
  }
  const { vocabulary, groups, units } = wanted;
  const ahead = shapesAhead().join(", ") || "no profiles";
  const shape = `vocabulary ${vocabulary}, ${groups} groups of ${units} units`;
  const theirs =
    entry === "device"
      ? `${ahead} have theirs with the options of a model directory, of them recall`
      : `${ahead} have theirs`;
  const message = `no ${entry} module is built ahead for these options (${shape}); ${theirs}, base where the text fills its vocabulary: ${remedy}`;
  return new SaffuError("UNSUPPORTED", message, { cause });
}

/** assembly/shape.ts names its sizes; each is set here as an integer constant. */
export function shapeConstants(shape: Shape, options: ModuleOptions = {}): string[] {
  const { learning, recall, pack, flash } = moduleOptions(shape, options);
  const { units, documentSpan = 1 } = shape;
  const layers = hiddenLayers(shape);
  const of = (layer: number) => layers[layer];
  return Object.entries({
    SHAPE_VOCABULARY: shape.vocabulary,
    SHAPE_BITS: shape.bits,
    SHAPE_CIPHER_WIDTH: cipherWidth(shape),
    SHAPE_UNITS: units,
    SHAPE_WEIGHT_BITS: shape.weightBits ?? 8,
    SHAPE_LAYERS: layers.length,
    SHAPE_READS_1: of(1) ? KINDS[of(1)!.name] : 0,
    SHAPE_READS_2: of(2) ? KINDS[of(2)!.name] : 0,
    SHAPE_GROUPS_0: of(0)!.width / units,
    SHAPE_GROUPS_1: (of(1)?.width ?? 0) / units,
    SHAPE_GROUPS_2: (of(2)?.width ?? 0) / units,
    SHAPE_POSITIONS_0: of(0)!.positions,
    SHAPE_POSITIONS_1: of(1)?.positions ?? 0,
    SHAPE_POSITIONS_2: of(2)?.positions ?? 0,
    SHAPE_SPAN: documentSpan,
    SHAPE_WINDOW_ATTENTION: shape.windowAttention ? 1 : 0,
    SHAPE_HISTORY: shape.history,
    SHAPE_MATCH_LENGTH: shape.matchLength,
    SHAPE_ADAPTS: shape.adapts ? 1 : 0,
    SHAPE_INDEXED: shape.indexed ? 1 : 0,
    SHAPE_LONG: shape.longMatches ? 1 : 0,
    SHAPE_MEMORY_INDEXED: shape.memoryIndexed ? 1 : 0,
    SHAPE_LEARNING: learning ? 1 : 0,
    SHAPE_FLASH: flash ? 1 : 0,
    SHAPE_RECALL: recall,
    SHAPE_PACK: pack,
  }).map(([name, value]) => `${name}=${value}`);
}

/** What a layer reads, as assembly/shape.ts numbers it. */
const KINDS = { block: 0, document: 1, stacked: 2 } as const;
