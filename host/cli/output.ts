/** Standard output: what a command says there, and what it has done if it cannot be said. */

let kept: string | undefined;

/** Tells that the command's work is done and lasts, whatever comes. @param what as it reads after "the work is done: " */
export function done(what: string): void {
  kept = what;
}

/** What has been done, if it is. */
export function whatIsDone(): string | undefined {
  return kept;
}

let alone = false;

/** Tells that the command goes on though nobody reads what it prints any more, and says so itself. */
export function goOnUnread(): void {
  alone = true;
}

/** Whether it does. */
export function goesOnUnread(): boolean {
  return alone;
}

/** Writes, and waits while nobody reads. */
export async function write(text: string | Uint8Array, signal: AbortSignal): Promise<void> {
  if (process.stdout.write(text) || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      process.stdout.off("drain", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    process.stdout.on("drain", end);
    signal.addEventListener("abort", end);
  });
}
