/** An instance of the classifier's module (assembly/classify/device.ts). */
import { SaffuError } from "../errors.ts";
import { bytesOf } from "./encoding.ts";
import { giveBack, startInstance } from "./instances.ts";
import {
  type ClassifierShape,
  type FORMS,
  inputsOf,
  PLAN_AT,
  PLAN_FIELDS,
  type Plan,
  planBytes,
  planOf,
} from "./layout.ts";
import type { Layer } from "./solver.ts";

interface Exports {
  readonly memory: WebAssembly.Memory;
  begin(): number;
  encode(features: number): number;
  predict(): number;
  observe(label: number): number;
  forget(label: number): number;
  merge(at: number, n: number, add: number, commit: number): number;
  refit(): number;
  correct(on: number): number;
}

const FULL = -5;

/** What a refit solved. */
export interface Correction {
  readonly bias: Float32Array;
  readonly scales: Float32Array;
  /** (D, C). */
  readonly rows: Int8Array;
}

/** The plan and what is the model's own, as they stand in memory from PLAN_AT on. */
export function imageOf(
  shape: ClassifierShape,
  layer: Layer | undefined,
  learning: boolean,
  fields: Partial<Plan> = {},
): Uint8Array {
  const { plan, baseEnd } = planOf(shape, learning);
  const image = new Uint8Array(baseEnd - PLAN_AT);
  const put = (at: number, values: ArrayBufferView) => image.set(bytesOf(values), at - PLAN_AT);
  put(PLAN_AT, planBytes({ ...plan, ...fields }));
  put(plan.parameters, shape.encoding.parameters);
  if (shape.hidden) {
    put(plan.hiddenBias, shape.hidden.bias);
    put(plan.hiddenScales, shape.hidden.scales);
    put(plan.hiddenRows, shape.hidden.rows);
  }
  if (layer === undefined) return image;
  put(plan.bias, layer.bias);
  put(plan.scales, layer.scales);
  put(plan.prior, layer.prior);
  put(plan.rows, layer.rows);
  return image;
}

export class Device {
  /** What of the last input the decoder reads: active features, or states of the hidden layer. */
  active = 0;

  private constructor(
    private readonly module: Uint8Array,
    private readonly exports: Exports,
    readonly shape: ClassifierShape,
    private readonly plan: Plan,
  ) {}

  /** @param module any build of the classifier's module. @throws SaffuError UNSUPPORTED, OUT_OF_MEMORY, MODEL_CORRUPT */
  static async start(
    module: Uint8Array,
    shape: ClassifierShape,
    layer: Layer | undefined,
    learning: boolean,
  ): Promise<Device> {
    const { plan } = planOf(shape, learning);
    const exports = (await startInstance(module, plan.end)) as unknown as Exports;
    const device = new Device(module, exports, shape, plan);
    new Uint8Array(exports.memory.buffer).set(imageOf(shape, layer, learning), PLAN_AT);
    if (exports.begin() < 0) throw new SaffuError("MODEL_CORRUPT", "the classifier's sizes do not fit one another");
    return device;
  }

  /** Gives the instance back: no other call may follow, and no view be used. */
  close(): void {
    giveBack(this.module, this.exports);
  }

  private floats(at: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, at, this.shape.classes);
  }

  /** Encodes an input as its encoder packed it. */
  encode(packed: Uint8Array): number {
    const { plan, shape } = this;
    const memory = new Uint8Array(this.exports.memory.buffer);
    if (shape.encoding.kind !== "features") {
      memory.set(packed, plan.input);
      this.active = this.checked(this.exports.encode(0));
      return this.active;
    }
    const many = shape.encoding.unit > 1 ? packed.length / 4 : packed.length / 2;
    memory.set(packed.subarray(0, many * 2), plan.codes);
    if (shape.encoding.unit > 1) memory.set(packed.subarray(many * 2), plan.codeValues);
    this.active = this.checked(this.exports.encode(many));
    return this.active;
  }

  /** Ids of what was encoded last; a view. */
  get ids(): Uint16Array {
    return new Uint16Array(this.exports.memory.buffer, this.plan.ids, this.active);
  }

  /** Values of what was encoded last; a view. */
  get values(): Uint16Array {
    return new Uint16Array(this.exports.memory.buffer, this.plan.values, this.active);
  }

  /** Puts ids, and values, in the place of what would be encoded. */
  recall(ids: Uint16Array, values: Uint16Array | undefined): void {
    const { buffer } = this.exports.memory;
    new Uint16Array(buffer, this.plan.ids, ids.length).set(ids);
    if (values) new Uint16Array(buffer, this.plan.values, values.length).set(values);
    new Uint32Array(buffer, PLAN_AT, PLAN_FIELDS.length)[PLAN_FIELDS.indexOf("count")] = ids.length;
    this.active = ids.length;
  }

  /** The class of what was encoded last. */
  predict(): number {
    return this.checked(this.exports.predict());
  }

  /** A view of the last prediction's probabilities. */
  get probabilities(): Float32Array {
    return this.floats(this.plan.probabilities);
  }

  /** Whether there was room for it. */
  observe(label: number): boolean {
    return this.fits(this.exports.observe(label));
  }
  /** Whether it was there. */
  forget(label: number): boolean {
    return this.fits(this.exports.forget(label));
  }

  /** A view of the sums. */
  get sums(): Uint32Array {
    return new Uint32Array(this.exports.memory.buffer, this.plan.sums, this.plan.cells);
  }

  /** Adds sums of another, or takes them away; false, with nothing changed, where one would leave its range. */
  merge(sums: Uint32Array, add: 1 | -1): boolean {
    const { staged, stagedCells } = this.plan;
    for (const commit of [0, 1]) {
      for (let from = 0; from < sums.length; from += stagedCells) {
        const part = sums.subarray(from, from + stagedCells);
        new Uint32Array(this.exports.memory.buffer, staged, part.length).set(part);
        if (!this.fits(this.exports.merge(from, part.length, add, commit))) return false;
      }
    }
    return true;
  }

  refit(pseudoCounts: number, step: number): void {
    const told = new Float32Array(this.exports.memory.buffer, PLAN_AT, PLAN_FIELDS.length);
    told[PLAN_FIELDS.indexOf("pseudoCounts")] = pseudoCounts;
    told[PLAN_FIELDS.indexOf("step")] = step;
    this.checked(this.exports.refit());
  }

  /** What the last refit solved; copied. */
  get correction(): Correction {
    const { liveBias, liveScales, live } = this.plan;
    const rows = new Int8Array(
      this.exports.memory.buffer,
      live,
      inputsOf(this.shape).features * this.shape.classes,
    ).slice();
    return { bias: this.floats(liveBias).slice(), scales: this.floats(liveScales).slice(), rows };
  }

  /** Predicts with a correction from now on, or with the base. */
  correct(correction: Correction | undefined): void {
    const { liveBias, liveScales, live } = this.plan;
    if (correction) {
      this.floats(liveBias).set(correction.bias);
      this.floats(liveScales).set(correction.scales);
      new Int8Array(this.exports.memory.buffer, live, correction.rows.length).set(correction.rows);
    }
    this.checked(this.exports.correct(correction ? 1 : 0));
  }

  get form(): (typeof FORMS)[number] {
    return this.shape.form;
  }

  private fits(answer: number): boolean {
    return answer !== FULL && this.checked(answer) >= 0;
  }

  private checked(answer: number): number {
    if (answer < 0) throw new SaffuError("MODEL_CORRUPT", `the classifier's module answers ${answer}`);
    return answer;
  }
}
