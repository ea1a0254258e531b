/** saffu refit */
import { interruptSignal } from "./interrupt.ts";
import { changeModel } from "./load.ts";
import { Progress } from "./progress.ts";

interface Options {
  readonly out: string;
  readonly pseudoCounts?: number;
  readonly step?: number;
  readonly json?: boolean;
}

export async function run(directory: string, { out, pseudoCounts, step, json }: Options): Promise<void> {
  const signal = interruptSignal();
  const progress = await Progress.start();
  const start = performance.now();
  let seconds = 0;
  try {
    const report = await changeModel({ model: directory, out, signal, quiet: json }, async (model, save) => {
      const report = await model.refit({
        pseudoCounts,
        step,
        signal,
        onProgress: ({ done, total }) => progress.update("refit", done, total),
      });
      seconds = (performance.now() - start) / 1000;
      await save();
      return report;
    });
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
