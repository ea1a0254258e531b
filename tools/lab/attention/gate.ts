/** The gate of history attention, of any parts and buckets: solved as assembly/attention.ts solves it, fixed or following the text. */
import type { Places } from "./places.ts";

/** A distribution that is mixed in, and the cells of the gate that say how far to trust it. */
export interface Part {
  readonly cells: number;
  readonly likelihood: (places: Places) => ArrayLike<number>;
  /** The cell at a place, or -1 where there is nothing to mix in. */
  readonly bucket: (places: Places, place: number) => number;
}

const SWEEPS = 60;
const FIRST = 0.3;
const BUCKET_PLACES = 2;
const GATE_PLACES = 8;
const MOST_PLACES = 128;

/** What is mixed with. */
export type Base = "stack" | "rescaled";

/** The mixture of the network and of parts, lowest first: p_k = (1 − λ_k) p_{k−1} + λ_k q_k, with λ_k by the part's bucket. */
class Mixture {
  private readonly cells: Int32Array[];
  private readonly likelihoods: ArrayLike<number>[];
  private readonly chain: Float64Array; // p_0 to p_k

  constructor(
    parts: readonly Part[],
    private readonly places: Places,
    private readonly base: Base,
  ) {
    let before = 0;
    this.cells = parts.map(({ cells, bucket }) => {
      const from = before;
      before += cells;
      const cellAt = (place: number) => (place < 0 ? -1 : from + place);
      return Int32Array.from(places.stack, (_, place) => cellAt(bucket(places, place)));
    });
    this.likelihoods = parts.map(({ likelihood }) => likelihood(places));
    this.chain = new Float64Array(parts.length + 1);
  }

  /** Likelihood of the token that came. */
  at(place: number, gate: Float64Array): number {
    let p = this.places[this.base][place]!;
    this.chain[0] = p;
    for (let k = 0; k < this.cells.length; ++k) {
      const cell = this.cells[k]![place]!;
      if (cell >= 0) p += gate[cell]! * (this.likelihoods[k]![place]! - p);
      this.chain[k + 1] = p;
    }
    return p;
  }

  /** Gives for each cell at a place, after `at` and with the same gate, the responsibility of q_k, and that of it and all below. */
  responsibilities(
    place: number,
    gate: Float64Array,
    take: (cell: number, own: number, reached: number) => void,
  ): void {
    let reached = 1;
    for (let k = this.cells.length - 1; k >= 0 && reached > 0; --k) {
      const cell = this.cells[k]![place]!;
      if (cell < 0) continue;
      const own = Math.min(1, (gate[cell]! * this.likelihoods[k]![place]!) / this.chain[k + 1]!);
      take(cell, reached * own, reached);
      reached *= 1 - own;
    }
  }
}

/** λ of every cell: means of responsibilities, by EM. */
export function solveGate(parts: readonly Part[], slice: Places, base: Base): Float64Array {
  const mixture = new Mixture(parts, slice, base);
  const gate = new Float64Array(parts.reduce((sum, { cells }) => sum + cells, 0)).fill(FIRST);
  const [sums, places] = [gate.slice(), gate.slice()];
  for (let sweep = 0; sweep < SWEEPS; ++sweep) {
    sums.fill(FIRST * BUCKET_PLACES);
    places.fill(BUCKET_PLACES);
    for (let place = 0; place < slice.stack.length; ++place) {
      mixture.at(place, gate);
      mixture.responsibilities(place, gate, (cell, own, reached) => {
        sums[cell]! += own;
        places[cell]! += reached;
      });
    }
    for (let cell = 0; cell < gate.length; ++cell) gate[cell] = sums[cell]! / places[cell]!;
  }
  return gate;
}

/** Bits per byte with a gate that stays as it is, or follows each text. */
export function bitsPerByte(
  parts: readonly Part[],
  solved: Float64Array,
  texts: Places,
  base: Base,
  follows: boolean,
): number {
  const mixture = new Mixture(parts, texts, base);
  const [gate, sums, places] = [solved.slice(), solved.slice(), solved.slice()];
  let bits = 0;
  for (let place = 0; place < texts.stack.length; ++place) {
    if (texts.begins[place]) {
      gate.set(solved);
      places.fill(GATE_PLACES);
      for (let cell = 0; cell < gate.length; ++cell) sums[cell] = solved[cell]! * GATE_PLACES;
    }
    bits -= Math.log2(mixture.at(place, gate));
    if (!follows) continue;
    mixture.responsibilities(place, gate, (cell, own, reached) => {
      const kept = places[cell]! > MOST_PLACES ? 0.5 : 1;
      sums[cell] = sums[cell]! * kept + own;
      places[cell] = places[cell]! * kept + reached;
      gate[cell] = sums[cell]! / places[cell]!;
    });
  }
  return bits / texts.bytes;
}
