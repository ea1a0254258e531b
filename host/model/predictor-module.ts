/**
 * A device module whose memory ends where that of a predictor does. What learning needs comes last in the module's layout
 * (assembly/memory.ts), and the module exports as `PREDICTOR_END` where it begins: an instance that only predicts gets the same code
 * with fewer pages. Only the limits of the memory section are rewritten.
 *
 * The bytes are not trusted: each read is within bounds and moves on, so that every input ends in a module or in an error.
 */
import { leb128 } from "../bytes.ts";
import { SaffuError } from "../errors.ts";
import { aligned } from "../shape.ts";

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]; // "\0asm", version 1
const PAGE = 65536;
const [IMPORTS, MEMORY, GLOBALS, EXPORTS] = [2, 5, 6, 7] as const;
const GLOBAL_KIND = 3;
const [I32_CONST, I64_CONST, F32_CONST, F64_CONST, EXPRESSION_END] = [0x41, 0x42, 0x43, 0x44, 0x0b] as const;

/** A module for instances that only predict. */
export interface PredictorModule {
  readonly wasm: Uint8Array;
  /** Tokens that it can recall. */
  readonly recall: number;
  /** Where they stand: behind the module's own memory, or 0 for its own place. */
  readonly place: number;
  /** Where the long-term memory stands: behind what a predictor has. */
  readonly memoryAt: number | undefined;
}

/**
 * The module for an instance that only predicts: its memory has the pages up to PREDICTOR_END, at least and at most, and behind them
 * those of a memory that is longer than the module's own.
 *
 * @param wasm a device module; it is used as it is where it exports no PREDICTOR_END, as modules of older models do not
 * @param file its name, for messages
 * @param recall tokens to recall; undefined for as many as the module has room for, or where it has some for `least`
 * @param memory bytes of the long-term memory
 * @throws SaffuError MODEL_CORRUPT where the sections cannot be read, or PREDICTOR_END is not within the module's memory; UNSUPPORTED
 * where the module recalls nothing, or only in its own place, which is shorter
 */
export function predictorModule(
  wasm: Uint8Array,
  file: string,
  recall?: number,
  memory = 0,
  least = 0,
): PredictorModule {
  const corrupt: Corrupt = (what) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const sections = readSections(wasm, corrupt);
  const section = (id: number): Reader | undefined => {
    const found = sections.get(id);
    return found && new Reader(wasm, found.contents, found.end, corrupt);
  };
  const value = (name: string): number | undefined => {
    const index = globalNamed(name, section(EXPORTS));
    if (index === undefined) return undefined;
    if (sections.has(IMPORTS)) throw corrupt("imports something"); // which would shift the indices of globals
    return globalValue(index, section(GLOBALS), corrupt);
  };
  const end = value("PREDICTOR_END");
  const own = value("RECALL") ?? 0;
  const wanted = recall ?? (own > 0 ? Math.max(own, least) : 0);
  const longer = wanted > own;
  if (longer && (end === undefined || own === 0 || value("RECALLED_AT") === undefined)) {
    const room = own === 0 ? "recalls nothing" : `recalls ${own} tokens`;
    throw new SaffuError("UNSUPPORTED", `a memory of ${wanted} tokens: ${file} ${room}`);
  }
  if (end === undefined) {
    if (memory > 0) throw corrupt("knows no long-term memory");
    return { wasm, recall: wanted, place: 0, memoryAt: undefined };
  }
  const most = leastPages(section(MEMORY), corrupt);
  if (!(end > 0 && Math.ceil(end / PAGE) <= most)) {
    throw corrupt(`PREDICTOR_END is ${end}, not within its memory of ${most} pages`);
  }
  const memoryAt = aligned(end);
  const before = Math.ceil((memoryAt + memory) / PAGE);
  const pages = before + (longer ? Math.ceil((2 * wanted) / PAGE) : 0);
  const place = longer ? before * PAGE : 0;
  return { wasm: resized(wasm, sections.get(MEMORY)!, pages), recall: wanted, place, memoryAt };
}

/** The module with a memory of so many pages, at least and at most. It is one that was compiled here. */
export function withPages(wasm: Uint8Array, pages: number): Uint8Array {
  const corrupt: Corrupt = (what) => new SaffuError("MODEL_CORRUPT", what);
  const sections = readSections(wasm, corrupt);
  const section = sections.get(MEMORY)!;
  if (leastPages(new Reader(wasm, section.contents, section.end, corrupt), corrupt) === pages) return wasm;
  return resized(wasm, section, pages);
}

function resized(wasm: Uint8Array, { start, end }: Section, pages: number): Uint8Array {
  const limits = [1, 1, ...leb128(pages), ...leb128(pages)]; // one memory, with a least and a most
  const memory = [MEMORY, ...leb128(limits.length), ...limits];
  const out = new Uint8Array(start + memory.length + wasm.length - end);
  out.set(wasm.subarray(0, start));
  out.set(memory, start);
  out.set(wasm.subarray(end), start + memory.length);
  return out;
}

/**
 * Refuses a module that reaches beyond its own memory, or takes more of it as it runs.
 *
 * @throws SaffuError MODEL_CORRUPT where the sections cannot be read, something is imported, or the memory can grow
 */
