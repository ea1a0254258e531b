/** Ctrl-C and termination as an AbortSignal: the command stops at its next step, and leaves nothing half-written. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort(new Error(name)));
  return controller.signal;
}
