/**
 * What the count of a token after a context leads one to expect in as much text again (ours, after Good 1953): of the tokens that the network
 * expected about as often, and that came as often, how often they come when one place is left out. The network's expectation tells rare
 * tokens from surprising ones, as their count alone does not.
 */
import { exponentOf } from "./pinned-math.ts";

/** Bins of expectations, by powers of two from 2^LEAST_EXPONENT on, and counts that are told apart. */
const BINS = 24;
const LEAST_EXPONENT = -13;
const COUNTS = 12;
/** Contexts that are counted by how often they come. */
const MOST_TIMES = 64;
/** Cells that a ratio is of at the least. */
const LEAST_CELLS = 40;
const LEAST_LEFT = 20;
/** What is lost of a count where too little is known, and least part that stays. */
const USUAL_LOSS = 0.7;
const LEAST_SHARE = 0.5;

/** Statistics over all contexts of one length. */
export class Discounts {
  /** Σ of what came in cells of a count when one place is left out, and cells. */
  private readonly left = table();
  private readonly cells = table();
  /** Σ of expectations of what never came. */
  private readonly never = new Float64Array(BINS);
  private readonly times = new Float64Array(MOST_TIMES + 2);
  private expected: readonly Float64Array[] = [];
  private losses: readonly number[] = [];

  /** A context that came n times. */
  addContext(n: number): void {
    if (n <= MOST_TIMES + 1) ++this.times[n]!;
  }

  /** A token that came `count` times after a context that came n times, and was expected `expectation` times. */
  addCell(count: number, expectation: number, n: number): void {
    if (count <= COUNTS) {
      const bin = binOf(expectation);
      ++this.cells[bin]![count]!;
      if (count === 0) this.never[bin]! += expectation;
    }
    if (count > 0 && count <= COUNTS + 1) this.left[binOf((expectation * (n - 1)) / n)]![count - 1]! += count;
  }

  /** Solves the expected counts, from the bins of the greatest expectations on. */
  solve(): void {
    const solved = table();
    for (let bin = BINS - 1; bin >= 0; --bin) {
      const own = solved[bin]!;
      const exponent = bin + LEAST_EXPONENT;
      for (let count = 1; count <= COUNTS; ++count) {
        const above = solved[bin + 1]?.[count];
        let value = count;
        if (this.cells[bin]![count]! >= LEAST_CELLS && this.left[bin]![count]! >= LEAST_LEFT * (count + 1)) {
          value = this.left[bin]![count]! / this.cells[bin]![count]!;
        } else if (exponent < 2 && above !== undefined) {
          value = count === 1 ? above * USUAL_LOSS : Math.max(own[count - 1]!, above * 0.95);
        }
        own[count] = Math.min(value, exponent > 0 ? count + 1 : count);
      }
      own[0] = this.never[bin]! > 0 ? Math.min(1, Math.max(1e-3, this.left[bin]![0]! / this.never[bin]!)) : 1;
    }
    this.expected = solved;
    this.losses = solved.map((own) => {
      let sum = 0;
      for (let count = COUNTS - 4; count <= COUNTS; ++count) sum += count - own[count]!;
      return Math.max(0, Math.min(2, sum / 5));
    });
  }

  /** How often a token comes in as much text again. */
  expectedCount(count: number, expectation: number): number {
    const bin = binOf(expectation);
    if (count === 0) return expectation * this.expected[bin]![0]!;
    return count <= COUNTS ? this.expected[bin]![count]! : count - this.losses[bin]!;
  }

  /** How often a context that came n times comes again, of n. */
  shareOf(n: number): number {
    const [own, next] = [this.times[n] ?? 0, this.times[n + 1] ?? 0];
    if (n > MOST_TIMES || own < 100 || next < 50) return 1 - USUAL_LOSS / n;
    return Math.min(1, Math.max(LEAST_SHARE, ((n + 1) * next) / own / n));
  }
}

function table(): Float64Array[] {
  return Array.from({ length: BINS }, () => new Float64Array(COUNTS + 2));
}

function binOf(expectation: number): number {
  return Math.max(0, Math.min(BINS - 1, exponentOf(expectation) - LEAST_EXPONENT));
}
