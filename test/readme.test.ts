import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readBlock } from "../tools/markdown.ts";

it.each(["potato-en"])("shows the figures of %s that its card has", (name) => {
  const card = readFileSync(`models/${name}/README.md`, "utf8");
  const table = readBlock("README.md", name);
  expect(table.split("\n").length).toBeGreaterThan(5);
  expect(card).toContain(table);
});
