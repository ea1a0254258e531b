/** A progress bar on standard error, on a terminal alone, and only once something has taken a second. */
import cliProgress from "cli-progress";

const SILENT_FOR = 1000;

export class Progress {
  private readonly bar = new cliProgress.SingleBar(
    {
      format: "{phase} {bar} {percentage}%  {eta_formatted}",
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    cliProgress.Presets.shades_classic,
  );
  private readonly start = Date.now();
  private phase = "";

  constructor(private readonly shown = process.stderr.isTTY === true) {}

  /** `total` 0 is not known: nothing is drawn then. */
  update(phase: string, done: number, total: number): void {
    if (!this.shown || total === 0 || Date.now() - this.start < SILENT_FOR) return;
    if (phase !== this.phase) {
      this.bar.stop();
      this.bar.start(total, done, { phase: phase.padEnd(9) });
      this.phase = phase;
    } else this.bar.update(Math.min(done, total));
  }

  stop(): void {
    this.bar.stop();
  }
}
