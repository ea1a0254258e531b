/**
 * Where a classifier's tensors stand in the memory of its module: the one table of it. Sizes are data, so the host writes addresses into the plan
 * (assembly/classify/plan.ts), whose fields these are, in order. What is the model's comes first, in one piece that a package has as its data.
 */
import { aligned } from "../shape.ts";

/** Where the plan stands, and the number that it begins with. */
export const PLAN_AT = 64;
export const MAGIC = 0x31434653;
const PAGE = 65536;

export const KINDS = ["features", "image", "series", "table", "lines"] as const;
export type Kind = (typeof KINDS)[number];
/** Exact forms: what of a classifier is learned and forgotten in integers. */
export const FORMS = ["none", "counts", "base", "ridge"] as const;
export type Form = (typeof FORMS)[number];

/** Fields of the plan, each u32 but for those of a refit, which are f32. */
export const PLAN_FIELDS = [
  ...["magic", "kind", "form", "features", "classes", "stride", "bits", "most", "unit", "a", "b", "c", "d", "e", "f"],
  ...["parameters", "input", "inputBytes", "ids", "values", "scores", "probabilities", "bias", "scales", "rows"],
  ...["liveBias", "liveScales", "live", "tables", "prior", "sums", "cells", "staged", "stagedCells", "scratch", "end"],
  ...["groups", "units", "hiddenBits", "coded", "codedMost", "codedUnit", "codes", "codeValues"],
  ...[
    "hiddenBias",
    "hiddenScales",
    "hiddenRows",
    "hiddenStates",
    "pseudoCounts",
    "step",
    "begun",
    "count",
    "corrected",
  ],
] as const;
export type PlanField = (typeof PLAN_FIELDS)[number];

/** What an encoding needs of the device. */
export interface EncodingPlan {
  readonly kind: Kind;
  /** D, at most 65,536. */
  readonly features: number;
  /** Most active features of an example. */
  readonly most: number;
  /** What a value of 1 is; 1 where features have no values. */
  readonly unit: number;
  /** The encoding's own numbers, a to f of the plan. */
  readonly numbers: readonly number[];
  /** What it reads, of its file's layout. */
  readonly parameters: Uint8Array;
  readonly inputBytes: number;
  /** Bytes of what `begin` makes of the parameters. */
  readonly tableBytes: number;
}

/** A hidden layer between the encoding and the decoder: groups of units, each a softmax over the encoding's features. */
export interface HiddenLayer {
  /** H. */
  readonly groups: number;
  /** m, a multiple of 4; M = H · m. */
  readonly units: number;
  /** Bits of a weight, 8 or 4. */
  readonly bits: number;
  /** (M). */
  readonly bias: Float32Array;
  readonly scales: Float32Array;
  /** (D, M) i8, or pairs of codes of four bits. */
  readonly rows: Uint8Array;
}

/** What a state of 1 is (assembly/classify/hidden.ts), and M at the most. */
export const [STATE_UNIT, MOST_HIDDEN] = [64, 4096];

/** Sizes of a classifier. */
export interface ClassifierShape {
  readonly encoding: EncodingPlan;
  /** Undefined where the decoder reads the encoding's features. */
  readonly hidden?: HiddenLayer | undefined;
  readonly classes: number;
  /** Bits of a weight, 8 or 4. */
  readonly bits: number;
  readonly form: Form;
}

export type Plan = Readonly<Record<PlanField, number>>;

/** Fields that are f32. */
const REAL: readonly PlanField[] = ["pseudoCounts", "step"];

/** The plan's bytes. */
export function planBytes(plan: Plan): Uint8Array {
  const view = new DataView(new ArrayBuffer(PLAN_FIELDS.length * 4));
  for (const [i, name] of PLAN_FIELDS.entries()) {
    if (REAL.includes(name)) view.setFloat32(4 * i, plan[name], true);
    else view.setUint32(4 * i, plan[name], true);
  }
  return new Uint8Array(view.buffer);
}

/** Sums merged at once. */
const STAGED = 4096;

/** Classes rounded up to whole vectors. */
export function strideOf(classes: number): number {
  return (classes + 3) & ~3;
}

