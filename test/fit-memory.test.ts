/** A fit's process stays below 200 MB: the text is streamed, the solver's memory is bounded by the shape, the compiler works apart. */
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { solverBytesNeeded } from "../host/compile/layout.ts";
import { commandIn } from "./cli-fixture.ts";

const { main } = commandIn("build/test-fit-memory");
const index = pathToFileURL(main.replace(/cli\.js$/, "index.js")).href;

/** Fits to so many lines, none of which is there before it is asked for, and prints the largest resident size in bytes. */
const FITTING = `
  import { fit } from ${JSON.stringify(index)};
  const [lines, options] = [Number(process.argv[1]), JSON.parse(process.argv[2])];
  const encoder = new TextEncoder();
  function* text() {
    for (let i = 0, x = 1; i < lines; ++i) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      yield encoder.encode("Zeile " + (x >>> 20) + ": the quick café 🦊 jumps over dog " + (x >>> 27) + " of " + (i & 63) + ".\\n");
    }
  }
  const { report } = await fit(text, options);
  console.log(JSON.stringify({ tokens: report.trainTokens, bytes: report.memoryBytes, shape: report.shape, peak: process.resourceUsage().maxRSS * 1024 }));`;

test.each([
  ["nano, on a million tokens", 20_000, { profile: "nano", passes: 1 }],
  ["potato, on 300,000", 20_000, { profile: "potato", passes: 1 }],
  ["a shape that is compiled, without a signal", 500, { profile: "nano", groups: 3, passes: 1 }],
])("%s", (_what, lines, options) => {
  const env = { ...process.env, SAFFU_MODULES: "", NODE_OPTIONS: "" };
  const words = ["--input-type=module", "-e", FITTING, String(lines), JSON.stringify(options)];
  const { tokens, bytes, shape, peak } = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8", env }));
  expect(tokens).toBeGreaterThan(10 * lines);
  expect(bytes).toBe(solverBytesNeeded(shape) + 4 * tokens); // as the report says
  expect(peak).toBeGreaterThan(40e6); // Node's own: the figure is one of bytes
  expect(peak).toBeLessThan(200e6);
});
