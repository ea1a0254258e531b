/** `saffu watch` in processes of its own: what it reads, prints, learns, forgets and keeps. */
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { load, openWatch, type WatchOptions, watch } from "../host/index.ts";
import { commandIn, failure } from "./cli-fixture.ts";
import { folderEach, ordinary, type Row, rowsOf, running, strange, until } from "./watch-cli-fixture.ts";

const NANO = "models/nano-en";
const READY = "saffu: from line 101 on there are lines enough that ranks mean something\n";
let saffu: ReturnType<typeof commandIn>;
beforeAll(() => {
  saffu = commandIn("build/test-watch-cli");
});
const { folder, at, write } = folderEach();
const append = (path: string, lines: readonly string[]) => {
  appendFileSync(path, lines.map((line) => `${line}\n`).join(""));
};
/** Rows of files that are read to their end. */
async function read(...words: string[]): Promise<Row[]> {
  const { code, out, err } = await saffu.run(["watch", ...words, "--no-follow"]);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  return rowsOf(out);
}
/** The same by the library. */
async function byLibrary(lines: readonly string[], options: WatchOptions = {}): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of watch(
    lines.map((line) => `${line}\n`),
    options,
  ))
    rows.push(JSON.parse(JSON.stringify(row)));
  return rows;
}

