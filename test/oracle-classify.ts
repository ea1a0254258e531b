/**
 * What a classifier's module has to answer, from the definitions of the encodings and the formulas, not from the kernels: patches pixel by pixel,
 * windows value by value, words by a regular expression; f32 where the definition pins it.
 */
import { exp, f, laneSum, log, nearest } from "./oracle-math.ts";

export interface ImageSpec {
  readonly width: number;
  readonly height: number;
  readonly threshold: number;
  readonly patch: number;
  readonly bits: number;
  readonly regions: number;
  readonly across: number;
}

/** Parameters: eight i16 thresholds, then (bits, patch, patch) i8. */
export function imageFeatures(spec: ImageSpec, parameters: Uint8Array, pixels: ArrayLike<number>): number[] {
  const { width, height, threshold, patch, bits, regions, across } = spec;
  const view = new DataView(parameters.buffer, parameters.byteOffset);
  const set: number[] = Array.from(pixels, (value) => Number(value > threshold));
  const [rows, columns] = [height - patch + 1, width - patch + 1];
  const out: number[] = [];
  for (let y = 0; y < rows; ++y) {
    for (let x = 0; x < columns; ++x) {
      const window = Array.from(
        { length: patch * patch },
        (_, i) => set[(y + Math.floor(i / patch)) * width + x + (i % patch)]!,
      );
      if (!window.includes(1)) continue;
      let code = 0;
      for (let filter = 0; filter < bits; ++filter) {
        const product = window.reduce(
          (sum, pixel, i) => sum + pixel * view.getInt8(16 + filter * patch * patch + i),
          0,
        );
        if (product > view.getInt16(filter * 2, true)) code += 2 ** filter;
      }
      const region = Math.floor((y * regions) / rows) * across + Math.floor((x * across) / columns);
      out.push(region * 2 ** bits + code);
    }
  }
  return out;
}

export interface SeriesSpec {
  readonly length: number;
  readonly channels: number;
  readonly bits: number;
  readonly segments: number;
  readonly dilations: number;
  readonly parts?: number;
  readonly levels?: number;
}

/** Parameters: (channels, 2) f32 offset and gain, (bits, 9) i8, then (channels, parts, levels) i16. */
export function seriesFeatures(spec: SeriesSpec, parameters: Uint8Array, values: ArrayLike<number>): number[] {
  const { length, channels, bits, segments, dilations, parts = 0, levels = 0 } = spec;
  const view = new DataView(parameters.buffer, parameters.byteOffset);
  const out: number[] = [];
  const scaled = Array.from({ length: channels }, (_, channel) => {
    const [offset, gain] = [view.getFloat32(channel * 8, true), view.getFloat32(channel * 8 + 4, true)];
    return Array.from({ length }, (_, t) => {
      const whole = nearest(f(f(f(values[channel * length + t]!) - offset) * gain));
      return Math.max(-32767, Math.min(32767, whole));
    });
  });
  let windowsOfChannel = 0;
  for (let dilation = 0; dilation < dilations; ++dilation) windowsOfChannel += length - 8 * 2 ** dilation;
  for (let channel = 0; channel < channels; ++channel) {
    const own = scaled[channel]!;
    for (let dilation = 0; dilation < dilations; ++dilation) {
      const windows = length - 8 * 2 ** dilation;
      for (let t = 0; t < windows; ++t) {
        const window = Array.from({ length: 9 }, (_, i) => own[t + i * 2 ** dilation]!);
        if (new Set(window).size === 1) continue;
        let code = 0;
        for (let filter = 0; filter < bits; ++filter) {
          const product = window.reduce(
            (sum, value, i) => sum + value * view.getInt8(channels * 8 + filter * 9 + i),
            0,
          );
          if (product > 0) code += 2 ** filter;
        }
        const place = (channel * dilations + dilation) * segments + Math.floor((t * segments) / windows);
        out.push(place * 2 ** bits + code);
      }
    }
  }
  const codes = channels * dilations * segments * 2 ** bits;
  const times = Math.max(1, Math.round(windowsOfChannel / Math.max(1, parts * levels)));
  for (let channel = 0; channel < channels; ++channel) {
    for (let part = 0; part < parts; ++part) {
      const own = scaled[channel]!.filter((_, t) => t >= Math.floor((part * length) / parts));
      const until = Math.floor(((part + 1) * length) / parts) - Math.floor((part * length) / parts);
      const mean = own.slice(0, until).reduce((sum, value) => sum + value, 0) / until;
      for (let level = 0; level < levels; ++level) {
        const place = (channel * parts + part) * levels + level;
        if (mean > view.getInt16(channels * 8 + bits * 9 + place * 2, true))
          out.push(...new Array<number>(times).fill(codes + place));
      }
    }
  }
  return out;
}

