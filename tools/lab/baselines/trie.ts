/**
 * n-grams as nodes: an n-gram is the node of its first n − 1 tokens and one more token. One table an order, on typed arrays, so that
 * millions of n-grams take tens of bytes each and no object.
 */

/** (context node, token) → node, of one order. Nodes are 1, 2, 3 … in order of appearance; 0 is none, or the empty context. */
export class NodeTable {
  /** Number of nodes. */
  size = 0;
  private contexts = new Uint32Array(1024); // (size + 1 or more) by node
  private tokens = new Uint16Array(1024); // (size + 1 or more) by node
  private slots = new Uint32Array(1024); // node, 0 = free; open addressing, at most 2/3 full

  /** The node, or 0. */
  find(context: number, token: number): number {
    return this.slots[this.slot(context, token)]!;
  }

  /** The node, new (and then equal to `size`) if there was none. */
  findOrAdd(context: number, token: number): number {
    const at = this.slot(context, token);
    const found = this.slots[at]!;
    if (found !== 0) return found;
    const node = ++this.size;
    if (node >= this.tokens.length) {
      this.contexts = grown(this.contexts, 2 * this.contexts.length);
      this.tokens = grown(this.tokens, 2 * this.tokens.length);
    }
    this.contexts[node] = context;
    this.tokens[node] = token;
    this.slots[at] = node;
    if (this.size * 3 > this.slots.length * 2) this.rehash();
    return node;
  }

  /** The node of the n-gram without its last token, one order below. */
  contextOf(node: number): number {
    return this.contexts[node]!;
  }

  /** Its last token. */
  tokenOf(node: number): number {
    return this.tokens[node]!;
  }

  /** Where (context, token) stands, or the free slot where it would. */
  private slot(context: number, token: number): number {
    const { contexts, tokens, slots } = this;
    const mask = slots.length - 1;
    let at = hash(context, token) & mask;
    for (let node = slots[at]!; node !== 0; node = slots[at]!) {
      if (tokens[node] === token && contexts[node] === context) break;
      at = (at + 1) & mask;
    }
    return at;
  }

  private rehash(): void {
    const { contexts, tokens } = this;
    const mask = 2 * this.slots.length - 1;
    const slots = new Uint32Array(mask + 1);
    for (let node = 1; node <= this.size; ++node) {
      let at = hash(contexts[node]!, tokens[node]!) & mask;
      while (slots[at] !== 0) at = (at + 1) & mask;
      slots[at] = node;
    }
    this.slots = slots;
  }
}

/** Counts by node, growing as nodes are added. At most 2³² − 1 each. */
export class Counts {
  private values = new Uint32Array(1024);

  add(node: number, amount: number): void {
    if (node >= this.values.length) this.values = grown(this.values, Math.max(node + 1, 2 * this.values.length));
    this.values[node]! += amount;
  }

  get(node: number): number {
    return this.values[node] ?? 0;
  }
}

function grown<T extends Uint16Array | Uint32Array>(values: T, length: number): T {
  const out = new (values.constructor as new (length: number) => T)(length);
  out.set(values);
  return out;
}

/** 32 bits from a multiplication each and the finish of MurmurHash3's kind: neighbouring nodes and tokens scatter. */
function hash(context: number, token: number): number {
  let x = Math.imul(context, 0x9e3779b1) ^ Math.imul(token + 1, 0x85ebca6b);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  return (x ^ (x >>> 13)) >>> 0;
}
