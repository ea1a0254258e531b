/**
 * Lines of a stream that may not end, and whose lines may not either: of a line that is too long, its beginning and its length are kept.
 *
 * ```ts
 * for await (const { bytes, length, cut } of linesOf(chunks)) …
 * ```
 */
import { checkChunks, invalidOption } from "../errors.ts";
import { bytesOfChunks } from "../tokenizer/stream.ts";

/** A line, without its newline and, unless they are kept, without a carriage return before it. */
export interface Line {
  /**
   * u8 [min(length, most)]: the line's beginning. Where the line came in one chunk it is a view of that chunk, not a copy: it stays what it is
   * for as long as the chunk's owner leaves the chunk alone, and it keeps the chunk in memory.
   */
  readonly bytes: Uint8Array;
  /** Bytes of the whole line. */
  readonly length: number;
  /** Whether `bytes` is less than the line. */
  readonly cut: boolean;
}

export interface LinesOptions {
  /** Bytes that are kept of a line: 1..2^30. The rest is dropped as it is read. Default: 65536. */
  readonly most?: number | undefined;
  /** Whether a carriage return before a newline is of the line. Default: false. */
  readonly keepReturns?: boolean | undefined;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const MOST = 1 << 16;
export const MOST_KEPT = 2 ** 30;
/** Bytes that are first set aside for a line whose end is not there yet. */
const FIRST_ROOM = 256;
const NOTHING = new Uint8Array(0);

/**
 * Lines of a text in chunks, empty ones too. What comes after the last newline is a line, unless it is empty. Any bytes may be in a line: NULs, and
 * what is no UTF-8. A chunk's lines are views of it; only a line that is cut by a chunk's end is copied, `most` bytes of it at the most.
 *
 * @throws SaffuError INVALID_OPTION; INVALID_TEXT where a chunk is neither a string nor bytes
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
  { most, keepReturns }: LinesOptions = {},
): AsyncGenerator<Line> {
  checkChunks(chunks);
  const lines = new LineSplitter(most, keepReturns);
  for await (const chunk of bytesOfChunks(chunks)) for (const line of lines.push(chunk)) yield line;
  const last = lines.end();
  if (last !== undefined) yield last;
}

/** The same, chunk by chunk, for who has to know where in the stream a line ends. */
export class LineSplitter {
  private readonly most: number;
  private readonly keepReturns: boolean;
  /** The beginning of a line whose end is not there yet: `filled` bytes of it. */
  private held: Uint8Array = NOTHING;
  private filled = 0;
  /** Bytes of that line so far. */
  private length = 0;
  /** The last of them is a carriage return. */
  private returned = false;

  /** @throws SaffuError INVALID_OPTION */
  constructor(most: number = MOST, keepReturns = false) {
    if (!Number.isInteger(most) || most < 1 || most > MOST_KEPT) {
      throw invalidOption("most", `a whole number of bytes, 1..${MOST_KEPT}`, most);
    }
    this.most = most;
    this.keepReturns = keepReturns;
  }

  /** Bytes of the chunk up to the end of the line that was given last, its newline included; 0 where none of this chunk's was. */
  place = 0;

  /** Bytes of a line that has begun, and whose end is not there yet. */
  get pending(): number {
    return this.length;
  }

  /** Lines that end in `chunk`, as they are asked for; all of them have to be, before the next chunk. */
  *push(chunk: Uint8Array): Generator<Line, void> {
    let from = 0;
    this.place = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      if (this.length > 0) {
        this.hold(chunk, from, at);
        from = at + 1;
        this.place = from;
        yield this.taken();
        continue;
      }
      const length = at - from - (at > from && this.isDropped(chunk[at - 1]!) ? 1 : 0);
      const cut = length > this.most;
      const bytes = chunk.subarray(from, from + (cut ? this.most : length));
      from = at + 1;
      this.place = from;
      yield { bytes, length, cut };
    }
    this.hold(chunk, from, chunk.length);
  }

  /** The line that has no end, if one has begun; what is pushed then begins another. */
  end(): Line | undefined {
    return this.length > 0 ? this.taken() : undefined;
  }

  /** Whether a line's last byte is not of it. */
  private isDropped(byte: number): boolean {
    return byte === RETURN && !this.keepReturns;
  }

  private hold(chunk: Uint8Array, from: number, to: number): void {
    if (to === from) return;
    this.length += to - from;
    this.returned = this.isDropped(chunk[to - 1]!);
    const part = chunk.subarray(from, Math.min(to, from + this.most - this.filled));
    const filled = this.filled + part.length;
    if (filled > this.held.length) {
      const wider = new Uint8Array(Math.min(this.most, Math.max(FIRST_ROOM, 2 * filled)));
      wider.set(this.held.subarray(0, this.filled));
      this.held = wider;
    }
    this.held.set(part, this.filled);
    this.filled = filled;
  }

  private taken(): Line {
    const length = this.length - (this.returned ? 1 : 0);
    const bytes = this.held.subarray(0, Math.min(this.filled, length));
    this.held = NOTHING; // what was handed out is not written to again
    this.filled = 0;
    this.length = 0;
    this.returned = false;
    return { bytes, length, cut: bytes.length < length };
  }
}