describe("rows", () => {
  const lines = [...ordinary(300), ...strange(2), ...ordinary(60, 2)];

  test("are a line of JSON each, as the library has them, of a file and of standard input", async () => {
    const wanted = await byLibrary(lines);
    expect(await read(write("log", lines))).toEqual(wanted);
    const piped = await saffu.run(["watch"], `${lines.join("\n")}\n`);
    expect(piped).toEqual({ code: 0, out: readableOf(wanted), err: READY });
    expect((await saffu.run(["watch", "-", "--json", "--no-live"], `${lines.join("\n")}\n`)).out).toBe(piped.out);
  });

  test("with --alarms are those where an alarm begins, goes on or ends", async () => {
    const wanted = (await byLibrary(lines, { oneIn: 40 })).filter(({ alarm }) => alarm !== undefined);
    expect(wanted.map(({ alarm }) => alarm)).toEqual(expect.arrayContaining(["begin", "on", "end"]));
    expect(await read(write("log", lines), "--alarms", "--one-in", "40")).toEqual(wanted);
  });

  test.each([
    [["--window", "200"], { window: 200 }],
    [["--one-in", "50"], { oneIn: 50 }],
    [["--warm-up", "20"], { warmUp: 20 }],
    [["--guard", "0.2"], { guard: 0.2 }],
    [["--delay", "0"], { delay: 0 }],
    [["--gap", "3"], { gap: 3 }],
    [["--count-bytes", "4096"], { countBytes: 4096 }],
    [["--line-bytes", "12"], { lineBytes: 12 }],
    [["--words", "3"], { words: 3 }],
    [["--reach", "10"], { reach: 10 }],
    [["--symbols"], { kind: "symbols" }],
  ] as const)("of %j are those of the library's option", async (words, options) => {
    expect(await read(write("log", lines), ...words)).toEqual(await byLibrary(lines, options));
    if (!/reach|count/.test(words[0])) expect(await byLibrary(lines, options)).not.toEqual(await byLibrary(lines));
  });

  test("of a model have its bits as well, which weigh as much as is asked for", async () => {
    const few = [...ordinary(20), "", "\0\xff"];
    const log = write("log", few);
    const model = await load(NANO);
    const found = await read(NANO, log);
    expect(found).toEqual(await byLibrary(few, { model }));
    expect(found.slice(0, 20).every(({ modelBits }) => Number(modelBits) > 0)).toBe(true);
    expect(await read("nano-en", log, "--build", "scalar")).toEqual(found);
    expect(await read(NANO, log, "--model-weight", "0")).toEqual(await byLibrary(few, { model, modelWeight: 0 }));
  });

  test("of several files have their path, and without --no-follow each as it comes", async () => {
    const [one, two] = [write("one", ordinary(40)), write("two", ordinary(30, 2))];
    const rows = await read(one, two);
    expect(rows.map(({ path, text }) => [path, text])).toEqual([
      ...ordinary(40).map((line) => [one, line]),
      ...ordinary(30, 2).map((line) => [two, line]),
    ]);
    const follows = running(saffu, [one, two]);
    await follows.row(70);
    append(two, ["later, of the second"]);
    await follows.row(71);
    append(one, ["later still, of the first"]);
    await follows.row(72);
    const { code, out } = await follows.stop();
    expect(code).toBe(143);
    expect(rowsOf(out).slice(70)).toMatchObject([
      { path: two, text: "later, of the second" },
      { path: one, text: "later still, of the first" },
    ]);
  });

  test("of --from-end are of what comes", async () => {
    const log = write("log", ordinary(50));
    const follows = running(saffu, [log, "--from-end"]);
    for (let tries = 0; tries < 1000 && follows.out === ""; ++tries) {
      append(log, [`later ${tries}`]); // it may not have begun
      await pause(50);
    }
    expect(rowsOf((await follows.stop()).out)[0]!.text).toMatch(/^later/);
  });

  test("are written before the next line comes", async () => {
    const follows = running(saffu, []);
    for (const [i, line] of ordinary(60).entries()) {
      follows.child.stdin.write(`${line}\n`);
      await follows.row(i + 1);
    }
    follows.child.stdin.end();
    expect(rowsOf((await follows.ended).out)).toHaveLength(60);
  });

  test("--until N ends after so many lines, bad ones among them; --until alarm with the first, and exit code 10", async () => {
    const log = write("log", lines);
    expect(rowsOf((await saffu.run(["watch", log, "--until", "7"])).out)).toHaveLength(7);
    const alarm = await saffu.run(["watch", log, "--until", "alarm", "--alarms"]);
    expect(alarm.code).toBe(10);
    const first = (await byLibrary(lines)).find(({ alarm }) => alarm === "begin")!;
    expect(rowsOf(alarm.out)).toEqual([first]);
    expect((await saffu.run(["watch", write("calm", ordinary(90)), "--until", "alarm", "--no-follow"])).code).toBe(0);
    const json = write("json", ['{"a":"x"}', "no JSON", '{"a":"y"}', '{"a":"z"}']);
    const three = rowsOf((await saffu.run(["watch", json, "--field", "a", "--until", "3"])).out);
    expect(three.map(({ line, text }) => [line, text])).toEqual([
      [1, "x"],
      [3, "y"],
    ]);
  });
});

