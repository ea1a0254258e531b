/** The counts that Kneser-Ney needs, of all orders up to one, in one pass: models of every order up to it share them. */
import { SaffuError } from "../../../host/errors.ts";
import { Counts, NodeTable } from "./trie.ts";

/** `raw`: occurrences. `continuation`: distinct left neighbours, the start of a sequence being one of them. */
export type Kind = "raw" | "continuation";

/** What one order says, by count of one kind. */
export interface Level {
  readonly table: NodeTable;
  readonly counts: Counts;
  /** (contexts + 1) Σ of the counts of the n-grams that begin with a context, by the context's node. */
  readonly totals: Float64Array;
  /** (contexts + 1) Σ of what discounting takes from them: the mass left to the order below. */
  readonly left: Float64Array;
  /** D1, D2, D3+ at 0, 1, 2. */
  readonly discounts: readonly [number, number, number];
}

/** Sequences of token ids, or one. */
export type Sequences = Uint16Array | readonly ArrayLike<number>[];

export class NgramCounts {
  private readonly tables: readonly NodeTable[];
  private readonly raw: readonly Counts[];
  private readonly continuation: readonly Counts[];
  private readonly levels = new Map<string, Level>();

  /**
   * Counts the n-grams of `sequences`; none reaches from one sequence into the next.
   *
   * @param order highest n, 1 to 5
   * @param vocabulary V, 1 to 65536
   * @throws SaffuError INVALID_OPTION, TOKEN_OUT_OF_RANGE
   */
  constructor(
    sequences: Sequences,
    readonly order: number,
    readonly vocabulary: number,
  ) {
    checkOrder(order, 5);
    if (!Number.isInteger(vocabulary) || vocabulary < 1 || vocabulary > 65536) {
      throw new SaffuError("INVALID_OPTION", `vocabulary must be in 1..65536, got ${vocabulary}`);
    }
    this.tables = Array.from({ length: order }, () => new NodeTable());
    this.raw = Array.from({ length: order }, () => new Counts());
    this.continuation = Array.from({ length: order - 1 }, () => new Counts());
    const begun = this.tables.map(() => new Set<number>()); // n-grams that have begun a sequence
    for (const sequence of sequences instanceof Uint16Array ? [sequences] : sequences) this.count(sequence, begun);
  }

  /** Number of distinct n-grams. */
  distinct(n: number): number {
    return this.tables[n - 1]!.size;
  }

  /** Order n by one kind of count; continuation counts are there below the highest order. */
  level(n: number, kind: Kind): Level {
    const key = `${n} ${kind}`;
    const known = this.levels.get(key);
    if (known !== undefined) return known;
    const table = this.tables[n - 1]!;
    const counts = (kind === "raw" ? this.raw : this.continuation)[n - 1]!;
    const made = discounted(table, counts, n === 1 ? 0 : this.tables[n - 2]!.size);
    this.levels.set(key, made);
    return made;
  }

  private count(sequence: ArrayLike<number>, begun: readonly Set<number>[]): void {
    const { order, tables, raw, continuation } = this;
    const nodes = new Uint32Array(order + 1); // [n] the n-gram that ends at the latest token; [0] the empty one
    for (let at = 0; at < sequence.length; ++at) {
      const token = checkedToken(sequence[at]!, this.vocabulary);
      let context = 0; // the n − 1 tokens before
      for (let n = 1; n <= Math.min(order, at + 1); ++n) {
        const table = tables[n - 1]!;
        const before = table.size;
        const node = table.findOrAdd(context, token);
        raw[n - 1]!.add(node, 1);
        // a new n-gram is a new left neighbour of its last n − 1 tokens
        if (n > 1 && table.size > before) continuation[n - 2]!.add(nodes[n - 1]!, 1);
        if (n === at + 1 && n < order && !begun[n - 1]!.has(node)) {
          begun[n - 1]!.add(node);
          continuation[n - 1]!.add(node, 1);
        }
        context = nodes[n]!;
        nodes[n] = node;
      }
    }
  }
}

/** @throws SaffuError INVALID_OPTION */
export function checkOrder(order: number, most: number): void {
  if (!Number.isInteger(order) || order < 1 || order > most) {
    throw new SaffuError("INVALID_OPTION", `order must be in 1..${most}, got ${order}`);
  }
}

/** @throws SaffuError TOKEN_OUT_OF_RANGE */
export function checkedToken(token: number, vocabulary: number): number {
  if (Number.isInteger(token) && token >= 0 && token < vocabulary) return token;
  throw new SaffuError("TOKEN_OUT_OF_RANGE", `token ${token} is not in 0..${vocabulary - 1}`);
}

function discounted(table: NodeTable, counts: Counts, contexts: number): Level {
  const ofCount = [0, 0, 0, 0, 0];
  for (let node = 1; node <= table.size; ++node) {
    const count = counts.get(node);
    if (count <= 4) ++ofCount[count]!;
  }
  const discounts = discountsOf(ofCount);
  const totals = new Float64Array(contexts + 1);
  const left = new Float64Array(contexts + 1);
  for (let node = 1; node <= table.size; ++node) {
    const count = counts.get(node);
    if (count === 0) continue;
    const context = table.contextOf(node);
    totals[context]! += count;
    left[context]! += discounts[Math.min(count, 3) - 1]!;
  }
  return { table, counts, totals, left, discounts };
}

/**
 * D1, D2, D3+ from n1 … n4, the numbers of n-grams of count 1 to 4 (Chen & Goodman 1999, eq. 26): Y = n1 / (n1 + 2 n2) and
 * Dk = k − (k + 1) Y n(k+1) / n(k). Where that is undefined or not inside (0, k), the discount below it stands in (0.5 for D1), so
 * that something is left for the order below and nothing counts less than zero.
 */
export function discountsOf(ofCount: readonly number[]): [number, number, number] {
  const y = ofCount[1]! / (ofCount[1]! + 2 * ofCount[2]!);
  let below = 0.5;
  const discount = (k: number): number => {
    const formula = k - ((k + 1) * y * ofCount[k + 1]!) / ofCount[k]!;
    if (formula > 0 && formula < k) below = formula;
    return below;
  };
  return [discount(1), discount(2), discount(3)];
}
