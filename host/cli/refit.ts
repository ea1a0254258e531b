/** saffu refit */
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { Progress } from "./progress.ts";

interface Options {
  readonly out: string;
  readonly pseudoCounts?: number;
  readonly step?: number;
  readonly json?: boolean;
}

export async function run(directory: string, { out, pseudoCounts, step, json }: Options): Promise<void> {
  const signal = interruptSignal();
  const model = await loadModel(directory, undefined, signal);
  const progress = await Progress.start();
  const start = performance.now();
  try {
    const report = await model.refit({
      pseudoCounts,
      step,
      signal,
      onProgress: ({ done, total }) => progress.update("refit", done, total),
    });
    const seconds = (performance.now() - start) / 1000;
    await model.save(out, { signal });
    progress.stop();
    const done =
      report.tokens === 0
        ? "nothing is in the statistics: the base, without a correction"
        : `refitted to ${report.tokens} tokens in ${seconds.toFixed(2)} s, step ${report.step}`;
    process.stdout.write(json ? `${JSON.stringify({ ...report, seconds })}\n` : `${done}: ${out}\n`);
  } finally {
    progress.stop();
  }
}
