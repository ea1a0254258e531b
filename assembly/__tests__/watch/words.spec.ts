import { LINES } from "../../watch/plan";
import { NUMBER, Word, wordsOf } from "../../watch/words";
import { watch, write } from "./plan";

const p = watch(LINES, 3);

function count(text: string): i32 {
  return <i32>wordsOf(<usize>p.input, write(p, text), <usize>p.found, 8);
}

function word(i: i32): Word {
  return changetype<Word>(<usize>p.found + <usize>i * offsetof<Word>());
}

/** The hash of the one word that a text is. */
function hash(text: string): u32 {
  expect(count(text)).toBe(1, text);
  return word(0).hash;
}

describe("words", () => {
  test("are runs of letters, digits, underscores and bytes above 127, each with its place", () => {
    expect(count("")).toBe(0);
    expect(count(" -:@[`{/")).toBe(0);
    expect(count("  Disk: sd_x/été=OK ")).toBe(4);
    expect(word(0).start).toBe(2);
    expect(word(0).end).toBe(6);
    expect(word(1).start).toBe(8);
    expect(word(1).end).toBe(12);
    expect(word(2).start).toBe(13);
    expect(word(2).end).toBe(18); // é is two bytes
    expect(word(3).end).toBe(21);
  });

  test("are alike whatever their digits and capital letters, and else are not", () => {
    expect(hash("Disk7x")).toBe(hash("dISK123X"));
    expect(hash("disk7x")).not.toBe(hash("diskx"));
    expect(hash("disk7x")).not.toBe(hash("disk7x7"));
    expect(hash("disk")).not.toBe(hash("disc"));
    expect(hash("a_")).not.toBe(hash("a"));
  });

  test("of hexadecimal letters are numbers in an address, and else are not", () => {
    expect(count("bd:ff:57:bd:3e:82")).toBe(1);
    expect(word(0).hash).toBe(NUMBER);
    expect(count("fe80::dead:beef")).toBe(1);
    expect(hash("be")).not.toBe(NUMBER);
    expect(count("be: fair")).toBe(2);
    expect(word(0).hash).not.toBe(NUMBER);
    expect(count("added:facade")).toBe(2);
    expect(word(0).hash).not.toBe(NUMBER);
  });

  test("of digits, hexadecimal digits, of many changes, of months and days are numbers", () => {
    const numbers: string[] = ["0", "12345", "beef7", "DEAD0BEEF", "g1h2", "0x1f9q", "jan", "Feb", "MAR", "apr", "may", "jun"];
    const more: string[] = ["jul", "aug", "sep", "oct", "nov", "dec", "Mon", "tue", "wed", "thu", "FRI", "sat", "sun"];
    for (let i = 0; i < numbers.length; ++i) expect(hash(numbers[i])).toBe(NUMBER, numbers[i]);
    for (let i = 0; i < more.length; ++i) expect(hash(more[i])).toBe(NUMBER, more[i]);
    const words: string[] = ["beef", "g1h", "x9", "janu", "sund", "ja", "xyz", "_1", "abcdef", "1g"];
    for (let i = 0; i < words.length; ++i) expect(hash(words[i])).not.toBe(NUMBER, words[i]);
  });

  test("that are numbers behind one another are one; a word between makes them two", () => {
    expect(count("12:34:56.789 on")).toBe(2);
    expect(word(0).hash).toBe(NUMBER);
    expect(word(0).start).toBe(0);
    expect(word(0).end).toBe(12);
    expect(count("12 x 34")).toBe(3);
  });

  test("are no more than asked for, and nothing beyond is written", () => {
    const length = write(p, "a b c d e f g h i j");
    memory.fill(<usize>p.found, 0xaa, 9 * offsetof<Word>());
    expect(wordsOf(<usize>p.input, length, <usize>p.found, 3)).toBe(3);
    expect(load<u32>(<usize>p.found + 3 * offsetof<Word>())).toBe(0xaaaaaaaa);
    expect(wordsOf(<usize>p.input, length, <usize>p.found, 0)).toBe(0);
  });

  test("end where the line does", () => {
    const length = write(p, "ab");
    expect(wordsOf(<usize>p.input, 1, <usize>p.found, 8)).toBe(1);
    expect(word(0).end).toBe(1);
    expect(wordsOf(<usize>p.input, length, <usize>p.found, 8)).toBe(1);
    expect(word(0).end).toBe(2);
  });
});
