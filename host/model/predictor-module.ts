/**
 * A device module whose memory ends where that of a predictor does. What learning needs comes last in the module's layout
 * (assembly/memory.ts), and the module exports as `PREDICTOR_END` where it begins: an instance that only predicts gets the same code
 * with fewer pages. Only the limits of the memory section are rewritten.
 *
 * The bytes are not trusted: each read is within bounds and moves on, so that every input ends in a module or in an error.
 */
import { SaffuError } from "../errors.ts";

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]; // "\0asm", version 1
const PAGE = 65536;
const [IMPORTS, MEMORY, GLOBALS, EXPORTS] = [2, 5, 6, 7] as const;
const GLOBAL_KIND = 3;
const [I32_CONST, I64_CONST, F32_CONST, F64_CONST, EXPRESSION_END] = [0x41, 0x42, 0x43, 0x44, 0x0b] as const;

/**
 * The module for an instance that only predicts: its memory has the pages up to PREDICTOR_END, at least and at most.
 *
 * @param wasm a device module
 * @param file its name, for messages
 * @returns `wasm` itself where it exports no PREDICTOR_END, as modules of older models do not
 * @throws SaffuError MODEL_CORRUPT where the sections cannot be read, or PREDICTOR_END is not within the module's memory
 */
export function predictorModule(wasm: Uint8Array, file: string): Uint8Array {
  const corrupt: Corrupt = (what) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const sections = readSections(wasm, corrupt);
  const section = (id: number): Reader | undefined => {
    const found = sections.get(id);
    return found && new Reader(wasm, found.contents, found.end, corrupt);
  };
  const index = globalNamed("PREDICTOR_END", section(EXPORTS));
  if (index === undefined) return wasm;
  if (sections.has(IMPORTS)) throw corrupt("imports something"); // which would shift the indices of globals
  const end = globalValue(index, section(GLOBALS), corrupt);
  const own = leastPages(section(MEMORY), corrupt);
  const pages = Math.ceil(end / PAGE);
  if (!(end > 0 && pages <= own)) throw corrupt(`PREDICTOR_END is ${end}, not within its memory of ${own} pages`);
  const { start, end: rest } = sections.get(MEMORY)!;
  const limits = [1, 1, ...leb128(pages), ...leb128(pages)]; // one memory, with a least and a most
  const memory = [MEMORY, ...leb128(limits.length), ...limits];
  const out = new Uint8Array(start + memory.length + wasm.length - rest);
  out.set(wasm.subarray(0, start));
  out.set(memory, start);
  out.set(wasm.subarray(rest), start + memory.length);
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

/** The value of an i32 global, which is a constant. */
function globalValue(index: number, globals: Reader | undefined, corrupt: Corrupt): number {
  const many = globals?.unsigned() ?? 0;
  if (globals === undefined || index >= many) throw corrupt(`has no global ${index}`);
  for (let i = 0; ; ++i) {
    globals.skip(2); // type and mutability
    const kind = globals.byte();
    let value: number | undefined;
    if (kind === I32_CONST) value = globals.signed();
    else if (kind === I64_CONST) globals.signed();
    else if (kind === F32_CONST) globals.skip(4);
    else if (kind === F64_CONST) globals.skip(8);
    else throw corrupt(`global ${i} is not a constant`);
    if (globals.byte() !== EXPRESSION_END) throw corrupt(`global ${i} is not a constant`);
    if (i < index) continue;
    if (value === undefined) throw corrupt(`global ${i} is not an i32`);
    return value;
  }
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

/** LEB128 of a number ≥ 0. */
export function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...leb128(Math.floor(value / 0x80))];
}
