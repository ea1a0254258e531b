/** A set of byte strings, numbered in order of first appearance; their bytes stand end to end in one buffer. */
export class PieceTable {
  /** How many there are. */
  size = 0;
  private bytes = new Uint8Array(1 << 10);
  private starts = new Float64Array(65); // of each, and behind the last; not Int32, so that lengths cannot wrap
  private hashes = new Int32Array(64);
  private slots = new Int32Array(128); // number + 1, or 0 where empty; at most half full

  /** Sum of the lengths of all, in bytes. */
  get length(): number {
    return this.starts[this.size]!;
  }

  /** Where the bytes of a piece begin, in 0 to `length`. */
  start(index: number): number {
    return this.starts[index]!;
  }

  /** The bytes of a piece; not to be kept over an addition, which may move them. */
  get(index: number): Uint8Array {
    return this.bytes.subarray(this.starts[index]!, this.starts[index + 1]!);
  }

  /** The number of the piece bytes[start..end), which is added (at `size`) where it is new. */
  indexOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = start; i < end; ++i) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash ^= hash >>> 15;
    let slot = hash & (this.slots.length - 1);
    for (; this.slots[slot] !== 0; slot = (slot + 1) & (this.slots.length - 1)) {
      const index = this.slots[slot]! - 1;
      if (this.hashes[index] === hash && this.equals(index, bytes, start, end)) return index;
    }
    if (2 * (this.size + 1) > this.slots.length) {
      this.grow();
      slot = this.emptySlot(hash);
    }
    const from = this.length;
    const to = from + end - start;
    if (to > this.bytes.length) {
      const wider = new Uint8Array(Math.max(to, 2 * this.bytes.length));
      wider.set(this.bytes);
      this.bytes = wider;
    }
    for (let i = start; i < end; ++i) this.bytes[from + i - start] = bytes[i]!;
    this.hashes[this.size] = hash;
    this.slots[slot] = ++this.size;
    this.starts[this.size] = to;
    return this.size - 1;
  }

  /** Empties the table and keeps its buffers. */
  clear(): void {
    this.size = 0;
    this.slots.fill(0);
  }

  private equals(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.starts[index]!;
    if (this.starts[index + 1]! - from !== end - start) return false;
    for (let i = start; i < end; ++i) if (this.bytes[from + i - start] !== bytes[i]) return false;
    return true;
  }

  private emptySlot(hash: number): number {
    let slot = hash & (this.slots.length - 1);
    while (this.slots[slot] !== 0) slot = (slot + 1) & (this.slots.length - 1);
    return slot;
  }

  private grow(): void {
    const { hashes, starts, slots } = this;
    this.hashes = new Int32Array(2 * hashes.length);
    this.hashes.set(hashes);
    this.starts = new Float64Array(2 * hashes.length + 1);
    this.starts.set(starts);
    this.slots = new Int32Array(2 * slots.length);
    for (let index = 0; index < this.size; ++index) this.slots[this.emptySlot(this.hashes[index]!)] = index + 1;
  }
}
