// A stream of few tokens, so that long matches are common, and the history that it runs through.
import { clearHistory, History, pushToken } from "../history/history";
import { HISTORY, PAIRS, V } from "../shape";
import { below } from "./support";

/** Tokens of the stream: the ring is overwritten twice. */
export const LENGTH: i32 = 3 * HISTORY;
export const RING = memory.data(HISTORY * 2 + 16, 16);
export const NEWEST = memory.data(V * 2 + 16, 16);
export const TOKEN_LINKS = memory.data(HISTORY * 2 + 16, 16);
export const PAIR_LINKS = memory.data(HISTORY * 2 + 16, 16);
export const PAIR_NEWEST = memory.data(PAIRS * 2 + 16, 16);
export const history = changetype<History>(memory.data(32, 16));
export const stream = new StaticArray<i32>(LENGTH);

/** Writes a stream; every second token is 0 where it is skewed. */
export function writeStream(alphabet: i32, skewed: bool = false): void {
  for (let i = 0; i < LENGTH; ++i) stream[i] = skewed && below(2) == 0 ? 0 : below(alphabet);
}

/** An empty history; links are of another text. */
export function emptyHistory(): void {
  history.ring = RING;
  history.newestOf = NEWEST;
  history.tokenLinks = TOKEN_LINKS;
  history.pairLinks = PAIR_LINKS;
  history.pairNewest = PAIR_NEWEST;
  clearHistory(history);
}

/** The first `seen` tokens of the stream in a history. */
export function fillHistory(seen: i32): void {
  emptyHistory();
  for (let i = 0; i < seen; ++i) pushToken(history, stream[i]);
}
