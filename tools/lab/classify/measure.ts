/** What every table of classifiers measures: the share of right answers, over seeds, and CPU. */
import type { FeedForward } from "../../../host/index.ts";
import { estimate } from "../evidence/statistics.ts";

export interface Labelled {
  readonly input: unknown;
  readonly label: string | number;
}

/** Share of examples that get their own label. */
export function accuracy(classifier: FeedForward, examples: readonly Labelled[]): number {
  const right = examples.filter(({ input, label }) => classifier.predict(input).label === String(label)).length;
  return right / examples.length;
}

/** What `work` gives, and the CPU seconds that it takes. */
export async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1e6];
}

/** Percent of each seed, and their mean with the half-width of a 95 % interval (Student's t). */
export function percents(values: readonly number[]): string {
  const each = values.map((value) => (100 * value).toFixed(2)).join(", ");
  if (values.length < 2) return each;
  const { mean, half } = estimate(values);
  return `${(100 * mean).toFixed(2)} ± ${(100 * half).toFixed(2)} (${each})`;
}
