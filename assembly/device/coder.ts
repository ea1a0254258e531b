// The range coder of messages, in integers; host/messages/coder.ts says how it works, and does the same to the bit. Tokens narrow an interval in
// proportion to their frequencies; behind every token the interval takes the first string of bytes that no shorter beginning of it has taken.
import { V } from "../shape";
import { PACKED, PROBABILITIES } from "./layout";

/** What frequencies add up to, nearly. */
const TOTAL: u32 = 1 << 24;
const MOST: f32 = <f32>(TOTAL - V);
/** The interval is kept in units of 2^-48 of what the bytes so far leave, and gives up a byte where it is at most 2^-8 of that. */
const WINDOW: u64 = 1 << 48;
const TOP: u64 = 1 << 40;
const WINDOW_BYTES: u32 = 6;
/** The first byte of what is not coded. */
const ESCAPE: u64 = 255;

/** An interval, and what its beginnings have taken. */
@unmanaged
export class Coder {
  low: u64; // in units of the window, as what follows
  range: u64;
  least: u64; // of what may be taken next, of `length` bytes
  number: u64; // what was taken last; of a decoder: the frame's number beyond the low end
  bytes: u32; // that are certain; the window begins behind them
  length: u32;
  frame: u32; // bytes of the frame that is decoded
  rare: u32; // the token that stands for the end of a message; from V on none
  mode: u8; // whether it codes, decodes, or neither
  looked: u8; // decoding: whether the message ends here has been looked at
  // of the token at hand
  from: u32;
  share: u32;
  part: u64;
}

/** The end's token keeps 2^-4 of its probability, for messages that have it in their midst. */
const RARE: u32 = 4;

/** Frequency of a token: its probability in whole parts, and 1 for what is never impossible. */
function frequencyOf(coder: Coder, token: u32): u32 {
  const p = load<f32>(PROBABILITIES + (token << 2));
  const held: f32 = p > 0 ? min<f32>(p, 1) : 0;
  const parts = <u32>(held * MOST);
  return 1 + (token == coder.rare ? parts >> RARE : parts);
}

/** Begins a message, whose interval is all but the escape's. */
export function start(coder: Coder, mode: u8, rare: u32): void {
  coder.low = 0;
  coder.range = ESCAPE << 40;
  coder.least = 0;
  coder.bytes = 0;
  coder.length = 0;
  coder.rare = rare;
  coder.mode = mode;
  coder.looked = 0;
}

/** Finds the share of a token in PROBABILITIES. */
export function locate(coder: Coder, token: u32): void {
  let total: u32 = 0;
  for (let v: u32 = 0; v < <u32>V; ++v) {
    if (v == token) coder.from = total;
    total += frequencyOf(coder, v);
  }
  coder.share = frequencyOf(coder, token);
  coder.part = coder.range / total;
}

/** Finds the token that the frame's number lies in by PROBABILITIES; -1 for none. */
export function find(coder: Coder): i32 {
  let total: u32 = 0;
  for (let v: u32 = 0; v < <u32>V; ++v) total += frequencyOf(coder, v);
  coder.part = coder.range / total;
  const place = coder.number / coder.part;
  if (place >= total) return -1;
  let token: u32 = 0;
  let from: u32 = 0;
  let share = frequencyOf(coder, 0);
  while (<u32>place >= from + share) {
    from += share;
    share = frequencyOf(coder, ++token);
  }
  coder.from = from;
  coder.share = share;
  return token;
}

/** Narrows the interval to what was located or found. */
export function narrow(coder: Coder, decodes: bool): void {
  const past = coder.part * coder.from;
  coder.low += past;
  coder.range = coder.part * coder.share;
  if (decodes) coder.number -= past;
  if (coder.low >= WINDOW) {
    coder.low -= WINDOW;
    coder.least -= min(coder.least, WINDOW);
    if (!decodes) carry(coder.bytes);
  }
  while (coder.range <= TOP) {
    if (coder.least >= coder.low + coder.range) pass(coder);
    const byte = coder.low >> 40;
    coder.low = (coder.low - (byte << 40)) << 8;
    coder.least = (coder.least - min(coder.least, byte << 40)) << 8;
    coder.range <<= 8;
    if (decodes) coder.number = (coder.number << 8) | byteAt(coder, coder.bytes + WINDOW_BYTES);
    else store<u8>(PACKED + coder.bytes, <u8>byte);
    ++coder.bytes;
  }
}

/** Takes what an end here is: `length` bytes, as a number in units of the window. */
export function take(coder: Coder): u64 {
  if (coder.length < coder.bytes) {
    coder.length = coder.bytes;
    coder.least = 0;
  }
  while (true) {
    const step = <u64>1 << ((coder.bytes + WINDOW_BYTES - coder.length) << 3);
    const taken = (max(coder.low, coder.least) + step - 1) & ~(step - 1);
    if (taken < coder.low + coder.range) {
      coder.least = taken + step;
      return taken;
    }
    pass(coder);
  }
}

/** Goes on to longer strings: those of this length are taken, or have fallen out of the interval. */
function pass(coder: Coder): void {
  ++coder.length;
  coder.least = 0;
}

/** Writes what was taken last behind the bytes that are certain. */
export function finish(coder: Coder): void {
  let rest = coder.number;
  if (rest >= WINDOW) {
    rest -= WINDOW;
    carry(coder.bytes);
  }
  for (let at = coder.bytes, shift: u64 = 40; at < coder.length; ++at, shift -= 8) store<u8>(PACKED + at, <u8>(rest >> shift));
}

/** Adds one to the number that the first bytes are. It stays below the escape: the first byte is never 255. */
function carry(bytes: u32): void {
  let at = PACKED + bytes - 1;
  while (load<u8>(at) == 0xff) store<u8>(at--, 0);
  store<u8>(at, load<u8>(at) + 1);
}

/** The frame's number beyond the low end, at the begin. */
export function readFrame(coder: Coder, bytes: u32): void {
  coder.frame = bytes;
  let number: u64 = 0;
  for (let at: u32 = 0; at < WINDOW_BYTES; ++at) number = (number << 8) | byteAt(coder, at);
  coder.number = number;
}

function byteAt(coder: Coder, at: u32): u64 {
  return at < coder.frame ? <u64>load<u8>(PACKED + at) : 0;
}