export function assertContained(wasm: Uint8Array, file: string): void {
  const corrupt: Corrupt = (what) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const sections = readSections(wasm, corrupt);
  if (sections.has(IMPORTS)) throw corrupt("imports something");
  const found = sections.get(MEMORY);
  const memory = found && new Reader(wasm, found.contents, found.end, corrupt);
  const least = leastPages(memory, corrupt);
  const most = memory!.done ? undefined : memory!.unsigned();
  if (most !== least) throw corrupt("has a memory that can grow");
}

type Corrupt = (what: string) => SaffuError;

/** Where a section stands: its id at `start`, its contents from `contents` up to `end`. */
interface Section {
  readonly start: number;
  readonly contents: number;
  readonly end: number;
}

/** The sections of a module by id; of several with one id, which no valid module has but custom ones, the last. */
function readSections(wasm: Uint8Array, corrupt: Corrupt): Map<number, Section> {
  if (HEADER.some((byte, i) => wasm[i] !== byte)) throw corrupt("is not a WebAssembly module");
  const reader = new Reader(wasm, HEADER.length, wasm.length, corrupt);
  const sections = new Map<number, Section>();
  while (!reader.done) {
    const start = reader.at;
    const id = reader.byte();
    const size = reader.unsigned();
    const contents = reader.at;
    reader.skip(size);
    sections.set(id, { start, contents, end: reader.at });
  }
  return sections;
}

/** The index of an exported global; undefined where there is none of this name. */
function globalNamed(name: string, exported: Reader | undefined): number | undefined {
  if (exported === undefined) return undefined;
  for (let left = exported.unsigned(); left > 0; --left) {
    const bytes = exported.take(exported.unsigned());
    const kind = exported.byte();
    const index = exported.unsigned();
    if (kind === GLOBAL_KIND && new TextDecoder().decode(bytes) === name) return index;
  }
  return undefined;
}

/**
 * Whether all that a module's calls change stands in its memory, so that a copy of the memory is a copy of the state. It does, but in
 * modules of before version 2 of config.json, which have variables. Where it cannot be told, the answer is no.
 */
export function keepsStateInMemory(wasm: Uint8Array): boolean {
  const unclear: Corrupt = (what) => new SaffuError("MODEL_CORRUPT", what);
  try {
    const found = readSections(wasm, unclear).get(GLOBALS);
    if (found === undefined) return true;
    return globalsOf(new Reader(wasm, found.contents, found.end, unclear), unclear).every(({ mutable }) => !mutable);
  } catch {
    return false;
  }
}

/** The value of an i32 global, which is a constant. */
function globalValue(index: number, globals: Reader | undefined, corrupt: Corrupt): number {
  const found = globals && globalsOf(globals, corrupt)[index];
  if (found === undefined) throw corrupt(`has no global ${index}`);
  if (found.value === undefined) throw corrupt(`global ${index} is not an i32`);
  return found.value;
}

/** Globals in order; the value of those that are i32. */
function globalsOf(globals: Reader, corrupt: Corrupt): { mutable: boolean; value: number | undefined }[] {
  const all = [];
  for (let i = 0, many = globals.unsigned(); i < many; ++i) {
    globals.skip(1); // type
    const mutable = globals.byte() !== 0;
    const kind = globals.byte();
    let value: number | undefined;
    if (kind === I32_CONST) value = globals.signed();
    else if (kind === I64_CONST) globals.signed();
    else if (kind === F32_CONST) globals.skip(4);
    else if (kind === F64_CONST) globals.skip(8);
    else throw corrupt(`global ${i} is not a constant`);
    if (globals.byte() !== EXPRESSION_END) throw corrupt(`global ${i} is not a constant`);
    all.push({ mutable, value });
  }
  return all;
}

/** The least pages of the one memory. */
function leastPages(memory: Reader | undefined, corrupt: Corrupt): number {
  if (memory === undefined) throw corrupt("has no memory");
  const [many, flags] = [memory.unsigned(), memory.byte()];
  if (many !== 1 || flags > 1) throw corrupt("has another memory than one of 32-bit addresses");
  return memory.unsigned();
}

/** Reads a part of a module from its beginning to its end, and nothing beyond. */
class Reader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly end: number,
    private readonly corrupt: Corrupt,
  ) {}

  get done(): boolean {
    return this.at === this.end;
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  take(length: number): Uint8Array {
    const from = this.at;
    if (length > this.end - from) throw this.corrupt("a section of the module ends too early");
    this.at += length;
    return this.bytes.subarray(from, this.at);
  }

  skip(length: number): void {
    this.take(length);
  }

  /** LEB128, 0..2^32 − 1. */
  unsigned(): number {
    const value = this.leb(5);
    if (value.number >= 2 ** 32) throw this.corrupt("a number of the module is out of range");
    return value.number;
  }

  /** Signed LEB128 of up to 64 bits; exact up to 2^53, which is more than an i32. */
  signed(): number {
    const { number, bits, last } = this.leb(10);
    return (last & 0x40) === 0 ? number : number - 2 ** bits;
  }

  private leb(most: number): { number: number; bits: number; last: number } {
    let number = 0;
    for (let i = 0; i < most; ++i) {
      const last = this.byte();
      number += (last & 0x7f) * 2 ** (7 * i);
      if (last < 0x80) return { number, bits: 7 * (i + 1), last };
    }
    throw this.corrupt("a number of the module is too long");
  }
}
