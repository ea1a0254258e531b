// A small classifier at raw addresses, for the specs of its kernels: features with or without values, one plan.
import { FEATURES, MAGIC, Plan, plan } from "../../classify/plan";

/** Tensors stand from here on, far below the spec's own memory, and each has room enough. */
const FIRST: u32 = 4096;
const ROOM: u32 = 1 << 16;
export const END: u32 = FIRST + 40 * ROOM;

/** A plan of features without an encoding: D, C, most active ones, unit of values, bits and exact form; all its tensors are 0. */
export function classifier(features: u32, classes: u32, unit: u32, bits: u32, form: u32): Plan {
  const p = plan();
  memory.fill(64, 0, FIRST - 64);
  memory.fill(FIRST, 0, END - FIRST);
  let at = FIRST;
  p.magic = MAGIC;
  p.kind = FEATURES;
  p.form = form;
  p.features = features;
  p.coded = features;
  p.classes = classes;
  p.stride = (classes + 3) & ~3;
  p.bits = bits;
  p.hiddenBits = 8;
  p.most = 1024;
  p.codedMost = 1024;
  p.unit = unit;
  p.codedUnit = unit;
  p.ids = at;
  p.codes = at;
  p.values = at += ROOM;
  p.codeValues = at;
  p.scores = at += ROOM;
  p.probabilities = at += ROOM;
  p.bias = at += ROOM;
  p.scales = at += ROOM;
  p.prior = at += ROOM;
  p.liveBias = at += ROOM;
  p.liveScales = at += ROOM;
  p.input = at += ROOM;
  p.inputBytes = 4096;
  p.parameters = at += ROOM;
  p.staged = at += ROOM;
  p.stagedCells = form > 0 ? 64 : 0;
  p.hiddenBias = at += ROOM;
  p.hiddenScales = at += ROOM;
  p.hiddenStates = at += ROOM;
  p.hiddenRows = at += ROOM;
  p.tables = at += 2 * ROOM;
  p.rows = at += 4 * ROOM;
  p.live = at += 4 * ROOM;
  p.sums = at += 4 * ROOM;
  const second = form == 2 ? features * classes : form == 3 ? (features * (features + 1)) / 2 : 0;
  p.cells = form > 0 ? 1 + classes + features * classes + second : 0;
  p.scratch = at += 8 * ROOM;
  p.end = END;
  p.pseudoCounts = 1;
  p.step = 1;
  return p;
}

/** A hidden layer below the decoder, over `coded` features. */
export function layered(p: Plan, coded: u32, groups: u32, units: u32, bits: u32): void {
  p.coded = coded;
  p.groups = groups;
  p.units = units;
  p.hiddenBits = bits;
  p.unit = 64;
  p.codes = p.input;
  p.codeValues = p.input + ROOM / 2;
}

/** What is active: id, and a value where features have them. */
export function activate(p: Plan, i: u32, id: u32, value: u32): void {
  store<u16>(<usize>(p.codes + 2 * i), <u16>id);
  if (p.codedUnit > 1) store<u16>(<usize>(p.codeValues + 2 * i), <u16>value);
}

/** Sum number i. */
export function sum(p: Plan, i: u32): u32 {
  return load<u32>(<usize>(p.sums + 4 * i));
}
