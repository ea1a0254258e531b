/**
 * The device module again, in TypeScript, written from the model's definition and not from the kernels: every product and sum is
 * rounded to f32 at the place where the definition pins it, so results must agree to the bit.
 */
import type { Tensor } from "../host/files/safetensors.ts";
import type { Shape } from "../host/shape.ts";
import { LongOracle, longMatchAt } from "./oracle-long.ts";
import { bitsOfFloat, exp, f, floatOfBits, LOG2E, laneSum, log, nearest } from "./oracle-math.ts";
import { NgramOracle } from "./oracle-ngrams.ts";

/** Stands between texts that are recalled. */
const BREAK = 0xffff;

/** The bucket of a match length: how many followers there are, and how far they agree. */
function bucketOf(followers: readonly number[]): number {
  const n = followers.length;
  const many = [1, 2, 3, 4, 8, 16, 64, Number.POSITIVE_INFINITY].findIndex((most) => n <= most);
  const distinct = new Set(followers).size;
  if (distinct === 1) return many * 4;
  if (distinct === n) return many * 4 + 3;
  return many * 4 + (distinct <= n / 2 ? 1 : 2);
}

function softmax(values: Float32Array): void {
  const peak = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  for (let i = 0; i < values.length; ++i) values[i] = exp(f(values[i]! - peak));
  const scale = f(1 / laneSum(values));
  for (let i = 0; i < values.length; ++i) values[i] = f(values[i]! * scale);
}

/** −log2 p in bits; what is no longer a normal number counts as the least that is. */
export function surprisal(p: number): number {
  return Math.max(0, f(-log(Math.max(f(1.1754944e-38), p)) * LOG2E));
}

interface Match {
  /** How many of the newest tokens stand there, too. */
  readonly length: number;
  /** The token that came next. */
  readonly follower: number;
  /** How much it counts. */
  readonly weight: number;
}

/** 1 / √age, cut to the leading bits that a match has room for. */
function weightOf(age: number): number {
  return cut(f(1 / f(Math.sqrt(age))));
}

function cut(weight: number): number {
  return floatOfBits((bitsOfFloat(weight) >> 18) << 18);
}

/** A token's count times p^¼. */
function weighedCount(count: number, p: number): number {
  return f(count * f(Math.sqrt(f(Math.sqrt(p)))));
}

/** The same match, times p^¼ of what followed. */
function weighedByNetwork(match: Match, probabilities: Float32Array): Match {
  const p = Math.max(f(1.1754944e-38), probabilities[match.follower]!);
  return { ...match, weight: cut(f(match.weight * f(Math.sqrt(f(Math.sqrt(p)))))) };
}

/** Places of `text`, newest first, at which the last tokens of `seen` stand, `least` of them or more, and have a follower. */
function placesIn(text: readonly number[], seen: readonly number[], least: number): number[] {
  const places: number[] = [];
  for (let at = text.length - 2; at >= 0; --at) {
    if (matchAt(text, at, seen, least).length === least && text[at + 1] !== BREAK) places.push(at);
  }
  return places;
}

/** The match at a place of `text`, which ended `past` tokens before the newest of `seen`: of `most` tokens at the most. */
function matchAt(text: readonly number[], at: number, seen: readonly number[], most: number, past = 0): Match {
  let length = 0;
  while (length < most && at >= length && text[at - length] === seen.at(-1 - length)) ++length;
  return { length, follower: text[at + 1]!, weight: weightOf(past + text.length - 1 - at) };
}

/**
 * Places that an index leads to: the newest 128 of the last token; then those that match two tokens among the next 256 older ones
 * whose pair has the hash of the last pair. `seen` are the last R tokens at the most.
 */
function indexedPlaces(seen: readonly number[], { history, vocabulary }: Shape): number[] {
  const newest = seen.length - 1;
  const hash = (at: number) =>
    (Math.imul(seen[at - 1]! * vocabulary + seen[at]!, 0x9e3779b1) >>> 0) >>> (32 - Math.log2(history / 4));
  const places = Array.from({ length: newest }, (_, i) => newest - 1 - i); // newest first
  const ofToken = places.filter((at) => seen[at] === seen[newest]).slice(0, 128);
  if (ofToken.length < 128) return ofToken;
  const ofPair = places.filter((at) => at > 0 && at < ofToken.at(-1)! && hash(at) === hash(newest)).slice(0, 256);
  return [...ofToken, ...ofPair.filter((at) => matchAt(seen, at, seen, 2).length > 1)];
}

