/**
 * What a word is to those who type: letters, marks and numbers, and between them apostrophes and joiners. Scripts that put no spaces
 * between words show no borders: there a word ends where a token does. Ours.
 */
import { classOf, LETTER, MARK, NUMBER, SPACE } from "../tokenizer/unicode.ts";
import { characterAt } from "./utf8.ts";

// what a character is to a word
const BORDER = 0;
const BLANK = 1;
const OTHER_SPACE = 2;
const IN_WORD = 3;
const JOINER = 4;
const UNSPACED = 5;

/** Apostrophes, and the zero-width joiners of Persian and Indic scripts: in a word where letters stand on both sides. */
const JOINERS: readonly number[] = [0x27, 0x2019, 0x200c, 0x200d];
/** Scripts without spaces: Thai and Lao; Burmese; Khmer; kana; Han with its extensions. First and last character of each. */
const WITHOUT_SPACES: readonly (readonly [first: number, last: number])[] = [
  [0x0e00, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x3005, 0x30ff],
  [0x31f0, 0x31ff],
  [0x3400, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x3ffff],
];

function kindOf(point: number): number {
  if (point === 0x20) return BLANK;
  if (JOINERS.includes(point)) return JOINER;
  const kind = classOf(point);
  if (kind === SPACE) return OTHER_SPACE;
  if (kind !== LETTER && kind !== MARK && kind !== NUMBER) return BORDER;
  return WITHOUT_SPACES.some(([first, last]) => point >= first && point <= last) ? UNSPACED : IN_WORD;
}

/** Between words, behind what is no space: a blank may come before the next. */
const BETWEEN = 0;
/** The same behind a space, or at a text's begin. */
const SPACED = 1;
const INSIDE = 2;
/** Behind a joiner that stands in a word so far. */
const JOINED = 3;
/** In a word of a script without spaces. */
const IN_UNSPACED = 4;
/** The word has ended. */
const ENDED = 5;
/** No word goes on like this. */
const NONE = 6;

/** Where bytes have come to, in words. */
export interface WordState {
  readonly mode: number;
  /** Bytes of the joiner that the text ends with, where it does. */
  readonly joiner: number;
  /** Bytes of a character that has not ended, at most 3. */
  readonly begun: Uint8Array;
  /** Where the word has ended: how many bytes of it stand behind those that came last begin; negative where it ended before. */
  readonly end: number;
}

const NO_BYTES = new Uint8Array(0);

/** The mode behind a character of a kind. */
function next(mode: number, kind: number): number {
  switch (mode) {
    case BETWEEN:
    case SPACED:
      if (kind === IN_WORD) return INSIDE;
      if (kind === UNSPACED) return IN_UNSPACED;
      return kind === BLANK && mode === BETWEEN ? SPACED : NONE;
    case INSIDE:
      return kind === IN_WORD ? INSIDE : kind === JOINER ? JOINED : ENDED;
    case JOINED:
      return kind === IN_WORD ? INSIDE : ENDED;
    default:
      return kind === UNSPACED ? IN_UNSPACED : ENDED;
  }
}

/** The state after `bytes`. Once a word has ended, or none goes on, what follows is not looked at. */
export function wordAfter(state: WordState, bytes: Uint8Array): WordState {
  let { mode, joiner, begun } = state;
  const all = begun.length === 0 ? bytes : Uint8Array.of(...begun, ...bytes);
  for (let at = 0; at < all.length; ) {
    const { point, length } = characterAt(all, at);
    if (length === 0) return { mode, joiner, begun: all.slice(at), end: 0 };
    const reached = point < 0 ? NONE : next(mode, kindOf(point));
    if (reached === ENDED) {
      const end = at - begun.length - (mode === JOINED ? joiner : 0);
      return { mode: ENDED, joiner: 0, begun: NO_BYTES, end };
    }
    if (reached === NONE) return { mode: NONE, joiner: 0, begun: NO_BYTES, end: 0 };
    joiner = reached === JOINED ? length : 0;
    mode = reached;
    at += length;
  }
  begun = NO_BYTES;
  return { mode, joiner, begun, end: 0 };
}

export const hasEnded = ({ mode }: WordState): boolean => mode === ENDED;
export const goesOn = ({ mode }: WordState): boolean => mode < ENDED;
const mayEnd = ({ mode, begun }: WordState) => (mode === INSIDE || mode === JOINED) && begun.length === 0;
/** Whether a word ends here as its token does. */
export const endsWithToken = ({ mode, begun }: WordState): boolean => mode === IN_UNSPACED && begun.length === 0;

/** How many bytes of a text's end are looked at: of a longer word the last are taken for the whole. */
export const MOST_TAIL = 256;

/** The end of a text: its unfinished word, and where that has come to. */
export interface TextEnd {
  readonly word: Uint8Array;
  readonly state: WordState;
}

/** Where a text ends. Bytes that are no character are borders. @param tail its last bytes, `MOST_TAIL` or all */
export function endOf(tail: Uint8Array): TextEnd {
  let mode = SPACED;
  let joiner = 0;
  let from = 0;
  let at = 0;
  while (at < tail.length) {
    const { point, length } = characterAt(tail, at);
    if (length === 0) break;
    const kind = point < 0 ? BORDER : kindOf(point);
    let reached = next(mode, kind);
    if (reached === ENDED || reached === NONE || kind === UNSPACED) {
      reached = kind === BLANK || kind === OTHER_SPACE ? SPACED : kind === IN_WORD ? INSIDE : BETWEEN;
      if (reached === INSIDE) from = at;
    } else if (reached === INSIDE && mode < INSIDE) from = at;
    joiner = reached === JOINED ? length : 0;
    mode = reached;
    at += length;
  }
  if (mode < INSIDE) from = at;
  return { word: tail.slice(from), state: { mode, joiner, begun: tail.slice(at), end: 0 } };
}

const LETTER_STATE: WordState = { mode: INSIDE, joiner: 0, begun: NO_BYTES, end: 0 };

// what a token is to a word that it follows, where no character is begun
const UNKNOWN = 0;
/** Of letters, which it begins with. */
const LETTERS = 1;
/** What ends the word. */
const ENDS = 2;

/** What tokens are to words. */
export class TokenKinds {
  private readonly kinds: Uint8Array;

  constructor(private readonly spelled: readonly Uint8Array[]) {
    this.kinds = Uint8Array.from(spelled, (bytes) => {
      const { mode, begun, end } = wordAfter(LETTER_STATE, bytes);
      if (mode === ENDED) return end === 0 ? ENDS : UNKNOWN;
      const begins = wordAfter({ ...LETTER_STATE, mode: SPACED }, bytes).mode; // a joiner does not
      return mode === INSIDE && begun.length === 0 && begins === INSIDE ? LETTERS : UNKNOWN;
    });
  }

  /** Whether a token ends the word here, with none of its bytes. */
  ends(state: WordState, token: number): boolean {
    return this.kinds[token] === ENDS && mayEnd(state);
  }

  /** The state after a token. */
  after(state: WordState, token: number): WordState {
    return this.kinds[token] === LETTERS && mayEnd(state) ? LETTER_STATE : wordAfter(state, this.spelled[token]!);
  }
}
