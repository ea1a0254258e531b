/** The live table that docs/watch.md shows is what the command draws of the gateway's log. `npx vitest run test/watch-cli-screen.test.ts` says what it is now. */
import { readFileSync } from "node:fs";
import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { LiveRows } from "../host/cli/watch/rows.ts";
import { openWatch } from "../host/index.ts";

/** How fast lines came depends on the machine. */
const timeless = (screen: string) => screen.replace(/[\d,.]+ a second/, "… a second");

test("the page's screen is what is drawn at the end of examples/gateway/gateway.log", async () => {
  let drawn = "";
  const terminal = Object.assign(
    new Writable({
      write(chunk, _encoding, done) {
        drawn += chunk;
        done();
      },
    }),
    { columns: 110, rows: 22 },
  );
  const rows = new LiveRows(terminal as unknown as WriteStream, new AbortController().signal);
  const watch = await openWatch();
  for (const line of readFileSync("examples/gateway/gateway.log", "utf8").trimEnd().split("\n")) {
    rows.row(watch.push(line), line);
  }
  rows.end();
  const last = drawn.slice(drawn.lastIndexOf("lines   ")); // behind how many
  const screen = stripVTControlCharacters(last).replaceAll("\r", "").trimEnd();
  const [, shown] = /^```text\n([\d,]+ lines {3}[\s\S]*?)^```$/m.exec(readFileSync("docs/watch.md", "utf8")) ?? [];
  expect(timeless(shown?.trimEnd() ?? "")).toBe(timeless(`840 ${screen}`));
});
