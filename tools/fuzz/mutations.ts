/** Inputs for the fuzz: valid files with something done to them, as bytes and as JSON. */
import { createHash } from "node:crypto";
import fc from "fast-check";

/** Numbers at which readers go wrong: sizes that overflow, wrap, or are none. */
const NUMBERS = [0, 1, 2, 7, 8, 255, 256, 65535, 65536, 2 ** 20, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40];
const LARGE = [2 ** 53 - 1, 2 ** 53, 1e21, 1e308, Number.MAX_VALUE];

/** Bytes of any kind; every other one begins like a safetensors file: a length, an opening brace. */
export const anyBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.uint8Array({ maxLength: 600 }), fc.option(fc.oneof(fc.nat(700), fc.constantFrom(...NUMBERS, ...LARGE))))
  .map(([bytes, length]) => {
    if (length === null || bytes.length < 9) return bytes;
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(length)), true);
    bytes[8] = 0x7b;
    return bytes;
  });

type Edit = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/** Blank, quote, digit, braces: what JSON is made of; and the ends. */
const BYTES = [0, 0x20, 0x22, 0x30, 0x7b, 0x7d, 0xff];
const length = fc.integer({ min: 1, max: 200 });
/** A place in a file of which much happens at the beginning. */
const place = fc.oneof(
  fc.nat(1200).map((at) => (length: number) => at % length),
  fc
    .double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
    .map((part) => (length: number) => Math.floor(part * length)),
);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, fc.nat(7)).map(
    ([at, bit]): Edit =>
      (bytes) => {
        bytes[at(bytes.length)]! ^= 1 << bit;
        return bytes;
      },
  ),
  fc.tuple(place, fc.oneof(fc.nat(255), fc.constantFrom(...BYTES))).map(
    ([at, value]): Edit =>
      (bytes) => {
        bytes[at(bytes.length)] = value;
        return bytes;
      },
  ),
  fc.tuple(place, fc.constantFrom(...NUMBERS)).map(
    ([at, value]): Edit =>
      (bytes) => {
        const from = at(bytes.length);
        for (let i = 0; i < 4 && from + i < bytes.length; ++i) bytes[from + i] = Math.floor(value / 256 ** i) % 256;
        return bytes;
      },
  ),
  place.map(
    (at): Edit =>
      (bytes) =>
        bytes.slice(0, at(bytes.length)),
  ),
  fc.tuple(place, length).map(
    ([at, less]): Edit =>
      (bytes) =>
        spliced(bytes, at(bytes.length), less),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 64 })).map(
    ([at, more]): Edit =>
      (bytes) => {
        return spliced(bytes, at(bytes.length), 0, more);
      },
  ),
  fc.tuple(place, place, length).map(
    ([from, to, length]): Edit =>
      (bytes) => {
        const start = from(bytes.length);
        return spliced(bytes, to(bytes.length), length, bytes.slice(start, start + length));
      },
  ),
);

/** The bytes without `less` of them from `at` on, and with `more` in their place. */
function spliced(bytes: Uint8Array, at: number, less: number, more = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at + less)]));
}

/** One of some files with one to four edits. */
export function edited(...files: Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 4 })).map(([file, edits]) => {
    let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(file);
    for (const change of edits) if (bytes.length > 0) bytes = change(bytes);
    return bytes;
  });
}

/** A file of the same length with one to eight of its bytes exchanged. */
export function patched(file: Uint8Array): fc.Arbitrary<Uint8Array> {
  const patch = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  return fc.array(patch, { minLength: 1, maxLength: 8 }).map((patches) => {
    const bytes = new Uint8Array(file);
    for (const [at, value] of patches) bytes[at] = value;
    return bytes;
  });
}

