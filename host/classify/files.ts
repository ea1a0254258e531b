/**
 * A classifier's directory: config.json with the encoding and the labels, model.safetensors, the kernels, and statistics.safetensors with what was
 * learned since.
 */
import { invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import {
  CLASSIFIER_FORMAT,
  CONFIG,
  type FileDigest,
  formatJson,
  isFileName,
  KERNEL_FILES,
  MAX_CONFIG,
  type ModelFiles,
  STATISTICS,
  sha256,
  verifyFile,
} from "../files/config.ts";
import { isRecord, parseUniqueJson } from "../files/json.ts";
import type { ReadFile } from "../files/read.ts";
import { MOST_HEADER, readTensors, type Tensor, writeTensors } from "../files/safetensors.ts";
import { sealTensors, unsealTensors } from "../files/sealed.ts";
import type { Correction } from "./device.ts";
import type { Encoder } from "./encoding.ts";
import { encoderOf } from "./encodings.ts";
import {
  type ClassifierShape,
  FORMS,
  type Form,
  type HiddenLayer,
  inputsOf,
  MOST_HIDDEN,
  rowBytes,
  sumCells,
} from "./layout.ts";
import type { Layer } from "./solver.ts";

const VERSION = 1;
const WEIGHTS = "model.safetensors";
const STATISTICS_FORMAT = "saffu-classifier-statistics";
const STATISTICS_VERSION = "1";
/** Room that is kept in config.json for digests. */
const MOST_DIGESTS = 4096;
/** Longest kernel, or parameters of an encoding. */
const MOST_BYTES = 1 << 22;
const MOST_LABEL = 256;

function tensor(data: ArrayBufferView, dtype: Tensor["dtype"], ...sizes: number[]): Tensor {
  return { dtype, shape: sizes, data: data as Tensor["data"] };
}

/** How a refit is made unless it is told otherwise. */
export interface RefitSettings {
  readonly pseudoCounts: number;
  readonly step: number;
}

/** All that a classifier is, but its kernels. */
export interface Classifier {
  readonly encoder: Encoder<unknown>;
  readonly labels: readonly string[];
  readonly shape: ClassifierShape;
  readonly layer: Layer;
  readonly refit: RefitSettings;
  readonly recipe: Readonly<Record<string, unknown>>;
}

/** The files of a classifier. */
export async function formatClassifier(classifier: Classifier, kernels: ModelFiles): Promise<Map<string, Uint8Array>> {
  const { encoder, labels, shape, layer } = classifier;
  const classes = labels.length;
  const { parameters } = encoder.plan;
  const { hidden } = shape;
  const weights = writeTensors(
    new Map<string, Tensor>([
      ...(hidden ? tensorsOf(hidden) : []),
      ["bias", tensor(layer.bias, "F32", classes)],
      ["prior", tensor(layer.prior, "F32", classes)],
      ["scales", tensor(layer.scales, "F32", classes)],
      ["encoding", tensor(parameters, "U8", parameters.length)],
      ["rows", tensor(layer.rows, "U8", inputsOf(shape).features, rowBytes(classes, shape.bits))],
    ]),
  );
  const files = new Map([...kernels, [WEIGHTS, weights] as const].sort(([a], [b]) => (a < b ? -1 : 1)));
  const digests: Record<string, FileDigest> = {};
  for (const [name, bytes] of files) digests[name] = { bytes: bytes.length, sha256: await sha256(bytes) };
  return new Map([[CONFIG, formatConfig(classifier, digests)], ...files]);
}

/** config.json. @throws SaffuError INVALID_OPTION where columns, categories, labels and notes are more than are read again */
export function formatConfig(
  { encoder, labels, shape, refit, recipe }: Classifier,
  files: Readonly<Record<string, FileDigest>>,
): Uint8Array {
  const { hidden } = shape;
  const config = formatJson({
    ...{ format: CLASSIFIER_FORMAT, version: VERSION, encoding: { kind: encoder.kind, ...encoder.spec }, labels },
    ...(hidden ? { hidden: { groups: hidden.groups, units: hidden.units, weightBits: hidden.bits } } : {}),
    ...{ weightBits: shape.bits, exact: shape.form, refit, recipe, files },
  });
  if (config.length <= MAX_CONFIG - MOST_DIGESTS) return config;
  const what = "the names of columns, categories and labels, and notes, together in config.json";
  throw invalidOption(what, `at most ${MAX_CONFIG - MOST_DIGESTS} bytes`, config.length);
}

function tensorsOf({ groups, units, bits, bias, scales, rows }: HiddenLayer): [string, Tensor][] {
  const columns = groups * units;
  const width = rowBytes(columns, bits);
  return [
    ["hidden.bias", tensor(bias, "F32", columns)],
    ["hidden.scales", tensor(scales, "F32", columns)],
    ["hidden.rows", tensor(rows, "U8", rows.length / width, width)],
  ];
}

/** What was read of a directory. */
export interface Read {
  readonly classifier: Classifier;
  /** Kernels, and config.json and weights as they were. */
  readonly files: Map<string, Uint8Array>;
}

/**
 * Reads a classifier and verifies it.
 *
 * @throws SaffuError MODEL_MISSING_FILE, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, ABORTED
 */
export async function readClassifier(readFile: ReadFile, signal?: AbortSignal | undefined): Promise<Read> {
  throwIfAborted(signal);
  const bytes = await readFile(CONFIG, undefined, signal);
  const config = parseConfig(bytes);
  const files = new Map([[CONFIG, bytes]]);
  for (const [name, digest] of Object.entries(config.files)) {
    if (name !== WEIGHTS && !(KERNEL_FILES as readonly string[]).includes(name)) continue;
    const found = await readFile(name, digest.bytes, signal);
    throwIfAborted(signal);
    await verifyFile(name, found, digest);
    files.set(name, found);
  }
  return { classifier: classifierOf(config, files.get(WEIGHTS)!), files };
}

interface Config {
  readonly encoding: Readonly<Record<string, unknown>>;
  readonly labels: readonly string[];
  readonly hidden?: { readonly groups: number; readonly units: number; readonly weightBits: number };
  readonly weightBits: number;
  readonly exact: Form;
  readonly refit: RefitSettings;
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, FileDigest>>;
}

function parseConfig(bytes: Uint8Array): Config {
  const corrupt = (what: string, cause?: unknown) => new SaffuError("MODEL_CORRUPT", `${CONFIG}: ${what}`, { cause });
  let json: unknown;
  try {
    json = parseUniqueJson(bytes);
  } catch (cause) {
    throw corrupt("not JSON: truncated or altered", cause);
  }
  if (!isRecord(json) || json.format !== CLASSIFIER_FORMAT) {
    throw corrupt(`"format" is not "${CLASSIFIER_FORMAT}": is it a language model?`);
  }
  const { version, encoding, labels, hidden, weightBits, exact, refit, recipe, files } = json;
  if (version !== VERSION) {
    throw new SaffuError(
      "MODEL_VERSION",
      `${CONFIG}: version ${JSON.stringify(version)} found, ${VERSION} is supported`,
    );
  }
  if (!isRecord(encoding)) throw corrupt(`"encoding" is not an object`);
  if (!isLabels(labels)) throw corrupt(`"labels" are not 2 to 256 texts, each once`);
  if (weightBits !== 8 && weightBits !== 4) throw corrupt(`"weightBits" is neither 8 nor 4`);
  if (hidden !== undefined && !isHidden(hidden)) throw corrupt(`"hidden" is no layer of groups of units`);
  if (!FORMS.includes(exact as Form)) throw corrupt(`"exact" is none of ${FORMS.join(", ")}`);
  const positive = (value: unknown) => typeof value === "number" && value > 0 && value < 1e9;
  if (!isRecord(refit) || !positive(refit.pseudoCounts) || !positive(refit.step))
    throw corrupt(`"refit" has no settings`);
  if (!isRecord(recipe)) throw corrupt(`"recipe" is not an object`);
  if (!isRecord(files) || !Object.hasOwn(files, WEIGHTS)) throw corrupt(`"files" does not list ${WEIGHTS}`);
  if (!KERNEL_FILES.some((name) => Object.hasOwn(files, name))) throw corrupt(`"files" lists no kernel`);
  for (const [name, entry] of Object.entries(files)) {
    const { bytes, sha256 } = isRecord(entry) ? entry : { bytes: -1, sha256: "" };
    const known = Number.isSafeInteger(bytes) && (bytes as number) >= 0 && typeof sha256 === "string";
    if (!isFileName(name) || !known) throw corrupt(`"files" does not give bytes and sha256 of ${JSON.stringify(name)}`);
    const most = name === WEIGHTS ? 65536 * 256 + MOST_BYTES + MOST_HEADER : MOST_BYTES;
    if ((bytes as number) > most) throw corrupt(`${name} is said to have ${bytes} bytes, at most ${most} are read`);
  }
  return json as unknown as Config;
}

function isHidden(hidden: unknown): boolean {
  if (!isRecord(hidden) || (hidden.weightBits !== 8 && hidden.weightBits !== 4)) return false;
  return faultOfHidden(hidden.groups, hidden.units) === undefined;
}

/** What is wrong about a hidden layer's sizes, as a sentence; undefined where nothing is. */
export function faultOfHidden(groups: unknown, units: unknown): string | undefined {
  const whole = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_HIDDEN;
  if (!whole(groups)) return `groups must be an integer in 1..${MOST_HIDDEN / 4}`;
  if (!whole(units) || (units as number) % 4 !== 0) return `units must be a multiple of 4 in 4..${MOST_HIDDEN}`;
  return (groups as number) * (units as number) <= MOST_HIDDEN
    ? undefined
    : `groups · units must be at most ${MOST_HIDDEN}`;
}

/** Whether they are labels: 2 to 256 texts of 1 to 256 characters, each once. */
export function isLabels(labels: unknown): labels is string[] {
  if (!Array.isArray(labels) || labels.length < 2 || labels.length > 256) return false;
  const sound = (label: unknown) => typeof label === "string" && label.length > 0 && label.length <= MOST_LABEL;
  return labels.every(sound) && new Set(labels).size === labels.length;
}

function classifierOf(config: Config, weights: Uint8Array): Classifier {
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${WEIGHTS}: ${what}`);
  const { tensors } = readTensors(weights, WEIGHTS);
  const take = (name: string, dtype: Tensor["dtype"], ...sizes: (number | undefined)[]): Tensor["data"] => {
    const found = tensors.get(name);
    tensors.delete(name);
    const fits = found?.dtype === dtype && found.shape.length === sizes.length;
    if (!fits || !found.shape.every((size, i) => sizes[i] === undefined || size === sizes[i])) {
      throw corrupt(`${name} is missing, or not ${dtype} (${sizes.map((size) => size ?? "n").join(", ")})`);
    }
    return found.data.slice();
  };
  const { encoding, labels, hidden: sizes, weightBits, exact, refit, recipe } = config;
  const { kind, ...spec } = encoding;
  const encoder = encoderOf(kind, spec, take("encoding", "U8", undefined) as Uint8Array, CONFIG);
  const classes = labels.length;
  const floats = (name: string, size: number) => finite(name, take(name, "F32", size), WEIGHTS);
  let hidden: HiddenLayer | undefined;
  if (sizes) {
    const { groups, units, weightBits: bits } = sizes;
    const columns = groups * units;
    hidden = {
      ...{ groups, units, bits, bias: floats("hidden.bias", columns), scales: floats("hidden.scales", columns) },
      rows: take("hidden.rows", "U8", encoder.plan.features, rowBytes(columns, bits)) as Uint8Array,
    };
  }
  const { features } = inputsOf({ encoding: encoder.plan, hidden });
  const layer = {
    ...{ bias: floats("bias", classes), prior: floats("prior", classes), scales: floats("scales", classes) },
    rows: take("rows", "U8", features, rowBytes(classes, weightBits)) as Uint8Array,
  };
  const [unknown] = tensors.keys();
  if (unknown !== undefined) throw corrupt(`tensor ${JSON.stringify(unknown)} has no meaning here`);
  const shape = { encoding: encoder.plan, hidden, classes, bits: weightBits, form: exact };
  return { encoder, labels, shape, layer, refit, recipe };
}

function finite(name: string, data: Tensor["data"], file: string): Float32Array<ArrayBuffer> {
  const values = data as Float32Array<ArrayBuffer>;
  if (values.every((value) => Number.isFinite(value))) return values;
  throw new SaffuError("MODEL_CORRUPT", `${file}: ${name} has a number that is not finite`);
}

/** What was learned. */
export interface Learned {
  /** The sums (assembly/classify/plan.ts has their order). */
  readonly sums: Uint32Array;
  /** Of `counts` and `ridge`: what of them the fit itself has observed; every device has it, so a merge adds what is beyond it. */
  readonly fitted: Uint32Array | undefined;
  readonly correction: Correction | undefined;
}

/** Longest statistics.safetensors of a shape. */
export function mostStatistics(shape: ClassifierShape): number {
  return sumCells(shape) * 8 + inputsOf(shape).features * shape.classes + shape.classes * 8 + MOST_HEADER;
}

/**
 * What statistics belong to: of the form `base` the frozen layer, of the others what the fit observed; and of all the encoding, the hidden
 * layer and the labels.
 */
export async function baseDigest(
  { encoder, labels, shape, layer }: Classifier,
  fitted: Uint32Array | undefined,
): Promise<string> {
  const digest = (bytes: ArrayBufferView) =>
    sha256(new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength));
  const own =
    shape.form === "base" ? [layer.rows, layer.bias, layer.scales, layer.prior] : fitted === undefined ? [] : [fitted];
  const parts: string[] = [];
  const { hidden } = shape;
  const between = hidden ? [hidden.rows, hidden.bias, hidden.scales] : [];
  for (const part of [encoder.plan.parameters, ...between, ...own]) parts.push(await digest(part));
  return sha256(
    formatJson({ kind: encoder.kind, spec: encoder.spec, labels, bits: shape.bits, exact: shape.form, parts }),
  );
}

/** statistics.safetensors: the same bytes for the same sums. */
export async function formatLearned(
  { sums, fitted, correction }: Learned,
  shape: ClassifierShape,
  digest: string,
): Promise<Uint8Array> {
  const tensors = new Map<string, Tensor>([["sums", tensor(sums, "U32", sums.length)]]);
  if (fitted) tensors.set("fitted", tensor(fitted, "U32", fitted.length));
  if (correction) {
    const { bias, scales, rows } = correction;
    tensors.set("correction.bias", tensor(bias, "F32", bias.length));
    tensors.set("correction.scales", tensor(scales, "F32", scales.length));
    tensors.set("correction.rows", tensor(rows, "I8", inputsOf(shape).features, shape.classes));
  }
  const metadata = {
    ...{ format: STATISTICS_FORMAT, version: STATISTICS_VERSION, baseDigest: digest },
    ...{ exact: shape.form, examples: String(sums[0]) },
  };
  return sealTensors(tensors, metadata, STATISTICS);
}

/**
 * Reads statistics, all of them or nothing. What of `counts` and `ridge` they belong to is in the file, so the digest is checked against what is
 * read.
 *
 * @throws SaffuError MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH
 */
export async function parseLearned(
  bytes: Uint8Array,
  classifier: Classifier,
  file: string,
  expected?: string,
): Promise<Learned> {
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const { shape } = classifier;
  const { tensors, metadata } = await unsealTensors(bytes, file, ({ format, version }) => {
    if (format !== STATISTICS_FORMAT) throw corrupt(`"format" is not "${STATISTICS_FORMAT}"`);
    if (version === STATISTICS_VERSION) return;
    throw new SaffuError(
      "MODEL_VERSION",
      `${file}: version ${JSON.stringify(version)} found, only "${STATISTICS_VERSION}"`,
    );
  });
  const cells = sumCells(shape);
  const mismatch = (wanted: string) =>
    new SaffuError(
      "STATISTICS_MISMATCH",
      `${file}: gathered under the base "${metadata.baseDigest}", this classifier's is "${wanted}"`,
    );
  const take = <T>(name: string, dtype: Tensor["dtype"], ...sizes: number[]): T | undefined => {
    const found = tensors.get(name);
    tensors.delete(name);
    if (found === undefined) return undefined;
    if (found.dtype !== dtype || found.shape.join() !== sizes.join()) {
      if (name === "sums") throw mismatch(expected ?? `${shape.form} of ${cells} sums`);
      throw corrupt(`${name} is not ${dtype} (${sizes.join(", ")})`);
    }
    return found.data.slice() as T;
  };
  const sums = take<Uint32Array>("sums", "U32", cells);
  const fitted = take<Uint32Array>("fitted", "U32", cells);
  if (sums === undefined) throw corrupt("it has no sums");
  const wantsFitted = shape.form === "counts" || shape.form === "ridge";
  if (wantsFitted !== (fitted !== undefined)) throw mismatch(expected ?? shape.form);
  const digest = await baseDigest(classifier, fitted);
  if (metadata.baseDigest !== digest || (expected ?? digest) !== digest) throw mismatch(expected ?? digest);
  const fault = faultOfSums(sums, shape) ?? (fitted && faultOfSums(fitted, shape));
  if (fault !== undefined) throw corrupt(fault);
  const { classes } = shape;
  const bias = take<Float32Array>("correction.bias", "F32", classes);
  const scales = take<Float32Array>("correction.scales", "F32", classes);
  const rows = take<Int8Array>("correction.rows", "I8", inputsOf(shape).features, classes);
  const [unknown] = tensors.keys();
  if (unknown !== undefined) throw corrupt(`tensor ${JSON.stringify(unknown)} has no meaning here`);
  if ((bias === undefined) !== (rows === undefined) || (bias === undefined) !== (scales === undefined)) {
    throw corrupt("the tensors of the correction are together or not at all");
  }
  if (!bias || !scales || !rows) return { sums, fitted, correction: undefined };
  finite("correction.bias", bias as Float32Array<ArrayBuffer>, file);
  finite("correction.scales", scales as Float32Array<ArrayBuffer>, file);
  return { sums, fitted, correction: { bias, scales, rows } };
}