export interface TableSpec {
  readonly columns: readonly string[];
  readonly binnings: number;
  readonly thresholds: number;
  readonly ferns: number;
}

/** Parameters: (binnings, 3) u32 column, first threshold, thresholds; f32 thresholds; (ferns, 6) u32 column, f32 threshold. */
export function tableFeatures(spec: TableSpec, parameters: Uint8Array, cells: ArrayLike<number>): number[] {
  const view = new DataView(parameters.buffer, parameters.byteOffset);
  const out: number[] = [];
  let first = 0;
  for (let i = 0; i < spec.binnings; ++i) {
    const [column, from, last] = [0, 4, 8].map((at) => view.getUint32(i * 12 + at, true)) as [number, number, number];
    const [many, each] = [last % 2 ** 31, last >= 2 ** 31];
    const levels = Array.from({ length: many }, (_, j) => view.getFloat32((3 * spec.binnings + from + j) * 4, true));
    const cell = f(cells[column]!);
    const reached = levels.filter((level) => level <= cell).length;
    if (Number.isNaN(cell)) out.push(first + many + 1);
    else if (each) for (let level = 0; level < reached; ++level) out.push(first + level);
    else out.push(first + reached);
    first += many + 2;
  }
  for (let fern = 0; fern < spec.ferns; ++fern) {
    let code = 0;
    for (let test = 0; test < 6; ++test) {
      const at = (3 * spec.binnings + spec.thresholds + (fern * 6 + test) * 2) * 4;
      if (f(cells[view.getUint32(at, true)]!) > view.getFloat32(at + 4, true)) code += 2 ** test;
    }
    out.push(first + code);
    first += 64;
  }
  return out;
}

export function lineFeatures(bits: number, length: number, most: number, text: string): number[] {
  const bytes = new TextEncoder().encode(text).slice(0, length);
  const latin = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const words = (latin.match(/[A-Za-z0-9_\u0080-\u00ff]+/g) ?? []).slice(0, most);
  const place = (hash: number) => {
    const mixed = Math.imul(hash, 0x85ebca6b) >>> 0;
    return ((mixed ^ (mixed >>> 16)) >>> 0) >>> (32 - bits);
  };
  const out: number[] = [];
  let before = 0;
  for (const word of words) {
    let hash = 0x811c9dc5;
    for (const sign of word.replace(/[0-9]+/g, "0").replace(/[A-Z]/g, (letter) => letter.toLowerCase())) {
      hash = Math.imul(hash ^ sign.charCodeAt(0), 0x01000193);
    }
    out.push(place(hash), place(Math.imul(before ^ 0x3c6ef372, 0x9e3779b1) + hash));
    before = hash;
  }
  return [...out, 2 ** bits + Math.min(words.length, 15)];
}

export interface LayerOracle {
  readonly bias: Float32Array;
  readonly scales: Float32Array;
  readonly rows: Uint8Array;
}

/** Probabilities of (C) classes: softmax of bias + scale · Σ value · row / unit. */
export function probabilitiesOf(
  { bias, scales, rows }: LayerOracle,
  bits: number,
  ids: readonly number[],
  values: readonly number[] | undefined,
  unit: number,
): Float32Array {
  const classes = bias.length;
  const weight = (id: number, c: number) => {
    if (bits === 8) return (rows[id * classes + c]! << 24) >> 24;
    const pair = rows[id * Math.ceil(classes / 2) + (c >> 1)]!;
    return (c % 2 === 0 ? pair & 15 : pair >> 4) - 8;
  };
  const padded = new Float32Array(Math.ceil(classes / 4) * 4).fill(-1e30);
  for (let c = 0; c < classes; ++c) {
    const sum = ids.reduce((total, id, i) => total + weight(id, c) * (values?.[i] ?? 1), 0);
    padded[c] = f(bias[c]! + f(scales[c]! * f(f(sum) * f(1 / unit))));
  }
  const peak = Math.max(...padded);
  const powers = padded.map((score) => exp(f(score - peak)));
  const by = f(1 / laneSum(powers));
  return powers.map((power) => f(power * by)).subarray(0, classes);
}

