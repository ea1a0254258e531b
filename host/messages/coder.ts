/**
 * A range coder in integers (Martin 1979), whose codes end with their frame (ours). Tokens narrow an interval of [0, 1) in proportion to their
 * frequencies. Any bytes are a number there, their fraction in base 256, and so each interval holds many of them. Behind every token the interval
 * takes the first bytes in it that no shorter beginning of the message has taken: the fewest, and of those the least. Whoever reads a frame takes
 * the same, step by step, and is at the end where the frame is what was taken. So nothing in a frame says where the message ends, and where a model has
 * a token for that, its probability is the others'.
 *
 * Numbers are whole and at most 2^50, which a double holds. assembly/device/coder.ts does the same to the bit.
 */

/** What frequencies add up to, nearly: the floor that every token has, 1, costs at most log2(1 + V / 2^24) bits a token. */
const TOTAL = 2 ** 24;
/** The interval is kept in units of 2^-48 of what the bytes so far leave, and gives up a byte where it is at most 2^-8 of that. */
const WINDOW = 2 ** 48;
const TOP = 2 ** 40;
const WINDOW_BYTES = 6;
/** The first byte of what is not coded. */
export const ESCAPE = 255;

/** The end's token keeps 2^-4 of its probability, for messages that have it in their midst. */
const RARE = 4;

/** Frequencies of tokens by their probabilities, (V) f32. */
class Frequencies {
  private readonly most: number;

  /** @param rare the token that stands for the end of a message, where there is one */
  constructor(
    private readonly probabilities: Float32Array,
    private readonly rare: number | undefined,
  ) {
    this.most = TOTAL - probabilities.length;
  }

  /** Of a token: its probability in whole parts, and 1 for what is never impossible. */
  of(token: number): number {
    const probability = this.probabilities[token]!;
    const parts = Math.trunc(Math.fround((probability > 0 ? Math.min(probability, 1) : 0) * this.most));
    return 1 + (token === this.rare ? parts >> RARE : parts);
  }

  /** Of the tokens before one together. */
  before(token: number): number {
    let sum = 0;
    for (let other = 0; other < token; ++other) sum += this.of(other);
    return sum;
  }

  get total(): number {
    return this.before(this.probabilities.length);
  }
}

/** An interval, and what its beginnings have taken. */
class Interval {
  /** Bytes that are certain; the window begins behind them. */
  bytes = 0;
  low = 0;
  range = ESCAPE * TOP; // the escape's first byte is nobody's
  /** Bytes of what may be taken next, and the least number of such a length, in units of the window. */
  length = 0;
  private least = 0;

  /** Narrows to `share` of `total`, from `from` on. The certain bytes are one more where it says so. */
  narrow(from: number, share: number, part: number): boolean {
    this.low += part * from;
    this.range = part * share;
    if (this.low < WINDOW) return false;
    this.low -= WINDOW;
    this.least = Math.max(0, this.least - WINDOW);
    return true;
  }

  /** Whether a byte has become certain. */
  get narrowed(): boolean {
    return this.range <= TOP;
  }

  /** The byte that has become certain: it leaves the window. */
  shift(): number {
    if (this.least >= this.low + this.range) this.pass();
    const byte = Math.floor(this.low / TOP);
    this.low = (this.low - byte * TOP) * 256;
    this.least = Math.max(0, this.least - byte * TOP) * 256;
    this.range *= 256;
    ++this.bytes;
    return byte;
  }

  /** Takes what an end here is: `length` bytes, as a number in units of the window. */
  take(): number {
    if (this.length < this.bytes) {
      this.length = this.bytes;
      this.least = 0;
    }
    for (;;) {
      const step = 256 ** (this.bytes + WINDOW_BYTES - this.length);
      const taken = Math.ceil(Math.max(this.low, this.least) / step) * step;
      if (taken < this.low + this.range) {
        this.least = taken + step;
        return taken;
      }
      this.pass();
    }
  }

  /** Goes on to longer ones: those of this length are taken, or have fallen out of the interval. */
  private pass(): void {
    ++this.length;
    this.least = 0;
  }
}

/** Codes tokens one after the other. */
export class Encoder {
  private readonly interval = new Interval();
  private readonly out: number[] = [];
  private taken: number;

  /** @param rare the token that stands for the end of a message, where there is one */
  constructor(private readonly rare?: number | undefined) {
    this.taken = this.interval.take();
  }

  /** Bytes that are certain: the frame has at least as many. */
  get bytes(): number {
    return this.out.length;
  }

  /** Codes a token by the probabilities of all tokens, (V) f32. */
  put(probabilities: Float32Array, token: number): void {
    const { interval, out } = this;
    const frequencies = new Frequencies(probabilities, this.rare);
    const part = Math.floor(interval.range / frequencies.total);
    if (interval.narrow(frequencies.before(token), frequencies.of(token), part)) carry(out);
    while (interval.narrowed) out.push(interval.shift());
    this.taken = interval.take();
  }

  /** The frame of the tokens so far. */
  get frame(): Uint8Array {
    const bytes = [...this.out];
    let rest = this.taken;
    if (rest >= WINDOW) {
      carry(bytes);
      rest -= WINDOW;
    }
    for (let place = TOP; bytes.length < this.interval.length; place /= 256) {
      bytes.push(Math.floor(rest / place));
      rest %= place;
    }
    return Uint8Array.from(bytes);
  }
}

/** Adds one to the number that some bytes are. */
function carry(bytes: number[]): void {
  let at = bytes.length - 1;
  for (; bytes[at] === 255; --at) bytes[at] = 0;
  ++bytes[at]!;
}

/** What a frame turns out to be behind a token: the message's, one of a longer message, or none's. */
export type End = "end" | "further" | "none";

/** Decodes a frame token by token: `end` and `next` in turn. */
export class Decoder {
  private readonly interval = new Interval();
  /** The frame's number beyond the interval's low end, in units of the window. */
  private beyond = 0;

  /** @param rare as of the encoder */
  constructor(
    private readonly frame: Uint8Array,
    private readonly rare?: number | undefined,
  ) {
    for (let at = 0; at < WINDOW_BYTES; ++at) this.beyond = this.beyond * 256 + this.byteAt(at);
  }

  /** Whether the message ends here; asked before each token, the first one, too. */
  end(): End {
    const { interval, frame } = this;
    const taken = interval.take();
    const number = interval.low + this.beyond;
    if (interval.length === frame.length && taken === number) return "end";
    return interval.length > frame.length || (interval.length === frame.length && taken > number) ? "none" : "further";
  }

  /** The next token by the probabilities of all, (V) f32; undefined where the frame is that of no message. */
  next(probabilities: Float32Array): number | undefined {
    const { interval } = this;
    const frequencies = new Frequencies(probabilities, this.rare);
    const { total } = frequencies;
    const part = Math.floor(interval.range / total);
    const place = Math.floor(this.beyond / part);
    if (place >= total) return undefined;
    let [token, from] = [0, 0];
    let share = frequencies.of(0);
    while (place >= from + share) {
      from += share;
      share = frequencies.of(++token);
    }
    this.beyond -= part * from;
    interval.narrow(from, share, part);
    while (interval.narrowed) {
      interval.shift();
      this.beyond = this.beyond * 256 + this.byteAt(interval.bytes + WINDOW_BYTES - 1);
    }
    return token;
  }

  private byteAt(at: number): number {
    return this.frame[at] ?? 0;
  }
}
