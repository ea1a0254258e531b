/** The order of examples in the first pass of a fit: a keyed Feistel permutation, as assembly/common/random.ts describes it. */
function mix(x: number): number {
  let y = (x ^ (x >>> 16)) >>> 0;
  y = Math.imul(y, 0x21f0aaad) >>> 0;
  y = (y ^ (y >>> 15)) >>> 0;
  y = Math.imul(y, 0x735a2d97) >>> 0;
  return (y ^ (y >>> 15)) >>> 0;
}

export function permutedOrder(n: number, seed: number): number[] {
  const key = mix(seed);
  const half = (33 - Math.clz32((n - 1) | 3)) >> 1;
  const low = 2 ** half - 1;
  return Array.from({ length: n }, (_, at) => {
    let index = at;
    do {
      let [left, right] = [index >>> half, index & low];
      for (let round = 0; round < 4; ++round) {
        [left, right] = [
          right,
          (left ^ (mix((right ^ ((key + Math.imul(round, 0x9e3779b9)) >>> 0)) >>> 0) & low)) >>> 0,
        ];
      }
      index = left * 2 ** half + right;
    } while (index >= n);
    return index;
  });
}
