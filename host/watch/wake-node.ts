/** What waits between two looks at files: until the time is up, or until a hint that a file has changed. Hints may be missing or wrong. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { abortedBy } from "../errors.ts";

export class Wake {
  private readonly watchers: FSWatcher[] = [];
  private rung = false;
  private end = () => {};

  /** Ends the wait, or the next one. */
  ring(): void {
    this.rung = true;
    this.end();
  }

  /** Waits so many milliseconds at the most. @throws SaffuError ABORTED, as soon as the signal fires */
  async wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.rung && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => this.end(), milliseconds);
        this.end = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", this.end);
          this.end = () => {};
          resolve();
        };
        signal?.addEventListener("abort", this.end);
      });
    }
    this.rung = false;
    if (signal?.aborted) throw abortedBy(signal);
  }

  /**
   * Watches the directories of paths, where the system can: not each file, which would have to be done anew behind each rotation.
   *
   * @param changed is called with a path that may have changed
   */
  watch(paths: readonly string[], changed: (path: string) => void): void {
    for (const directory of new Set(paths.map((path) => dirname(path)))) {
      const own = paths.filter((path) => dirname(path) === directory);
      try {
        const watcher = watch(directory, { persistent: false }, (_event, name) => {
          for (const path of own) if (name === null || basename(path) === name) changed(path);
        });
        watcher.on("error", () => watcher.close());
        this.watchers.push(watcher);
      } catch {
        // no such directory yet, or no watcher left: looking now and then finds what there is
      }
    }
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close();
  }
}
