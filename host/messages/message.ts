/**
 * A message as the fewest bytes that a model makes of it, and back.
 *
 * A message may end behind any token. Where the model is of lines, it is one without its newline. A message that its code would make more than a byte
 * longer stands as it is behind the byte 255, which no code begins with.
 */
import { joined } from "../bytes.ts";
import { invalidOption, SaffuError } from "../errors.ts";
import { drained } from "../pace.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { crc32, lowBytes } from "./checksum.ts";
import { Decoder, Encoder, ESCAPE } from "./coder.ts";

export interface MessageOptions {
  /** Most bytes of a message, 0..16,777,216: what a frame of a few bytes can be made to cost. Default 65,536. */
  readonly maxBytes?: number | undefined;
  /**
   * Bytes of a checksum behind the frame, 0..4: the low ones of the message's CRC-32. Without, a damaged frame is taken for another message's, or
   * none's. Both ends need the same. Default 0.
   */
  readonly checksum?: number | undefined;
}

/** The options with their defaults. */
export interface MessageSettings {
  readonly maxBytes: number;
  readonly checksum: number;
}

/** Bytes of a message by default, and at the most. */
const MAX_BYTES = 2 ** 16;
const MOST_BYTES = 2 ** 24;
/** Bytes of a checksum at the most. */
const MOST_CHECKSUM = 4;

/** What predicts the tokens of a message, from the begin of a text on. */
export interface MessagePredictor {
  predict(): number;
  feed(token: number): number;
  readonly probabilities: Float32Array;
}

/** What messages are written in. */
export interface Language {
  readonly tokenizer: Tokenizer;
  /** The newline, where messages are lines. */
  readonly newline: number | undefined;
}

/** The options with their defaults. @throws SaffuError INVALID_OPTION */
export function checkMessageOptions({ maxBytes = MAX_BYTES, checksum = 0 }: MessageOptions): MessageSettings {
  const within = (name: string, value: number, most: number) => {
    if (!Number.isInteger(value) || value < 0 || value > most)
      throw invalidOption(name, `an integer in 0..${most}`, value);
  };
  within("maxBytes", maxBytes, MOST_BYTES);
  within("checksum", checksum, MOST_CHECKSUM);
  return { maxBytes, checksum };
}

/**
 * The frame of a message in the predictor's context, and behind it its checksum. The predictor has then read the message, but for one that stands as it is.
 *
 * @throws SaffuError INVALID_TEXT where it has more than `maxBytes`
 */
export function packMessage(...given: Parameters<typeof packInSteps>): Uint8Array {
  return drained(packInSteps(...given));
}

/** The same, a token a step. */
export function* packInSteps(
  bytes: Uint8Array,
  language: Language,
  predictor: MessagePredictor,
  { maxBytes, checksum }: MessageSettings,
): Generator<void, Uint8Array> {
  if (bytes.length > maxBytes) {
    throw new SaffuError(
      "INVALID_TEXT",
      `a message has at most ${maxBytes} bytes (maxBytes), this has ${bytes.length}; an archive takes more`,
    );
  }
  const frame = yield* frameInSteps(bytes, language, predictor);
  return checksum === 0 ? frame : joined(frame, lowBytes(crc32(bytes), checksum));
}

/**
 * The frame of a message, a token a step: its code, or the message as it is where that is more than a byte longer, or where tokens do not
 * spell the bytes. Of such a one the predictor has read some tokens, or none.
 */
export function* frameInSteps(
  bytes: Uint8Array,
  { tokenizer, newline }: Language,
  predictor: MessagePredictor,
): Generator<void, Uint8Array> {
  const literal = () => joined(Uint8Array.of(ESCAPE), bytes);
  const tokens = tokensOf(bytes, tokenizer);
  if (!spells(tokens, tokenizer, bytes)) return literal();
  const most = bytes.length + 1;
  const encoder = new Encoder(newline);
  for (const token of tokens) {
    predictor.predict();
    encoder.put(predictor.probabilities, token);
    if (encoder.bytes > most) return literal();
    predictor.feed(token);
    yield;
  }
  const { frame } = encoder;
  return frame.length > most ? literal() : frame;
}