export interface HiddenOracle {
  readonly groups: number;
  readonly units: number;
  readonly bits: number;
  readonly bias: Float32Array;
  readonly scales: Float32Array;
  readonly rows: Uint8Array;
}

/** What the decoder reads of a hidden layer: the softmax of each group, in 64ths, and which of them are not 0. */
export function hiddenStates(
  { groups, units, bits, bias, scales, rows }: HiddenOracle,
  ids: readonly number[],
  values: readonly number[] | undefined,
  unit: number,
): { ids: number[]; values: number[] } {
  const columns = groups * units;
  const rowAt = bits === 8 ? columns : columns / 2;
  const states: number[] = [];
  for (let group = 0; group < groups; ++group) {
    const scores = Array.from({ length: units }, (_, i) => {
      const c = group * units + i;
      const level = (id: number) => {
        const byte = rows[id * rowAt + (bits === 8 ? c : c >> 1)]!;
        return bits === 8 ? (byte << 24) >> 24 : ((c % 2 === 0 ? byte : byte >> 4) & 15) - 8;
      };
      const sum = ids.reduce((total, id, k) => total + level(id) * (values?.[k] ?? 1), 0);
      return f(bias[c]! + f(scales[c]! * f(f(sum) * f(1 / unit))));
    });
    const peak = Math.max(...scores);
    const powers = Float32Array.from(scores, (score) => exp(f(score - peak)));
    const by = f(1 / laneSum(powers));
    for (const power of powers) states.push(nearest(f(f(power * by) * 64)));
  }
  const found = [...states.keys()].filter((c) => states[c]! > 0);
  return { ids: found, values: found.map((c) => states[c]!) };
}