/** A model's forward pass over a stream of tokens. */
export class Oracle {
  protected stream: number[] = [];
  /** Σ responsibilities and places of each cell of the mixture weights, as the text has them. */
  private mixture: { sums: number[]; places: number[] } | undefined;
  /** What the last prediction mixed in: of each match length the share of a match of weight 1, and its cell. */
  private mixed: { matches: readonly Match[]; parts: number[]; cells: (number | undefined)[] } | undefined;
  /** How often each token came, and was expected to, in the text; tokens counted. */
  private marginals: { came: Float32Array; expected: Float32Array; counted: number } | undefined;
  /** The recency cache: counts of the tokens that came of late, what one more counts, and the share that the text says they have. */
  private recency: { counts: Float32Array; newest: number; sum: number; places: number } | undefined;
  /**
   * What the last prediction's network said, before it was adapted to the marginals and after; what the recency cache left of it, and
   * the matches of both; what a count of the cache was multiplied by.
   */
  private network: { own: Float32Array; rescaled: Float32Array; kept: number; rest: number; each: number } | undefined;
  /** What weighs the long matches. */
  private readonly long: LongOracle | undefined;
  private readonly ngrams: NgramOracle | undefined;
  private state = [0, 0, 0, 0];

  /** @param tensors those of the shape, and of a memory its tokens and its n-grams */
  constructor(
    protected readonly shape: Shape,
    private readonly tensors: ReadonlyMap<string, Tensor>,
  ) {
    if (!shape.longMatches) return;
    const memory = shape.memory ? Array.from(this.numbers("memory.tokens")) : [];
    this.long = new LongOracle(this.numbers("attention.long"), memory, shape.memoryIndexed ?? false);
    if (shape.ngrams) {
      this.ngrams = new NgramOracle(this.tensors.get("memory.ngrams")!.data as Uint8Array, shape.vocabulary);
    }
  }

  append(token: number): void {
    this.stream.push(token);
    if (this.shape.adapts) this.countRecent(token);
  }

  /** Empties the context. */
  reset(): void {
    this.stream = [];
    this.mixture = undefined;
    this.marginals = undefined;
    this.recency = undefined;
    this.long?.reset();
  }

  /** Surprisal of `token` in bits; then what adapts to the text follows it, and it is appended. */
  feed(token: number): number {
    const p = this.predict()[token]!;
    this.follow(token, p);
    return surprisal(p);
  }

  /** All that adapts does so to `token`, which was predicted with `last`, and the text goes on from it. */
  follow(token: number, last: number): void {
    const p = this.beforeLong(token, last);
    this.long?.adapt(token);
    this.adaptRecency(token, p);
    this.count(token, this.explained(token, p));
    this.adaptMixture(token, p);
    this.append(token);
  }

  /** What the mixture gave a token before the long matches, which made it `last`. */
  protected beforeLong(token: number, last: number): number {
    return this.long?.before(token, last) ?? last;
  }

  predict(): Float32Array {
    const probabilities = this.decode(this.hidden());
    this.attend(probabilities);
    return probabilities;
  }

  protected numbers(name: string): ArrayLike<number> {
    return this.tensors.get(name)!.data as unknown as ArrayLike<number>;
  }

  /** The bits of a token's cipher. */
  private cipherOf(token: number): number[] {
    const { bits, vocabulary } = this.shape;
    if (bits === vocabulary) return [token];
    const { data, shape } = this.tensors.get("cipher")!;
    const width = shape[1]!;
    return Array.from((data as Uint16Array).subarray(token * width, (token + 1) * width)).filter((bit) => bit < bits);
  }

  /** Elements of a layer's rows: int8, or levels by their codes. */
  private elementsOf(layer: string): (i: number) => number {
    const codes = this.numbers(`${layer}.U`);
    if (this.shape.weightBits !== 4) return (i) => codes[i]!;
    const levels = this.numbers(`${layer}.U.levels`);
    return (i) => levels[i % 2 === 0 ? codes[i / 2]! % 16 : Math.floor(codes[(i - 1) / 2]! / 16)]!;
  }

