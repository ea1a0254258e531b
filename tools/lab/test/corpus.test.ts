import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { benchCorpus, firstWords } from "../corpora/gutenberg.ts";

const { train, dev, test } = benchCorpus();
const digest = (text: string) => createHash("sha256").update(text, "latin1").digest("hex");
const flat = (text: string) => text.replace(/\s+/g, " ").trim();

describe("bench corpus", () => {
  it("is the same to the byte on every machine", () => {
    // every published figure is on these bytes: another digest is another benchmark
    expect(digest(train)).toBe("98b0b01b17145cead06fe8f78e2d6d1a0e639c8143d5675652244e3a70ce7174");
    expect(digest(JSON.stringify(dev))).toBe("ab887e2b7b81ef93437b82150b316cf4264a6362be3a8e85a56eebf60ae2e438");
    expect(digest(JSON.stringify(test))).toBe("0de5a925e9415cc9c497769e11f9da9ca3a98d523547c85c11016b6ea3d699b9");
  });

  it("has one kind of line end", () => {
    for (const text of [train, ...dev.map((book) => book.text), ...test.map((book) => book.text)]) {
      expect(text).not.toContain("\r");
    }
  });

  it("leaves two books whole for test and about 5 % of the fifteen others for dev", () => {
    expect(test.map(({ name }) => name)).toEqual(["carroll-alice", "chesterton-thursday"]);
    expect(test.map(({ text }) => text.length)).toEqual([144395, 320525]); // the files' bytes: latin1 has one a character
    expect(dev).toHaveLength(15);
    const held = dev.reduce((sum, { text }) => sum + text.length, 0);
    expect(held / (held + train.length)).toBeGreaterThan(0.048); // dev begins a little after 95 %
    expect(held / (held + train.length)).toBeLessThan(0.05);
  });

  it("has no book of the Bible anywhere", () => {
    expect([...dev, ...test].map(({ name }) => name)).not.toContain("bible-kjv");
    expect(train).not.toContain("In the beginning God created the heaven");
  });

  it("trains on no paragraph of dev or test of forty characters or more", () => {
    const seen = flat(train);
    const held = [...dev, ...test].flatMap(({ text }) => text.split(/\n[ \t]*\n/).map(flat));
    const long = held.filter((paragraph) => paragraph.length >= 40); // shorter ones are headings and stage directions
    expect(long.length).toBeGreaterThan(2000);
    expect(long.filter((paragraph) => seen.includes(paragraph))).toEqual([]);
  });

  it("mixes the books: each of the quarters of train has words of all of them", () => {
    const names = [
      "Emma",
      "Anne",
      "Elinor",
      "Buster",
      "Turnbull",
      "Flambeau",
      "Ahab",
      "Satan",
      "Brutus",
      "Ham.",
      "Macb.",
    ];
    for (let quarter = 0; quarter < 4; ++quarter) {
      const part = train.slice((quarter * train.length) / 4, ((quarter + 1) * train.length) / 4);
      expect(names.filter((name) => !part.includes(name))).toEqual([]);
    }
  });
});

describe("firstWords", () => {
  it("is the prefix with so many words, or the whole text if it has fewer", () => {
    const words = (text: string) => text.match(/\S+/g) ?? [];
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "b", " ", "\n") }), fc.nat(20), (text, n) => {
        const prefix = firstWords(text, n);
        expect(text.startsWith(prefix)).toBe(true);
        expect(words(prefix)).toEqual(words(text).slice(0, n));
      }),
    );
    expect(firstWords("one  two\n three", 2)).toBe("one  two");
  });
});
