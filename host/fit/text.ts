/** Texts as the solver sees them: tokens of a whole text, and of held-out texts one after the other. */
import { BATCH } from "../compile/sizes.ts";
import { throwIfAborted } from "../errors.ts";
import { abortable, Pace } from "../pace.ts";
import { encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import type { Solver } from "./solver.ts";
import type { Hooks } from "./steps.ts";

/** A text in order, as bytes in any cut; as ids for a tokenizer of symbols. */
export type Chunks = AsyncIterable<Uint8Array | Uint16Array> | Iterable<Uint8Array | Uint16Array>;

/** Tokens as they come, two bytes each, in parts of one size: nothing is copied while they grow. */
export class Tokens {
  length = 0;
  private parts: Uint16Array[] = [];

  push(tokens: Uint16Array): void {
    for (let from = 0; from < tokens.length; ) {
      const at = this.length % PART;
      if (at === 0) this.parts.push(new Uint16Array(PART));
      const some = tokens.subarray(from, from + PART - at);
      this.parts.at(-1)!.set(some, at);
      this.length += some.length;
      from += some.length;
    }
  }

  includes(token: number): boolean {
    return this.parts.some((part, i) => part.subarray(0, this.length - i * PART).includes(token));
  }

  /** Copies all of them, and lets go of them. */
  moveTo(out: Uint16Array): void {
    for (const [i, part] of this.parts.entries()) out.set(part.subarray(0, this.length - i * PART), i * PART);
    this.parts = [];
    this.length = 0;
  }
}

const PART = 1 << 16;

/** Appends the tokens of a text, and gives its bytes. @throws SaffuError INVALID_TEXT, ABORTED */
export async function encodeInto(
  out: Tokens,
  text: Chunks,
  tokenizer: Tokenizer,
  { signal, onProgress }: Hooks<"tokens">,
): Promise<number> {
  let bytes = 0;
  async function* counted() {
    for await (const chunk of abortable(text, signal)) {
      bytes += chunk?.byteLength ?? 0; // what is no chunk is refused where it is read
      onProgress?.({ phase: "tokens", done: bytes, total: 0 });
      yield chunk;
    }
  }
  const pace = new Pace();
  for await (const piece of encodeStream(tokenizer, counted(), signal)) {
    out.push(piece);
    if (pace.due()) await pace.rest(); // a chunk may be a whole library
    throwIfAborted(signal);
  }
  return bytes;
}

/** Tokens and bytes of a text. @throws SaffuError INVALID_TEXT, ABORTED */
export async function encodeAll(
  text: Chunks,
  tokenizer: Tokenizer,
  hooks: Hooks<"tokens">,
): Promise<{ tokens: Uint16Array; bytes: number }> {
  const all = new Tokens();
  const bytes = await encodeInto(all, text, tokenizer, hooks);
  return { tokens: joined(all), bytes };
}

/** Marks a place before a text's start: no token. */
const ABSENT = 0xffff;

/**
 * Appends tokens of some texts, each after as many absent tokens as the window sees, so that no context reaches from one into the next.
 *
 * @throws SaffuError ABORTED
 */
export async function encodeSeparated(
  out: Tokens,
  texts: readonly Uint8Array[],
  tokenizer: Tokenizer,
  window: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const text of texts) {
    out.push(new Uint16Array(window).fill(ABSENT));
    await encodeInto(out, [text], tokenizer, { signal });
  }
}

/** The same as an array. @throws SaffuError ABORTED */
export async function separated(
  texts: readonly Uint8Array[],
  tokenizer: Tokenizer,
  window: number,
  signal?: AbortSignal | undefined,
): Promise<Uint16Array> {
  const all = new Tokens();
  await encodeSeparated(all, texts, tokenizer, window, signal);
  return joined(all);
}

function joined(all: Tokens): Uint16Array {
  const tokens = new Uint16Array(all.length);
  all.moveTo(tokens);
  return tokens;
}

/** Runs `evaluate` over `tokens`, which stand at `from` in a solver, batch by batch; gives each batch's places. Absent tokens are context. */
export async function* evaluated(
  solver: Solver,
  tokens: Uint16Array,
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<number> {
  for (let start = 0, end = 0; end < tokens.length; start = end) {
    throwIfAborted(signal);
    while (tokens[start] === ABSENT) ++start;
    end = start;
    while (end < tokens.length && tokens[end] !== ABSENT && end - start < BATCH) ++end;
    await solver.once("evaluate", from + start, end - start);
    yield end - start;
  }
}
