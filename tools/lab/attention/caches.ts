/** What else a text's own places say of the next token: its marginals, near matches, and unigrams that decay. */
import { HiddenState } from "./hidden.ts";

/** Places that near matches are looked for in, and θ. */
const PLACES = 1024;
const SHARPNESS = 16;
/** Tokens over which unigrams decay to 1/e. */
const SPAN = 512;
/** k of assembly/marginals.ts. */
const PRIOR = 3;

/** How often each token came beside how often the network expected it, as assembly/marginals.ts has it, without the halving. */
export class Marginals {
  /** (V), of the last `rescale`. */
  readonly rescaled: Float64Array;
  private readonly came: Float64Array;
  private readonly expected: Float64Array;

  constructor(vocabulary: number) {
    this.rescaled = new Float64Array(vocabulary);
    this.came = new Float64Array(vocabulary).fill(PRIOR);
    this.expected = new Float64Array(vocabulary).fill(PRIOR);
  }

  rescale(stack: Float32Array): void {
    const { rescaled, came, expected } = this;
    let sum = 0;
    for (let v = 0; v < rescaled.length; ++v) {
      rescaled[v] = (stack[v]! * came[v]!) / expected[v]!;
      sum += rescaled[v]!;
    }
    for (let v = 0; v < rescaled.length; ++v) rescaled[v]! /= sum;
  }

  /** @param share of the token that the network explains */
  count(token: number, share: number, stack: Float32Array): void {
    this.came[token]! += share;
    for (let v = 0; v < stack.length; ++v) this.expected[v]! += share * stack[v]!;
  }
}

/** What followed the last places, each weighted by e^(θ(⟨h, h_j⟩ / H − 1)) of its hidden state and the present one. */
export class NearMatches extends HiddenState {
  /** ⟨h, h_j⟩ / H of the nearest place at the last call of `likelihood`; 0 where there is no place. */
  similarity = 0;
  private readonly states = new Float32Array(PLACES * this.state.length);
  private readonly followers = new Uint16Array(PLACES);
  private appended = 0;

  override reset(): void {
    super.reset();
    this.appended = 0;
  }

  likelihood(token: number): number {
    const { states, state: h, followers, heads } = this;
    let [nearest, all, own] = [0, 0, 0];
    for (let place = 0, at = 0; place < Math.min(PLACES, this.appended); ++place) {
      let [a, b, c, d] = [0, 0, 0, 0]; // four sums at once: none waits for the one before it
      for (let i = 0; i < h.length; i += 4, at += 4) {
        a += h[i]! * states[at]!;
        b += h[i + 1]! * states[at + 1]!;
        c += h[i + 2]! * states[at + 2]!;
        d += h[i + 3]! * states[at + 3]!;
      }
      const similarity = (a + b + c + d) / heads;
      const weight = Math.exp(SHARPNESS * (similarity - 1));
      nearest = Math.max(nearest, similarity);
      all += weight;
      if (followers[place] === token) own += weight;
    }
    this.similarity = nearest;
    return all > 0 ? own / all : 0;
  }

  override append(token: number): void {
    const place = this.appended++ % PLACES;
    this.states.set(this.state, place * this.state.length);
    this.followers[place] = token;
    super.append(token);
  }
}

/** How often each token came, a count falling with every token that follows, as assembly/unigrams.ts has it. */
export class DecayingUnigrams {
  private readonly counts: Float64Array;

  constructor(vocabulary: number) {
    this.counts = new Float64Array(vocabulary);
  }

  /** Of `token`, by the counts alone, or times the fourth root of what the network says of each. 0 before the first token. */
  likelihood(token: number, stack?: Float64Array): number {
    const weighed = stack ? this.counts.map((count, v) => count * Math.sqrt(Math.sqrt(stack[v]!))) : this.counts;
    const all = weighed.reduce((sum, count) => sum + count, 0);
    return all > 0 ? weighed[token]! / all : 0;
  }

  append(token: number): void {
    for (let v = 0; v < this.counts.length; ++v) this.counts[v]! *= 1 - 1 / SPAN;
    this.counts[token]! += 1;
  }
}
