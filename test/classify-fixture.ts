/** Small data for classifiers: drawn by a seed, so that labels follow from inputs. */
import { Device } from "../host/classify/device.ts";
import type { Encoder } from "../host/classify/encoding.ts";
import { type Form, type HiddenLayer, inputsOf } from "../host/classify/layout.ts";
import type { Layer } from "../host/classify/solver.ts";
import { classifierModules } from "../host/compile/classifier.ts";
import { generator } from "../tools/generator.ts";

export interface Labelled<Input> {
  readonly input: Input;
  readonly label: string;
}

/** Images of 12 × 12 with a bar that lies, or stands, or a square, somewhere, and noise. */
export function shapes(count: number, seed: number): Labelled<Uint8Array>[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => {
    const kind = Math.floor(next() * 3);
    const input = Uint8Array.from({ length: 144 }, () => (next() < 0.02 ? 255 : Math.floor(next() * 90)));
    const [x, y] = [2 + Math.floor(next() * 4), 2 + Math.floor(next() * 4)];
    const [w, h] = [
      [6, 2],
      [2, 6],
      [4, 4],
    ][kind] as [number, number];
    for (let i = 0; i < w * h; ++i) input[(y + Math.floor(i / w)) * 12 + x + (i % w)] = 200 + Math.floor(next() * 55);
    return { input, label: ["lying", "standing", "square"][kind]! };
  });
}

/** Series of 40 values: waves, steps and spikes at any place, level and scale. */
export function waves(count: number, seed: number): Labelled<number[]>[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => {
    const kind = Math.floor(next() * 3);
    const [level, scale, at] = [next() * 20 - 10, 1 + next() * 5, 12 + Math.floor(next() * 16)];
    const value = (t: number) =>
      kind === 0 ? Math.sin((t + at) / 2) : kind === 1 ? (t > at ? 1 : -1) : t === at ? 4 : 0;
    const input = Array.from({ length: 40 }, (_, t) => level + scale * (value(t) + 0.1 * (next() - 0.5)));
    return { input, label: ["wave", "step", "spike"][kind]! };
  });
}

/** Rows of two numbers and a category, some missing. */
export function rows(count: number, seed: number): Labelled<(number | string | null)[]>[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => {
    const [a, b] = [next() * 10, next() * 4 - 2];
    const colour = ["red", "green", "blue"][Math.floor(next() * 3)]!;
    const label = a > 5 === b > 0 ? "same" : colour === "red" ? "red" : "other";
    const missing = (cell: number | string) => (next() < 0.05 ? null : cell);
    return { input: [missing(a), missing(b), missing(colour)], label };
  });
}

/** Lines of a log. */
export function logLines(count: number, seed: number): Labelled<string>[] {
  const next = generator(seed);
  const number = () => Math.floor(next() * 100000);
  return Array.from({ length: count }, () => {
    const bad = next() < 0.3;
    const input = bad
      ? `ERROR disk sd${number() % 9} failed after ${number()} ms`
      : `info: job ${number()} done in ${number()} ms, ${number()} bytes`;
    return { input, label: bad ? "alert" : "fine" };
  });
}

/** Bits of which the first `told` say the label, by whether an odd number of them is set: of each bit alone it is independent. */
export function parities(count: number, seed: number, bits: number, told: number): Labelled<{ ids: number[] }>[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => {
    const set = Array.from({ length: bits }, () => Number(next() < 0.5));
    const odd = set.slice(0, told).reduce((sum, bit) => sum + bit) % 2;
    return { input: { ids: set.map((bit, i) => 2 * i + bit) }, label: odd ? "odd" : "even" };
  });
}

/** A hidden layer of random weights over so many features. */
export function randomHidden(features: number, groups: number, units: number, bits: number, seed: number): HiddenLayer {
  const next = generator(seed);
  const columns = groups * units;
  const floats = (scale: number) => Float32Array.from({ length: columns }, () => (next() * 2 - 1) * scale);
  return {
    ...{ groups, units, bits, bias: floats(2), scales: floats(bits === 8 ? 0.01 : 0.2) },
    rows: Uint8Array.from({ length: (features * columns * bits) / 8 }, () => Math.floor(next() * 256)),
  };
}

const modules = classifierModules();

/** A device of an encoder and a layer of random weights. */
export async function randomDevice(
  encoder: Encoder<never>,
  {
    classes,
    bits,
    form,
    seed,
    build,
    hidden,
  }: { classes: number; bits: number; form: Form; seed: number; build: "scalar" | "simd"; hidden?: HiddenLayer },
): Promise<{ device: Device; layer: Layer }> {
  const next = generator(seed);
  const { features } = inputsOf({ encoding: encoder.plan, hidden });
  const bytes = features * (bits === 4 ? Math.ceil(classes / 2) : classes);
  const byte = () =>
    bits === 4 ? (1 + Math.floor(next() * 15)) | ((1 + Math.floor(next() * 15)) << 4) : Math.floor(next() * 256);
  const layer = {
    bias: Float32Array.from({ length: classes }, () => next() * 2 - 1),
    scales: Float32Array.from({ length: classes }, () => next() * 0.01),
    prior: new Float32Array(classes).fill(1 / classes),
    rows: Uint8Array.from({ length: bytes }, byte),
  };
  const shape = { encoding: encoder.plan, hidden, classes, bits, form };
  return { device: await Device.start((await modules)[build].device, shape, layer, true), layer };
}
