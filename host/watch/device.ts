/** An instance of the watch's module (assembly/watch/device.ts). */
import { SaffuError } from "../errors.ts";
import { withPages } from "../model/predictor-module.ts";
import { compileModule } from "../model/webassembly.ts";
import { PLAN_AT, PLAN_FIELDS, type Plan, type PlanField, planBytes, planOf, type WatchShape } from "./layout.ts";

interface Exports {
  readonly memory: WebAssembly.Memory;
  begin(): number;
  resume(): number;
  look(length: number): number;
  push(length: number, model: number, verdict: number): number;
  checksum(): number;
}

/** What `push` answers of a row. */
export const [ALARM, BEGINS, ENDS, HELD_BACK, WARM] = [1, 2, 4, 8, 16];
/** What is said of a row beforehand. */
export const VERDICTS = ["unknown", "alarm", "fine"] as const;
/** Units of a bit. */
export const UNIT = 16;

const PAGE = 65536;

/** A word of the last line: its bytes, and sixteenths of a bit. */
export interface ScoredWord {
  readonly start: number;
  readonly end: number;
  readonly number: boolean;
  readonly bits: number;
}

/** What every number is, as a word. */
const NUMBER = 0x6e756d00;
/** Bytes of a word. */
const WORD = 12;

export class WatchDevice {
  private readonly fields: Uint32Array;
  private readonly input: Uint8Array;
  private readonly numbers: Float32Array;

  private constructor(
    private readonly exports: Exports,
    readonly plan: Plan,
  ) {
    const { buffer } = exports.memory;
    this.fields = new Uint32Array(buffer, PLAN_AT, PLAN_FIELDS.length);
    this.input = new Uint8Array(buffer, plan.input, Math.max(plan.most, 4 * plan.columns));
    this.numbers = new Float32Array(buffer, plan.input, plan.columns);
  }

  /**
   * A watch that has seen nothing.
   *
   * @throws SaffuError OUT_OF_MEMORY, UNSUPPORTED
   */
  static async start(module: Uint8Array, shape: WatchShape): Promise<WatchDevice> {
    const plan = planOf(shape);
    const pages = Math.ceil(plan.end / PAGE);
    const compiled = await compileModule(withPages(module, pages));
    let exports: Exports;
    try {
      exports = (await WebAssembly.instantiate(compiled)).exports as unknown as Exports;
    } catch (cause) {
      throw new SaffuError("OUT_OF_MEMORY", `a watch that needs ${pages} pages of 64 KiB does not start`, { cause });
    }
    const device = new WatchDevice(exports, plan);
    device.clear();
    return device;
  }

  /** Forgets everything. */
  clear(): void {
    new Uint8Array(this.exports.memory.buffer).set(planBytes(this.plan), PLAN_AT);
    checked(this.exports.begin());
  }

  /** The template of a line, which is not scored. What is remembered of the last row stays as it is. */
  templateOf(bytes: Uint8Array): number {
    const [template, parts] = [this.at("template"), this.at("parts")];
    checked(this.exports.look(this.put(bytes)));
    const found = this.at("template");
    this.fields[INDEX.template] = template;
    this.fields[INDEX.parts] = parts;
    return found;
  }

  /** Scores, ranks and learns a line or symbol: its first bytes, as many as are looked at. @returns flags */
  pushBytes(bytes: Uint8Array, model = 0, verdict = 0): number {
    return checked(this.exports.push(this.put(bytes), model, verdict));
  }

  private put(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.plan.most);
    this.input.set(length === bytes.length ? bytes : bytes.subarray(0, length));
    return length;
  }

  /** The same of a row of numbers, NaN where one is missing. */
  pushNumbers(row: ArrayLike<number>, verdict = 0): number {
    this.numbers.set(row);
    return checked(this.exports.push(0, 0, verdict));
  }

  /** A field of the plan as it is now. */
  at(name: PlanField): number {
    return this.fields[INDEX[name]]!;
  }

  /** Words of the last line. */
  words(): ScoredWord[] {
    const count = this.at("parts");
    const { found, words } = this.plan;
    const all = new Uint32Array(this.exports.memory.buffer, found, (words * WORD) / 4 + words);
    return Array.from({ length: count }, (_, i) => ({
      start: all[3 * i + 1]!,
      end: all[3 * i + 2]!,
      number: all[3 * i]! === NUMBER,
      bits: all[3 * words + i]!,
    }));
  }

  /** Sixteenths of a bit that each column of the last row surprised by, beyond what is ordinary. */
  columnBits(): number[] {
    const { found, columns } = this.plan;
    return Array.from(new Uint32Array(this.exports.memory.buffer, found + 16 * columns, columns));
  }

  /** All that the watch is, copied. */
  save(): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer).slice(PLAN_AT, this.plan.stateEnd);
  }

  /** Goes on from what was saved of the same sizes. @returns whether it can be that; if not, it is as it was */
  restore(state: Uint8Array): boolean {
    const memory = new Uint8Array(this.exports.memory.buffer);
    const settings = planBytes(this.plan);
    const own = (PLAN_FIELDS.indexOf("end") + 1) * 4;
    const differs = settings.subarray(0, own).some((byte, i) => !CHANGES.has(i >> 2) && state[i] !== byte);
    if (state.length !== this.plan.stateEnd - PLAN_AT || differs) return false;
    const before = this.save();
    memory.set(state, PLAN_AT);
    if (this.exports.resume() === 0) return true;
    memory.set(before, PLAN_AT);
    return false;
  }

  /** FNV-1a of all that it is. */
  checksum(): number {
    return this.exports.checksum() >>> 0;
  }
}

const INDEX = Object.fromEntries(PLAN_FIELDS.map((name, i) => [name, i])) as Record<PlanField, number>;
/** Fields in front of `begun` that change from row to row. */
const CHANGES = new Set([INDEX.seen, INDEX.at]);

function checked(answer: number): number {
  if (answer < 0) throw new SaffuError("MODEL_CORRUPT", `the watch's module answers ${answer}`);
  return answer;
}
