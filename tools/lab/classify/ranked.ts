/** How well scores put events before everything else. */

/**
 * Area under precision and recall (average precision: Σ (R_i − R_{i−1}) P_i over thresholds, ties together), and the share of events found where at
 * most `alarms` of the other rows are above the threshold.
 */
export function ranked(scores: readonly number[], events: readonly boolean[], alarms: number) {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const all = events.filter(Boolean).length;
  const others = events.length - all;
  let [hits, misses, precision, recall] = [0, 0, 0, 0];
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]!]!;
    const before = hits;
    for (; i < order.length && scores[order[i]!] === score; ++i) {
      if (events[order[i]!]) hits += 1;
      else misses += 1;
    }
    precision += ((hits - before) / all) * (hits / (hits + misses));
    if (misses <= alarms * others) recall = hits / all;
  }
  return { precision, recall };
}