  /** logits += share · row, of the rows that a token names at a position. */
  private addToken(layer: string, logits: Float32Array, token: number, position: number, share: number): void {
    const set = this.cipherOf(token);
    const elementAt = this.elementsOf(layer);
    for (const bit of set) {
      const row = position * this.shape.bits + bit;
      const scale = f(f(share * this.numbers(`${layer}.U.scale`)[row]!) / set.length);
      logits.forEach((logit, c) => {
        logits[c] = f(logit + f(scale * elementAt(row * logits.length + c)));
      });
    }
  }

  private softmaxGroups(logits: Float32Array): Float32Array {
    const { units } = this.shape;
    for (let at = 0; at < logits.length; at += units) softmax(logits.subarray(at, at + units));
    return logits;
  }

  /** How often each position of the window is taken: r times its attention. */
  private shares(context: readonly number[]): number[] {
    const { window, windowAttention } = this.shape;
    if (!windowAttention) return new Array(window).fill(1);
    const comparisons = Array.from({ length: window }, (_, j) => {
      const [pivot, token] = [context.at(-1), context.at(-1 - j)];
      if (pivot === undefined || token === undefined) return 0;
      const [a, b] = [this.cipherOf(pivot), this.cipherOf(token)];
      const common = a.reduce((sum, bit) => sum + b.filter((other) => other === bit).length, 0);
      return f(common / (a.length * b.length));
    });
    const logits = new Float32Array(Math.ceil(window / 4) * 4).fill(-1e9);
    for (let j = 0; j < window; ++j) {
      logits[j] = this.numbers("block.w0")[j]!;
      for (let i = 0; i < window; ++i) {
        logits[j] = f(logits[j]! + f(comparisons[i]! * this.numbers("block.W")[i * window + j]!));
      }
    }
    softmax(logits);
    return Array.from(logits, (share) => f(share * window));
  }

  /** Hidden state of the groups that read the window, after some tokens. */
  private windowState(context: readonly number[]): Float32Array {
    const logits = Float32Array.from(this.numbers("block.u0"));
    const shares = this.shares(context);
    for (let j = 0; j < this.shape.window; ++j) {
      const token = context.at(-1 - j);
      if (token !== undefined) this.addToken("block", logits, token, j, shares[j]!);
    }
    return this.softmaxGroups(logits);
  }

  /** Hidden state of the groups that read the document: each token lets what was there fade, and adds its row. */
  private documentState(): Float32Array {
    const { documentSpan: span = 1 } = this.shape;
    const bias = this.numbers("document.u0");
    const bag = new Float32Array(bias.length);
    for (const token of this.stream) {
      for (let c = 0; c < bag.length; ++c) bag[c] = f(f(f(span - 1) / f(span)) * bag[c]!);
      this.addToken("document", bag, token, 0, f(1 / f(span)));
    }
    return this.softmaxGroups(bag.map((value, c) => f(bias[c]! + value)));
  }

  /** Hidden state of the second layer: it reads the first layer's states after the last tokens, of which there is one more than tokens. */
  private secondState(): Float32Array {
    const { secondWindow = 1 } = this.shape;
    const logits = Float32Array.from(this.numbers("stacked.u0"));
    const elementAt = this.elementsOf("stacked");
    for (let j = 0; j < secondWindow && j <= this.stream.length; ++j) {
      const state = this.windowState(this.stream.slice(0, this.stream.length - j));
      state.forEach((h, i) => {
        const row = j * state.length + i;
        const scale = f(this.numbers("stacked.U.scale")[row]! * h);
        for (let c = 0; c < logits.length; ++c) {
          logits[c] = f(logits[c]! + f(scale * elementAt(row * logits.length + c)));
        }
      });
    }
    return this.softmaxGroups(logits);
  }

  protected hidden(): Float32Array {
    const { documentGroups = 0, secondGroups = 0 } = this.shape;
    return Float32Array.of(
      ...this.windowState(this.stream),
      ...(documentGroups > 0 ? this.documentState() : []),
      ...(secondGroups > 0 ? this.secondState() : []),
    );
  }

