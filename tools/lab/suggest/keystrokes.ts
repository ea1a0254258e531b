/**
 * Keystrokes that suggestions save. A text is typed as on a telephone: a key a character, and one key takes a suggestion, together with the blank behind
 * it where the text goes on with one (elsewhere the keyboard drops the blank by itself). A suggestion is taken as soon as it is what the text goes on with
 * up to the end of a word, in letters of either case, and saves a key; of several the longest. Savings: 1 − keys / characters.
 */

/** What suggests. It hears every character that the text has. */
export interface Keyboard {
  /** What to insert behind the text so far, the best first. */
  suggest(most: number): Promise<readonly string[]> | readonly string[];
  type(text: string): Promise<void> | void;
  /** It works in another process, whose time is not measured. */
  readonly apart?: boolean;
}

export interface Typed {
  readonly characters: number;
  readonly keys: number;
  /** Milliseconds of CPU of each call of `suggest`. */
  readonly milliseconds: readonly number[];
}

const WORD = /[\p{L}\p{M}\p{N}]/u;
/** Suggestions at once. */
export const SHOWN = 3;
/** Suggestions asked for, so that there are others than those that were passed over. */
export const MOST = 20;

/**
 * Types a text whose white space is blanks.
 *
 * @param once what was shown and not taken is not shown again until the word is typed
 */
export async function typed(keyboard: Keyboard, text: string, once: boolean): Promise<Typed> {
  const milliseconds: number[] = [];
  let keys = 0;
  let free = 0; // up to here a suggestion has typed
  const passed = new Set<string>();
  let begin = 0;
  for (let at = 0; at < text.length; ++at) {
    if (at >= free) {
      ++keys;
      if (!WORD.test(text[at - 1] ?? " ")) {
        passed.clear();
        begin = at;
      }
      const start = process.cpuUsage();
      const all = await keyboard.suggest(once ? Math.min(MOST, SHOWN + passed.size) : SHOWN);
      const { user, system } = process.cpuUsage(start);
      milliseconds.push((user + system) / 1000);
      const word = (rest: string) => text.slice(begin, at) + rest;
      const found = all.filter((rest) => !once || !passed.has(word(rest))).slice(0, SHOWN);
      if (once) for (const rest of found) passed.add(word(rest));
      const longest = Math.max(0, ...found.filter((rest) => fits(rest, text, at)).map(({ length }) => length));
      const end = at + longest + (text[at + longest] === " " ? 1 : 0);
      if (longest > 0 && end - at > 1) free = end;
    }
    await keyboard.type(text[at]!);
  }
  return { characters: text.length, keys, milliseconds };
}

/** Words of four letters or more, and how many of them are finished with their last letter missing: by three suggestions, and by the first. */
export interface Finished {
  readonly words: number;
  readonly three: number;
  readonly first: number;
}

/** Asks for suggestions where the last letter of a word is missing alone. */
export async function finished(keyboard: Keyboard, text: string): Promise<Finished> {
  let [words, three, first] = [0, 0, 0];
  for (let at = 0; at < text.length; ++at) {
    if (isLastOfWord(text, at)) {
      ++words;
      const found = (await keyboard.suggest(SHOWN)).slice(0, SHOWN);
      const fitting = found.map((rest) => rest.length === 1 && fits(rest, text, at));
      if (fitting.includes(true)) ++three;
      if (fitting[0]) ++first;
    }
    await keyboard.type(text[at]!);
  }
  return { words, three, first };
}

/** Whether a text goes on with `rest`, up to a word's end. */
function fits(rest: string, text: string, at: number): boolean {
  const there = text.slice(at, at + rest.length);
  return rest !== "" && there.toLowerCase() === rest.toLowerCase() && !WORD.test(text[at + rest.length] ?? "");
}

/** Whether the last letter of a word of four letters or more stands there, behind letters alone. */
function isLastOfWord(text: string, at: number): boolean {
  return (
    /(?<![\p{L}\p{M}\p{N}'’])\p{L}{3}\p{L}*$/u.test(text.slice(Math.max(0, at - 40), at)) &&
    /^\p{L}(?![\p{L}\p{M}\p{N}'’])/u.test(text.slice(at, at + 2))
  );
}
