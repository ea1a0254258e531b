/**
 * Ctrl-C and termination as an AbortSignal: the command stops where it is, and leaves nothing half-written. What does not end within a
 * second, as it waits for something that cannot be called back, is ended; and so is everything at the second signal.
 */
import { releaseLocks } from "../files/lock-node.ts";
import { removeTemporaries } from "../files/temporary-node.ts";

type Interrupt = "SIGINT" | "SIGTERM";

/** Milliseconds that a command has to end by itself. */
const PATIENCE = 700;
/** The same for one that has whole steps to finish and to write. */
export const STEPS = 10_000;

const controller = new AbortController();
let received: Interrupt | undefined;
let leave: () => void = () => process.exit(1);

/** The signal that a command hands on. */
export function interruptSignal(patience = PATIENCE): AbortSignal {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (received !== undefined) end();
      received = name;
      controller.abort(new Error(name));
      setTimeout(end, patience).unref();
    });
  }
  return controller.signal;
}

/** What interrupted the command, if anything did. */
export function interruptedBy(): Interrupt | undefined {
  return received;
}

/** @param how says why, and ends the process */
export function leaveBy(how: () => never): void {
  leave = how;
}

function end(): void {
  try {
    removeTemporaries();
    releaseLocks();
  } finally {
    leave();
  }
}