  /** The probabilities of the network with its n-grams, with the base's rows and their scales or with others. */
  protected decode(
    hidden: Float32Array,
    rows = this.numbers("decoder.O"),
    scales = this.numbers("decoder.O.scale"),
  ): Float32Array {
    const { vocabulary } = this.shape;
    const width = hidden.length;
    const fixed = Array.from(hidden, (h) => nearest(f(h * 16384)));
    const out = new Float32Array(vocabulary);
    for (let v = 0; v < vocabulary; ++v) {
      let sum = 0;
      for (let c = 0; c < width; ++c) sum += fixed[c]! * rows[v * width + c]!;
      const scaled = f(f(scales[v]! * f(1 / 16384)) * f(sum));
      out[v] = f(this.numbers("decoder.o0")[v]! + scaled);
    }
    softmax(out);
    this.ngrams?.apply(out, this.stream);
    return out;
  }

  /**
   * Mixes in what followed where the newest tokens stood before, here or in `recalled`, of which two must match; R matches in all,
   * 1024 at the most, are listed, the text's own first and the newest first. Long matches are looked for in all these places, and in the
   * memory; where no index bounds them, 256 are listed beside them.
   *
   * @returns what the network's own probabilities were multiplied by, before the long matches
   */
  protected attend(probabilities: Float32Array, recalled: readonly number[] = []): number {
    const { history, matchLength, adapts, indexed } = this.shape;
    this.mixed = undefined;
    if (history === 0) return 1;
    if (adapts) this.rescale(probabilities);
    if (adapts && this.stream.length > 0) this.mixRecent(probabilities);
    const seen = this.stream.slice(-history);
    const here = indexed ? indexedPlaces(seen, this.shape) : placesIn(seen, seen, 1);
    const elsewhere = placesIn(recalled, seen, 2);
    const most = this.long && !indexed ? 256 : 1024;
    const listed = [
      ...here.map((at) => matchAt(seen, at, seen, matchLength)),
      ...elsewhere.map((at) => matchAt(recalled, at, seen, matchLength, this.stream.length)),
    ].slice(0, Math.min(history, most));
    const rest = listed.length > 0 ? this.mixListed(listed, probabilities) : 1;
    this.long?.mix(probabilities, seen, [
      ...here.map((at) => longMatchAt(seen, at, seen)),
      ...elsewhere.map((at) => longMatchAt(recalled, at, seen)),
    ]);
    return rest;
  }

  /** Mixes in what followed the matches that are listed. @returns what the network's own probabilities were multiplied by */
  private mixListed(listed: readonly Match[], probabilities: Float32Array): number {
    const { matchLength, adapts } = this.shape;
    const matches = adapts ? listed.map((match) => weighedByNetwork(match, probabilities)) : listed;
    const weightsOf = this.weights(matches);
    const { sums, places } = this.mixtureOfText();
    const parts = new Array<number>(matchLength).fill(0); // of one match of each length and weight 1
    const cells = new Array<number | undefined>(matchLength).fill(undefined);
    let rest = 1;
    for (let l = matchLength - 1; l >= 0; --l) {
      const followers = matches.filter(({ length }) => length > l).map(({ follower }) => follower);
      if (followers.length === 0) continue;
      const cell = l * 32 + bucketOf(followers);
      const lambda = f(sums[cell]! / places[cell]!);
      parts[l] = f(f(rest * lambda) / weightsOf[l]!);
      cells[l] = cell;
      rest = f(rest * f(1 - lambda));
    }
    this.mixed = { matches, parts, cells };
    let weight = 0;
    const weights = parts.map((part) => {
      weight = f(weight + part);
      return weight;
    });
    if (this.network) this.network.rest = rest;
    for (let v = 0; v < probabilities.length; ++v) probabilities[v] = f(probabilities[v]! * rest);
    for (const { length, follower, weight: own } of matches) {
      probabilities[follower] = f(probabilities[follower]! + f(own * weights[length - 1]!));
    }
    return rest;
  }

  /** A text's marginals: 3 tokens of each kind that came as expected stand before it. */
  private marginalsOfText() {
    const three = () => new Float32Array(this.shape.vocabulary).fill(3);
    this.marginals ??= { came: three(), expected: three(), counted: 0 };
    return this.marginals;
  }

