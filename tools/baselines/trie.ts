/** Counts of n-grams in open-addressing tables: an n-gram is the node of its context (n − 1 tokens) and one more token. */

/** (context node, token) → node, for one order. Nodes number 1, 2, 3 … in order of appearance; 0 is none (or the empty context). */
export class NodeTable {
  /** Number of nodes. */
  size = 0;
  private mask = 1023;
  private contexts = new Uint32Array(1024);
  private tokens = new Uint16Array(1024);
  private nodes = new Uint32Array(1024);

  find(context: number, token: number): number {
    let at = slot(context, token) & this.mask;
    for (; this.nodes[at] !== 0; at = (at + 1) & this.mask) {
      if (this.contexts[at] === context && this.tokens[at] === token) return this.nodes[at]!;
    }
    return 0;
  }

  findOrAdd(context: number, token: number): number {
    let at = slot(context, token) & this.mask;
    for (; this.nodes[at] !== 0; at = (at + 1) & this.mask) {
      if (this.contexts[at] === context && this.tokens[at] === token) return this.nodes[at]!;
    }
    this.contexts[at] = context;
    this.tokens[at] = token;
    this.nodes[at] = ++this.size;
    if (this.size * 3 > this.mask * 2) this.grow();
    return this.size;
  }

  /** Calls `visit` with each node and its context, in the order of the table. */
  forEach(visit: (context: number, node: number) => void): void {
    for (let at = 0; at <= this.mask; ++at) if (this.nodes[at] !== 0) visit(this.contexts[at]!, this.nodes[at]!);
  }

  private grow(): void {
    const { contexts, tokens, nodes } = this;
    const capacity = (this.mask + 1) * 2;
    this.mask = capacity - 1;
    this.contexts = new Uint32Array(capacity);
    this.tokens = new Uint16Array(capacity);
    this.nodes = new Uint32Array(capacity);
    for (let i = 0; i < nodes.length; ++i) {
      if (nodes[i] === 0) continue;
      let at = slot(contexts[i]!, tokens[i]!) & this.mask;
      while (this.nodes[at] !== 0) at = (at + 1) & this.mask;
      this.contexts[at] = contexts[i]!;
      this.tokens[at] = tokens[i]!;
      this.nodes[at] = nodes[i]!;
    }
  }
}

function slot(context: number, token: number): number {
  let x = Math.imul(context, 0x9e3779b1) ^ Math.imul(token + 1, 0x85ebca6b);
  x ^= x >>> 15;
  x = Math.imul(x, 0x2c1b3c6d);
  return (x ^ (x >>> 13)) >>> 0;
}

/** Numbers by node, growing as nodes are added. */
export class Counts {
  values = new Float64Array(1024);

  add(node: number, amount: number): number {
    if (node >= this.values.length) {
      const grown = new Float64Array(Math.max(node + 1, this.values.length * 2));
      grown.set(this.values);
      this.values = grown;
    }
    const before = this.values[node]!;
    this.values[node] = before + amount;
    return before;
  }

  get(node: number): number {
    return this.values[node] ?? 0;
  }
}
