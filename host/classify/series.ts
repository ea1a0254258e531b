/**
 * Series of `length` values in each of `channels`, finite numbers in f32, channel after channel. There are features of two kinds. (channel, dilation,
 * segment, code): the code is the signs of the products of 9 values, `dilation` apart, with `bits` principal directions of such windows, which know
 * neither level nor scale. And (channel, part, level): the mean of a part of the series is above the level, of which there are `levels` at equal
 * shares of the examples. So that both kinds weigh as much, a level counts as often as there are windows to one.
 *
 * Values are rounded to whole steps of a 65,000th of what was seen in the fit, and cut to it. There is no missing value: fill gaps before, or use a
 * table.
 */
import { invalidOption, shown } from "../errors.ts";
import { bytesOf, type Encoder, type Encoding, invalidExample, lengthOf, type Packer, type Whole } from "./encoding.ts";
import type { EncodingPlan } from "./layout.ts";
import type { SolverRun } from "./solver.ts";

export interface SeriesOptions {
  /** Values of a channel, 10 to 65,536. */
  readonly length: number;
  /** 1 to 256. Default 1. */
  readonly channels?: number | undefined;
  /** Bits of a code, 1 to 8; with `segments` and `dilations`. Left out, all sizes are chosen. */
  readonly bits?: number | undefined;
  /** Parts of the series whose codes are told apart, 1 to 64. */
  readonly segments?: number | undefined;
  /** Dilations 1, 2, 4, …: how many, 0 to 12; 0 where there are no codes, but levels. */
  readonly dilations?: number | undefined;
  /** Parts whose means are told apart, 1 to 255; with `levels`. Default 0 where `bits` is given. */
  readonly parts?: number | undefined;
  /** Levels of a mean, 1 to 64. Default 0 where `bits` is given. */
  readonly levels?: number | undefined;
}

/** Values of a window. */
const TAPS = 9;
const MOST_WINDOWS = 60_000;
const MOST_DILATIONS = 6;
/** Values are spread over ± this. */
const SPREAD = 32000;
/** Active features at the most, and how often a level counts at the most. */
const [MOST_ACTIVE, MOST_TIMES] = [65_536, 4095];
/** Parts and levels that are tried, where there are so many values. */
const [PARTS, LEVELS] = [24, 16];
/** Of so few examples each size is tried with all that there are, so they are few; chosen on sets that no figure is of. */
const FEW = 500;

type Spec = Whole<SeriesOptions>;

/** @throws SaffuError INVALID_OPTION */
export function series(options: SeriesOptions): Encoding<ArrayLike<number>> {
  const { length, channels = 1, bits, segments, dilations, parts = 0, levels = 0 } = check(options);
  const packer: Packer<ArrayLike<number>> = {
    pack: (input, row) => packSeries(input, row, length, channels),
    asked:
      bits !== undefined && segments !== undefined && dilations !== undefined
        ? { bits, segments, dilations, parts, levels }
        : undefined,
    settings(bytes, rowBytes, examples) {
      const fits = (setting: Sizes) => {
        const { features, most, parameterBytes } = sizesOf({ length, channels, ...setting });
        return features <= 65536 && most <= MOST_ACTIVE && features * rowBytes + parameterBytes <= bytes;
      };
      return candidates(length, examples)
        .filter(fits)
        .slice(0, examples <= FEW ? 3 : 8);
    },
    few: "ridge", // counts take windows that overlap for independent
    fit: (sample, setting, solver) => fitSeries(sample, { length, channels, ...(setting as unknown as Sizes) }, solver),
  };
  return { kind: "series", packer: () => packer };
}

type Sizes = Omit<Spec, "length" | "channels">;

/** Sizes, the likeliest first; smaller ones at the end, for little room. */
function candidates(length: number, examples: number): Sizes[] {
  const reach = dilationsOf(length);
  const own = { parts: Math.min(PARTS, length), levels: LEVELS };
  const none = { parts: 0, levels: 0 };
  const out: Sizes[] = [];
  const add = (bits: number, segments: number, dilations: number, values: { parts: number; levels: number }) =>
    out.push({ bits, segments, dilations, ...values });
  if (examples <= FEW) {
    add(8, 1, reach, own);
    add(8, 1, reach, none);
    add(1, 1, 0, own);
  } else {
    for (const segments of [4, 1, 8]) for (const values of [own, none]) add(8, segments, reach, values);
    add(1, 1, 0, own);
  }
  for (const bits of [7, 6, 5, 4, 3]) {
    for (const dilations of new Set([reach, Math.min(3, reach)])) {
      for (const values of [own, none, { parts: Math.min(8, length), levels: 4 }]) add(bits, 1, dilations, values);
    }
  }
  return out;
}

