/**
 * Variants of history attention over the same stack: `npm run attention --prefix tools/lab -- [DIR]`, models/potato-en by default, prints what each part of it
 * is worth and what was tried on top of it: bits per byte of dev and test, cells of the gate, and work a token. The gate is solved for
 * each row, on the tokens that a fit keeps from the network; the network's likelihoods are the device's. The table goes to docs/method.md.
 */

import { parseConfig } from "../../host/files/config.ts";
import { readTensors } from "../../host/files/safetensors.ts";
import { load } from "../../host/index.ts";
import { Kernels } from "../../host/model/kernels.ts";
import { writeBlock } from "../markdown.ts";
import { withoutAttention } from "../variants.ts";
import { NearMatches } from "./attention/caches.ts";
import { type Base, bitsPerByte, type Part, solveGate } from "./attention/gate.ts";
import { MORE_ORDERS, type Places, readPlaces, type Unigrams, type Weight } from "./attention/places.ts";
import { type Book, benchCorpus } from "./corpora/gutenberg.ts";
import { modelFigure } from "./figures/quality.ts";
import { inLab, inRoot } from "./paths.ts";

const BUCKETS = 32;
/** Likelihoods of the slice that the gate is solved on. */
const MOST_SLICE = 65536;

const directory = process.argv[2] ?? inRoot("models/potato-en");
const corpus = benchCorpus();
const { files, tokenizer, config } = await load(directory);
const { shape } = config;
if (shape.history === 0) throw new Error(`${directory} has no history attention`);
const stack = await withoutAttention(files);
const kernels = await Kernels.start(stack, parseConfig(stack.get("config.json")!).shape, "kernel.simd.wasm");
const near = new NearMatches(readTensors(files.get("model.safetensors")!, "model.safetensors").tensors, shape);

const train = tokenizer.encode(corpus.train);
const kept = Math.min(MOST_SLICE, Math.floor(train.length / 20));
const before = Math.min(shape.history, train.length - kept); // the ring is full where the slice begins
const slice = readPlaces([{ tokens: train.slice(-kept - before), from: before }], 0, kernels, shape, near);
const [dev, test] = [corpus.dev, corpus.test].map((books: readonly Book[]) => {
  const bytes = books.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  const texts = books.map(({ text }) => ({ tokens: tokenizer.encode(text), from: 0 }));
  return readPlaces(texts, bytes, kernels, shape, near);
}) as [Places, Places];

/** Classes that the buckets of an order are multiplied by. */
interface Classes {
  readonly count: number;
  readonly of: (places: Places, place: number, order: number) => number;
}

/** Classes of a number, by the least value of each but the first. */
function classes(
  least: readonly number[],
  quantity: (places: Places, place: number, order: number) => number,
): Classes {
  const of: Classes["of"] = (...at) => least.filter((value) => quantity(...at) >= value).length;
  return { count: least.length + 1, of };
}

/** q_1 to q_`count`. */
function orders(weight: Weight, by: Classes = { count: 1, of: () => 0 }, count = shape.matchLength): Part[] {
  return Array.from({ length: count }, (_, o) => ({
    cells: BUCKETS * by.count,
    likelihood: (places) => places.orders[o]!.likelihood[weight],
    bucket: (places, place) => {
      const bucket = places.orders[o]!.bucket[place]!;
      return bucket < 0 ? -1 : bucket * by.count + by.of(places, place, o);
    },
  }));
}

/** Unigrams that decay, below the orders. */
function unigrams(weight: Unigrams): Part {
  return {
    cells: 1,
    likelihood: (places) => places.unigrams[weight],
    bucket: (places, place) => (places.begins[place] ? -1 : 0),
  };
}
const similarity = classes([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97], (places, place) => places.similarity[place]!);
const nearest: Part = {
  cells: similarity.count,
  likelihood: (places) => places.near,
  bucket: (places, place) => (places.similarity[place] === 0 ? -1 : similarity.of(places, place, 0)),
};

const byEntropy = classes([2, 4, 6], (places, place) => places.entropy[place]!);
const byMass = classes([0.003, 0.03, 0.15, 0.5], (places, place, o) => places.orders[o]!.mass[place]!);
const byAge = classes([32, 256, 2048], (places, place, o) => places.orders[o]!.age[place]!);

const rows: string[] = [];
function tell(name: string, [onDev, onTest]: readonly [number, number], cells: number, work: string): void {
  const row = `| ${name} | ${onDev.toFixed(3)} | ${onTest.toFixed(3)} | ${cells} | ${work} |`;
  console.log(row);
  rows.push(row);
}
/** Solves the gate of some parts over a base, and tells what they come to. */
function measure(name: string, base: Base, parts: readonly Part[], work: string, follows = true): void {
  const gate = solveGate(parts, slice, base);
  const bits = (places: Places) => bitsPerByte(parts, gate, places, base, follows);
  tell(name, [bits(dev), bits(test)], gate.length, work);
}

const [once, twice, rescaling, all] = [
  "matches",
  "matches, twice",
  "matches, twice; V divisions",
  "matches, twice; V divisions; 2·V roots",
];
const late = unigrams("counts · p^¼");
const stacked = orders("1/√age · p^¼");
const shipped = [late, ...stacked];
measure("network alone", "stack", [], "–", false);
measure("matches weigh alike, the model's gate", "stack", orders("alike"), once, false);
measure("matches weigh 1/√age, the model's gate", "stack", orders("1/√age"), once, false);
measure("1/√age, the gate follows the text", "stack", orders("1/√age"), twice);
measure("stack rescaled by the text's marginals, alone", "rescaled", [], "V divisions", false);
measure("rescaled, 1/√age, the gate follows the text", "rescaled", orders("1/√age"), rescaling);
measure("the same, matches weigh 1/√age · p^¼", "rescaled", stacked, rescaling);
measure("**the same over unigrams that decay over 512 tokens, count · p^¼: as shipped**", "rescaled", shipped, all);
const kernel = await modelFigure("", files, corpus);
tell("the same as the kernel has it", [kernel.dev, kernel.test], 1 + shape.matchLength * BUCKETS, all);
measure("shipped, unigrams weigh by their counts alone", "rescaled", [unigrams("counts"), ...stacked], rescaling);
measure("… without the network rescaled", "stack", shipped, "matches, twice; 2·V roots");
measure("shipped, matches weigh 1/√age · p^½", "rescaled", [late, ...orders("1/√age · p^½")], all);
measure("… 1/age", "rescaled", [late, ...orders("1/age")], all);
measure("… age^−¼", "rescaled", [late, ...orders("age^−¼")], all);
const [entropy, mass, age] = [byEntropy, byMass, byAge].map((by) => [late, ...orders("1/√age · p^¼", by)]);
measure("shipped, buckets × 4 classes of the network's entropy", "rescaled", entropy!, `${all}; V logarithms`);
measure("… × 5 classes of the network's probability of the followers", "rescaled", mass!, all);
measure("… × 4 classes of the newest match's age", "rescaled", age!, all);
const most = shape.matchLength + MORE_ORDERS;
measure(`shipped, orders up to ${most}`, "rescaled", [late, ...orders("1/√age · p^¼", undefined, most)], all);
const nearby = `${all}; 1,024·M multiply-adds`;
measure("shipped over near matches of the last 1,024 places", "rescaled", [nearest, ...shipped], nearby);

const header = ["| | dev | test | cells | work a token |", "| --- | ---: | ---: | ---: | --- |"];
writeBlock(inLab("notes.md"), "attention", [...header, ...rows].join("\n"));
