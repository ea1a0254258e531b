/** A progress bar on standard error, on a terminal alone, and only once something has taken a second. */
import type { SingleBar } from "cli-progress";

const SILENT_FOR = 1000;

export class Progress {
  private readonly start = Date.now();
  private phase = "";

  private constructor(private readonly bar: SingleBar | undefined) {}

  /** The bar's library is loaded where there is a terminal to draw on. */
  static async start(): Promise<Progress> {
    if (process.stderr.isTTY !== true) return new Progress(undefined);
    const { Format, Presets, SingleBar } = (await import("cli-progress")).default;
    const bar = new SingleBar(
      {
        // a total of 0 is not known: what is done so far is told then
        format: (options, { value, total, progress }, { phase }) =>
          total > 0
            ? `${phase} ${Format.BarFormat(progress, options)} ${Math.floor(progress * 100)}%`
            : `${phase} ${value.toLocaleString("en")}`,
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
        gracefulExit: false, // the command has its own way to stop
      },
      Presets.shades_classic,
    );
    return new Progress(bar);
  }

  /** `total` 0 is not known. */
  update(phase: string, done: number, total: number): void {
    if (this.bar === undefined || Date.now() - this.start < SILENT_FOR) return;
    if (phase !== this.phase) {
      this.bar.stop();
      this.bar.start(total, done, { phase: phase.padEnd(9) });
      this.phase = phase;
    } else {
      this.bar.setTotal(total);
      this.bar.update(total > 0 ? Math.min(done, total) : done);
    }
  }

  stop(): void {
    this.bar?.stop();
  }
}
