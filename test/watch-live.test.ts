/** The live table: what it shows, that nothing it shows can do more than be seen, and that the terminal is as it was behind it. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { buildSync } from "esbuild";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { screenOf, sparkline } from "../host/cli/live.ts";
import { type LiveRow, type LiveState, Tally } from "../host/cli/live-state.ts";
import { cut, spelt, widthOf } from "../host/cli/width.ts";
import { needs, onPath } from "./needs.ts";

const ROW: LiveRow = { template: "a lease was renewed", count: 1200, bits: 3.25, rank: 0.5, alarm: false, why: [] };
const ALARM: LiveRow = {
  ...ROW,
  template: "disk sda1 is full",
  count: 1,
  bits: 41.5,
  rank: 0.9996,
  alarm: true,
  why: ["sda1", "full"],
};
const STATE: LiveState = {
  lines: 12345,
  perSecond: 320.4,
  scores: [0, 1, 2, 4, 8],
  alarms: 17,
  open: 2,
  last: [ALARM],
  frequent: [ROW, ALARM],
};
/** Signs that set off a word, and back. */
const [ON, OFF] = ["\x1b[1;7m", "\x1b[0m"];
const columnsOf = (line: string) => [...stripVTControlCharacters(line)].reduce((sum, each) => sum + widthOf(each), 0);

