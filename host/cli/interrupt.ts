/** Ctrl-C and termination as an AbortSignal: the command stops at its next step, and leaves nothing half-written. */
type Interrupt = "SIGINT" | "SIGTERM";

const controller = new AbortController();
let received: Interrupt | undefined;

/** The signal that a command hands on. A second Ctrl-C ends the process at once. */
export function interruptSignal(): AbortSignal {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      received = name;
      controller.abort(new Error(name));
    });
  }
  return controller.signal;
}

/** What interrupted the command, if anything did. */
export function interruptedBy(): Interrupt | undefined {
  return received;
}
