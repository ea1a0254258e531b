// A stream of few tokens, so that long matches are common, and the history that it runs through.
import { clearHistory, History, HISTORY_BYTES, pushToken } from "../history/history";
import { HISTORY, INDEXED, PAIRS, V } from "../shape";
import { below } from "./support";

/** Tokens of the stream: the ring is overwritten twice. */
export const LENGTH: i32 = 3 * HISTORY;
const RECORD = memory.data(HISTORY_BYTES + 16, 16);
export const history = changetype<History>(RECORD);
/** Behind the record, in the order that it promises; links where the history is indexed. */
export const RING: usize = RECORD + 16;
export const NEWEST: usize = RING + HISTORY * 2;
export const TOKEN_LINKS: usize = NEWEST + INDEXED * V * 2;
export const PAIR_LINKS: usize = TOKEN_LINKS + INDEXED * HISTORY * 2;
export const PAIR_NEWEST: usize = PAIR_LINKS + INDEXED * HISTORY * 2;
export const END: usize = PAIR_NEWEST + INDEXED * PAIRS * 2;
export const stream = new StaticArray<i32>(LENGTH);

/** Writes a stream; every second token is 0 where it is skewed. */
export function writeStream(alphabet: i32, skewed: bool = false): void {
  for (let i = 0; i < LENGTH; ++i) stream[i] = skewed && below(2) == 0 ? 0 : below(alphabet);
}

/** An empty history; links are of another text. */
export function emptyHistory(): void {
  clearHistory(history);
}

/** The first `seen` tokens of the stream in a history. */
export function fillHistory(seen: i32): void {
  emptyHistory();
  for (let i = 0; i < seen; ++i) pushToken(history, stream[i]);
}
