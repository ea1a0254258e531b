/**
 * The safetensors format: a little-endian u64 header length, a JSON header, then the tensors' bytes back to back. What is
 * written here is read by the safetensors libraries, byte for byte the same for the same tensors.
 *
 * ```ts
 * const bytes = writeTensors(new Map([["block.u0", { dtype: "F32", shape: [64], data: new Float32Array(64) }]]));
 * const { tensors } = readTensors(bytes, "model.safetensors");
 * tensors.get("block.u0")!.data; // Float32Array(64)
 * ```
 */
import { SaffuError } from "../errors.ts";
import { isRecord, parseUniqueJson, TwiceError } from "./json.ts";

export const ARRAYS = {
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
} as const;

/** The element types read and written here, in the format's own names. */
export type Dtype = keyof typeof ARRAYS;

/** One tensor: `data` holds the product of `shape` elements, row-major. */
export interface Tensor<D extends Dtype = Dtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: InstanceType<(typeof ARRAYS)[D]>;
}

/** The contents of a safetensors file. */
export interface TensorFile {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

const MAX_HEADER = 1 << 20;
/** Most bytes of a file before its tensors. */
export const MOST_HEADER = 8 + MAX_HEADER;

/**
 * Reads a safetensors file. The tensors are views into `bytes` (or into one copy of it, where it is not 8-byte aligned).
 *
 * @param file the file's name, for messages
 * @throws SaffuError MODEL_CORRUPT, naming the tensor, where the file is not whole: a header over 1 MiB, not JSON or with a key twice, an unknown
 * dtype, a size other than the shape's, a misaligned tensor, or bytes that belong to no tensor or to two
 */
export function readTensors(bytes: Uint8Array, file: string): TensorFile {
  const corrupt = (what: string, cause?: unknown) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`, { cause });
  if (bytes.length < 8) throw corrupt(`no safetensors file, ${bytes.length} bytes are too few for a header`);
  const whole = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  const length = Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER || length > whole.length - 8) {
    throw corrupt(`no safetensors file, a header of ${length} bytes exceeds ${Math.min(MAX_HEADER, whole.length - 8)}`);
  }
  let header: unknown;
  try {
    header = parseUniqueJson(whole.subarray(8, 8 + length));
  } catch (cause) {
    if (cause instanceof TwiceError) throw corrupt(`in the header ${cause.message}`, cause);
    throw corrupt("no safetensors file, the header is not JSON", cause);
  }
  if (!isRecord(header)) throw corrupt("the header is not an object");

  const room = whole.length - 8 - length;
  const tensors = new Map<string, Tensor>();
  const spans: { name: string; begin: number; end: number }[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isRecord(entry) || Object.values(entry).some((value) => typeof value !== "string")) {
        throw corrupt("the metadata is not an object of strings");
      }
      metadata = entry as Record<string, string>;
      continue;
    }
    const wrong = (what: string) => corrupt(`tensor ${JSON.stringify(name)}: ${what}`);
    if (!isRecord(entry)) throw wrong("not an object");
    const { dtype, shape, data_offsets: offsets } = entry;
    if (typeof dtype !== "string" || !Object.hasOwn(ARRAYS, dtype))
      throw wrong(`unknown dtype ${JSON.stringify(dtype)}`);
    if (!isSizes(shape)) throw wrong("the shape is not a list of sizes");
    if (!isSizes(offsets) || offsets.length !== 2) throw wrong("data_offsets is not a pair of offsets");
    const [begin, end] = offsets as [number, number];
    if (begin > end || end > room) throw wrong(`bytes ${begin}..${end} are not within the file's ${room}`);
    const Elements = ARRAYS[dtype as Dtype];
    const count = shape.reduce((product, size) => product * size, 1);
    if (end - begin !== count * Elements.BYTES_PER_ELEMENT) {
      throw wrong(`${end - begin} bytes do not hold [${shape.join(", ")}] of ${dtype}`);
    }
    const at = 8 + length + begin;
    if (at % Elements.BYTES_PER_ELEMENT !== 0) throw wrong(`offset ${at} is not aligned for ${dtype}`);
    const data = new Elements(whole.buffer as ArrayBuffer, whole.byteOffset + at, count);
    tensors.set(name, { dtype: dtype as Dtype, shape: [...shape], data });
    spans.push({ name, begin, end });
  }

  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  for (const { name, begin, end } of spans) {
    if (begin !== reached) {
      throw corrupt(
        `tensor ${JSON.stringify(name)}: ${begin < reached ? "overlaps another" : `leaves a gap before byte ${begin}`}`,
      );
    }
    reached = end;
  }
  if (reached !== room) throw corrupt(`${room - reached} bytes at the end belong to no tensor`);
  return { tensors, metadata };
}

/**
 * Writes a safetensors file. Tensors stand in the order of their element sizes, largest first, then of their names: every one is
 * then aligned without gaps (the format allows none), and the bytes depend on the tensors alone.
 *
 * @throws SaffuError MODEL_CORRUPT, naming the tensor, where data and shape disagree
 */
export function writeTensors(tensors: ReadonlyMap<string, Tensor>, metadata: Record<string, string> = {}): Uint8Array {
  const sorted = [...tensors].sort(
    ([a, x], [b, y]) => y.data.BYTES_PER_ELEMENT - x.data.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  );
  const entries: [string, unknown][] = [];
  const sortedMetadata = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (sortedMetadata.length > 0) entries.push(["__metadata__", Object.fromEntries(sortedMetadata)]);
  let reached = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (!(data instanceof ARRAYS[dtype]) || data.length !== count || name === "__metadata__") {
      const what = `tensor ${JSON.stringify(name)}: ${data.length} elements do not make [${shape.join(", ")}] of ${dtype}`;
      throw new SaffuError("MODEL_CORRUPT", what);
    }
    entries.push([name, { dtype, shape, data_offsets: [reached, reached + data.byteLength] }]);
    reached += data.byteLength;
  }
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  const header = new TextEncoder().encode(json);
  const headerLength = Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + reached);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(header, 8);
  let at = 8 + headerLength;
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
