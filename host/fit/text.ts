/** Texts as the solver sees them: tokens of a whole text, and of held-out texts one after the other. */
import { BATCH } from "../compile/sizes.ts";
import { throwIfAborted } from "../errors.ts";
import { abortable, Pace } from "../pace.ts";
import { encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import type { Solver } from "./solver.ts";
import type { Hooks } from "./steps.ts";

/** A text in order, as bytes in any cut; as ids for a tokenizer of symbols. */
export type Chunks = AsyncIterable<Uint8Array | Uint16Array> | Iterable<Uint8Array | Uint16Array>;

/** Tokens and bytes of a text. @throws SaffuError ABORTED */
export async function encodeAll(
  text: Chunks,
  tokenizer: Tokenizer,
  { signal, onProgress }: Hooks<"tokens">,
): Promise<{ tokens: Uint16Array; bytes: number }> {
  let bytes = 0;
  async function* counted() {
    for await (const chunk of abortable(text, signal)) {
      bytes += chunk?.byteLength ?? 0; // what is no chunk is refused where it is read
      onProgress?.({ phase: "tokens", done: bytes, total: 0 });
      yield chunk;
    }
  }
  let tokens = new Uint16Array(1 << 16);
  let length = 0;
  const pace = new Pace();
  for await (const piece of encodeStream(tokenizer, counted(), signal)) {
    while (length + piece.length > tokens.length) {
      const grown = new Uint16Array(tokens.length * 2);
      grown.set(tokens);
      tokens = grown;
    }
    tokens.set(piece, length);
    length += piece.length;
    if (pace.due()) await pace.rest(); // a chunk may be a whole library
    throwIfAborted(signal);
  }
  return { tokens: tokens.subarray(0, length), bytes };
}

/** Marks a place before a text's start: no token. */
const ABSENT = 0xffff;

/**
 * Tokens of some texts, each after as many absent tokens as the window sees, so that no context reaches from one into the next.
 *
 * @throws SaffuError ABORTED
 */
export async function separated(
  texts: readonly Uint8Array[],
  tokenizer: Tokenizer,
  window: number,
  signal?: AbortSignal | undefined,
): Promise<Uint16Array> {
  const parts: Uint16Array[] = [];
  for (const text of texts) {
    const { tokens } = await encodeAll([text], tokenizer, { signal });
    parts.push(new Uint16Array(window).fill(ABSENT), tokens);
  }
  const all = new Uint16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
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
