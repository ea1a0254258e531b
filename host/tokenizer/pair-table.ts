/** A hash table from pairs of token ids to numbers: open addressing in typed arrays, at most half full. */
export class PairTable {
  private size = 0;
  private keys = new Uint32Array(64); // left · 65536 + right
  private values = new Int32Array(64).fill(-1); // −1 where the slot is empty
  private shift = 26; // 32 − log2(slots)

  /** The value of a pair, or −1. */
  get(left: number, right: number): number {
    const { keys, values } = this;
    const key = ((left << 16) | right) >>> 0;
    for (let slot = this.slotOf(key); values[slot] !== -1; slot = (slot + 1) & (keys.length - 1)) {
      if (keys[slot] === key) return values[slot]!;
    }
    return -1;
  }

  /** Adds a pair that is not there yet. `value` ≥ 0. */
  add(left: number, right: number, value: number): void {
    if (2 * ++this.size > this.keys.length) this.grow();
    this.place(((left << 16) | right) >>> 0, value);
  }

  private place(key: number, value: number): void {
    let slot = this.slotOf(key);
    while (this.values[slot] !== -1) slot = (slot + 1) & (this.keys.length - 1);
    this.keys[slot] = key;
    this.values[slot] = value;
  }

  private slotOf(key: number): number {
    // Fibonacci hashing: the high bits of the product with 2^32 / golden ratio
    return Math.imul(key, 0x9e3779b1) >>> this.shift;
  }

  private grow(): void {
    const { keys, values } = this;
    this.keys = new Uint32Array(2 * keys.length);
    this.values = new Int32Array(2 * keys.length).fill(-1);
    --this.shift;
    for (const [slot, value] of values.entries()) if (value !== -1) this.place(keys[slot]!, value);
  }
}
