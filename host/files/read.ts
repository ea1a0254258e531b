/**
 * Reading a model's files, wherever they are, and refusing by name what is not whole. The places are directory-node.ts and
 * directory-web.ts.
 */
import { checkFiles, SaffuError, throwIfAborted } from "../errors.ts";
import {
  CONFIG,
  type FileDigest,
  MAX_CONFIG,
  type ModelConfig,
  type ModelFiles,
  parseConfig,
  STATISTICS,
  sha256,
  verifyFile,
  wrongLength,
} from "./config.ts";

/** How far a load has come, in bytes of the files it reads. */
export interface LoadProgress {
  readonly done: number;
  readonly total: number;
}

/** What every load takes. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** Files that are whole, with the config.json that says so. */
export interface VerifiedFiles {
  readonly config: ModelConfig;
  /** Of every file, config.json included. */
  readonly digests: Readonly<Record<string, FileDigest>>;
  readonly files: Map<string, Uint8Array>;
}

/**
 * Reads one file of a model. `expected` is the length config.json records; a file of another length is refused before it is read
 * whole. Without it the file is config.json, of at most MAX_CONFIG bytes.
 */
export type ReadFile = (
  name: string,
  expected: number | undefined,
  signal: AbortSignal | undefined,
) => Promise<Uint8Array>;

/**
 * Reads and verifies all files of a model.
 *
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, INVALID_SHAPE, ABORTED
 */
export async function readVerified(readFile: ReadFile, options: ReadOptions): Promise<VerifiedFiles> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const configBytes = await readFile(CONFIG, undefined, signal);
  const config = parseConfig(configBytes);
  const names = Object.keys(config.files);
  const total = names.reduce((sum, name) => sum + config.files[name]!.bytes, configBytes.length);
  let done = configBytes.length;
  onProgress?.({ done, total });
  const read = async (name: string): Promise<[string, Uint8Array]> => {
    const expected = config.files[name]!;
    const bytes = await readFile(name, expected.bytes, signal);
    await verifyFile(name, bytes, expected);
    throwIfAborted(signal);
    done += bytes.length;
    onProgress?.({ done, total });
    return [name, bytes];
  };
  const files = new Map([[CONFIG, configBytes], ...(await Promise.all(names.map(read)))]);
  const digests = { [CONFIG]: { bytes: configBytes.length, sha256: await sha256(configBytes) }, ...config.files };
  return { config, digests, files };
}

/** Files that are in memory already. @throws SaffuError INVALID_OPTION */
export function memorySource(given: ReadonlyMap<unknown, unknown>) {
  checkFiles(given);
  const files = given as ModelFiles;
  const readFile: ReadFile = async (name, expected) => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new SaffuError("MODEL_MISSING_FILE", `${name} is missing`);
    checkLength(name, bytes.length, expected);
    return bytes;
  };
  return { readFile, readStatistics: async () => files.get(STATISTICS) };
}

/** What a ReadFile does with a length before it reads the bytes. */
export function checkLength(name: string, found: number, expected: number | undefined): void {
  if (expected !== undefined && found !== expected) throw wrongLength(name, found, expected);
  if (expected === undefined) checkMost(name, found, MAX_CONFIG);
}

/** The same where the length is only bounded. @throws SaffuError MODEL_CORRUPT */
export function checkMost(name: string, found: number, most: number): void {
  if (found > most) throw new SaffuError("MODEL_CORRUPT", `${name}: ${found} bytes, at most ${most} are read`);
}