/** Bytes of a weight's row. */
export function rowBytes(classes: number, bits: number): number {
  return bits === 4 ? (classes + 1) >> 1 : classes;
}

/** What the decoder reads: features, at most so many active, each of values in so many parts of 1. */
export function inputsOf({ encoding, hidden }: Pick<ClassifierShape, "encoding" | "hidden">): {
  readonly features: number;
  readonly most: number;
  readonly unit: number;
} {
  if (hidden === undefined) return encoding;
  const features = hidden.groups * hidden.units;
  return { features, most: features, unit: STATE_UNIT };
}

/** Bytes of a classifier: weights, and what the encoding reads. */
export function bytesOfShape(shape: ClassifierShape): number {
  const { encoding, hidden, classes, bits } = shape;
  return inputsOf(shape).features * rowBytes(classes, bits) + encoding.parameters.length + (hidden?.rows.length ?? 0);
}

/** Cells of the sums of an exact form. */
export function sumCells(shape: ClassifierShape): number {
  const { classes, form } = shape;
  const { features } = inputsOf(shape);
  if (form === "none") return 0;
  const second = form === "base" ? features * classes : form === "ridge" ? (features * (features + 1)) / 2 : 0;
  return 1 + classes + features * classes + second;
}

/** Where everything stands; `baseEnd` is where what is the model's own ends. */
export function planOf(shape: ClassifierShape, learning: boolean): { plan: Plan; baseEnd: number; pages: number } {
  const { encoding, hidden, classes, bits } = shape;
  const form = learning ? shape.form : "none";
  const { numbers, parameters, inputBytes, tableBytes } = encoding;
  const { features, most, unit } = inputsOf(shape);
  const { groups, units } = hidden ?? { groups: 0, units: 0 };
  const stride = strideOf(classes);
  const cells = sumCells({ ...shape, form });
  let end = aligned(PLAN_AT + PLAN_FIELDS.length * 4);
  const place = (bytes: number): number => {
    const at = end;
    end = aligned(end + bytes);
    return at;
  };
  const vector = () => place(stride * 4);
  const base = {
    parameters: place(parameters.length),
    ...{ bias: vector(), scales: vector(), prior: vector() },
    rows: place(features * rowBytes(classes, bits) + 16), // what SIMD reads beyond the last row
    ...{ hiddenBias: place(4 * groups * units), hiddenScales: place(4 * groups * units) },
    hiddenRows: place(hidden ? hidden.rows.length + 16 : 0),
  };
  const baseEnd = end;
  const active = { ids: place(most * 2 + 16), values: place(unit > 1 ? most * 2 : 0) };
  const codes = { codes: active.ids, codeValues: active.values };
  if (hidden) {
    codes.codes = place(encoding.most * 2 + 16);
    codes.codeValues = place(encoding.unit > 1 ? encoding.most * 2 : 0);
  }
  const run = {
    ...{ input: place(inputBytes), ...active, ...codes, hiddenStates: place(4 * groups * units) },
    ...{ scores: vector(), probabilities: vector(), tables: place(tableBytes) },
  };
  const live = shape.form === "none" ? 0 : features * classes + 16;
  const learned = { liveBias: vector(), liveScales: vector(), live: place(live) };
  const dense = form === "ridge" ? (features * (stride + 1) + (features * (features + 1)) / 2) * 8 : 0;
  const sums = {
    ...{ sums: place(cells * 4), staged: place(form === "none" ? 0 : STAGED * 4) },
    scratch: place(form === "none" ? 0 : dense + stride * 4),
  };
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = numbers;
  const plan: Plan = {
    ...{ magic: MAGIC, kind: KINDS.indexOf(encoding.kind), form: FORMS.indexOf(form), features, classes, stride, bits },
    ...{ most, unit, a, b, c, d, e, f, inputBytes, cells, stagedCells: form === "none" ? 0 : STAGED, end },
    ...{ groups, units, hiddenBits: hidden?.bits ?? 8, coded: encoding.features, codedMost: encoding.most },
    ...{ codedUnit: encoding.unit, pseudoCounts: 1, step: 1, begun: 0, count: 0, corrected: 0 },
    ...{ ...base, ...run, ...learned, ...sums },
  };
  return { plan, baseEnd, pages: Math.ceil(end / PAGE) };
}
