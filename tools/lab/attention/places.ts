/** Places of texts: what each distribution said of the token that came there, and what the gate's buckets are made of. */
import type { Kernels } from "../../../host/model/kernels.ts";
import type { Shape } from "../../../host/shape.ts";
import { DecayingUnigrams, Marginals, type NearMatches } from "./caches.ts";
import { Chains, type Match } from "./matches.ts";

/** Orders that are looked at beyond those of the model. */
export const MORE_ORDERS = 2;
/** How far followers are trusted beside the network where marginals are counted: the kernel asks its gate. */
const TRUST = 0.3;
/** What a match weighs, by its age in tokens and by the rescaled stack's probability of what followed it. */
const WEIGHTS = {
  alike: () => 1,
  "1/√age": (age) => 1 / Math.sqrt(age),
  "1/age": (age) => 1 / age,
  "age^−¼": (age) => 1 / Math.sqrt(Math.sqrt(age)),
  "1/√age · p^¼": (age, p) => Math.sqrt(Math.sqrt(p) / age),
  "1/√age · p^½": (age, p) => Math.sqrt(p / age),
} satisfies Record<string, (age: number, p: number) => number>;
export type Weight = keyof typeof WEIGHTS;
const WEIGHT_NAMES = Object.keys(WEIGHTS) as Weight[];

/** What unigrams weigh. */
export type Unigrams = "counts" | "counts · p^¼";

/** Tokens, of which those from `from` on are scored. */
export interface Text {
  readonly tokens: Uint16Array;
  readonly from: number;
}

/** The matches of one order or a higher one, at n places. */
class Order {
  /** The shipped gate's bucket, -1 without a match. */
  readonly bucket: Int8Array;
  /** Of the newest match. */
  readonly age: Int32Array;
  /** The rescaled stack's probability of what followed, a match in the mean. */
  readonly mass: Float32Array;
  readonly likelihood: Readonly<Record<Weight, Float32Array>>;

  constructor(n: number) {
    const floats = WEIGHT_NAMES.map((name) => [name, new Float32Array(n)] as const);
    this.bucket = new Int8Array(n).fill(-1);
    this.age = new Int32Array(n);
    this.mass = new Float32Array(n);
    this.likelihood = Object.fromEntries(floats) as Record<Weight, Float32Array>;
  }

  write(place: number, matches: readonly Match[], p: Float64Array, token: number): void {
    if (matches.length === 0) return;
    this.bucket[place] = bucketOf(matches.length, new Set(matches.map(({ follower }) => follower)).size);
    this.age[place] = matches[0]!.age;
    this.mass[place] = matches.reduce((sum, { follower }) => sum + p[follower]!, 0) / matches.length;
    for (const name of WEIGHT_NAMES) {
      const weightOf: (age: number, p: number) => number = WEIGHTS[name];
      let [all, own] = [0, 0];
      for (const { age, follower } of matches) {
        const weight = weightOf(age, p[follower]!);
        all += weight;
        if (follower === token) own += weight;
      }
      this.likelihood[name][place] = own / all;
    }
  }
}

/** n places, in order. */
export class Places {
  /** Whether a text begins. */
  readonly begins: Uint8Array;
  readonly stack: Float32Array;
  /** The network's, rescaled by the text's marginals. */
  readonly rescaled: Float32Array;
  /** The network's, in bits. */
  readonly entropy: Float32Array;
  /** Those that decay, by their counts alone, and times the fourth root of what the rescaled stack says. */
  readonly unigrams: Readonly<Record<Unigrams, Float32Array>>;
  readonly near: Float32Array;
  /** Of the nearest place of near matches. */
  readonly similarity: Float32Array;
  readonly orders: readonly Order[];

  /** @param bytes of the texts that the places are of */
  constructor(
    n: number,
    orders: number,
    readonly bytes: number,
  ) {
    this.begins = new Uint8Array(n);
    this.stack = new Float32Array(n);
    this.rescaled = new Float32Array(n);
    this.entropy = new Float32Array(n);
    this.unigrams = { counts: new Float32Array(n), "counts · p^¼": new Float32Array(n) };
    this.near = new Float32Array(n);
    this.similarity = new Float32Array(n);
    this.orders = Array.from({ length: orders }, () => new Order(n));
  }
}

/** Reads texts one after another, each from an empty context. `kernels` are of a model without history attention, `shape` that of the model with it. */
export function readPlaces(texts: readonly Text[], bytes: number, kernels: Kernels, shape: Shape, near: NearMatches) {
  const orders = shape.matchLength + MORE_ORDERS;
  const n = texts.reduce((sum, { tokens, from }) => sum + tokens.length - from, 0);
  const places = new Places(n, orders, bytes);
  let place = 0;
  for (const { tokens, from } of texts) {
    const kernel = kernels.take();
    const chains = new Chains(tokens, shape);
    const unigrams = new DecayingUnigrams(shape.vocabulary);
    const marginals = new Marginals(shape.vocabulary);
    near.reset();
    places.begins[place] = 1;
    for (const [t, token] of tokens.entries()) {
      if (t >= from) {
        kernel.predict();
        const p = kernel.probabilities;
        places.stack[place] = p[token]!;
        marginals.rescale(p);
        places.rescaled[place] = marginals.rescaled[token]!;
        places.entropy[place] = -p.reduce((sum, p) => (p > 0 ? sum + p * Math.log2(p) : sum), 0);
        places.unigrams.counts[place] = unigrams.likelihood(token);
        places.unigrams["counts · p^¼"][place] = unigrams.likelihood(token, marginals.rescaled);
        places.near[place] = near.likelihood(token);
        places.similarity[place] = near.similarity;
        let matches = chains.matches(t, orders);
        let followed = 0;
        for (const [o, order] of places.orders.entries()) {
          matches = matches.filter((match) => match.order > o);
          order.write(place, matches, marginals.rescaled, token);
          followed = Math.max(followed, order.likelihood["1/√age"][place]!);
        }
        const stack = places.rescaled[place]!;
        marginals.count(token, stack / (stack + TRUST * followed), p);
        ++place;
      }
      chains.append(t);
      unigrams.append(token);
      near.append(token);
      kernel.append(token);
    }
    kernels.give(kernel);
  }
  return places;
}

/** The bucket of assembly/attention.ts. */
function bucketOf(total: number, distinct: number): number {
  const many = [1, 2, 3, 4, 8, 16, 64, Number.POSITIVE_INFINITY].findIndex((most) => total <= most);
  const agreement = distinct === 1 ? 0 : distinct === total ? 3 : 2 * distinct <= total ? 1 : 2;
  return many * 4 + agreement;
}
