/**
 * Modules that were compiled, kept for later fits: in the user's cache directory, or in the folder that SAFFU_MODULES names. A module is found by
 * the name that it would have had ahead (ahead.ts), so one of other sources, another shape or another build is never found.
 *
 * What is kept is never needed: a folder that cannot be written, or a file in it that is damaged, costs the time of compiling anew. It is said
 * once, as a warning of the process. Files come whole, by a rename, so that any number of processes can fill a folder at once.
 */
import { statSync, utimesSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, posix, win32 } from "node:path";
import { warn } from "../errors.ts";
import { errno, reasonOf, replaceFile } from "../files/directory-node.ts";
import { standingAt } from "../files/temporary-node.ts";
import {
  aheadFolder,
  aheadName,
  type ModuleRequest,
  packed,
  readModule,
  sourceFolder,
  sourcesDigest,
} from "./ahead.ts";

/** The environment variable that names a folder for modules in place of the user's cache directory; empty, nothing is kept. */
export const KEPT_MODULES = "SAFFU_MODULES";
/** Modules in the user's cache directory, at most, of about 6 kB (kernels) and 14 kB (solvers) each. Those longest unused go. */
export const MOST_KEPT = 256;
/** Names that are given here, and what a process that was killed has left of one. */
const OWN_NAME = /^(device|solver|classify|watch)-[0-9a-f]{32}\.wasm\.gz$/;
const LEFT_OVER = /^\.(device|solver|classify|watch)-[0-9a-f]{32}\.wasm\.gz\.[0-9a-f]+\.tmp$/;
const DAY = 86_400_000;

/** A folder of modules. */
interface Folder {
  readonly path: string;
  /** In the user's cache directory: made where it is missing, and bounded. A folder that was named is the user's to keep. */
  readonly bounded: boolean;
}

/** A module built ahead or kept, and files by its name that are damaged. */
export interface Kept {
  readonly bytes: Uint8Array | undefined;
  readonly damaged: readonly string[];
}

/** The module, if it was built ahead, or compiled and kept earlier. */
export function readKept(request: ModuleRequest): Kept {
  const name = todaysName(request);
  const kept = keptFolder();
  const damaged: string[] = [];
  for (const folder of kept === undefined ? [aheadFolder()] : [aheadFolder(), kept.path]) {
    const found = readModule(folder, name);
    if (found === "damaged") damaged.push(join(folder, name));
    else if (found !== "missing") {
      if (folder === kept?.path && kept.bounded) touch(join(folder, name));
      return { bytes: found, damaged };
    }
  }
  return { bytes: undefined, damaged };
}

/** Keeps a module that was compiled, where it can be, and warns once where it cannot. */
export async function keepModule(request: ModuleRequest, bytes: Uint8Array): Promise<void> {
  const folder = keptFolder();
  const name = todaysName(request);
  // compiled from sources that have changed meanwhile, as in an update of the package, it is not what its name says
  if (folder === undefined || name !== aheadName(request, sourcesDigest(sourceFolder()))) return;
  const { path, bounded } = folder;
  try {
    await make(path, bounded);
    await giveWay(join(path, name));
    await replaceFile([join(path, name), packed(name, bytes)]);
    if (bounded) await removeOldest(path);
  } catch (cause) {
    const why = reasonOf((cause as Error).cause ?? cause);
    warn(
      `compiled modules cannot be kept in ${path}, so each run compiles them anew (${why}); ${KEPT_MODULES} names another folder, or none`,
    );
  }
}

/** Says that a module is compiled anew. */
export function warnOfDamage({ damaged }: Kept): void {
  for (const path of damaged) warn(`the compiled module ${path} is damaged: it is compiled anew`);
}

/** Where modules are kept; undefined where they are not. */
export function keptFolder(): Folder | undefined {
  const named = process.env[KEPT_MODULES];
  if (named !== undefined) return named === "" ? undefined : { path: named, bounded: false };
  const path = cacheFolder(process.platform, process.env, homeFolder());
  return path !== undefined && isOwn(path) ? { path, bounded: true } : undefined;
}

/**
 * The folder in the user's cache directory, as each system has it: XDG Base Directory Specification, Apple's File System Programming Guide,
 * Known Folders of Windows. Undefined without a home.
 */
export function cacheFolder(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string | undefined {
  const { isAbsolute, join } = platform === "win32" ? win32 : posix;
  const named = platform === "win32" ? env.LOCALAPPDATA : platform === "darwin" ? undefined : env.XDG_CACHE_HOME;
  const usual = { win32: ["AppData", "Local"], darwin: ["Library", "Caches"] }[platform as string] ?? [".cache"];
  const cache = named !== undefined && isAbsolute(named) ? named : join(home, ...usual);
  return isAbsolute(cache) ? join(cache, "saffu", "modules") : undefined;
}

/** The user's home; empty where it is none, or only said to be: it is not for a program to make. */
function homeFolder(): string {
  try {
    const home = homedir();
    return statSync(home).isDirectory() ? home : "";
  } catch {
    return "";
  }
}

/** Whether a path, or the part of it that is there, is this user's: with another's home, as of sudo, nothing is left in it or taken from it. */
function isOwn(path: string): boolean {
  if (process.geteuid === undefined) return true;
  for (let part = path; ; part = dirname(part)) {
    try {
      return statSync(part).uid === process.geteuid();
    } catch (cause) {
      if (!["ENOENT", "ENOTDIR"].includes(errno(cause)) || dirname(part) === part) return false;
    }
  }
}

/** Makes a folder for this user alone, and in the cache directory those above it. */
async function make(path: string, above: boolean): Promise<void> {
  await mkdir(path, 0o700).catch(async (cause) => {
    if (cause.code === "EEXIST") return;
    if (cause.code !== "ENOENT" || !above || dirname(path) === path) throw cause;
    await make(dirname(path), above);
    await make(path, false);
  });
}

/** Removes a link, which is not followed to a file that may be anyone's, or a pipe. What it removes is no module. */
async function giveWay(path: string): Promise<void> {
  const found = await standingAt(path);
  if (found && !found.isFile() && !found.isDirectory()) await rm(path, { force: true });
}

/** Notes a use, at most once a day. */
function touch(path: string): void {
  try {
    const now = Date.now();
    if (now - statSync(path).mtimeMs > DAY) utimesSync(path, now / 1000, now / 1000);
  } catch {
    // it is read all the same
  }
}

/** Removes the modules that were unused for longest, and what killed processes have left. */
async function removeOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name) => {
      const used = await stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY, // another process has removed it
      );
      return { name, used };
    }),
  );
  const modules = files.filter(({ name }) => OWN_NAME.test(name)).sort((a, b) => b.used - a.used);
  const left = files.filter(({ name, used }) => LEFT_OVER.test(name) && used < Date.now() - DAY);
  for (const { name } of [...modules.slice(MOST_KEPT), ...left]) await rm(join(folder, name), { force: true });
}

let digest: string | undefined;

/** File of a module of the sources as they stood when this process first asked. */
function todaysName(request: ModuleRequest): string {
  digest ??= sourcesDigest(sourceFolder());
  return aheadName(request, digest);
}