function fitSeries(sample: readonly Uint8Array[], spec: Spec, solver: SolverRun): Encoder<ArrayLike<number>> {
  const { length, channels, bits, dilations, parts, levels } = spec;
  const ranges = new Float32Array(channels * 2);
  const views = sample.map((bytes) => new Float32Array(bytes.slice().buffer));
  for (let channel = 0; channel < channels; ++channel) {
    let [least, most] = [Infinity, -Infinity];
    for (const values of views) {
      for (let t = channel * length; t < (channel + 1) * length; ++t) {
        least = Math.min(least, values[t]!);
        most = Math.max(most, values[t]!);
      }
    }
    const middle = Math.fround((least + most) / 2);
    ranges.set([middle, most > least ? SPREAD / Math.max(most - middle, middle - least) : 1], channel * 2);
  }
  const whole = (values: Float32Array, channel: number, t: number) =>
    Math.round((values[channel * length + t]! - ranges[channel * 2]!) * ranges[channel * 2 + 1]!);
  const apart = Math.max(1, Math.ceil((views.length * length * channels * dilations) / MOST_WINDOWS));
  let windows: number[] = [];
  let next = 0;
  for (const values of views) {
    for (let channel = 0; channel < channels; ++channel) {
      for (let dilation = 0; dilation < dilations; ++dilation) {
        const last = length - ((TAPS - 1) << dilation);
        for (let t = 0; t < last; ++t) {
          if (next++ % apart !== 0) continue;
          const window = Array.from({ length: TAPS }, (_, i) => whole(values, channel, t + (i << dilation)));
          // its mean is taken off, in whole numbers: nine times the window, less the sum
          const sum = window.reduce((total, value) => total + value, 0);
          windows.push(...window.map((value) => value * TAPS - sum));
        }
      }
    }
    if (windows.length > 40_000) {
      solver.addWindows(Int32Array.from(windows), TAPS);
      windows = [];
    }
  }
  solver.addWindows(Int32Array.from(windows), TAPS);
  const { directions } = solver.directions(TAPS, bits);
  for (let i = 0; i < bits; ++i) withoutMean(directions.subarray(i * TAPS, (i + 1) * TAPS));
  const thresholds = new Int16Array(channels * parts * levels);
  for (let place = 0; place < channels * parts; ++place) {
    const [channel, part] = [Math.floor(place / parts), place % parts];
    const [from, until] = [part, part + 1].map((end) => Math.floor((end * length) / parts)) as [number, number];
    const means = Float64Array.from(views, (values) => {
      let sum = 0;
      for (let t = from; t < until; ++t) sum += whole(values, channel, t);
      return sum / (until - from);
    }).sort();
    for (let i = 0; i < levels; ++i) thresholds[place * levels + i] = between(means, (i + 0.5) / levels);
  }
  const parameters = new Uint8Array(ranges.byteLength + directions.length + thresholds.byteLength);
  parameters.set(bytesOf(ranges));
  parameters.set(bytesOf(directions), ranges.byteLength);
  parameters.set(bytesOf(thresholds), ranges.byteLength + directions.length);
  return seriesEncoder(spec, parameters);
}

/** The whole number at or below a share of sorted values, between neighbours where it falls there. */
function between(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const [below, above] = [sorted[low]!, sorted[Math.min(low + 1, sorted.length - 1)]!];
  return Math.floor(below + (above - below) * (at - low));
}

/** Takes what rounding has left of a direction's sum off its elements, one from each in turn. */
function withoutMean(direction: Int8Array): void {
  let sum = direction.reduce((total, value) => total + value, 0);
  for (let i = 0; sum !== 0; i = (i + 1) % direction.length) {
    if (Math.abs(direction[i]! - Math.sign(sum)) > 127) continue;
    direction[i]! -= Math.sign(sum);
    sum -= Math.sign(sum);
  }
}