  /** The network times how often each token came beside how often it was expected. */
  private rescale(probabilities: Float32Array): void {
    const { came, expected } = this.marginalsOfText();
    const own = probabilities.slice();
    for (let v = 0; v < own.length; ++v) probabilities[v] = f(own[v]! * f(came[v]! / expected[v]!));
    const scale = f(1 / laneSum(probabilities));
    for (let v = 0; v < own.length; ++v) probabilities[v] = f(probabilities[v]! * scale);
    this.network = { own, rescaled: probabilities.slice(), kept: 1, rest: 1, each: 0 };
  }

  /** A text's recency cache: no token has come, and it has a share of 0.02 in 64 places. */
  private recencyOfText() {
    const counts = new Float32Array(this.shape.vocabulary).fill(2 ** -20);
    this.recency ??= { counts, newest: 1, sum: f(f(0.02) * 64), places: 64 };
    return this.recency;
  }

  /** The newer a token, the more it counts: a 512th with each. */
  private countRecent(token: number): void {
    const cache = this.recencyOfText();
    const { counts } = cache;
    counts[token] = f(counts[token]! + cache.newest);
    cache.newest = f(cache.newest * f(1 + 1 / 512));
    if (cache.newest < 2 ** 40) return;
    for (const [v, count] of counts.entries()) counts[v] = Math.max(2 ** -20, f(count * 2 ** -40));
    cache.newest = f(cache.newest * 2 ** -40);
  }

  /** Count times p^¼ of what came of late, mixed into the network. */
  private mixRecent(probabilities: Float32Array): void {
    const { counts, sum, places } = this.recencyOfText();
    const lambda = f(sum / places);
    const weighed = probabilities.map((p, v) => weighedCount(counts[v]!, p));
    const each = f(lambda / laneSum(weighed));
    const kept = f(1 - lambda);
    for (const [v, p] of probabilities.entries()) probabilities[v] = f(f(p * kept) + f(each * weighed[v]!));
    Object.assign(this.network!, { kept, each });
  }

  /** The share of the recency cache follows `token`, which was predicted with p: responsibilities, of about the last 128 places. */
  private adaptRecency(token: number, p: number): void {
    if (this.network === undefined || this.stream.length === 0 || !(p > 0)) return;
    const cache = this.recencyOfText();
    const { rescaled, rest, each } = this.network;
    const own = f(f(weighedCount(cache.counts[token]!, rescaled[token]!) * each) * f(rest / p));
    const halved = cache.places > 128 ? 0.5 : 1;
    cache.sum = f(f(cache.sum * halved) + own);
    cache.places = f(f(cache.places * halved) + f(this.explained(token, p) + own));
  }

  /** The network's responsibility for `token`, which was predicted with p. */
  protected explained(token: number, p: number): number {
    if (this.network === undefined || !(p > 0)) return 0;
    const { rest, kept, rescaled } = this.network;
    return Math.min(1, f(f(f(rest * kept) * rescaled[token]!) / p));
  }

  /** Counts a token for the share that the network explains of it, and halves the counts of 32,768 tokens. */
  private count(token: number, share: number): void {
    if (this.network === undefined) return;
    const marginals = this.marginalsOfText();
    const { came, expected } = marginals;
    if (marginals.counted >= 32768) {
      for (const counts of [came, expected]) {
        for (const [v, n] of counts.entries()) counts[v] = f(f(f(n - 3) * 0.5) + 3);
      }
      marginals.counted = 16384;
    }
    came[token] = f(came[token]! + share);
    for (const [v, p] of this.network.own.entries()) expected[v] = f(expected[v]! + f(share * p));
    marginals.counted++;
  }

  /** Σ weights of the matches of each length or a longer one: first each length's own, in turn. */
  private weights(matches: readonly Match[]): number[] {
    const sums = new Array<number>(this.shape.matchLength).fill(0);
    for (const { length, weight } of matches) sums[length - 1] = f(sums[length - 1]! + weight);
    for (let l = sums.length - 1; l > 0; --l) sums[l - 1] = f(sums[l - 1]! + sums[l]!);
    return sums;
  }