const readableOf = (rows: readonly Row[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

describe("fields", () => {
  test("--field takes the text of one; lines without it are counted, and it is said once", async () => {
    const texts = ordinary(120);
    const lines = texts.map((text, i) => JSON.stringify({ _PID: String(i), a: { MESSAGE: text } }));
    const bad = ["no JSON", "{}", '{"a":{}}', "also none"];
    const log = write("log", [...lines.slice(0, 50), ...bad, ...lines.slice(50)]);
    const { code, out, err } = await saffu.run(["watch", log, "--field", "a.MESSAGE", "--no-follow"]);
    expect(code).toBe(0);
    expect(rowsOf(out).map(({ text }) => text)).toEqual(texts);
    expect(rowsOf(out).map(({ line }) => line)).toEqual(texts.map((_, i) => (i < 50 ? i + 1 : i + 5)));
    expect(err.split("\n").slice(0, -1)).toEqual([
      "saffu: line 51: it is no JSON; such lines are counted and passed over",
      "saffu: line 52: the field is not there; such lines are counted and passed over",
      "saffu: from line 105 on there are lines enough that ranks mean something",
      "saffu: 4 lines were passed over: 2 are no JSON, 2 lack the field",
    ]);
  });

  const values = Array.from({ length: 200 }, (_, i) => [20 + (i % 7) / 10, 40 + (i % 5)] as const);
  const far = [20.4, 99.25] as const;

  test.each([
    ["JSON", (t: number, rh: number) => JSON.stringify({ temp: t, rh: String(rh) }), "temp,rh"],
    ["CSV", (t: number, rh: number) => `2026-03-02,${t},"x, y",${rh}`, "2,4"],
    ["blanks", (t: number, rh: number) => `  ${t}   ${rh}`, "1,2"],
  ])(
    "--numbers of %s are rows of numbers, and the one that is far out is named as it was given",
    async (_name, line, names) => {
      const lines = [...values, far].map(([t, rh]) => line(t, rh));
      const rows = await read(write("log", lines), "--numbers", names);
      const opened = await openWatch({ kind: "numbers", columns: names.split(",") });
      const wanted = [...values, far].map((row, i) => ({ ...opened.push(row), text: lines[i] }));
      expect(rows).toEqual(JSON.parse(JSON.stringify(wanted)));
      expect(rows.at(-1)).toMatchObject({ alarm: "begin", why: [{ text: `${names.split(",")[1]}=99.25` }] });
    },
  );

  test("a number is shown as it is in the line, though f32 does not hold it", async () => {
    const lines = [...values.map(([t]) => `${t}`), "33.3", "1700000000.5"];
    const [last, before] = (await read(write("log", lines), "--numbers", "1")).reverse();
    expect([before!.why, last!.why]).toMatchObject([[{ text: "1=33.3" }], [{ text: "1=1700000000.5" }]]);
  });

  test("a row of which some numbers are missing is a row, one without any is none; both are counted and said once", async () => {
    const lines = values.map(([t, rh]) => JSON.stringify({ t, rh }));
    const mixed = [...lines, '{"t":20}', '{"rh":40}', "{}", '{"t":"warm"}', "[]"];
    const log = write("log", mixed);
    const { code, out, err } = await saffu.run(["watch", log, "--numbers", "t,rh", "--no-follow"]);
    expect(code).toBe(0);
    expect(rowsOf(out)).toHaveLength(202);
    expect(err.split("\n").slice(1, -1)).toEqual([
      "saffu: line 201: not all numbers are there; such lines are counted, and looked at without them",
      "saffu: line 203: the field is not there; such lines are counted and passed over",
      "saffu: line 204: what is there is no number; such lines are counted and passed over",
      "saffu: 3 lines were passed over: 2 lack the field, 1 have no number there",
      "saffu: 2 lines lacked some of the numbers",
    ]);
  });
});

describe("files", () => {
  test("that are rotated and emptied give each line once, and it is said", async () => {
    const log = write("log", ordinary(20));
    const follows = running(saffu, [log]);
    await follows.row(20);
    renameSync(log, at("log.1"));
    append(at("log.1"), ["to the old one"]);
    write("log", ["of the new one"]);
    await follows.row(22);
    truncateSync(log, 0);
    await follows.said("truncated");
    append(log, ["behind the truncation"]);
    await follows.row(23);
    const { out, err } = await follows.stop("SIGINT");
    expect(rowsOf(out).map(({ text }) => text)).toEqual([
      ...ordinary(20),
      "to the old one",
      "of the new one",
      "behind the truncation",
    ]);
    expect(err).toContain(`saffu: ${log} was rotated\nsaffu: ${log} was truncated\n`);
  });

  test("that are not there, or vanish, are waited for; with --no-follow they have to be there", async () => {
    const log = at("log");
    const follows = running(saffu, [log]);
    await follows.said("is not there: it is waited for");
    write("log", ["first"]);
    await follows.row(1);
    rmSync(log);
    await follows.said("vanished");
    write("log", ["second"]);
    await follows.row(2);
    expect((await follows.stop()).err).toBe(
      [
        `saffu: ${log} is not there: it is waited for`,
        `saffu: ${log} is there again`,
        `saffu: ${log} has vanished: it is waited for`,
        `saffu: ${log} is there again`,
        "saffu: ABORTED: interrupted by SIGTERM\n",
      ].join("\n"),
    );
    expect(await saffu.run(["watch", at("none"), "--no-follow"])).toEqual(failure(4, "INVALID_TEXT", at("none")));
  });
});

describe("labels", () => {
  const lines = [...ordinary(400), ...strange(8), ...ordinary(120, 2), ...strange(3), ...ordinary(100, 3)];
  const [INCIDENT, LAST] = [401, 408];
  const json = lines.map((m) => JSON.stringify({ m }));
  /** The same stream, in which the incident's lines are none. */
  const without = json.map((line, i) => (i + 1 >= INCIDENT && i + 1 <= LAST ? "no JSON" : line));
  const forget = `{"from":${INCIDENT},"to":${LAST},"forget":true}`;
  const behind = (rows: readonly Row[], line: number) => readableOf(rows.filter((row) => row.line > line));

  test("what was forgotten leaves nothing: later rows are those of a stream without it, byte for byte", async () => {
    const wanted = await read(write("without", without), "--field", "m");
    const log = write("log", json);
    const seen = await read(log, "--field", "m");
    expect(behind(seen, LAST)).not.toBe(behind(wanted, LAST)); // it had been learned
    const forgot = await read(log, "--field", "m", "--labels", write("labels", [forget]));
    expect(forgot.slice(0, LAST)).toEqual(seen.slice(0, LAST));
    expect(behind(forgot, LAST)).toBe(behind(wanted, LAST));
  });

  test("the same while it watches, by a named pipe, and over a restart", async () => {
    const wanted = await read(write("without", without), "--field", "m");
    const log = write("log", json.slice(0, 450));
    const pipe = at("pipe");
    execFileSync("mkfifo", [pipe]);
    const words = [log, "--field", "m", "--labels", pipe, "--state", at("state")];
    const first = running(saffu, words);
    await first.row(450);
    writeFileSync(pipe, `${forget}\n`);
    await first.said(
      `lines ${INCIDENT} to ${LAST} are forgotten; ${450 - (LAST - INCIDENT + 1)} others were read again`,
    );
    append(log, json.slice(450, 520));
    await first.row(520);
    expect((await first.stop()).code).toBe(143);
    const rest = running(saffu, words);
    append(log, json.slice(520));
    await rest.row(json.length);
    const { out } = await rest.stop("SIGINT");
    expect(behind(rowsOf(first.out), 450) + out).toBe(behind(wanted, 450));
  });

  test("alarm: such lines are alarms from then on; fine: they are none; an episode is named by its number", async () => {
    const wormholes = lines.flatMap((line, i) => (line.startsWith("kernel") ? [i + 1] : []));
    const log = write("log", lines);
    const rows = await read(log);
    const { episode } = rows[INCIDENT - 1]!;
    expect(rows[INCIDENT - 1]).toMatchObject({ alarm: "begin" });
    const normal = [3, 50, 77].map((line) => `{"line":${line},"label":"fine"}`);
    const alarms = await read(log, "--labels", write("alarm", [...normal, `{"episode":${episode},"label":"alarm"}`]));
    expect(
      alarms.filter(({ line, known }) => line > LAST + 20 && Number(known) >= 0.9).map(({ line }) => line),
    ).toEqual(wormholes.filter((line) => line > LAST));
    expect(alarms.filter(({ line, alarm }) => wormholes.includes(line) && line > LAST && alarm).length).toBe(3);
    const fine = await read(log, "--labels", write("fine", [`{"from":${INCIDENT},"to":${LAST},"label":"fine"}`]));
    expect(fine.filter(({ line, alarm }) => wormholes.includes(line) && line > LAST && alarm === "begin")).toEqual([]);
    const forgot = await read(log, "--labels", write("forget", [`{"episode":${episode},"forget":true}`]));
    expect(behind(forgot, LAST)).not.toBe(behind(rows, LAST));
  });

  test("of lines that are not there yet wait for them, also over a restart, and are taken once", async () => {
    const log = write("log", ordinary(150));
    const labels = write("labels", ['{"line":160,"label":"alarm"}', '{"line":20,"label":"fine"}']);
    const words = [log, "--labels", labels, "--state", at("state")];
    const first = running(saffu, words);
    await first.row(150);
    await first.said("1 line is learned as fine");
    expect((await first.stop()).err).not.toContain("alarm");
    append(log, strange(20));
    const second = running(saffu, words);
    await second.row(170);
    await second.said("1 line is learned as alarm");
    expect((await second.stop()).err.match(/learned as/g)).toHaveLength(1);
    const third = running(saffu, words);
    append(log, ["the last"]);
    await third.row(171);
    expect((await third.stop()).err).not.toContain("learned as");
  });

  test("that are none, or of no line within reach, are said, and reading goes on", async () => {
    const log = write("log", lines);
    const said = [
      "no JSON",
      "{}",
      '{"line":0,"label":"fine"}',
      '{"line":1,"label":"good"}',
      '{"from":9,"to":3,"forget":true}',
      '{"line":1,"label":"fine","forget":true}',
      '{"line":1,"label":"fine"}',
      '{"line":1000000,"label":"fine"}',
      '{"episode":99,"forget":true}',
    ];
    const { code, out, err } = await saffu.run(
      ["watch", log, "--no-follow", "--reach", "50", "--labels", write("labels", said)],
      "",
    );
    expect(code).toBe(0);
    expect(rowsOf(out)).toHaveLength(lines.length);
    expect(err.match(/is no label/g)).toHaveLength(1);
    expect(err).toContain("saffu: 1 line is learned as fine\n");
    expect(err).toMatch(/what was said of line 1000000 is passed over: rows must be rows in \d+\.\.631, got 1000000/);
    expect(err).toContain("what was said of episode 99 is passed over: episode must be");
  });

  test("of a watch that keeps no past are refused one by one; of symbols and numbers there are none", async () => {
    const log = write("log", ordinary(10));
    const labels = write("labels", ['{"line":3,"label":"fine"}']);
    const words = ["watch", log, "--no-follow", "--labels", labels];
    const { code, err } = await saffu.run([...words, "--reach", "0"]);
    expect([code, err]).toEqual([0, expect.stringContaining("what was said of line 3 is passed over")]);
    expect(await saffu.run([...words, "--symbols"])).toEqual(failure(2, "INVALID_OPTION", "--labels must be left out"));
  });
});

describe("a state", () => {
  const lines = [...ordinary(300), ...strange(3), ...ordinary(200, 2)];

  test("goes on where it was, each line once; warming up is said once", async () => {
    const wanted = await byLibrary(lines);
    const log = write("log", lines.slice(0, 60));
    const runs = [];
    for (const [from, to] of [
      [0, 60],
      [60, 250],
      [250, 250],
      [250, 302],
      [302, lines.length],
    ] as const) {
      if (from > 0) append(log, lines.slice(from, to));
      runs.push(await saffu.run(["watch", log, "--no-follow", "--state", at("state")]));
    }
    expect(runs.map(({ out }) => out).join("")).toBe(readableOf(wanted));
    expect(runs.map(({ err }) => err)).toEqual([
      "saffu: ranks mean little yet: no line has had 100 before it\n",
      READY,
      "",
      "",
      "",
    ]);
  });

  test("is saved as often as is asked for: after a kill the next run goes on from the last save, each line once", async () => {
    const log = write("log", []);
    const words = [log, "--state", at("state"), "--save-every", "0.003"];
    const rows = new Map<number, string>();
    let [from, kills] = [0, 0];
    while (from < lines.length) {
      const follows = running(saffu, words);
      const to = Math.min(lines.length, from + 60);
      for (; from < to; from += 20) {
        append(log, lines.slice(from, Math.min(from + 20, to)));
        await pause(17 * (kills % 5));
      }
      await follows.row(to);
      from = to;
      kills += 1;
      await follows.stop("SIGKILL");
      for (const row of rowsOf(follows.out)) {
        const again = rows.get(row.line);
        if (again !== undefined) expect(JSON.stringify(row)).toBe(again); // read again, as it had not been saved
        rows.set(row.line, JSON.stringify(row));
      }
    }
    expect(kills).toBeGreaterThan(5);
    expect([...rows.values()].map((row) => `${row}\n`).join("")).toBe(readableOf(await byLibrary(lines)));
  });

  test("is of whole rows, however lines, saves and a kill fall: none is lost, none counted twice", async () => {
    const many = ordinary(6000).map((line, i) => `${line} no. ${i + 1}`); // told apart
    const log = write("log", []);
    const words = [log, "--state", at("state"), "--save-every", "0.0001", "--reach", "300"];
    const check = (rows: readonly Row[]) => {
      const wrong = rows.find(({ line, text }) => text !== many[line - 1]);
      expect(wrong).toBeUndefined();
    };
    for (let from = 0; from < many.length; from += 750) {
      const follows = running(saffu, words);
      await until("a save", () => from === 0 || follows.err.includes("MB a day"));
      for (let burst = from; burst < from + 750; burst += 15) {
        append(log, many.slice(burst, burst + 15));
        await pause(8);
      }
      await follows.stop("SIGKILL");
      check(rowsOf(follows.out));
    }
    check(await read(...words));
    const { lines: counted } = await openWatch({ state: gunzipSync(readFileSync(at("state"))) });
    expect(counted).toBe(many.length);
  });

  test("keeps the places of other files, whatever directory it is called in", async () => {
    const [one, two] = [write("one", ordinary(30)), write("two", ordinary(30, 2))];
    const lineOf = async (...words: string[]) => (await read(...words, "--state", at("state"))).map(({ line }) => line);
    expect(await lineOf(one)).toHaveLength(30);
    expect(await lineOf(two)).toHaveLength(30);
    expect(await lineOf(one)).toEqual([]);
    const child = saffu.start(
      ["watch", "one", "two", "--no-follow", "--state", "state"],
      `cli=$(pwd)/$1; shift; cd ${folder()}; set -- "$cli" "$@"`,
    );
    expect(await child.ended).toEqual({ code: 0, out: "", err: "" });
  });

  test("of other options, of a model, or of none at all names its file and what to do", async () => {
    const log = write("log", ordinary(150));
    const state = at("state");
    await read(log, "--state", state);
    const refused = async (code: number, name: string, words: string[], ...named: string[]) =>
      expect(await saffu.run(["watch", log, "--no-follow", "--state", state, ...words])).toEqual(
        failure(code, name, state.slice(-5), ...named),
      );
    await refused(
      7,
      "STATISTICS_MISMATCH",
      ["--window", "50"],
      "--window 10000",
      "50",
      "the same options, or another file",
    );
    await refused(7, "STATISTICS_MISMATCH", ["--guard", "0.1"], "--guard 0.05", "0.1");
    await refused(7, "STATISTICS_MISMATCH", ["--count-bytes", "4096"], "--count-bytes 524288");
    await refused(7, "STATISTICS_MISMATCH", ["--symbols"], "lines", "--symbols");
    await refused(7, "STATISTICS_MISMATCH", ["--numbers", "a,b"], "lines", "--numbers a,b");
    expect(await saffu.run(["watch", NANO, log, "--no-follow", "--state", state])).toEqual(
      failure(7, "STATISTICS_MISMATCH", "no model", "a model"),
    );
    const modelled = at("modelled");
    await read(NANO, write("few", ordinary(5)), "--state", modelled);
    expect(await saffu.run(["watch", log, "--no-follow", "--state", modelled])).toEqual(
      failure(7, "STATISTICS_MISMATCH", "modelled", "a model", "no model"),
    );
    const before = readFileSync(state);
    await read(log, "--state", state, "--reach", "50"); // may change
    for (const [i, bytes] of [before.subarray(0, 500), Buffer.from("junk"), Buffer.alloc(0)].entries()) {
      writeFileSync(state, bytes);
      await refused(3, "MODEL_CORRUPT", [], i === 2 ? "" : "state");
      expect(readFileSync(state)).toEqual(bytes); // left as it is
    }
    expect(await saffu.run(["watch", log, "--state", folder()])).toEqual(failure(5, "UNWRITABLE", folder().slice(-10)));
    expect(await saffu.run(["watch", log, "--state", at("no/where")])).toEqual(failure(5, "UNWRITABLE", "where"));
  });

  test("is one process's: another is refused, and has it once the first has ended, however it did", async () => {
    const log = write("log", ordinary(20));
    const words = [log, "--state", at("state")];
    const first = running(saffu, words);
    await first.row(20);
    const second = await saffu.run(["watch", ...words]);
    expect(second).toEqual(failure(5, "BUSY", "state", `process ${first.child.pid}`, "another file"));
    await first.stop("SIGKILL");
    expect((await saffu.run(["watch", ...words, "--until", "5"])).code).toBe(0);
  });
});

describe("bad options", () => {
  test.each([
    [["--until", "never"], "--until", "alarm, or a number of lines"],
    [["--until", "0"], "--until"],
    [["--save-every", "0"], "--save-every", "35000"],
    [["--save-every", "600000"], "--save-every", "35000"],
    [["--save-every", "x"], "--save-every"],
    [["--window", "0"], "--window", "1..65535"],
    [["--one-in", "70000"], "--one-in"],
    [["--guard", "2"], "--guard", "0..1"],
    [["--delay", "-1"], "--delay"],
    [["--count-bytes", "1"], "--count-bytes", "4096"],
    [["--line-bytes", "0"], "--line-bytes"],
    [["--words", "0"], "--words"],
    [["--reach", "-1"], "--reach"],
    [["--gap", "0"], "--gap"],
    [["--warm-up", "0"], "--warm-up"],
    [["--model-weight", "-1"], "--model-weight"],
    [["--numbers", "a,,b"], "--numbers"],
    [["--field", ""], "field"],
    [["--numbers", "a", "--field", "b"], "--numbers", "--field"],
    [["--numbers", "a", "--symbols"], "--numbers", "--symbols"],
    [["--labels", "-"], "--labels", "standard input"],
    [["--state", ""], "--state"],
    [["--nonsense"], "--nonsense"],
  ] as const)("%j: one line that names it", async (words, ...named: string[]) => {
    expect(await saffu.run(["watch", ...words], "")).toEqual(failure(2, "INVALID_OPTION", ...named));
  });

  test("a directory is a model or an error; a name of the package may be a file's", async () => {
    expect(await saffu.run(["watch", folder()])).toEqual(failure(2, "INVALID_OPTION", "a directory with a model"));
    expect(await saffu.run(["watch", "-", folder(), "--no-follow"], "")).toEqual(
      failure(4, "INVALID_TEXT", "directory"),
    );
    const log = write("log", ["x"]);
    expect(await saffu.run(["watch", "nano-em", log, "--no-follow"])).toEqual(
      failure(3, "MODEL_MISSING_FILE", "nano-em"),
    );
    expect(await saffu.run(["watch", log, "--build", "fast", "--no-follow"])).toMatchObject({
      code: 0,
    });
  });
});
