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
  /** A packed message that is of no text: damaged, cut, of another model, or of a message longer than the call takes. */
  | "INVALID_MESSAGE"
  /** A channel's packet that is packed behind what this end does not have: messages were lost, or the ends have learned other texts. */
  | "CHANNEL_LOST"
  /** An example that is not of a classifier's encoding: the row, and the column or value, are named. */
  | "INVALID_EXAMPLE"
  /** A label that a classifier was not fitted on. */
  | "UNKNOWN_LABEL"
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
  /** A text to forget, or statistics to merge, of another generation: the sums were halved since, or those of the other were. */
  | "STATISTICS_AGED"
  /** A text to forget that was never observed: nothing has been taken away. */
  | "NOT_OBSERVED"
  /** A checkpoint of tuning that belongs to another model, text or choice of options, or to another version of this program. */
  | "CHECKPOINT_MISMATCH"
  /** A call that learns while another reads a text that may not end. */
  | "BUSY"
  /** A directory or file that cannot be written. */
  | "UNWRITABLE"
  /** A shape or input that needs more memory than there is. */
  | "OUT_OF_MEMORY"
  /** The caller's AbortSignal fired. */
  | "ABORTED"
  /** Something this runtime cannot do. */
  | "UNSUPPORTED";

/** Most characters of a message. The command's line has code and punctuation beside it, and stays below 300. */
const LONGEST = 260;
/** To how many characters words of a message are cut that is too long, in turn: paths, digests, what was given. */
const WORDS = [100, 64, 40] as const;

/** The one error class: `code` is stable, `message` is for people, of at most 260 characters, `cause` is what lies beneath. */
export class SaffuError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(shortened(message), options);
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

/** A message whose long words and quoted values have lost their middles, so that names and bounds are still there. */
export function shortened(message: string, most: number = LONGEST): string {
  let text = withoutMiddle(message, 1 << 16);
  for (const length of WORDS) {
    if (text.length <= most) return text;
    text = text.replace(/"(?:[^"\\]|\\.)*"|\S+/gs, (word) => withoutMiddle(word, length));
  }
  return withoutMiddle(text, most);
}

function withoutMiddle(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  // half a surrogate pair at a cut is no character
  const [before, after] = [text.slice(0, head), text.slice(text.length - (most - 1 - head))];
  return `${before.replace(/[\ud800-\udbff]$/, "")}…${after.replace(/^[\udc00-\udfff]/, "")}`;
}

/** A value of unknown type as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(withoutMiddle(value, WORDS[0]));
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

/**
 * Refuses what is not the options of a call: an object, with a signal that is one, and functions for what is called.
 *
 * @throws SaffuError INVALID_OPTION
 */
export function checkOptions(options: unknown, callbacks: readonly string[] = ["onProgress"]): void {
  if (typeof options !== "object" || options === null) throw invalidOption("options", "an object", options);
  const given = options as Record<string, unknown>;
  for (const name of callbacks) {
    const value = given[name];
    if (value !== undefined && typeof value !== "function") throw invalidOption(name, "a function", value);
  }
  const signal = given.signal as AbortSignal | undefined;
  if (signal === undefined) return;
  if (typeof signal !== "object" || signal === null || typeof signal.addEventListener !== "function") {
    throw invalidOption("signal", "an AbortSignal", signal);
  }
}

/** @throws SaffuError INVALID_TEXT where a text does not come in chunks */
export function checkChunks(chunks: unknown): void {
  const methods = (chunks ?? {}) as { [Symbol.asyncIterator]?: unknown; [Symbol.iterator]?: unknown };
  if (typeof (methods[Symbol.asyncIterator] ?? methods[Symbol.iterator]) === "function") return;
  throw new SaffuError("INVALID_TEXT", `a text must come in chunks, from what can be iterated, got ${shown(chunks)}`);
}

/** @throws SaffuError INVALID_OPTION where a path is none */
export function checkPath(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "" || value.includes("\0")) throw invalidOption(name, "a path", value);
}

/** @throws SaffuError INVALID_OPTION where bytes are none */
export function checkBytes(name: string, value: unknown): void {
  // not instanceof: they may come from another realm
  if (!ArrayBuffer.isView(value) || tagOf(value) !== "Uint8Array")
    throw invalidOption(name, "bytes (a Uint8Array)", value);
}

/** @throws SaffuError INVALID_OPTION where a model's files in memory are none */
export function checkFiles(files: unknown): void {
  if (!isMap(files)) throw invalidOption("files", "a Map of names and bytes", files);
  for (const [name, bytes] of files) {
    if (typeof name !== "string") throw invalidOption("a file's name", "a text", name);
    checkBytes(`the file ${shown(name)}`, bytes);
  }
}

/** Whether `value` is a Map, of this realm or another. */
export function isMap(value: unknown): value is ReadonlyMap<unknown, unknown> {
  return typeof value === "object" && value !== null && tagOf(value) === "Map" && "entries" in value;
}

function tagOf(value: object): unknown {
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
}

/** @throws SaffuError INVALID_OPTION where `value` is no list of bytes */
export function checkTexts(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw invalidOption(name, "a list of texts as bytes", value);
  for (const each of value) checkBytes(`a text of ${name}`, each);
}

/** Type of this library's warnings, by which a program tells them from others. */
export const WARNING = "SaffuWarning";

const said = new Set<string>();

/** Warns of what is no error, as a work-around is at hand: once a process (Node only). */
export function warn(message: string): void {
  if (said.has(message)) return;
  said.add(message);
  process.emitWarning(shortened(message), WARNING);
}