  /** Where no token was predicted yet, the model's mixture weights count for 8 places of each cell. */
  private mixtureOfText() {
    const lambdas = Array.from(this.numbers("attention.gate"));
    this.mixture ??= { sums: lambdas.map((lambda) => f(lambda * 8)), places: lambdas.map(() => 8) };
    return this.mixture;
  }

  /** The mixture weights follow `token`, which was predicted with p: responsibilities, of about the last 128 places of a cell. */
  private adaptMixture(token: number, p: number): void {
    if (this.mixed === undefined || !(p > 0)) return;
    const { matches, parts, cells } = this.mixed;
    const { sums, places } = this.mixtureOfText();
    const hits = this.weights(matches.filter(({ follower }) => follower === token));
    let reached = 1;
    for (let l = parts.length - 1; l >= 0 && reached > 0; --l) {
      const cell = cells[l];
      if (cell === undefined) continue;
      const share = Math.min(reached, f(f(parts[l]! * hits[l]!) / p));
      const kept = places[cell]! > 128 ? 0.5 : 1;
      sums[cell] = f(f(sums[cell]! * kept) + share);
      places[cell] = f(f(places[cell]! * kept) + reached);
      reached = f(reached - share);
    }
  }

  /** splitmix32 into xoshiro128**. */
  seed(value: number): void {
    let seed = value;
    this.state = this.state.map(() => {
      seed = (seed + 0x9e3779b9) | 0;
      let x = seed ^ (seed >>> 16);
      x = Math.imul(x, 0x21f0aaad);
      x ^= x >>> 15;
      x = Math.imul(x, 0x735a2d97);
      return (x ^ (x >>> 15)) >>> 0;
    });
  }

  private uniform(): number {
    const [s0, s1, s2, s3] = this.state as [number, number, number, number];
    const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const a = s2 ^ s0;
    const b = s3 ^ s1;
    this.state = [s0 ^ b, s1 ^ a, a ^ (s1 << 9), rotate(b, 11)];
    return (result >>> 8) / 2 ** 24;
  }

  /**
   * Draws a token.
   *
   * @param allowed which tokens may be drawn, as a host says it by writing −1 for the others
   */
  sample(temperature: number, topK: number, topP: number, allowed: (token: number) => boolean = () => true): number {
    const p = this.predict().map((value, token) => (allowed(token) ? value : -1));
    return drawFrom(p, () => this.uniform(), [temperature, topK, topP]);
  }
}

/** Draws a token by sorting, where the kernel narrows an interval. */
export function drawFrom(
  p: Float32Array,
  uniform: () => number,
  [temperature, topK, topP]: readonly [temperature: number, topK: number, topP: number],
): number {
  const byLikelihood = Array.from(p.keys()).sort((a, b) => p[b]! - p[a]! || a - b);
  const best = byLikelihood[0]!;
  if (temperature === 0) return best;
  const peak = log(p[best]!);
  const weights = Float32Array.from(p, (value) =>
    value < f(1.1754944e-38) ? 0 : exp(f(f(log(value) - peak) / f(temperature))),
  );
  const ranked = Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]! || a - b);
  if (topK > 0) for (const v of ranked.slice(topK)) weights[v] = 0;
  if (topP < 1) cutByShare(weights, f(topP));
  const total = weights.reduce((sum, weight) => f(sum + weight), 0);
  let left = f(uniform() * total);
  let drawn = best;
  for (const [v, weight] of weights.entries()) {
    if (weight === 0) continue;
    drawn = v;
    left = f(left - weight);
    if (left < 0) break;
  }
  return drawn;
}

/** Keeps whole levels of equal weight from the top until their sum, summed in order of id, reaches the share; then in part. */
function cutByShare(weights: Float32Array, share: number): void {
  const sumFrom = (least: number) => weights.reduce((sum, w) => (w >= least ? f(sum + w) : sum), 0);
  const wanted = f(share * sumFrom(0));
  const levels = [...new Set(weights)].sort((a, b) => b - a);
  const level = levels.findIndex((least) => sumFrom(least) >= wanted);
  const threshold = levels[level]!;
  let room = f(wanted - (level === 0 ? 0 : sumFrom(levels[level - 1]!)));
  for (const [v, weight] of weights.entries()) {
    if (weight > threshold) continue;
    if (weight === threshold && room > 0) room = f(room - weight);
    else weights[v] = 0;
  }
}
