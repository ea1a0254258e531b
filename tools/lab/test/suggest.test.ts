/** Keystrokes are counted as the page says, and the trie of words suggests what its counts say. */
import { expect, test } from "vitest";
import { finished, type Keyboard, typed } from "../suggest/keystrokes.ts";
import { Trie, TrieKeyboard } from "../suggest/word-trie.ts";

/** Suggests by what has been typed. */
function keyboard(suggestions: Record<string, string[]>, asked: string[] = []): Keyboard {
  let text = "";
  return {
    type(more) {
      text += more;
    },
    suggest(most) {
      asked.push(text);
      return (suggestions[text] ?? []).slice(0, most);
    },
  };
}

test("a key a character; one key takes a word and the blank behind it, in letters of either case", async () => {
  const count = async (text: string, suggestions: Record<string, string[]>, once = false) =>
    (await typed(keyboard(suggestions), text, once)).keys;
  expect(await count("the cat", {})).toBe(7);
  expect(await count("the cat", { "": ["The"] })).toBe(1 + 3);
  expect(await count("the cat", { t: ["a", "b", "he"], "the ": ["dog", "cat"] })).toBe(2 + 1);
  expect(await count("the cat", { t: ["a", "b", "c", "he"] })).toBe(7); // the fourth is not shown
  expect(await count("the cat", { "": ["th", "catalogue"] })).toBe(7); // a word's part is none
  expect(await count("so, and", { "so,": [" and"] })).toBe(3 + 1);
  expect(await count("so, and", { "": ["so"] })).toBe(1 + 1 + 1 + 3); // no blank behind it
  expect(await count("a cat", { "": ["a"] })).toBe(1 + 3);
  expect(await count("a.", { "": ["a"] })).toBe(2); // it saves nothing
  // what was passed over makes room where each is shown once
  const passed = { "": ["x", "y", "z", "q"], t: ["hx", "hy", "hz", "he"] };
  expect(await count("the cat", { ...passed, t: ["he"] }, true)).toBe(2 + 3);
  const same = { "": ["tx", "ty", "tz"], t: ["x", "y", "z", "he"] };
  expect(await count("the cat", same, false)).toBe(7);
  expect(await count("the cat", same, true)).toBe(2 + 3);
});

test("nothing is asked where a suggestion has typed", async () => {
  const asked: string[] = [];
  await typed(keyboard({ "": ["the"] }, asked), "the cat", false);
  expect(asked).toEqual(["", "the ", "the c", "the ca"]);
});

test("words of four letters or more are finished where their last letter alone is missing", async () => {
  const suggestions = { nigh: ["ts", "t"], "night of dar": ["k"], "night of dark wate": ["rs"] };
  expect(await finished(keyboard(suggestions), "night of dark water don't")).toEqual({ words: 3, three: 2, first: 1 });
});

test("the trie has its words within its bytes, suggests the likeliest with a prefix, and learns the writer's", () => {
  const text = "the cat sat. the cat ran. the cow ran. a cat sat. the dog ran. ".repeat(40);
  const trie = new Trie(text, { bytes: 3000, words: 100, share: 0.5 });
  expect(trie.bytes).toBeLessThanOrEqual(3000);
  const keys = new TrieKeyboard(trie);
  keys.type("the ");
  expect(keys.suggest(2)).toEqual(["cat", "cow"]);
  keys.type("c");
  expect(keys.suggest(3)).toEqual(["at", "ow"]);
  keys.type("at.");
  expect(keys.suggest(1)).toEqual([" the"]);
  expect(new TrieKeyboard(trie).suggest(9)).not.toContain("quorvex");
  const learned = new TrieKeyboard(trie, "the quorvex ".repeat(1000));
  learned.type("the ");
  expect(learned.suggest(1)).toEqual(["quorvex"]);
  learned.type("Q");
  expect(learned.suggest(1)).toEqual(["uorvex"]);
});
