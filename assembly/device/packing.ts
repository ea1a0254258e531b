// Messages as few bytes: what a module exports that packs them. It is compiled together with index.ts, for such modules alone.
import { PACK, V } from "../shape";
import { Coder, find, finish, locate, narrow, readFrame, start, take } from "./coder";
import { feed, predict } from "./index";
import { CODER } from "./layout";

export { PACKED } from "./layout";
export { PACK } from "../shape";

const OUT_OF_RANGE = -1;
const FULL = -2;
const NOT_READY = -6;
const ENDED = -8;
const NO_MESSAGE = -9;

const CODES: u8 = 1;
const DECODES: u8 = 2;
/** Bytes that become certain with one token at the most. */
const A_TOKEN: u32 = 4;

const coder: Coder = changetype<Coder>(CODER);

/**
 * Begins to pack a message; the context is a text's begin.
 *
 * @param begin the token that every text begins behind: it is not part of a message, as a rule; V or more for none
 * @returns 0
 */
export function packFrom(begin: u32): i32 {
  start(coder, CODES, begin);
  coder.number = take(coder);
  return 0;
}

/**
 * Packs a token, and goes on as `feed` does.
 *
 * @returns 0; -1 where token ≥ V, -2 where PACKED has no room for the message: it can still go on where the message stands as it is;
 * -5 where a read failed, -6 before packFrom. Then nothing has changed
 */
export function pack(token: u32): i32 {
  if (token >= <u32>V) return OUT_OF_RANGE;
  if (coder.mode != CODES) return NOT_READY;
  if (coder.bytes + A_TOKEN > <u32>PACK) return FULL;
  const error = predict();
  if (error < 0) return error;
  locate(coder, token);
  const bits = feed(token);
  if (bits < 0) return <i32>bits;
  narrow(coder, false);
  coder.number = take(coder);
  return 0;
}

/**
 * Writes the end of the message to PACKED, which is its frame then.
 *
 * @returns bytes of the frame; -2 where it has no room there, -6 where no message was begun. Then nothing has changed
 */
export function packed(): i32 {
  if (coder.mode != CODES) return NOT_READY;
  if (coder.length > <u32>PACK) return FULL;
  finish(coder);
  coder.mode = 0;
  return coder.length;
}

/**
 * Begins to unpack the frame in PACKED; the context is a text's begin.
 *
 * @param begin as for packFrom; @param bytes of the frame
 * @returns 0; -1 where PACKED has no room for so many
 */
export function unpackFrom(begin: u32, bytes: u32): i32 {
  if (bytes > <u32>PACK) return OUT_OF_RANGE;
  start(coder, DECODES, begin);
  readFrame(coder, bytes);
  return 0;
}

/**
 * The next token of the frame, which is fed.
 *
 * @returns the token; -8 where the message has ended; -9 where the frame is of no message (its first byte may be 255: what is behind it is the
 * message); -5 where a read failed: call again; -6 before unpackFrom
 */
export function unpack(): i32 {
  if (coder.mode != DECODES) return NOT_READY;
  if (coder.looked == 0) {
    const taken = take(coder);
    const number = coder.low + coder.number;
    if (coder.length == coder.frame && taken == number) return over(ENDED);
    if (coder.length > coder.frame || (coder.length == coder.frame && taken > number)) return over(NO_MESSAGE);
    coder.looked = 1; // a read that fails is tried again
  }
  const error = predict();
  if (error < 0) return error;
  const token = find(coder);
  if (token < 0) return over(NO_MESSAGE);
  const bits = feed(token);
  if (bits < 0) return <i32>bits;
  narrow(coder, true);
  coder.looked = 0;
  return token;
}

function over(answer: i32): i32 {
  coder.mode = 0;
  return answer;
}
