/** Draws from a seed (splitmix32), so that what came of them can be seen again. */
export class Draws {
  constructor(private state: number) {}

  /** A whole number in [0, n). */
  below(n: number): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let x = Math.imul(this.state ^ (this.state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return Math.floor((((x ^ (x >>> 15)) >>> 0) / 2 ** 32) * n);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}
