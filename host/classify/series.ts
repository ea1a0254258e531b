/**
 * Series of `length` values in each of `channels`, finite numbers in f32, channel after channel. A feature is (channel, dilation, segment, code): the
 * code is the signs of the products of 9 values, `dilation` apart, with `bits` principal directions of such windows, which know neither level
 * nor scale. Values are rounded to whole steps of a 65,000th of what was seen in the fit, and cut to it. There is no missing value: fill gaps
 * before, or use a table.
 */
import { invalidOption, shown } from "../errors.ts";
import {
  bytesOf,
  type Encoder,
  type Encoding,
  invalidExample,
  lengthOf,
  type Packer,
  type Setting,
  type Whole,
} from "./encoding.ts";
import type { EncodingPlan } from "./layout.ts";

export interface SeriesOptions {
  /** Values of a channel, 10 to 65,536. */
  readonly length: number;
  /** 1 to 256. Default 1. */
  readonly channels?: number | undefined;
  /** Bits of a code, 1 to 8; with `segments` and `dilations`. Left out, all three are chosen. */
  readonly bits?: number | undefined;
  /** Parts of the series that are told apart, 1 to 64. */
  readonly segments?: number | undefined;
  /** Dilations 1, 2, 4, …: how many, 1 to 12. */
  readonly dilations?: number | undefined;
}

/** Values of a window. */
const TAPS = 9;
const MOST_WINDOWS = 60_000;
const MOST_DILATIONS = 6;
/** Values are spread over ± this. */
const SPREAD = 32000;

type Spec = Whole<SeriesOptions>;

/** @throws SaffuError INVALID_OPTION */
export function series(options: SeriesOptions): Encoding<ArrayLike<number>> {
  const { length, channels = 1, bits, segments, dilations } = check(options);
  const reach = dilationsOf(length);
  const packer: Packer<ArrayLike<number>> = {
    pack: (input, row) => packSeries(input, row, length, channels),
    asked:
      bits !== undefined && segments !== undefined && dilations !== undefined
        ? { bits, segments, dilations }
        : undefined,
    settings(bytes, rowBytes) {
      const out: Setting[] = [];
      for (const bits of [8, 7, 6, 5, 4]) {
        for (const segments of [4, 1, 2, 8]) {
          for (const dilations of new Set([reach, Math.min(4, reach)])) {
            const size = (channels * dilations * segments) << bits;
            if (size <= 65536 && size * rowBytes + TAPS * bits + 8 * channels <= bytes)
              out.push({ bits, segments, dilations });
          }
        }
      }
      return out.slice(0, 8);
    },
    fit(sample, { bits, segments, dilations }, solver) {
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
      const apart = Math.max(1, Math.ceil((views.length * length * channels * dilations!) / MOST_WINDOWS));
      let windows: number[] = [];
      let next = 0;
      for (const values of views) {
        for (let channel = 0; channel < channels; ++channel) {
          const [offset, gain] = [ranges[channel * 2]!, ranges[channel * 2 + 1]!];
          for (let dilation = 0; dilation < dilations!; ++dilation) {
            const last = length - ((TAPS - 1) << dilation);
            for (let t = 0; t < last; ++t) {
              if (next++ % apart !== 0) continue;
              const at = channel * length + t;
              const window = Array.from({ length: TAPS }, (_, i) =>
                Math.round((values[at + (i << dilation)]! - offset) * gain),
              );
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
      const { directions } = solver.directions(TAPS, bits!);
      for (let i = 0; i < bits!; ++i) withoutMean(directions.subarray(i * TAPS, (i + 1) * TAPS));
      const parameters = new Uint8Array(ranges.byteLength + directions.length);
      parameters.set(bytesOf(ranges));
      parameters.set(bytesOf(directions), ranges.byteLength);
      return seriesEncoder({ length, channels, bits: bits!, segments: segments!, dilations: dilations! }, parameters);
    },
  };
  return { kind: "series", packer: () => packer };
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

/** The encoder of a classifier's directory. @throws SaffuError INVALID_OPTION */
export function seriesEncoder(spec: Spec, parameters: Uint8Array): Encoder<ArrayLike<number>> {
  const { length, channels, bits, segments, dilations } = check(spec);
  let windows = 0;
  for (let i = 0; i < dilations; ++i) windows += length - ((TAPS - 1) << i);
  const plan: EncodingPlan = {
    kind: "series",
    features: (channels * dilations * segments) << bits,
    most: windows * channels,
    unit: 1,
    numbers: [length, channels, TAPS, bits, segments, dilations],
    parameters,
    inputBytes: length * channels * 4,
    tableBytes: 256 + (((length * channels + 7) >> 3) << 4),
  };
  return {
    kind: "series",
    spec: { length, channels, bits, segments, dilations },
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
  whole("dilations", 1, 12);
  const { bits, segments, dilations, length } = options;
  const given = [bits, segments, dilations].filter((value) => value !== undefined).length;
  if (given !== 0 && given !== 3)
    throw invalidOption("bits, segments and dilations", "given together, or none of them", given);
  if (dilations !== undefined && (TAPS - 1) << (dilations - 1) >= length) {
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
