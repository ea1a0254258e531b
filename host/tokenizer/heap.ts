/** A binary heap: `pop` gives the item that comes before all others. */
export class Heap<T> {
  private size = 0;

  /** @param items where they stand: an array that grows, or numbers in a typed array with room for all that there can be at once */
  constructor(
    private readonly before: (a: T, b: T) => boolean,
    private readonly items: { [index: number]: T } = [],
  ) {}

  push(item: T): void {
    const { items, before } = this;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const { items, before } = this;
    if (this.size === 0) return undefined;
    const top = items[0]!;
    const size = --this.size;
    const last = items[size]!;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && before(items[child + 1]!, items[child]!)) ++child;
      if (!before(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
