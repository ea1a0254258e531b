// Drawing a token from probabilities, for runtimes that bring none: temperature, top-k, top-p. The k likeliest are kept in one scan, in order, so
// that nothing is sorted.

const weights = new Float32Array(65536);
const kept = new Uint16Array(65536);

/** @param topK 0 for all; then topP must be 1 */
export function draw(probabilities, temperature, topK, topP) {
  const count = topK > 0 ? likeliest(probabilities, topK) : probabilities.length;
  let sum = 0;
  for (let i = 0; i < count; ++i) {
    weights[i] = Math.exp(Math.log(probabilities[topK > 0 ? kept[i] : i]) / temperature);
    sum += weights[i];
  }
  let end = count;
  if (topP < 1) {
    let mass = 0;
    for (end = 0; end < count && mass < topP * sum; ++end) mass += weights[end];
    sum = mass;
  }
  let left = Math.random() * sum;
  let drawn = 0;
  for (; drawn < end - 1; ++drawn) {
    left -= weights[drawn];
    if (left < 0) break;
  }
  return topK > 0 ? kept[drawn] : drawn;
}

/** kept ← the k likeliest, the likeliest first. */
function likeliest(probabilities, k) {
  let count = 0;
  let least = Number.NEGATIVE_INFINITY;
  for (let v = 0; v < probabilities.length; ++v) {
    const p = probabilities[v];
    if (count === k && p <= least) continue;
    let at = count < k ? count++ : k - 1;
    for (; at > 0 && probabilities[kept[at - 1]] < p; --at) kept[at] = kept[at - 1];
    kept[at] = v;
    least = probabilities[kept[count - 1]];
  }
  return count;
}