describe("a sparkline", () => {
  test.each([
    [[0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"],
    [[9, 0, 7], 2, "▁█"],
    [[1, Number.NaN, 2], 9, "▅ █"],
    [[0, 0], 9, "▁▁"],
    [[-5, 2], 9, "▁█"],
    [[1, Number.POSITIVE_INFINITY], 9, "██"],
    [[], 9, ""],
    [[1, 2], 0, ""],
  ])("of %j in %i columns", (values, columns, bars) => {
    expect(sparkline(values, columns)).toBe(bars);
  });
});

describe("the screen", () => {
  test("has figures, scores, alarms with the words that surprised set off, and templates", () => {
    expect(screenOf(STATE, 60, 12)).toEqual([
      "12,345 lines   320 a second   2 open of 17 alarms",
      "▁▂▃▅█ 8.0 bits",
      "",
      "last alarms",
      ` 41.5 bits  99.9% ! disk ${ON}sda1${OFF} is ${ON}full${OFF}`,
      "",
      "most frequent",
      " 1,200×    3.3 bits   a lease was renewed",
      `     1×   41.5 bits ! disk ${ON}sda1${OFF} is ${ON}full${OFF}`,
    ]);
  });

  test("of nothing yet has no sections, and says a single line and alarm as such", () => {
    const none = new Tally(() => 0).state();
    expect(screenOf(none, 80, 24)).toEqual(["0 lines   0.0 a second   0 alarms", ""]);
    const one = { ...none, lines: 1, alarms: 1, note: "a\tnote" };
    expect(screenOf(one, 80, 24)).toEqual(["1 line   0.0 a second   1 alarm", "", "a\\tnote"]);
  });

  test("shares what room there is", () => {
    const many = (row: LiveRow) => Array.from({ length: 30 }, (_, i) => ({ ...row, template: `${row.template} ${i}` }));
    const full = screenOf({ ...STATE, last: many(ALARM), frequent: many(ROW) }, 80, 23);
    expect(full).toHaveLength(23);
    expect(full.filter((line) => line.includes("renewed"))).toHaveLength(9);
    const few = screenOf({ ...STATE, last: [ALARM], frequent: many(ROW) }, 80, 23);
    expect(few).toHaveLength(23);
    expect(few.filter((line) => line.includes("renewed"))).toHaveLength(16);
  });

  test("of any state fits, and has no control characters but those of its own styles", () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom(
          "a",
          " ",
          "é",
          "e\u0301\u0301\u0301\u0301\u0301",
          "漢",
          "🙂",
          "👨‍👩‍👧",
          "\x1b",
          "[",
          "2",
          "J",
          "\n",
          "\r",
          "\t",
          "\b",
          "\x07",
          "\x9b",
          "\u202e",
          "\u200b",
          "\ud800",
          "\u2028",
        ),
        fc.string({ unit: "binary", maxLength: 2 }),
      ),
      maxLength: 120,
    });
    const number = fc.oneof(fc.double(), fc.nat(1e6));
    const rows = fc.array(
      fc.record({
        template: text,
        count: fc.nat(),
        bits: number,
        rank: number,
        alarm: fc.boolean(),
        why: fc.array(text, { maxLength: 3 }),
      }),
      { maxLength: 12 },
    );
    const states = fc.record({
      lines: fc.nat(),
      perSecond: fc.double({ min: 0, max: 1e7, noNaN: true }),
      scores: fc.array(number, { maxLength: 100 }),
      alarms: fc.nat(),
      open: fc.option(fc.nat(), { nil: undefined }),
      last: rows,
      frequent: rows,
      note: fc.option(text, { nil: undefined }),
    });
    fc.assert(
      fc.property(
        states,
        fc.integer({ min: 1, max: 140 }),
        fc.integer({ min: 1, max: 40 }),
        (state, columns, height) => {
          const lines = screenOf(state, columns, height);
          expect(lines.length).toBeLessThanOrEqual(height);
          for (const line of lines) {
            expect(columnsOf(line)).toBeLessThanOrEqual(columns);
            const signs = line.replaceAll(ON, "<").replaceAll(OFF, ">");
            // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
            expect(signs).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e]|\p{Cs}/u);
            expect(line.split(ON)).toHaveLength(line.split(OFF).length); // what is begun is ended
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("shows a word that surprised though it comes late in its line", () => {
    const late = { ...ALARM, template: `${"x".repeat(200)} the wormhole`, why: ["wormhole"] };
    const line = screenOf({ ...STATE, last: [late] }, 60, 12)[4]!;
    expect(line).toContain(`${ON}wormhole${OFF}`);
    expect(line).toContain("…x");
    for (const columns of [60, 61]) {
      const pictures = { ...late, template: `${"🙂".repeat(100)} the wormhole` };
      const [, , , , shown] = screenOf({ ...STATE, last: [pictures] }, columns, 12);
      expect(shown).toContain(`${ON}wormhole${OFF}`);
      expect(shown).not.toMatch(/\p{Cs}/u);
    }
    const odd = { ...late, template: `${"🙂".repeat(99)}x🙂 the wormhole` };
    expect(screenOf({ ...STATE, last: [odd] }, 60, 12)[4]).not.toMatch(/\p{Cs}/u);
  });

  test("sets a word off that has control characters itself, as they are spelt", () => {
    const row = { ...ALARM, template: "got \x1b[2J there", why: ["\x1b[2J"] };
    expect(screenOf({ ...STATE, last: [row] }, 60, 12)[4]).toContain(`got ${ON}\\x1b[2J${OFF} there`);
  });
});

describe("text", () => {
  test("is spelt where a terminal would act on it or show nothing", () => {
    expect(spelt("a\nb\r\t\0\x1b[31m\x7f\x9b\u202e\u200b\ud800é🙂👨‍👩‍👧")).toBe(
      "a\\nb\\r\\t\\x00\\x1b[31m\\x7f\\x9b\\u{202e}\\u{200b}\\u{d800}é🙂👨‍👩‍👧",
    );
  });

  test.each([
    ["漢字かな", 8, "漢字かな"],
    ["漢字かな", 7, "漢字か…"],
    ["漢字かな", 6, "漢字…"],
    ["漢字", 1, "…"],
    ["ab", 0, ""],
    ["", 0, ""],
    ["a🙂b", 3, "a…"],
    ["a🙂b", 4, "a🙂b"],
    ["e\u0301".repeat(3), 3, "e\u0301".repeat(3)],
    [`e${"\u0301".repeat(9)}x`, 2, `e${"\u0301".repeat(3)}x`],
  ])("%j in %i columns is %j", (text, columns, shown) => {
    expect(cut(text, columns)).toBe(shown);
  });
});

describe("the tally", () => {
  test("counts lines and alarms, and has the rate of the last seconds", () => {
    let now = 500;
    const tally = new Tally(() => now);
    for (let i = 0; i < 100; ++i) {
      now += 100;
      tally.add(i % 10 === 0 ? { ...ALARM, template: `alarm ${i}` } : ROW);
    }
    const state = tally.state();
    expect(state).toMatchObject({ lines: 100, alarms: 10, open: undefined });
    expect(state.perSecond).toBeGreaterThan(8);
    expect(state.perSecond).toBeLessThan(12);
    expect(state.last.map(({ template }) => template).slice(0, 2)).toEqual(["alarm 90", "alarm 80"]);
    expect(state.frequent[0]).toEqual(ROW);
    expect(state.scores).toHaveLength(100);
    now += 60_000;
    expect(tally.state().perSecond).toBe(0);
  });

  test("keeps so much and no more, whatever comes: the frequent templates among it", () => {
    const tally = new Tally(() => 0);
    for (let i = 0; i < 20_000; ++i) {
      if (i % 2 === 0) tally.add({ ...ROW, count: 1 + i / 2 });
      else tally.add({ ...ALARM, template: `once ${i} ${"x".repeat(10_000)}` });
      if (i % 1000 === 0) tally.add(undefined);
    }
    const state = tally.state();
    expect(state.lines).toBe(20_020);
    expect([state.scores.length, state.last.length, state.frequent.length]).toEqual([512, 64, 64]);
    expect(state.frequent[0]).toEqual({ ...ROW, count: 10_000 });
    expect(Math.max(...state.last.map(({ template }) => template.length))).toBeLessThan(4096);
    expect(Reflect.get(tally, "templates").size).toBeLessThan(1000);
    expect(Reflect.get(tally, "scores").length).toBeLessThan(2000);
  });
});

needs("python3", onPath("python3"))("on a terminal", () => {
  let place: string;
  let program: string;
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "saffu-live-"));
    program = join(place, "live.mjs");
    const contents = `
      import { spawn, spawnSync } from "node:child_process";
      import { Live } from "./host/cli/live.ts";
      import { Tally } from "./host/cli/live-state.ts";
      const tally = new Tally();
      const controller = new AbortController();
      const live = new Live(process.stdout, () => tally.state(), controller.signal);
      process.on("SIGTERM", () => controller.abort());
      process.on("SIGHUP", () => process.exit(3)); // what nobody has thought of
      process.on("SIGUSR2", () => { throw new Error("a fault"); });
      const how = process.argv[2];
      let written = 0;
      const write = process.stdout.write.bind(process.stdout);
      process.stdout.write = (text) => { written += text.includes("lines") ? 1 : 0; return write(text); };
      const began = performance.now();
      let lines = 0;
      const row = { template: "line \\x1b[2J\\n of a log that says this and that", bits: 3, rank: 0.5, why: ["log"] };
      const timer = setInterval(() => {
        for (let i = 0; i < 100; ++i) tally.add({ ...row, count: ++lines, alarm: i === 7 });
        live.changed();
        if (how === "lasts" || performance.now() - began < 1500) return;
        clearInterval(timer);
        live.end();
        console.log("drawn " + written + " in " + Math.round(performance.now() - began) + " of " + lines);
      }, 5);
      if (how === "stops") setTimeout(() => {
        spawn("sh", ["-c", "sleep 0.3; kill -CONT " + process.pid]);
        process.kill(process.pid, "SIGTSTP");
      }, 500);
      if (how === "shrinks") setTimeout(() => {
        spawnSync("stty", ["cols", "40", "rows", "10"], { stdio: "inherit" });
        process.kill(process.pid, "SIGWINCH");
      }, 500);
      controller.signal.addEventListener("abort", () => { clearInterval(timer); console.log("aborted"); });`;
    buildSync({
      stdin: { contents, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: program,
    });
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  /** Runs the program in a terminal: waits for the steps' texts, then sends a signal. */
  const running = (how: string, signal: string, steps: readonly (readonly [wait: string, keys: string])[]) =>
    new Promise<{ code: number; out: string }>((resolve, reject) => {
      const words = ["test/terminal.py", signal, process.execPath, program, how];
      const child = execFile("python3", words, { timeout: 100_000 }, (error, stdout, stderr) => {
        if (error) reject(new Error(stderr || error.message));
        else resolve(JSON.parse(stdout));
      });
      child.stdin!.end(steps.map((step) => JSON.stringify(step)).join("\n"));
    });
  /** What the terminal was told, with ^ for the escape character; and the last signs that hide or show the cursor, wrap lines or not. */
  const told = (out: string) => out.replaceAll("\x1b", "^");
  const left = (out: string) => [
    told(out)
      .match(/\^\[\?25[lh]/g)
      ?.at(-1),
    told(out)
      .match(/\^\[\?7[lh]/g)
      ?.at(-1),
  ];
  const ASWAS = ["^[?25h", "^[?7h"];
  const drawn = [["a second", ""]] as const;

  test("it is drawn in place, at most five times a second, and the last drawing has all lines", async () => {
    const { code, out } = await running("ends", "", drawn);
    expect(code).toBe(0);
    const [, times, milliseconds, lines] = /drawn (\d+) in (\d+) of (\d+)/.exec(out)!;
    expect(Number(times)).toBeGreaterThan(1);
    expect(Number(times)).toBeLessThanOrEqual(Number(milliseconds) / 200 + 2); // the first, and the last
    expect(told(out)).not.toContain("^[2J");
    expect(out).toContain("\\x1b[2J\\n of a");
    expect(left(out)).toEqual(ASWAS);
    expect(told(out)).toMatch(/\^\[\d+A/);
    const last = told(out).split("^[?25h");
    expect(last.at(-1)).toMatch(/^drawn/); // what follows is below the table
    expect(last.at(-2)!.slice(last.at(-2)!.lastIndexOf("A\r"))).toContain(
      `${Number(lines).toLocaleString("en")} lines`,
    );
  });

  test.each([
    ["SIGTERM", "an abort", 0],
    ["SIGHUP", "an exit", 3],
    ["SIGUSR2", "a fault", 1],
  ])("behind %s (%s) the terminal is as it was", async (signal, _what, code) => {
    const ended = await running("lasts", signal, drawn);
    expect(ended.code).toBe(code);
    expect(left(ended.out)).toEqual(ASWAS);
    if (signal === "SIGTERM") expect(told(ended.out)).toContain("^[?25haborted"); // at once, not when the process ends
  });

  test("stopped, it leaves the terminal to the shell, and is drawn anew when it goes on", async () => {
    const { code, out } = await running("stops", "", drawn);
    expect(code).toBe(0);
    const parts = told(out).split("^[?25l"); // the first time is before what is kept of the output
    expect(parts).toHaveLength(2);
    for (const part of parts) expect(part).toMatch(/a second.*\^\[\?25h/s);
    expect(parts[1]).toMatch(/^\^\[\?7l\r[\d,]+ lines/); // not over what the shell has written
  });

  test("a terminal that becomes smaller is drawn from its top, and the table fits", async () => {
    const { code, out } = await running("shrinks", "", drawn);
    expect(code).toBe(0);
    const [before, after] = told(out).split("^[H^[J");
    const widthsOf = (text: string) =>
      [...text.matchAll(/\r([^\r\n]*)\^\[K/g)].map(([, line]) => columnsOf(line!.replace(/\^\[[\d;]*m/g, "")));
    expect(Math.max(...widthsOf(before!))).toBeGreaterThan(40);
    expect(Math.max(...widthsOf(after!))).toBeLessThanOrEqual(40);
    expect(Math.max(...[...after!.matchAll(/\^\[(\d+)A/g)].map(([, lines]) => Number(lines)))).toBeLessThanOrEqual(9);
  });
});
