/** Watches under Node: with the package's module, and a classifier for labels. */
import { FeedForward } from "../classify/feed-forward-node.ts";
import { lines } from "../classify/lines.ts";
import { watchModule } from "../compile/watch.ts";
import { checkOptions } from "../errors.ts";
import type { LabelClassifier, WatchOptions } from "./options.ts";
import { type Source, type StreamRow, type WatchStreamOptions, watchWith } from "./stream.ts";
import { Watch } from "./watch.ts";

/** Features of a line, as a power of two: with their sums they are 5 kB. */
const BITS = 9;
/** How counts of labels are solved: chosen on two logs with labels as they come, of other daemons than those that docs/watch.md names. */
const SMOOTHED = { pseudoCounts: 0.1, step: 0.3 };

/**
 * A watch that is given rows one by one.
 *
 * @throws SaffuError INVALID_OPTION, OUT_OF_MEMORY, UNSUPPORTED, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH
 */
export async function openWatch(options: WatchOptions = {}): Promise<Watch> {
  checkOptions(options, []);
  return Watch.start(options.module ?? (await watchModule()), options);
}

/**
 * Watches a stream: what each line came to, as it comes.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST,
 * STATISTICS_MISMATCH, ABORTED
 */
export function watch(source: Source, options: WatchStreamOptions = {}): AsyncGenerator<StreamRow> {
  return watchWith(openWatch, source, options);
}

/**
 * A classifier that has learned no label yet, for the option `classifier`: counts of hashed words.
 *
 * @throws SaffuError UNSUPPORTED
 */
export async function labelClassifier(): Promise<LabelClassifier> {
  const examples = ["alarm", "fine"].map((label) => ({ input: label, label }));
  const classifier = await FeedForward.fit(examples, {
    encoding: lines({ bits: BITS }),
    exact: "counts",
    weightBits: 8,
  });
  await classifier.forget(examples);
  classifier.refit(SMOOTHED);
  return {
    labels: classifier.labels,
    predict: (line) => classifier.predict(line),
    observe: (labelled) => classifier.observe(labelled),
    forget: (labelled) => classifier.forget(labelled),
    refit: () => classifier.refit(SMOOTHED),
  };
}