/** F and F̂ of one example over a frozen base, cell by cell as docs/classify.md defines them: F̂'s classes add up to 1,024 a value. */
export function expectedShares(
  probabilities: Float32Array,
  ids: readonly number[],
  values: readonly number[] | undefined,
  label: number,
): number[] {
  const on = (hash: number, token: number) => {
    const mixed = Math.imul(hash ^ (token + 1), 0x9e3779b1) >>> 0;
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  let hash = on(0, label);
  for (const [i, id] of ids.entries()) hash = on(hash, ((id << 8) ^ (values?.[i] ?? 1)) >>> 0);
  const mixed = Math.imul(hash, 0x85ebca6b) >>> 0;
  let cumulated = ((mixed ^ (mixed >>> 16)) >>> 0) >>> 12;
  let before = 0;
  return Array.from(probabilities, (p, c) => {
    cumulated += Math.floor(f(p * 2 ** 30));
    const until = c === probabilities.length - 1 ? 1024 : Math.min(1024, Math.floor(cumulated / 2 ** 20));
    const share = until - before;
    before = until;
    return share;
  });
}

/** FNV-1a of 32 bits, as the module's `checksum` has it. */
export function fnv32(...parts: readonly ArrayBufferView[]): number {
  let hash = 0x811c9dc5 | 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash;
}

export interface SumsOracle {
  readonly form: "counts" | "base" | "ridge";
  readonly features: number;
  readonly classes: number;
  readonly unit: number;
  /** In the order of assembly/classify/plan.ts. */
  readonly sums: Uint32Array;
}

export interface RefitOracle {
  readonly bias: Float32Array;
  readonly scales: Float32Array;
  readonly rows: Int8Array;
}

/** What a refit solves, by its formula, rounded where f32 is pinned; of ridge in f64, each sum in ascending order. */
export function refitOf(
  { form, features, classes, unit, sums }: SumsOracle,
  base: LayerOracle & { readonly prior: Float32Array },
  bits: number,
  pseudoCounts: number,
  step: number,
): RefitOracle {
  const [alpha, by] = [f(pseudoCounts), f(step)];
  const per = f(1 / unit);
  const first = (d: number, c: number) => sums[1 + classes + d * classes + c]!;
  const second = 1 + classes + features * classes;
  const all = Array.from({ length: features }, (_, d) => d);
  const each = Array.from({ length: classes }, (_, c) => c);
  let bias = Float32Array.from(each, (c) => log(f((sums[1 + c]! + 1) / f(f(sums[0]!) + classes))));
  let weights: number[][] = [];
  if (form === "base") {
    bias = base.bias.slice();
    const level = (d: number, c: number) => {
      if (bits === 8) return (base.rows[d * classes + c]! << 24) >> 24;
      const pair = base.rows[d * Math.ceil(classes / 2) + (c >> 1)]!;
      return (c % 2 === 0 ? pair & 15 : pair >> 4) - 8;
    };
    weights = all.map((d) =>
      each.map((c) => {
        const pseudo = f(alpha * base.prior[c]!);
        const above = f(f(f(first(d, c)) * per) + pseudo);
        const below = f(f(f(sums[second + d * classes + c]!) * f(per / 1024)) + pseudo);
        return f(f(base.scales[c]! * level(d, c)) + f(by * log(f(above / below))));
      }),
    );
  }
  if (form === "counts") {
    const totals = each.map((c) => {
      const total = all.reduce((sum, d) => sum + first(d, c), 0);
      return log(f(f(f(total) / unit) + f(alpha * features)));
    });
    weights = all.map((d) => {
      const row = each.map((c) => f(log(f(f(f(first(d, c)) * per) + alpha)) - totals[c]!));
      const mean = f(row.reduce((sum, value) => f(sum + value), 0) / classes);
      return row.map((value) => f(value - mean));
    });
  }
  if (form === "ridge") ({ weights, bias } = ridgeOf(features, classes, unit, sums, alpha));
  const scales = Float32Array.from(each, (c) => f(Math.max(...weights.map((row) => Math.abs(row[c]!))) / 127));
  const rows = Int8Array.from(
    weights.flatMap((row) => row.map((value, c) => (scales[c]! > f(1e-30) ? nearest(f(value / scales[c]!)) : 0))),
  );
  const times = (values: Float32Array) => (form === "base" ? values : values.map((value) => f(value * by)));
  return { bias: times(bias), scales: times(scales), rows };
}

function ridgeOf(features: number, classes: number, unit: number, sums: Uint32Array, alpha: number) {
  const n = Math.max(1, sums[0]!);
  const second = 1 + classes + features * classes;
  const first = (d: number, c: number) => sums[1 + classes + d * classes + c]!;
  const each = Array.from({ length: classes }, (_, c) => c);
  const means = Array.from(
    { length: features },
    (_, d) => (each.reduce((sum, c) => sum + first(d, c), 0) * (1 / unit)) / n,
  );
  let squares = 0;
  const lower = means.map((mean, i) => {
    const row = Array.from(
      { length: i + 1 },
      (_, j) => sums[second + (i * (i + 1)) / 2 + j]! * ((1 / unit) * (1 / unit)) - mean * n * means[j]!,
    );
    squares += row[i]!;
    return row;
  });
  const sides = means.map((mean, d) => each.map((c) => first(d, c) * (1 / unit) - mean * n * (sums[1 + c]! / n)));
  const added = alpha * (squares / (features * n)) + 1e-6;
  for (const [i, row] of lower.entries()) {
    row[i]! += added;
    for (let j = 0; j <= i; ++j) {
      let sum = row[j]!;
      for (let k = 0; k < j; ++k) sum -= row[k]! * lower[j]![k]!;
      row[j] = i === j ? Math.sqrt(Math.max(sum, 1e-9)) : sum / lower[j]![j]!;
    }
    for (const c of each) {
      let sum = sides[i]![c]!;
      for (let k = 0; k < i; ++k) sum -= row[k]! * sides[k]![c]!;
      sides[i]![c] = sum / row[i]!;
    }
  }
  for (let i = features - 1; i >= 0; --i) {
    for (const c of each) {
      sides[i]![c]! /= lower[i]![i]!;
      for (let k = 0; k < i; ++k) sides[k]![c]! -= lower[i]![k]! * sides[i]![c]!;
    }
  }
  const bias = Float32Array.from(each, (c) => {
    let own = sums[1 + c]! / n;
    for (let d = 0; d < features; ++d) own -= sides[d]![c]! * means[d]!;
    return own;
  });
  return { weights: sides.map((row) => row.map(f)), bias };
}
