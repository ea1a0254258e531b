/**
 * Reading a model's files, wherever they are, and refusing by name what is not whole. The places are directory-node.ts and
 * directory-web.ts.
 */
import { checkFiles, SaffuError, throwIfAborted } from "../errors.ts";
import {
  CARD,
  CONFIG,
  type FileDigest,
  MAX_CONFIG,
  type ModelConfig,
  type ModelFiles,
  parseConfig,
  REQUIRED_FILES,
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

/** What of a model is read. */
export interface Selection {
  /** Kernels that run here, the best first: the first that is there is read. Empty where the caller has one of its own. */
  readonly kernels: readonly string[];
  /** Whether files that nothing here needs are carried along, so that a save has them: the card, the other kernel. */
  readonly carried: boolean;
}

/** The files that were read; those that a model needs to run are whole, with the config.json that says so. */
export interface VerifiedFiles {
  readonly config: ModelConfig;
  /** Of every file that was read, config.json included. */
  readonly digests: Readonly<Record<string, FileDigest>>;
  readonly files: Map<string, Uint8Array>;
  /** The kernel that was read to be run. */
  readonly kernel: string | undefined;
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
 * Reads and verifies the files of a model that are needed to run it: config.json, weights, tokenizer, one kernel. What else config.json
 * lists is neither asked for nor checked, unless it is to be carried along: then it is taken where it is whole, the card as it stands.
 *
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, INVALID_SHAPE, ABORTED
 */
export async function readVerified(
  readFile: ReadFile,
  options: ReadOptions,
  selection: Selection,
): Promise<VerifiedFiles> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const configBytes = await readFile(CONFIG, undefined, signal);
  const config = parseConfig(configBytes);
  const listed = (name: string) => Object.hasOwn(config.files, name);
  const kernels = selection.kernels.filter(listed);
  if (kernels.length < Math.min(selection.kernels.length, 1)) {
    throw new SaffuError("MODEL_MISSING_FILE", `${CONFIG} lists no ${selection.kernels.join(" or ")}`);
  }
  const sizeOf = (name: string) => config.files[name]!.bytes;
  let total = configBytes.length;
  for (const name of [...REQUIRED_FILES, ...kernels.slice(0, 1)]) total += sizeOf(name);
  let done = configBytes.length;
  onProgress?.({ done, total });
  const files = new Map([[CONFIG, configBytes]]);
  const read = async (name: string): Promise<void> => {
    const bytes = await readFile(name, sizeOf(name), signal);
    await verifyFile(name, bytes, config.files[name]!);
    throwIfAborted(signal);
    done += bytes.length;
    onProgress?.({ done, total });
    files.set(name, bytes);
  };
  const readKernel = async (): Promise<string | undefined> => {
    for (const [i, name] of kernels.entries()) {
      const next = kernels[i + 1];
      try {
        await read(name);
        return name;
      } catch (cause) {
        if (next === undefined || !(cause instanceof SaffuError && cause.code === "MODEL_MISSING_FILE")) throw cause;
        total += sizeOf(next) - sizeOf(name);
      }
    }
    return undefined;
  };
  const carry = async (name: string): Promise<void> => {
    try {
      const bytes = await readFile(name, name === CARD ? undefined : sizeOf(name), signal);
      if (name !== CARD) await verifyFile(name, bytes, config.files[name]!);
      files.set(name, bytes);
    } catch (cause) {
      throwIfAborted(signal);
      if (!(cause instanceof SaffuError)) throw cause;
    }
  };
  const [kernel] = await Promise.all([readKernel(), ...REQUIRED_FILES.map(read)]);
  const others = Object.keys(config.files).filter((name) => !files.has(name));
  if (selection.carried) await Promise.all(others.map(carry));
  const digests: Record<string, FileDigest> = {};
  for (const name of [CONFIG, ...Object.keys(config.files)]) {
    const bytes = files.get(name);
    if (bytes === undefined) continue;
    const asRecorded = name !== CONFIG && name !== CARD;
    digests[name] = asRecorded ? config.files[name]! : { bytes: bytes.length, sha256: await sha256(bytes) };
  }
  return { config, digests, files: new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1))), kernel };
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
  return { readFile, carried: true, readStatistics: async () => files.get(STATISTICS) };
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
