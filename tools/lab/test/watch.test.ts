/** Streams with labels: what is put in is told, comes late, is seeded, and is not what settings were chosen on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generator } from "../../generator.ts";
import { daemonLog, readDaemonLog, renumbered, undated } from "../corpora/attacks.ts";
import { CALM, type Dated, dated, injected } from "../corpora/injections.ts";
import { RECORDINGS, recorded } from "../corpora/programs/recorded.ts";
import { answering, freePort, Log, sent } from "../corpora/programs/recorder.ts";
import { ATTACKERS, STRANGERS, WATCHED } from "../corpora/watch.ts";
import { masked, TEMPLATES, TOLD_TEMPLATES, WORDS } from "../watch/templates.ts";

const background = (length: number): Dated[] =>
  Array.from({ length }, (_, i) => ({ stamp: `${1000 + i} host `, text: `usual ${i % 7}` }));
const attacks = Array.from({ length: 40 }, (_, i) => `attack ${"abcdefghij"[i % 10]}${i} from 192.0.2.${i}`);
const foreign = [
  ["stranger one", "stranger two"],
  ["other one", "other two", "other three"],
];

describe("injections", () => {
  const cases = fc.record({ length: fc.integer({ min: 300, max: 2000 }), seed: fc.integer() });

  test("the background is all there, in order, and unlabelled; the rest is labelled", () => {
    fc.assert(
      fc.property(cases, ({ length, seed }) => {
        const all = background(length);
        const { rows, labels } = injected(all, { attacks, foreign, seed });
        expect(labels).toHaveLength(rows.length);
        expect(rows.filter((_, i) => !labels[i])).toEqual(all.map(({ stamp, text }) => stamp + text));
        for (const row of rows.filter((_, i) => labels[i])) expect(row).toMatch(/^\d+ host (?:attack|stranger|other) /);
      }),
    );
  });

  test("the first fifth is calm, a seed gives the same again, and the rate is about what was asked for", () => {
    fc.assert(
      fc.property(cases, ({ length, seed }) => {
        const made = () => injected(background(length), { attacks, foreign, seed, rate: 0.02 });
        const { rows, labels } = made();
        expect(made()).toEqual({ rows, labels });
        expect(labels.slice(0, Math.ceil(length * CALM)).some(Boolean)).toBe(false);
        const hits = labels.filter(Boolean).length;
        expect(hits).toBeGreaterThanOrEqual(Math.round(length * 0.02));
        expect(hits).toBeLessThan(length * 0.02 + 24); // a burst of 20 and a run of 4 may be one line short of their shares
      }),
    );
  });

  test("a line that is put in carries the stamp of the line before it", () => {
    const { rows, labels } = injected(background(1000), { attacks, foreign, seed: 3 });
    for (const [i, row] of rows.entries()) {
      if (labels[i]) expect(row.split(" ")[0]).toBe(rows[i - 1]!.split(" ")[0]);
    }
  });

  test("labels that the background has stay", () => {
    const all = dated(["1 usual", "2 harm", "usual"], /^\d+ /, [false, true, false]);
    expect(all).toEqual([
      { stamp: "1 ", text: "usual", harm: false },
      { stamp: "2 ", text: "harm", harm: true },
      { stamp: "", text: "usual", harm: false },
    ]);
    const { rows, labels } = injected([...all, ...background(50)], { attacks, foreign, seed: 1 });
    expect(labels[rows.indexOf("2 harm")]).toBe(true);
  });
});

describe("recordings", () => {
  test("what a program logs during harm is labelled, but for what it logs of anybody", async () => {
    const folder = mkdtempSync(join(tmpdir(), "saffu-log-"));
    const port = await freePort();
    const server = `require("node:net").createServer((socket) => {
      console.log("opened");
      socket.on("data", (bytes) => { console.log("got " + bytes); socket.end(); });
    }).listen(${port}, "127.0.0.1")`;
    const log = new Log(folder, /^opened/);
    try {
      log.start({ path: process.execPath, env: process.env }, ["-e", server]);
      await answering(port);
      await sent(port, "peace");
      await log.harm(() => sent(port, "war"));
      await log.harm(() => undefined);
      await sent(port, "peace again");
      expect(log.lines).toBe(7);
    } finally {
      await log.stop();
    }
    const { rows, labels } = log.rows();
    rmSync(folder, { recursive: true });
    expect(rows).toEqual(["opened", "opened", "got peace", "opened", "got war", "opened", "got peace again"]);
    expect(rows.filter((_, i) => labels[i])).toEqual(["got war"]);
  });

  test("a program that never answers is an error that names the port", async () => {
    const port = await freePort();
    await expect(answering(port, 120)).rejects.toThrow(String(port));
  });
});

describe("attacks", () => {
  test("a line is a match where the comment before it says so", () => {
    const text = `# failJSON: { "match": true }\none\ntwo\n\n#failJSON: { "match": false , "desc": "x" }\nthree\n# a comment\nfour\n# failJSON: {"match":  true}\n# more\nfive\n`;
    expect(readDaemonLog(text)).toEqual([
      { line: "one", match: true },
      { line: "two", match: false },
      { line: "three", match: false },
      { line: "four", match: false },
      { line: "five", match: true },
    ]);
  });

  test.each([
    ["Jun 21 16:47:48 belka sshd[13709]: error: PAM", "sshd[13709]: error: PAM"],
    ["[Sat Jul 20 21:37:32.266605 2013] [auth:error] [pid 1] x", "[auth:error] [pid 1] x"],
    ["2013-01-04 17:03:46 login authenticator failed", "login authenticator failed"],
    ["[22-Jan-2013 22:28:21 +0200]: FAILED login", "FAILED login"],
    ["130324  0:04:00 [Warning] Access denied", "[Warning] Access denied"],
    ["2015-01-01T00:00:00.1+01:00 srv sshd[1]: x", "sshd[1]: x"],
    ['1.2.3.4 - - [20/Jan/2015:19:53:28 +0100] "GET / HTTP/1.1" 404', '1.2.3.4 - - "GET / HTTP/1.1" 404'],
  ])("%s has no date", (line, plain) => {
    expect(undated(line)).toBe(plain);
  });

  test("other numbers are as long, and nothing else is other", () => {
    const line = "sshd[13709]: from 192.0.2.77 port 50273 x1";
    const other = renumbered(line, generator(1));
    expect(other).not.toBe(line);
    expect(other.replace(/\d/g, "#")).toBe(line.replace(/\d/g, "#"));
  });
});

describe("streams", () => {
  test("names differ, and what is put in for settings is of other daemons than what figures are reported on", () => {
    expect(new Set(WATCHED.map(({ name }) => name)).size).toBe(WATCHED.length);
    const [dev, report] = (["dev", "report"] as const).map((role) => [...ATTACKERS[role], ...STRANGERS[role]]);
    expect(dev!.filter((daemon) => report!.includes(daemon))).toEqual([]);
  });

  // needs apt-get, PyPI and what `npm run watch -- --record` makes
  const there = RECORDINGS.every((name) => {
    try {
      return recorded(name).rows.length > 0;
    } catch {
      return false;
    }
  });
  test.skipIf(!there)(
    "each reads the same twice, has a label a row and both kinds of rows",
    { timeout: 60_000 },
    () => {
      for (const { name, kind, read } of WATCHED) {
        const { rows, labels } = read();
        expect(read(), name).toEqual({ rows, labels });
        expect(labels.length, name).toBe(rows.length);
        expect(new Set(labels).size, name).toBe(2);
        if (kind !== "lines") continue;
        expect(rows.length, name).toBeGreaterThanOrEqual(3000);
        expect(labels.slice(0, Math.floor(rows.length / 5)).some(Boolean), name).toBe(false);
        const rate = labels.filter(Boolean).length / rows.length;
        expect(rate, name).toBeGreaterThan(0.002);
        expect(rate, name).toBeLessThan(0.025);
      }
      const putIn = (role: "dev" | "report") =>
        [...ATTACKERS[role], ...STRANGERS[role]].flatMap(daemonLog).map(({ line }) => masked(undated(line)));
      const reported = new Set(putIn("report"));
      expect(putIn("dev").filter((line) => reported.has(line))).toEqual([]);
    },
  );
});

describe("counting scorers", () => {
  const lines = fc.array(fc.tuple(fc.constantFrom("a 1", "a 2", "b 1", "c"), fc.boolean()), {
    minLength: 1,
    maxLength: 40,
  });
  const stream = (rows: [string, boolean][], kind: "lines" | "labelled") => ({
    name: "x",
    role: "dev" as const,
    kind,
    rows: rows.map(([line]) => line),
    labels: rows.map(([, label]) => label),
  });

  test("a score is of the lines so far, whatever follows", () => {
    fc.assert(
      fc.property(lines, fc.nat(), (rows, at) => {
        const first = rows.slice(0, 1 + (at % rows.length));
        for (const [scorer, kind] of [
          [TEMPLATES, "lines"],
          [WORDS, "lines"],
          [TOLD_TEMPLATES, "labelled"],
        ] as const) {
          const all = scorer.scores(stream(rows, kind)) as readonly number[];
          expect(scorer.scores(stream(first, kind))).toEqual(all.slice(0, first.length));
          const told = first.map(([line, label], i): [string, boolean] => [
            line,
            i + 1 < first.length ? label : !label,
          ]);
          expect(scorer.scores(stream(told, kind))).toEqual(all.slice(0, first.length)); // its own label is not seen
        }
      }),
    );
  });

  test("the frequency is the template's share", () => {
    const scores = TEMPLATES.scores(
      stream(
        [
          ["a 1", false],
          ["b 7", false],
          ["a 2", true],
        ],
        "lines",
      ),
    ) as readonly number[];
    expect(scores.map((score) => Math.exp(-score))).toEqual([1, expect.closeTo(1 / 2, 12), expect.closeTo(2 / 3, 12)]);
  });
});
