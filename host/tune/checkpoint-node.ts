/**
 * Checkpoints of a tuning run (Node only): one safetensors file with everything that the next step depends on, replaced atomically. A
 * run that is resumed from it gives the same bits as one that was never interrupted.
 */
import { access, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SaffuError } from "../errors.ts";
import { errno, reasonOf, replaceFile } from "../files/directory-node.ts";
import { isRecord } from "../files/json.ts";
import { checkMost } from "../files/read.ts";
import { readRegular } from "../files/regular-node.ts";
import { MOST_HEADER, readTensors, type Tensor, writeTensors } from "../files/safetensors.ts";

/** Tables of the solver, weights of all layers as its layout has them and what stands beside each. */
export interface Tables {
  readonly weights: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** What a run has come to: the tables, and what the host counts beside them. */
export interface RunState extends Tables {
  /** Steps done. */
  step: number;
  /** Nats summed since the last epoch ended. */
  nats: number;
  /** Mean −log2 p of the training tokens in each finished epoch, bits a token. */
  readonly trainBits: number[];
  /** Bits per byte of the held-out text before the first epoch and after each; empty without such a text. */
  readonly devBits: number[];
  /** Epoch of the least of `devBits`, and its weights. */
  best: { readonly epoch: number; readonly weights: Float32Array } | undefined;
}

/** What a checkpoint belongs to: digests of base and texts, and every setting that decides a bit. */
export type Run = Readonly<Record<string, string | number | null>>;

/** Version 1 had places for inputs that were trained. */
const VERSION = 2;

/**
 * @returns undefined where there is no file
 * @throws SaffuError CHECKPOINT_MISMATCH, naming what differs or the version; MODEL_CORRUPT where it is no checkpoint; UNWRITABLE where it cannot be read
 */
export async function readCheckpoint(path: string, run: Run, parameters: number): Promise<RunState | undefined> {
  let bytes: Uint8Array;
  try {
    // at most four tables, in their order: weights, two moments, the best weights
    bytes = await readRegular(path, (length) => checkMost(path, length, 4 * 4 * parameters + MOST_HEADER));
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    if (errno(cause) === "ENOENT") return undefined;
    throw new SaffuError("UNWRITABLE", `${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  const { tensors, metadata } = readTensors(bytes, path);
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${path}: ${what}`);
  let found: unknown;
  try {
    found = JSON.parse(metadata.saffu ?? "");
  } catch {
    throw corrupt("it is not a checkpoint of saffu tune");
  }
  if (!isRecord(found) || !Number.isInteger(found.version) || !isRecord(found.run)) {
    throw corrupt("it is not a checkpoint of saffu tune");
  }
  if (found.version !== VERSION) {
    const what = `${path} is a checkpoint of version ${found.version}, this program goes on from version ${VERSION}`;
    throw new SaffuError("CHECKPOINT_MISMATCH", `${what}: tune from the start, with another file`);
  }
  const theirs = found.run;
  const differing = Object.keys(run).filter((name) => theirs[name] !== run[name]);
  if (differing.length > 0) {
    const what = differing.map((name) => `${name} ${JSON.stringify(theirs[name])}, not ${JSON.stringify(run[name])}`);
    throw new SaffuError("CHECKPOINT_MISMATCH", `${path} is of another run: it has ${what.join("; ")}`);
  }
  const table = (name: string): Float32Array => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float32Array) || data.length !== parameters) throw corrupt(`tensor "${name}" is missing`);
    return data;
  };
  const numbers = (name: string): number[] => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float64Array)) throw corrupt(`tensor "${name}" is missing`);
    return Array.from(data);
  };
  const [step, nats, bestEpoch] = numbers("counters");
  return {
    weights: table("weights"),
    firstMoment: table("moment.first"),
    secondMoment: table("moment.second"),
    step: step!,
    nats: nats!,
    trainBits: numbers("bits.train"),
    devBits: numbers("bits.dev"),
    best: bestEpoch! < 0 ? undefined : { epoch: bestEpoch!, weights: table("best") },
  };
}

/** @throws SaffuError UNWRITABLE; what stood there before stands there still */
export async function writeCheckpoint(path: string, run: Run, state: RunState): Promise<void> {
  const floats = (data: Float32Array) => ({ dtype: "F32", shape: [data.length], data }) as Tensor;
  const numbers = (values: readonly number[]): Tensor => {
    return { dtype: "F64", shape: [values.length], data: Float64Array.from(values) };
  };
  const tensors = new Map<string, Tensor>([
    ["weights", floats(state.weights)],
    ["moment.first", floats(state.firstMoment)],
    ["moment.second", floats(state.secondMoment)],
    ["counters", numbers([state.step, state.nats, state.best?.epoch ?? -1])],
    ["bits.train", numbers(state.trainBits)],
    ["bits.dev", numbers(state.devBits)],
  ]);
  if (state.best) tensors.set("best", floats(state.best.weights));
  await replaceFile([path, writeTensors(tensors, { saffu: JSON.stringify({ version: VERSION, run }) })]);
}

/** @throws SaffuError UNWRITABLE where a checkpoint could not be written to `path` */
export async function assertCheckpointWritable(path: string): Promise<void> {
  try {
    await access(dirname(resolve(path)), constants.W_OK);
    const found = await stat(path).catch(() => undefined);
    if (found && !found.isFile()) throw new Error("EEXIST: it is not a file");
  } catch (cause) {
    throw new SaffuError("UNWRITABLE", `${path} cannot be written: ${reasonOf(cause)}`, { cause });
  }
}
