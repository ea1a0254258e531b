/**
 * config.json: what a model directory holds. It names the format's version, the shape, how the model was made, and the size and
 * SHA-256 of every other file.
 *
 * ```ts
 * const files = await withConfig(parts, shape, { passes: 2, seed: 1 }); // adds config.json
 * const config = parseConfig(files.get("config.json")!);
 * ```
 */
import { SaffuError } from "../errors.ts";
import { fileSpecs, type Shape, tensorBytes, validateShape } from "../shape.ts";
import { isRecord, parseUniqueJson, TwiceError } from "./json.ts";
import { MOST_HEADER } from "./safetensors.ts";
import { sha256 } from "./sha256.ts";
import { shapeOfVersion1 } from "./version1.ts";

export { sha256 };

/** A model's files by name, in memory. */
export type ModelFiles = ReadonlyMap<string, Uint8Array>;

/** Size in bytes and SHA-256 in hexadecimal of one file. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** The contents of config.json. */
export interface ModelConfig {
  readonly format: typeof FORMAT;
  readonly version: typeof FORMAT_VERSION;
  readonly shape: Shape;
  /** How the model was made; any JSON, read by people and by tools. This program reads `boundary` alone: "newline" where lines are pieces. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** The model's files but config.json itself, as they were written. */
  readonly files: Readonly<Record<string, FileDigest>>;
}

export const FORMAT = "saffu";
/** What config.json of a classifier has in its place (host/classify/files.ts). */
export const CLASSIFIER_FORMAT = "saffu-classifier";
/** The version that is written; version 1, whose shapes have other names, is read, too. */
export const FORMAT_VERSION = 2;
export const CONFIG = "config.json";
/** What was learned: it changes while the rest stays, so config.json does not list it. */
export const STATISTICS = "statistics.safetensors";
/** Longest config.json that is read, in bytes. */
export const MAX_CONFIG = 1 << 20;
/** Longest kernel or card; a tokenizer.json may have a kilobyte a token more. */
const MOST_BYTES = 1 << 22;
/** The files without which a model does not run, beside a kernel. */
export const REQUIRED_FILES = ["model.safetensors", "tokenizer.json"] as const;
/** The kernels, of which a model has one or both. */
export const KERNEL_FILES = ["kernel.scalar.wasm", "kernel.simd.wasm"] as const;
/** The model card, which nothing here reads: people and hubs edit it, and cleaners remove it. */
export const CARD = "README.md";

/**
 * Reads config.json.
 *
 * @throws SaffuError MODEL_CORRUPT, MODEL_VERSION (naming the version found and the one supported), INVALID_SHAPE
 */
export function parseConfig(bytes: Uint8Array): ModelConfig {
  let json: unknown;
  try {
    json = parseUniqueJson(bytes);
  } catch (cause) {
    if (cause instanceof TwiceError) throw corrupt(cause.message, cause);
    throw corrupt("not JSON: truncated or altered", cause);
  }
  if (!isRecord(json) || json.format !== FORMAT) throw corrupt(`"format" is not "${FORMAT}"`);
  const { version, shape, recipe, files } = json;
  if (version !== FORMAT_VERSION && version !== 1) {
    const found = JSON.stringify(version);
    throw new SaffuError("MODEL_VERSION", `${CONFIG}: version ${found} found, 1 and ${FORMAT_VERSION} are supported`);
  }
  if (!isRecord(recipe)) throw corrupt(`"recipe" is not an object`);
  if (!isRecord(files)) throw corrupt(`"files" is not an object`);
  if (recipe.boundary !== undefined && recipe.boundary !== "newline" && recipe.boundary !== "none") {
    throw corrupt(`"recipe.boundary" is neither "newline" nor "none"`);
  }
  for (const [name, entry] of Object.entries(files)) {
    if (!isFileName(name)) throw corrupt(`${JSON.stringify(name)} is not the name of a file in the directory`);
    if (!isDigest(entry)) throw corrupt(`"files" does not give bytes and sha256 of ${name}`);
  }
  for (const name of REQUIRED_FILES) {
    if (!Object.hasOwn(files, name)) throw corrupt(`"files" does not list ${name}`);
  }
  if (!KERNEL_FILES.some((name) => Object.hasOwn(files, name))) {
    throw corrupt(`"files" does not list ${KERNEL_FILES.join(" or ")}`);
  }
  const checked = version === 1 ? shapeOfVersion1(shape) : validateShape(shape);
  for (const [name, { bytes }] of Object.entries(files as Record<string, FileDigest>)) {
    const most = mostBytes(name, checked);
    if (bytes > most) throw corrupt(`${name} is said to have ${bytes} bytes, at most ${most} are read with this shape`);
  }
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    shape: checked,
    recipe,
    files: files as Record<string, FileDigest>,
  };
}