/** Whether a frame has its message as it is. */
export function isLiteral(frame: Uint8Array): boolean {
  return frame[0] === ESCAPE;
}

/**
 * The message of a frame, with its checksum behind it, in the predictor's context.
 *
 * @throws SaffuError INVALID_MESSAGE where no message has it, one of more than `maxBytes`, or one of another checksum
 */
export function unpackMessage(...given: Parameters<typeof unpackInSteps>): Uint8Array {
  return drained(unpackInSteps(...given));
}

/** The same, a token a step. */
export function* unpackInSteps(
  packed: Uint8Array,
  language: Language,
  predictor: MessagePredictor,
  { maxBytes, checksum }: MessageSettings,
): Generator<void, Uint8Array> {
  if (checksum === 0) return yield* messageInSteps(packed, language, predictor, maxBytes);
  const end = packed.length - checksum;
  if (end < 0) {
    throw new SaffuError("INVALID_MESSAGE", `the frame has ${packed.length} bytes, its checksum alone has ${checksum}`);
  }
  const message = yield* messageInSteps(packed.subarray(0, end), language, predictor, maxBytes);
  if (lowBytes(crc32(message), checksum).some((byte, i) => byte !== packed[end + i])) {
    throw new SaffuError(
      "INVALID_MESSAGE",
      `the frame of ${packed.length} bytes does not have its message's checksum: ${DAMAGED}`,
    );
  }
  return message;
}

/** Why a frame is not what it should be. */
const DAMAGED = "it is cut or lengthened, damaged, or of another model or another state of it";

/** The message of a frame without a checksum, a token a step. @throws SaffuError INVALID_MESSAGE */
export function* messageInSteps(
  frame: Uint8Array,
  { tokenizer, newline }: Language,
  predictor: MessagePredictor,
  maxBytes: number,
): Generator<void, Uint8Array> {
  const tooLong = () =>
    new SaffuError("INVALID_MESSAGE", `the frame is of a message of more than ${maxBytes} bytes (maxBytes)`);
  if (isLiteral(frame)) {
    if (frame.length > maxBytes + 1) throw tooLong();
    return new Uint8Array(frame.subarray(1)); // not slice: a Buffer's is no copy
  }
  const decoder = new Decoder(frame, newline);
  const text = new Bytes(maxBytes);
  for (;;) {
    const end = decoder.end();
    if (end === "end") return text.all;
    predictor.predict();
    const token = end === "none" ? undefined : decoder.next(predictor.probabilities);
    if (token === undefined) {
      throw new SaffuError("INVALID_MESSAGE", `the frame of ${frame.length} bytes is of no message: ${DAMAGED}`);
    }
    predictor.feed(token);
    if (!text.add(tokenizer.bytesOf(token))) throw tooLong();
    yield;
  }
}

/** Tokens of a message; none of what is no text of the tokenizer, as words are none of symbols. */
export function tokensOf(bytes: Uint8Array, tokenizer: Tokenizer): Uint16Array {
  try {
    return tokenizer.encode(bytes);
  } catch (cause) {
    if (cause instanceof SaffuError) return new Uint16Array(0);
    throw cause;
  }
}

/** Whether tokens, one after the other, are the bytes: those of symbols may be others. */
function spells(tokens: Uint16Array, tokenizer: Tokenizer, bytes: Uint8Array): boolean {
  let at = 0;
  for (const token of tokens) for (const byte of tokenizer.bytesOf(token)) if (byte !== bytes[at++]) return false;
  return at === bytes.length;
}

/** Bytes that grow up to a bound. */
class Bytes {
  private bytes = new Uint8Array(256);
  private length = 0;

  constructor(private readonly most: number) {}

  /** False where there would be too many. */
  add(more: Uint8Array): boolean {
    if (this.length + more.length > this.most) return false;
    if (this.length + more.length > this.bytes.length) {
      const wider = new Uint8Array(2 * (this.length + more.length));
      wider.set(this.bytes);
      this.bytes = wider;
    }
    this.bytes.set(more, this.length);
    this.length += more.length;
    return true;
  }

  get all(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