/** F̂ is finer than F (assembly/classify/sums.ts). */
const FINER = 1024;

/** What is impossible about sums, as a sentence; undefined where nothing is. */
export function faultOfSums(sums: Uint32Array, shape: ClassifierShape): string | undefined {
  const { classes, form } = shape;
  const { features } = inputsOf(shape);
  const examples = sums[0]!;
  const ofClasses = sums.subarray(1, 1 + classes).reduce((sum, each) => sum + each, 0);
  if (ofClasses !== examples) return `the classes have ${ofClasses} examples together, the sums ${examples}`;
  const observed = 1 + classes;
  const second = observed + features * classes;
  for (let d = 0; d < features; ++d) {
    let own = 0;
    let other = 0;
    for (let c = 0; c < classes; ++c) {
      const cell = sums[observed + d * classes + c]!;
      if (cell > 0 && sums[1 + c] === 0) return `feature ${d} has a sum of class ${c}, which has no examples`;
      own += cell;
      if (form === "base") other += sums[second + d * classes + c]!;
    }
    if (form === "base" && other !== own * FINER)
      return `feature ${d} has ${other} expected, ${own * FINER} were observed`;
    if (form === "ridge") {
      const square = sums[second + (d * (d + 3)) / 2]!;
      if (square < own) return `feature ${d} has a square of ${square} for a sum of ${own}`;
    }
  }
  return undefined;
}
