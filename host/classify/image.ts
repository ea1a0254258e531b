/**
 * Images of grey, width × height bytes in rows, 0 to 255, of at most 64 × 64. A pixel is set where it is above `threshold`. Each patch × patch window
 * that is not blank is a feature: which of regions × across of the image it is in, and its code, the signs of its products with `bits`
 * principal directions of such windows. There is no missing pixel.
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

export interface ImageOptions {
  /** Pixels, 2 to 64. */
  readonly width: number;
  readonly height: number;
  /** Default 80: chosen as the solver's settings were (fit.ts). */
  readonly threshold?: number | undefined;
  /** Side of a window, 2 to 8; with `bits` and `regions`. Left out, all three are chosen. */
  readonly patch?: number | undefined;
  /** Bits of a code, 1 to 8. */
  readonly bits?: number | undefined;
  /** Regions, one above the other, 1 to 16. */
  readonly regions?: number | undefined;
  /** Regions, one beside the other, 1 to 16. Default as many. */
  readonly across?: number | undefined;
}

/** Windows that directions are learned from, at the most, and every how many of an image's rows and columns. */
const MOST_WINDOWS = 120_000;
const APART = 2;

const SIZES: readonly Setting[] = [
  { patch: 7, bits: 8, regions: 4 },
  { patch: 7, bits: 8, regions: 5 },
  { patch: 6, bits: 7, regions: 4 },
  { patch: 7, bits: 8, regions: 3 },
  { patch: 6, bits: 6, regions: 4 },
  { patch: 6, bits: 4, regions: 4 },
  { patch: 5, bits: 6, regions: 3 },
  { patch: 5, bits: 5, regions: 4 },
  { patch: 5, bits: 5, regions: 3 },
  { patch: 5, bits: 4, regions: 4 },
  { patch: 5, bits: 4, regions: 3 },
  { patch: 4, bits: 4, regions: 3 },
  { patch: 4, bits: 3, regions: 3 },
];

/** Of images that are too small for them. */
const SMALL_SIZES: readonly Setting[] = [
  { patch: 3, bits: 4, regions: 2 },
  { patch: 2, bits: 4, regions: 2 },
  { patch: 2, bits: 3, regions: 1 },
];

/** @throws SaffuError INVALID_OPTION */
export function image(options: ImageOptions): Encoding<ArrayLike<number>> {
  const { width, height, threshold = 80 } = check(options);
  const { patch, bits, regions, across = regions } = options;
  const pack = (input: ArrayLike<number>, row: number) => packImage(input, row, width, height);
  const packer: Packer<ArrayLike<number>> = {
    pack,
    asked:
      patch !== undefined && bits !== undefined && regions !== undefined
        ? { patch, bits, regions, across: across! }
        : undefined,
    settings: (bytes, rowBytes) =>
      (Math.min(width, height) < 4 ? SMALL_SIZES : SIZES).filter(
        (size) =>
          size.patch! <= Math.min(width, height) &&
          ((size.regions! * (size.across ?? size.regions!)) << size.bits!) * rowBytes +
            16 +
            size.patch! ** 2 * size.bits! <=
            bytes,
      ),
    fit(sample, { patch, bits, regions, across = regions }, solver) {
      const size = patch! * patch!;
      const windows: number[] = [];
      let count = 0;
      const flush = () => {
        solver.addWindows(Int32Array.from(windows), size);
        windows.length = 0;
      };
      for (const pixels of sample) {
        if (count >= MOST_WINDOWS) break;
        for (let y = 0; y + patch! <= height; y += APART) {
          for (let x = 0; x + patch! <= width; x += APART) {
            const from = windows.length;
            let any = 0;
            for (let r = 0; r < patch!; ++r) {
              for (let c = 0; c < patch!; ++c) {
                const set = pixels[(y + r) * width + x + c]! > threshold ? 1 : 0;
                any |= set;
                windows.push(set);
              }
            }
            if (any) count += 1;
            else windows.length = from;
          }
        }
        if (windows.length > 4096 * size) flush();
      }
      flush();
      const { directions, thresholds } = solver.directions(size, bits!);
      const parameters = new Uint8Array(16 + directions.length);
      new Int16Array(parameters.buffer, 0, 8).set(thresholds);
      parameters.set(bytesOf(directions), 16);
      return imageEncoder(
        { width, height, threshold, patch: patch!, bits: bits!, regions: regions!, across: across! },
        parameters,
      );
    },
  };
  return { kind: "image", packer: () => packer };
}

/** The encoder of a classifier's directory. @throws SaffuError INVALID_OPTION where its numbers are none */
export function imageEncoder(spec: Whole<ImageOptions>, parameters: Uint8Array): Encoder<ArrayLike<number>> {
  const { width, height, threshold, patch, bits, regions, across } = check(spec);
  const plan: EncodingPlan = {
    kind: "image",
    features: (regions * across) << bits,
    most: (width - patch + 1) * (height - patch + 1),
    unit: 1,
    numbers: [width, height, patch, bits, regions + 256 * across, threshold],
    parameters,
    inputBytes: width * height,
    tableBytes: 16 + 64 * 8 + ((patch << patch) << 4),
  };
  return {
    kind: "image",
    spec: { width, height, threshold, patch, bits, regions, across },
    plan,
    pack: (input, row) => packImage(input, row, width, height),
  };
}

function check<O extends ImageOptions>(options: O): O {
  const whole = (name: keyof ImageOptions, least: number, most: number) => {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      throw invalidOption(name, `an integer in ${least}..${most}`, value);
    }
  };
  if (options.width === undefined || options.height === undefined)
    throw invalidOption("width and height", "given", undefined);
  for (const name of ["width", "height"] as const) whole(name, 2, 64);
  whole("threshold", 0, 255);
  whole("patch", 2, Math.min(8, options.width, options.height));
  whole("bits", 1, 8);
  whole("regions", 1, 16);
  whole("across", 1, 16);
  whole("across", 1, 16);
  const given = [options.patch, options.bits, options.regions].filter((value) => value !== undefined).length;
  if (given !== 0 && given !== 3)
    throw invalidOption("patch, bits and regions", "given together, or none of them", given);
  return options;
}

function packImage(input: ArrayLike<number>, row: number, width: number, height: number): Uint8Array {
  const found = lengthOf(input);
  if (found !== width * height) {
    throw invalidExample(
      row,
      `an image of ${width} × ${height} is ${width * height} bytes, got ${shown(found ?? input)}`,
    );
  }
  if (input instanceof Uint8Array) return input;
  const out = new Uint8Array(input.length);
  for (let i = 0; i < input.length; ++i) {
    const value = input[i]!;
    if (!(Number.isInteger(value) && value >= 0 && value <= 255)) {
      throw invalidExample(row, `pixel ${i} must be an integer in 0..255, got ${shown(value)}`);
    }
    out[i] = value;
  }
  return out;
}