/** The most bytes that a file of a model of `shape` can have, so that no file says for itself how much of it is read. */
function mostBytes(name: string, shape: Shape): number {
  if (name === "model.safetensors") {
    return fileSpecs(shape).reduce((sum, spec) => sum + tensorBytes(spec), MOST_HEADER);
  }
  return name === "tokenizer.json" ? MOST_BYTES + 1024 * shape.vocabulary : MOST_BYTES;
}

/** The bytes of config.json: keys sorted, so that equal models have equal bytes. */
export function formatConfig(config: ModelConfig): Uint8Array {
  return formatJson(config);
}

/** JSON with sorted keys: the same bytes for the same value. */
export function formatJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(sorted(value), null, 2)}\n`);
}

/** `files` with the config.json that describes them added (or replaced). Names come out sorted. */
export async function withConfig(
  files: ModelFiles,
  shape: Shape,
  recipe: Record<string, unknown>,
): Promise<Map<string, Uint8Array>> {
  const digests: Record<string, FileDigest> = {};
  for (const [name, bytes] of files) {
    if (name === CONFIG || name === STATISTICS) continue;
    if (!isFileName(name)) throw corrupt(`${JSON.stringify(name)} is not the name of a file in a directory`);
    digests[name] = { bytes: bytes.length, sha256: await sha256(bytes) };
  }
  const config = formatConfig({ format: FORMAT, version: FORMAT_VERSION, shape, recipe, files: digests });
  return new Map([...files, [CONFIG, config] as const].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Checks a file against what config.json recorded.
 *
 * @throws SaffuError MODEL_DIGEST
 */
export async function verifyFile(name: string, bytes: Uint8Array, expected: FileDigest): Promise<void> {
  if (bytes.length !== expected.bytes) throw wrongLength(name, bytes.length, expected.bytes);
  const found = await sha256(bytes);
  if (found !== expected.sha256) {
    throw new SaffuError("MODEL_DIGEST", `${name}: sha256 is ${found}, ${CONFIG} records ${expected.sha256}`);
  }
}

/** The error for a file whose length is not the recorded one; readers raise it before they read the whole. */
export function wrongLength(name: string, found: number, expected: number): SaffuError {
  const what = found < expected ? "truncated" : "too long";
  return new SaffuError("MODEL_DIGEST", `${name}: ${what}, ${found} bytes where ${CONFIG} records ${expected}`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

/** A plain name, so that a config.json cannot reach outside its directory. */
export function isFileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name) && name !== CONFIG && name !== STATISTICS;
}

function isDigest(entry: unknown): entry is FileDigest {
  if (!isRecord(entry)) return false;
  const { bytes, sha256 } = entry;
  return (
    Number.isSafeInteger(bytes) && (bytes as number) >= 0 && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256)
  );
}

function corrupt(what: string, cause?: unknown): SaffuError {
  return new SaffuError("MODEL_CORRUPT", `${CONFIG}: ${what}`, { cause });
}