/** What follows from the sizes. */
function sizesOf({ length, channels, bits, segments, dilations, parts, levels }: Spec) {
  let windows = 0;
  for (let i = 0; i < dilations; ++i) windows += length - ((TAPS - 1) << i);
  const means = parts * levels;
  const room = Math.floor((MOST_ACTIVE / channels - windows) / Math.max(1, means));
  const times = means > 0 ? Math.max(1, Math.min(Math.round(windows / means), room, MOST_TIMES)) : 0;
  return {
    features: channels * (((dilations * segments) << bits) + means),
    most: channels * (windows + means * times),
    parameterBytes: TAPS * bits + channels * (8 + 2 * means),
    times,
  };
}

/** The encoder of a classifier's directory. @throws SaffuError INVALID_OPTION */
export function seriesEncoder(
  found: Omit<Spec, "parts" | "levels"> & Pick<SeriesOptions, "parts" | "levels">,
  parameters: Uint8Array,
): Encoder<ArrayLike<number>> {
  const spec: Spec = { parts: 0, levels: 0, ...check(found) } as Spec; // what was fitted before there were levels has none
  const { length, channels, bits, segments, dilations, parts, levels } = spec;
  const { features, most, times } = sizesOf(spec);
  if (most > MOST_ACTIVE)
    throw invalidOption("length, channels and dilations", `such as give at most ${MOST_ACTIVE} windows`, most);
  const plan: EncodingPlan = {
    ...{ kind: "series", features, most, unit: 1, parameters },
    numbers: [length, channels, TAPS, bits, segments | (parts << 8), dilations | (levels << 8) | (times << 16)],
    inputBytes: length * channels * 4,
    tableBytes: 256 + (((length * channels + 7) >> 3) << 4),
  };
  return {
    kind: "series",
    spec: { length, channels, bits, segments, dilations, ...(levels > 0 ? { parts, levels } : {}) },
    plan,
    pack: (input, row) => packSeries(input, row, length, channels),
  };
}

/** Dilations whose windows are shorter than a series. */
function dilationsOf(length: number): number {
  let many = 1;
  while (many < MOST_DILATIONS && (TAPS - 1) << many < length) ++many;
  return many;
}

function check<O extends SeriesOptions>(options: O): O {
  const whole = (name: keyof SeriesOptions, least: number, most: number) => {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      throw invalidOption(name, `an integer in ${least}..${most}`, value);
    }
  };
  if (options.length === undefined) throw invalidOption("length", "given", undefined);
  whole("length", TAPS + 1, 65536);
  whole("channels", 1, 256);
  whole("bits", 1, 8);
  whole("segments", 1, 64);
  whole("parts", 0, 255);
  whole("levels", 0, 64);
  const { bits, segments, dilations, length, parts = 0, levels = 0 } = options;
  if (parts > 0 !== levels > 0 || parts > length)
    throw invalidOption("parts and levels", `both above 0, or both 0, and parts at most ${length}`, parts);
  whole("dilations", levels > 0 ? 0 : 1, 12);
  if (levels > 0 && bits === undefined)
    throw invalidOption("levels", "given with bits, segments and dilations", levels);
  const given = [bits, segments, dilations].filter((value) => value !== undefined).length;
  if (given !== 0 && given !== 3)
    throw invalidOption("bits, segments and dilations", "given together, or none of them", given);
  if (dilations !== undefined && dilations > 0 && (TAPS - 1) << (dilations - 1) >= length) {
    throw invalidOption("dilations", `so few that ${TAPS} values reach less than ${length}`, dilations);
  }
  return options;
}

function packSeries(input: ArrayLike<number>, row: number, length: number, channels: number): Uint8Array {
  const many = length * channels;
  const found = lengthOf(input);
  if (found !== many) {
    throw invalidExample(row, `a series of ${channels} × ${length} is ${many} values, got ${shown(found ?? input)}`);
  }
  const out = new Float32Array(many);
  for (let i = 0; i < many; ++i) {
    const value: unknown = input[i];
    if (!(typeof value === "number" && Number.isFinite(Math.fround(value))))
      throw invalidExample(row, `value ${i} must be a finite number, got ${shown(value)}`);
    out[i] = value;
  }
  return bytesOf(out);
}
