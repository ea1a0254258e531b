/**
 * Every error saffu throws on purpose, each with a stable `code` to branch on. Messages name the thing and the bound.
 *
 * ```ts
 * try { await load("models/potato-en"); }
 * catch (error) { if (error instanceof SaffuError && error.code === "MODEL_DIGEST") … }
 * ```
 */

/** Codes are part of the public interface: they are added, never renamed. */
export type ErrorCode =
  /** A shape that is out of bounds, or whose parts do not fit one another. */
  | "INVALID_SHAPE"
  /** An option of a call or of the command line that is out of bounds. */
  | "INVALID_OPTION"
  /** A text that cannot be read, or is too short for what is asked of it. Bytes that are not UTF-8 are data, never an error. */
  | "INVALID_TEXT"
  /** A file of the model that cannot be found or read. */
  | "MODEL_MISSING_FILE"
  /** A model file whose bytes do not follow their format. */
  | "MODEL_CORRUPT"
  /** A model written in a format version this program does not know. */
  | "MODEL_VERSION"
  /** A model file whose bytes are not those config.json recorded: truncated, altered or exchanged. */
  | "MODEL_DIGEST"
  /** A tokenizer.json that does not describe a byte-level BPE this program can run. */
  | "TOKENIZER_INVALID"
  /** A token id at or above the vocabulary size. */
  | "TOKEN_OUT_OF_RANGE"
  /** Statistics that were gathered under another base model. */
  | "STATISTICS_MISMATCH"
  /** A sum of the statistics is at its capacity: nothing has been added. */
  | "STATISTICS_FULL"
  /** A text to forget that was never observed: nothing has been taken away. */
  | "NOT_OBSERVED"
  /** A checkpoint of tuning that belongs to another model, text or choice of options, or to another version of this program. */
  | "CHECKPOINT_MISMATCH"
  /** A directory or file that cannot be written. */
  | "UNWRITABLE"
  /** A shape or input that needs more memory than there is. */
  | "OUT_OF_MEMORY"
  /** The caller's AbortSignal fired. */
  | "ABORTED"
  /** Something this runtime cannot do. */
  | "UNSUPPORTED";

/** The one error class: `code` is stable, `message` is for people, `cause` is what lies beneath. */
export class SaffuError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "SaffuError";
    this.code = code;
  }
}

/** Throws `ABORTED`, with the signal's reason as its cause, if `signal` has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedBy(signal);
}

/** The error for a signal that has fired. */
export function abortedBy(signal: AbortSignal): SaffuError {
  return new SaffuError("ABORTED", "aborted by the caller's signal", { cause: signal.reason });
}

/** A value of unknown type as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  const simple = value === null || (typeof value !== "object" && typeof value !== "function");
  return simple ? String(value) : `of type ${typeof value}`;
}

/** What an option out of its bounds is refused with. */
export function invalidOption(name: string, bound: string, found: unknown): SaffuError {
  return new SaffuError("INVALID_OPTION", `${name} must be ${bound}, got ${shown(found)}`);
}

/**
 * Refuses options that a call once took: who still gives one is told in one line what has become of it.
 *
 * @param gone by name: what is said behind it
 * @throws SaffuError INVALID_OPTION
 */
export function refuseGone(options: object, gone: Readonly<Record<string, string>>): void {
  for (const [name, became] of Object.entries(gone)) {
    if ((options as Record<string, unknown>)[name] !== undefined) {
      throw new SaffuError("INVALID_OPTION", `${name} ${became}`);
    }
  }
}