/** Stands for a number in JSON text that no JavaScript number is written as. */
const RAW = "@raw:";
const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...NUMBERS, ...LARGE, -1, 0.5, `${RAW}-0`, `${RAW}1e400`, `${RAW}1E2`, `${RAW}12.0`),
  fc.constantFrom<unknown>(null, true, false, "", [], {}, [[]], "__proto__", "constructor", "x".repeat(2000)),
  fc.constantFrom<unknown>("U8", "I8", "U16", "U32", "F32", "F64", "I64", "BF16", "BPE", "mixture"),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(2, 60, 70, 20_000).map((depth) => `${RAW}${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc.string({ maxLength: 20 }),
);
const key = fc.oneof(
  fc.constantFrom("__proto__", "__metadata__", "constructor", "shape", "dtype", "data_offsets", "recent", "sha256", ""),
  fc.string({ maxLength: 8 }),
);

type Holder = Record<string, unknown> | unknown[];

/** JSON text of `valid` with one to three of its values exchanged, left out, renamed, repeated or shifted. */
export function editedJson(valid: unknown): fc.Arbitrary<string> {
  const text = JSON.stringify(valid);
  const step = fc.record({ pick: fc.nat(), act: fc.nat(5), value, key });
  return fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => {
    const root: [unknown] = [JSON.parse(text)];
    for (const { pick, act, value, key } of steps) {
      const places = placesIn(root);
      const [holder, name] = places[pick % places.length]!;
      const held = copied((holder as Record<string, unknown>)[name]);
      if (act === 1 && holder !== root) remove(holder, name);
      else if (act === 2 && !Array.isArray(holder)) {
        remove(holder, name);
        define(holder, key, held);
      } else if (act === 3) {
        if (Array.isArray(holder) && holder !== root) holder.push(held);
        else if (!Array.isArray(holder)) define(holder, key, held);
      } else if (act === 4 && typeof held === "number") define(holder, name, held + (pick % 17) - 8);
      else if (act === 5 && typeof held === "string") define(holder, name, held.slice(0, pick % (held.length + 1)));
      else define(holder, name, copied(value));
    }
    return (JSON.stringify(root[0]) ?? "").replace(/"@raw:([^"]*)"/g, "$1");
  });
}

/** What is put somewhere is changed by later steps: never in two places at once. */
function copied(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json));
}

/** The same JSON, whose strings hold no such signs, in other words: blanks after up to three of its signs. */
export function respelled(json: string): fc.Arbitrary<string> {
  const signs = [...json.matchAll(/[{[,:]/g)].map(({ index }) => index + 1);
  const blank = fc.tuple(fc.constantFrom(...signs), fc.constantFrom(" ", "\n", "\t"));
  return fc.array(blank, { maxLength: 3 }).map((blanks) =>
    // from the end on, so that places stay where they are
    blanks.sort(([a], [b]) => b - a).reduce((text, [at, sign]) => text.slice(0, at) + sign + text.slice(at), json),
  );
}

/** Every place of a JSON value: what holds it, and under which name. */
function placesIn(holder: Holder): [Holder, string][] {
  return Object.entries(holder).flatMap(([name, held]): [Holder, string][] => [
    [holder, name],
    ...(typeof held === "object" && held !== null ? placesIn(held as Holder) : []),
  ]);
}

function remove(holder: Holder, name: string): void {
  if (Array.isArray(holder)) holder.splice(Number(name), 1);
  else delete holder[name];
}

/** As an assignment, for every name, `__proto__` too. */
function define(holder: Holder, name: string, held: unknown): void {
  Object.defineProperty(holder, name, { value: held, writable: true, enumerable: true, configurable: true });
}

/** A safetensors file of any header, whether it fits the data or not, padded to a multiple of so many bytes. */
export function withHeader(header: string, data: Uint8Array, multiple = 8): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + Math.ceil(json.length / multiple) * multiple + data.length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - data.length - 8), true);
  bytes.set(json, 8);
  bytes.set(data, bytes.length - data.length);
  return bytes;
}

/** The header of a safetensors file, as text, and the bytes behind it. */
export function partsOf(bytes: Uint8Array): { header: string; data: Uint8Array } {
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: new TextDecoder().decode(bytes.subarray(8, end)).trimEnd(), data: bytes.subarray(end) };
}

/** Statistics with the digest that these bytes have; as they are, where they have no place for one. */
export function sealed(bytes: Uint8Array): Uint8Array {
  const found = /"sha256":"[^"]{64}"/.exec(Buffer.from(bytes).toString("latin1"));
  if (found === null) return bytes;
  const at = found.index + '"sha256":"'.length;
  const zeroed = Buffer.from(bytes).fill("0", at, at + 64);
  zeroed.write(createHash("sha256").update(zeroed).digest("hex"), at, "latin1");
  return new Uint8Array(zeroed);
}
