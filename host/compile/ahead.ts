/**
 * Modules that are built ahead: a fit of a shipped profile compiles nothing, and needs no compiler.
 *
 * `npm run build` compiles a small ladder of shapes (LADDER of host/fit/recipe.ts) into dist/modules/, a file a module, gzipped. A file's name is the
 * digest of everything that its bytes follow from: the entry, the compiler's options with the shape's constants among them, and the
 * sources in assembly/. So a module of other sources is never found, however old dist/ is, and what is not found is compiled (and kept, kept.ts).
 * The compiler's version is not part of the name: it is in dist/modules/index.json, and the build compiles anew where it has changed.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { SaffuError } from "../errors.ts";
import { ownPackage } from "../files/package-node.ts";

/** One module: a program of assembly/, its files that export, and the options of the compiler, which name shape and build. */
export interface ModuleRequest {
  readonly entry: string;
  readonly files: readonly string[];
  readonly options: readonly string[];
}

/** A row of dist/modules/index.json. */
export interface AheadModule {
  readonly file: string;
  /** The rung of the ladder that it is for; "" for classifiers and watches, which have one of each for all. */
  readonly shape: string;
  readonly entry: string;
  readonly build: string;
  readonly threads: boolean;
  readonly bytes: number;
}

/** dist/modules/index.json. */
export interface AheadIndex {
  /** Version of the compiler that made them. */
  readonly compiler: string;
  readonly modules: readonly AheadModule[];
}

/** Bytes of the digest that a module's file begins with. */
const SEAL_BYTES = 32;
/** Most bytes of a module and its seal: ten times those of the largest. What claims more is none. */
const MOST_BYTES = 1 << 20;

/** File of a module in dist/modules/. `sources` is of sourcesDigest. */
export function aheadName({ entry, files, options }: ModuleRequest, sources: string): string {
  const digest = createHash("sha256").update(JSON.stringify([files, options, sources]));
  return `${entry}-${digest.digest("hex").slice(0, 32)}.wasm.gz`;
}

/** Digest of names and contents of the sources, without the specs. It takes a few milliseconds. */
export function sourcesDigest(folder: string): string {
  const digest = createHash("sha256");
  for (const name of namesBelow(folder).sort()) {
    const bytes = readFileSync(join(folder, name));
    digest.update(`${name}\n${bytes.length}\n`).update(bytes);
  }
  return digest.digest("hex");
}

/** The sources below a folder, with slashes; Node 20.0 has no readdir that goes down by itself. */
function namesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const { name } = entry;
    if (!entry.isDirectory()) return name.endsWith(".ts") ? [name] : [];
    return name === "__tests__" ? [] : namesBelow(join(folder, name)).map((below) => `${name}/${below}`);
  });
}

/** A module's file: gzipped, behind the digest of its name and its bytes, so that a file that is cut, or has another's name, is none. */
export function packed(name: string, bytes: Uint8Array): Uint8Array {
  return gzipSync(Buffer.concat([sealOf(name, bytes), bytes]), { level: 9 });
}

function sealOf(name: string, bytes: Uint8Array): Buffer {
  return createHash("sha256").update(name).update(bytes).digest();
}

/** What a folder has by a module's name: its bytes, nothing that can be read, or a file that is cut, altered or another's. */
export type Found = Uint8Array | "missing" | "damaged";

/** Reads a module. */
export function readModule(folder: string, name: string): Found {
  const path = join(folder, name);
  let packed: Uint8Array;
  try {
    const found = statSync(path);
    if (!found.isFile() || found.size > MOST_BYTES) return "damaged"; // a pipe would be waited for
    packed = readFileSync(path);
  } catch {
    return "missing";
  }
  try {
    const file = gunzipSync(packed, { maxOutputLength: MOST_BYTES });
    const bytes = Uint8Array.from(file.subarray(SEAL_BYTES));
    return sealOf(name, bytes).equals(file.subarray(0, SEAL_BYTES)) ? bytes : "damaged";
  } catch {
    return "damaged";
  }
}

/** What is built ahead, by name of the rung. */
export function shapesAhead(): string[] {
  try {
    const { modules }: AheadIndex = JSON.parse(readFileSync(join(aheadFolder(), "index.json"), "utf8"));
    return [...new Set(modules.map(({ shape }) => shape))].filter((shape) => shape !== "");
  } catch {
    return [];
  }
}

/** The package's assembly/ folder. @throws SaffuError UNSUPPORTED */
export function sourceFolder(): string {
  return join(packageFolder(), "assembly");
}

/** Where modules that were built ahead are. */
export function aheadFolder(): string {
  return join(packageFolder(), "dist", "modules");
}

function packageFolder(): string {
  const found = ownPackage();
  if (found === undefined) {
    throw new SaffuError("UNSUPPORTED", "the assembly/ sources of saffu are not beside its code, as after bundling it");
  }
  return found.root;
}
