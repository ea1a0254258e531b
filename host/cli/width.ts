/** Columns that text takes on a terminal, and text that cannot do anything there but be seen. */

/** What takes two columns: East Asian wide characters and pictures. */
const WIDE =
  /[\u1100-\u115f\u231a\u231b\u2329\u232a\u23e9-\u23ec\u23f0\u23f3\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Extended_Pictographic}/u;
/** What takes none: marks on the character before, and what joins pictures to one. */
const NO_WIDTH = /\p{M}|\u200d/u;
/** What moves the cursor, changes the direction, is not seen, or is no character. */
const UNSEEN = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
/** Marks on one character: more of them reach into the lines above and below. */
const MOST_MARKS = 3;

/** Text without what a terminal acts on: control characters are spelt, as `\n`, `\x1b`, `\u{202e}`. */
export function spelt(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const code = character.codePointAt(0)!;
    return (
      NAMED[character] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`)
    );
  });
}

/** Columns of a character (one code point), at the most: what terminals do not agree on counts as the wider. */
export function widthOf(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/**
 * The beginning of a text in at most so many columns, `…` at its end where it is cut.
 *
 * @param text without control characters
 * @param styled puts signs that take no room around the characters for which it is true, given their place in the text
 */
export function cut(text: string, columns: number, styled: (at: number) => boolean = () => false): string {
  const [on, off] = ["\x1b[1;7m", "\x1b[0m"];
  let [shown, width, at, marks] = ["", 0, 0, 0];
  let inside = false;
  /** What is shown, and how styled, if the next character has no room. */
  let [fallback, fallbackInside] = ["", false];
  for (const character of text) {
    const wide = widthOf(character);
    marks = wide === 0 ? marks + 1 : 0;
    if (width + wide > columns) {
      if (columns < 1) return "";
      return `${fallback}${fallbackInside ? off : ""}…`;
    }
    if (marks <= MOST_MARKS) {
      if (styled(at) !== inside && wide > 0) {
        inside = !inside;
        shown += inside ? on : off;
      }
      shown += character;
    }
    width += wide;
    at += character.length;
    if (width <= columns - 1) [fallback, fallbackInside] = [shown, inside];
  }
  return shown + (inside ? off : "");
}
