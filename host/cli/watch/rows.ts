/** Where rows go: lines of JSON on standard output, or the live table on a terminal. */
import type { WriteStream } from "node:tty";
import { reasonOf } from "../../files/directory-node.ts";
import type { WatchRow } from "../../watch/watch.ts";
import { Live } from "../live.ts";
import { Tally } from "../live-state.ts";
import { spelt } from "../width.ts";

/** What a row has beside: its file, where there are several, and fields that were to be kept. */
export interface Beside {
  readonly path: string | undefined;
  readonly kept: Readonly<Record<string, unknown>> | undefined;
}

/** What takes rows. */
export interface Rows {
  row(row: WatchRow, text: string, beside: Beside): void;
  /** A line that is no row. */
  bad(): void;
  /** One line of news. */
  say(news: string): void;
  /** Whether whoever reads is behind; `settled` waits for them, or until the signal fires. */
  readonly full: boolean;
  settled(signal: AbortSignal): Promise<void>;
  /** Why nobody reads any more: what the system says. */
  readonly failure: unknown;
  end(): void;
}

/** Bytes of lines that are written at once. */
const BATCH = 1 << 16;

/** Lines of JSON: written as soon as nothing else is to be done, many at once where many come. When nobody reads any more, rows are counted alone. */
export class JsonRows implements Rows {
  failure: unknown;
  private waiting = "";
  private timer: NodeJS.Immediate | undefined;
  private unread = 0;

  /** @param alarms whether rows without one are left out */
  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly alarms: boolean,
  ) {
    out.on("error", (cause) => this.fail(cause));
  }

  row(row: WatchRow, text: string, { path, kept }: Beside): void {
    if (this.alarms && row.alarm === undefined) return;
    if (this.failure !== undefined) {
      this.unread += 1;
      return;
    }
    this.waiting += `${JSON.stringify({ ...row, text, kept, path })}\n`;
    if (this.waiting.length >= BATCH) this.write();
    else this.timer ??= setImmediate(() => this.write());
  }

  bad(): void {}

  say(news: string): void {
    process.stderr.write(`saffu: ${spelt(news)}\n`);
  }

  get full(): boolean {
    return this.failure === undefined && this.out.writableNeedDrain;
  }

  async settled(signal: AbortSignal): Promise<void> {
    while (this.full && !this.out.destroyed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const events = ["drain", "close", "error"] as const;
        const end = () => {
          for (const event of events) this.out.off(event, end);
          signal.removeEventListener("abort", end);
          resolve();
        };
        for (const event of events) this.out.on(event, end);
        signal.addEventListener("abort", end);
      });
    }
  }

  end(): void {
    this.write();
    if (this.unread > 0) this.say(`${this.unread} ${this.unread === 1 ? "row was" : "rows were"} not printed`);
  }

  private write(): void {
    clearImmediate(this.timer);
    this.timer = undefined;
    if (this.waiting !== "" && !this.out.destroyed) this.out.write(this.waiting);
    this.waiting = "";
  }

  private fail(cause: unknown): void {
    if (this.failure !== undefined) return;
    this.failure = cause;
    this.say(`nothing is printed any more (${reasonOf(cause)}); what comes is learned`);
  }
}

/** The table. */
export class LiveRows implements Rows {
  private readonly tally = new Tally();
  private readonly live: Live;
  private readonly counts = new Map<string, number>();
  readonly full = false;
  readonly failure = undefined;

  constructor(terminal: WriteStream, signal: AbortSignal) {
    this.live = new Live(terminal, () => this.tally.state(), signal);
  }

  row({ id, template, score, rank, of, alarm, why }: WatchRow, text: string): void {
    const count = (this.counts.get(id) ?? 0) + 1;
    if (this.counts.size < 4096 || this.counts.has(id)) this.counts.set(id, count);
    if (alarm === "begin") this.tally.open = 1;
    if (alarm === "end") this.tally.open = 0;
    this.tally.add({
      id,
      template: alarm === undefined || alarm === "end" ? template || text : text,
      count,
      bits: score,
      rank: of === 0 ? 0 : Math.max(0, 1 - rank / (of + 1)),
      alarm: alarm === "begin" || alarm === "on",
      why: why.map(({ text }) => text),
    });
    this.live.changed();
  }

  bad(): void {
    this.tally.add(undefined);
    this.live.changed();
  }

  say(news: string): void {
    this.tally.note = news;
    this.live.changed();
  }

  async settled(): Promise<void> {}

  end(): void {
    this.live.end();
  }
}
