/**
 * A message as the fewest bytes that a model makes of it, and back.
 *
 * A message may end behind any token. Where the model is of lines, it is one without its newline. A message that its code would make more than a byte
 * longer stands as it is behind the byte 255, which no code begins with.
 */
import { invalidOption, SaffuError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { Decoder, Encoder, ESCAPE } from "./coder.ts";

export interface MessageOptions {
  /** Most bytes of a message, 0..16,777,216: what a frame of a few bytes can be made to cost. Default 65,536. */
  readonly maxBytes?: number | undefined;
}

/** Bytes of a message by default, and at the most. */
const MAX_BYTES = 2 ** 16;
const MOST_BYTES = 2 ** 24;

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

/** The option with its default. @throws SaffuError INVALID_OPTION */
export function checkMaxBytes({ maxBytes = MAX_BYTES }: MessageOptions): number {
  if (Number.isInteger(maxBytes) && maxBytes >= 0 && maxBytes <= MOST_BYTES) return maxBytes;
  throw invalidOption("maxBytes", `an integer in 0..${MOST_BYTES}`, maxBytes);
}

/** The frame of a message. @throws SaffuError INVALID_TEXT where it has more than `maxBytes` */
export function packMessage(
  bytes: Uint8Array,
  { tokenizer, newline }: Language,
  predictor: MessagePredictor,
  maxBytes: number,
): Uint8Array {
  if (bytes.length > maxBytes) {
    throw new SaffuError(
      "INVALID_TEXT",
      `a message has at most ${maxBytes} bytes (maxBytes), this has ${bytes.length}`,
    );
  }
  const tokens = tokenizer.encode(bytes);
  if (!spells(tokens, tokenizer, bytes)) return escaped(bytes);
  const most = bytes.length + 1;
  const encoder = new Encoder(newline);
  for (const token of tokens) {
    predictor.predict();
    encoder.put(predictor.probabilities, token);
    if (encoder.bytes > most) return escaped(bytes);
    predictor.feed(token);
  }
  const { frame } = encoder;
  return frame.length > most ? escaped(bytes) : frame;
}

/** The message of a frame. @throws SaffuError INVALID_MESSAGE where no message has it, or one of more than `maxBytes` */
export function unpackMessage(
  frame: Uint8Array,
  { tokenizer, newline }: Language,
  predictor: MessagePredictor,
  maxBytes: number,
): Uint8Array {
  const tooLong = () =>
    new SaffuError("INVALID_MESSAGE", `the frame is of a message of more than ${maxBytes} bytes (maxBytes)`);
  if (frame[0] === ESCAPE) {
    if (frame.length > maxBytes + 1) throw tooLong();
    return frame.slice(1);
  }
  const decoder = new Decoder(frame, newline);
  const text = new Bytes(maxBytes);
  for (;;) {
    const end = decoder.end();
    if (end === "end") return text.all;
    predictor.predict();
    const token = end === "none" ? undefined : decoder.next(predictor.probabilities);
    if (token === undefined) {
      const what = "cut or lengthened, damaged, or of another model or another state of it";
      throw new SaffuError("INVALID_MESSAGE", `the frame of ${frame.length} bytes is of no message: ${what}`);
    }
    predictor.feed(token);
    if (!text.add(tokenizer.bytesOf(token))) throw tooLong();
  }
}

/** A message that stands as it is. */
function escaped(bytes: Uint8Array): Uint8Array {
  return joined(Uint8Array.of(ESCAPE), bytes);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
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
