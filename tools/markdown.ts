/** Measured tables in pages: what stands between `<!-- name -->` and `<!-- /name -->` is written by the command that measured it. */
import { readFileSync, writeFileSync } from "node:fs";

/** Replaces a block of a page. Throws where the page has no such block. */
export function writeBlock(page: string, name: string, text: string): void {
  const before = readFileSync(page, "utf8");
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [before.indexOf(open), before.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${page} has no block ${open} … ${close}`);
  writeFileSync(page, `${before.slice(0, from + open.length)}\n${text}\n${before.slice(to)}`);
}

/** The text of a block. */
export function readBlock(page: string, name: string): string {
  const text = readFileSync(page, "utf8");
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  return text.slice(text.indexOf(open) + open.length, text.indexOf(close)).trim();
}

/** A Markdown table; the first column is text, the others are numbers unless `text` says that they are not. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[], text = false): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(headers), line(headers.map((_, i) => (i === 0 || text ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
