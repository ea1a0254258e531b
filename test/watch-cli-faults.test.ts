/** What goes wrong while `saffu watch` watches: readers that go, disks that are full, signals, hostile lines, a terminal. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { openWatch } from "../host/index.ts";
import { commandIn } from "./cli-fixture.ts";
import { needs, onPath } from "./needs.ts";
import { folderEach, ordinary, rowsOf, running, strange, until } from "./watch-cli-fixture.ts";

let saffu: ReturnType<typeof commandIn>;
beforeAll(() => {
  saffu = commandIn("build/test-watch-cli-faults");
});
const { folder, at, write } = folderEach();
/** Rows that a state has counted. */
const linesOf = async (state: string) => (await openWatch({ state: gunzipSync(readFileSync(state)) })).lines;
/** Runs a line of the shell, in which "$@" is the command. */
const shell = (line: string, ...words: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile("bash", ["-c", line, process.execPath, saffu.main, "watch", ...words], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

describe("a reader that goes", () => {
  const lines = [...ordinary(5000), ...strange(2)];

  test("ends it quietly", async () => {
    const log = write("log", lines);
    const { out, err } = await shell('"$0" "$@" | head -1', log);
    expect(rowsOf(out)).toMatchObject([{ line: 1 }]);
    expect(err).not.toMatch(/ABORTED|EPIPE|Error/);
  });

  test("does not end what keeps a state: it learns on to the end, and says so once", async () => {
    const log = write("log", lines);
    const { out, err } = await shell(
      '"$0" "$@" | head -1; exit $PIPESTATUS',
      log,
      "--no-follow",
      "--state",
      at("state"),
    );
    expect(rowsOf(out)).toMatchObject([{ line: 1 }]);
    expect(err.match(/nothing is printed any more/g)).toHaveLength(1);
    expect(err).toMatch(/saffu: \d+ rows were not printed\n$/);
    expect(await linesOf(at("state"))).toBe(lines.length);
  });

  test("nor does a full disk behind standard output, which is the exit code once the state is saved", async () => {
    const log = write("log", lines);
    const kept = await shell('"$0" "$@" > /dev/full', log, "--no-follow", "--state", at("state"));
    expect(kept.code).toBe(5);
    expect(kept.err.match(/nothing is printed any more/g)).toHaveLength(1);
    expect(kept.err).toMatch(/saffu: UNWRITABLE: standard output cannot be written: [^\n]+\n$/);
    expect(await linesOf(at("state"))).toBe(lines.length);
    expect(await shell('"$0" "$@" > /dev/full', log, "--no-follow")).toMatchObject({ code: 5, out: "" });
  });

  test("who reads slowly is waited for, and a signal ends the wait", async () => {
    const { child, ended } = saffu.start(["watch", "/dev/stdin", "--state", at("state")]);
    child.stdout.removeAllListeners("data");
    child.stdout.pause();
    let taken = 0;
    const text = `${ordinary(1000).join("\n")}\n`;
    const write = () => {
      taken += 1;
      if (taken < 200) child.stdin.write(text, () => write());
    };
    child.stdin.on("error", () => {});
    write();
    let last = -1;
    while (last !== taken) {
      last = taken;
      await pause(500);
    }
    expect(taken).toBeLessThan(200); // it has not read on without end
    child.kill("SIGTERM");
    child.stdout.resume();
    expect((await ended).code).toBe(143);
    expect(await linesOf(at("state"))).toBeLessThanOrEqual(1000 * taken);
  });
});

describe("a signal", () => {
  test.each([
    ["SIGINT", 130, "SIGINT"],
    ["SIGTERM", 143, "SIGTERM"],
    ["SIGHUP", 143, "SIGTERM"], // as if it had been that
  ] as const)("%s ends it with its state saved, while lines come and while none do", async (signal, code, said) => {
    const waits = running(saffu, [write("log", ordinary(50)), "--state", at("state")]);
    await waits.row(50);
    const began = performance.now();
    expect(await waits.stop(signal)).toMatchObject({ code, err: `saffu: ABORTED: interrupted by ${said}\n` });
    expect(performance.now() - began).toBeLessThan(10_000); // it does not wait for its patience
    expect(await linesOf(at("state"))).toBe(50);

    const reads = running(saffu, [write("long", ordinary(200_000)), "--alarms", "--state", at("other")]);
    await until("an alarm", () => reads.out !== "");
    expect(await reads.stop(signal)).toMatchObject({ code });
    const lines = await linesOf(at("other"));
    expect(lines).toBeGreaterThan(100);
    expect(lines).toBeLessThan(200_000);
  });
});

describe("a disk that is full", () => {
  needs("prlimit", onPath("prlimit"))("while it watches", () => {
    test("is said once, tried again, and said when it has room", async () => {
      const log = write("log", ordinary(100));
      const words = [log, "--state", at("state"), "--save-every", "0.003"];
      const follows = running(saffu, words, "trap '' XFSZ; ulimit -S -f 4");
      await follows.row(100);
      await follows.said("the state is not saved, which will be tried again: ");
      await pause(600);
      expect(existsSync(at("state"))).toBe(false);
      expect(follows.err.match(/not saved/g)).toHaveLength(1);
      execFileSync("prlimit", ["--pid", String(follows.child.pid), "--fsize=unlimited:"]);
      await follows.said(`${at("state")} is saved again`);
      expect((await follows.stop()).code).toBe(143);
      expect(await linesOf(at("state"))).toBe(100);
      expect(execFileSync("ls", ["-A", folder()], { encoding: "utf8" }).split("\n")).toEqual(["log", "state", ""]);
    });
  });

  test("at the end is an error, and leaves the state from before", async () => {
    const log = write("log", ordinary(100));
    expect((await saffu.run(["watch", log, "--state", at("state"), "--no-follow"])).code).toBe(0);
    const before = readFileSync(at("state"));
    writeFileSync(
      log,
      ordinary(200)
        .map((line) => `${line}\n`)
        .join(""),
    );
    const limited = await shell(
      `trap '' XFSZ; ulimit -f 4; "$0" "$@" | cat > /dev/null; exit \${PIPESTATUS[0]}`,
      log,
      "--state",
      at("state"),
      "--no-follow",
    );
    expect(limited.code).toBe(5);
    expect(limited.err).toMatch(/saffu: UNWRITABLE: [^\n]*state[^\n]*\n$/);
    expect(readFileSync(at("state"))).toEqual(before);
  });

  test("its size and what a day of it comes to are said with the first save", async () => {
    const follows = running(saffu, [write("log", ordinary(100)), "--state", at("state"), "--save-every", "0.01"]);
    await follows.said("MB a day");
    const { err } = await follows.stop();
    const [, bytes, daily] = /state has (\d+) bytes: every 0\.01 minutes, ([\d.]+) MB a day/.exec(err)!;
    expect(Number(daily)).toBeCloseTo((Number(bytes) * 144_000) / 1e6, -3);
    expect(err.match(/MB a day/g)).toHaveLength(1);
    expect(statSync(at("state")).size).toBeGreaterThan(1000);
  });
});

describe("hostile lines", () => {
  const MB = Buffer.alloc(1 << 20, "x");

  test("of 100 MB, of NULs, of no UTF-8, without an end are lines", async () => {
    const follows = running(saffu, []);
    const { stdin } = follows.child;
    const put = (bytes: Uint8Array | string) => new Promise<void>((resolve) => stdin.write(bytes, () => resolve()));
    for (let i = 0; i < 100; ++i) await put(MB);
    await put("\n\0\0\0\n");
    await put(Uint8Array.of(0xff, 0xfe, 0xc0, 0x0a));
    await put("\r\n\x1b[2J\u202e\n");
    stdin.end("no end");
    const { code, out } = await follows.ended;
    expect(code).toBe(0);
    expect(rowsOf(out).map(({ text }) => text)).toEqual([
      "x".repeat(4096),
      "\0\0\0",
      "\ufffd\ufffd\ufffd",
      expect.stringMatching(/^\r?$/),
      "\x1b[2J\u202e",
      "no end",
    ]);
  });

  test("of JSON that is cut, deep or long are counted; a long field is cut", async () => {
    const follows = running(saffu, ["--field", "a"]);
    const { stdin } = follows.child;
    stdin.write('{"a":"');
    for (let i = 0; i < 20; ++i) stdin.write(MB);
    stdin.write(`"}\n${"[".repeat(100_000)}\n{"a":"cut\n`);
    stdin.write(Buffer.concat([Buffer.from('{"a":"f'), Buffer.of(0xfc), Buffer.from('r"}\n')]));
    stdin.end(`{"a":"${"y".repeat(10_000)}"}\n`);
    const { code, out, err } = await follows.ended;
    expect(code).toBe(0);
    expect(rowsOf(out).map(({ line, text }) => [line, text])).toEqual([
      [4, "f\ufffdr"],
      [5, "y".repeat(4096)],
    ]);
    expect(err).toContain("3 lines were passed over: 3 are no JSON");
  });

  test("a path with signs that a terminal acts on is spelt where it is said", async () => {
    const follows = running(saffu, [at("odd\x1b[2J\nname")]);
    await follows.said("is not there");
    expect((await follows.stop()).err).toContain("odd\\x1b[2J\\nname is not there: it is waited for\n");
  });
});

needs("python3", onPath("python3"))("at a terminal", () => {
  /** Runs the command in a terminal: waits for texts, and types; `pid` is told the process. */
  const typing = (words: readonly string[], steps: readonly (readonly [wait: string, keys: string])[], signal = "") => {
    const line = `echo $$ > ${at("pid")}; exec "$0" "$@"`;
    const child = spawn("python3", [
      "test/terminal.py",
      signal,
      "sh",
      "-c",
      line,
      process.execPath,
      saffu.main,
      ...words,
    ]);
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    child.stdin.end(steps.map((step) => JSON.stringify(step)).join("\n"));
    return new Promise<{ code: number; out: string; canonical: boolean[] }>((resolve, reject) => {
      child.on("close", (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(err))));
    });
  };
  /** Whether the terminal was left as it was: its cursor is shown, long lines are wrapped, and nothing has changed that since. */
  const left = (out: string) => {
    const end = out.lastIndexOf("\x1b[?7h\x1b[?25h");
    return end >= 0 && !out.slice(end).includes("\x1b[?25l");
  };

  test("it is a table, which Ctrl-C ends: the terminal is as it was, the state is saved", async () => {
    const log = write("log", [...ordinary(300), ...strange(1)]);
    const { code, out } = await typing(["watch", log, "--state", at("state")], [["301 lines", "\x03"]]);
    expect(code).toBe(130);
    expect(out).toContain("most frequent");
    expect(out).toMatch(/wormhole|reactor/);
    expect(left(out)).toBe(true);
    expect(out).toContain("saffu: ABORTED: interrupted by SIGINT");
    expect(await linesOf(at("state"))).toBe(301);
  });

  test("Ctrl-Z stops it and gives the terminal back; it goes on where it was", async () => {
    const log = write("log", ordinary(200));
    const ended = typing(
      ["watch", log],
      [
        ["200 lines", "\x1a"],
        ["\x1b[?25l", "\x03"], // it is drawn anew
      ],
    );
    const stateOf = () => {
      const pid = existsSync(at("pid")) ? readFileSync(at("pid"), "utf8").trim() : "";
      if (pid === "") return undefined;
      return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) (.).*$/s, "$1");
    };
    await until("the stop", () => stateOf() === "T");
    process.kill(Number(readFileSync(at("pid"), "utf8")), "SIGCONT");
    const { code, out } = await ended;
    expect(code).toBe(130);
    expect(left(out)).toBe(true);
  });

  test("news stand below the table; --no-live and --json print lines", async () => {
    const log = write("log", [...ordinary(120)]);
    const { out } = await typing(["watch", log, "--field", "m"], [["it is no JSON", "\x03"]]);
    expect(left(out)).toBe(true);
    for (const word of ["--no-live", "--json"]) {
      const lines = await typing(["watch", log, word], [['{"line":120,', "\x03"]]);
      expect(lines).toMatchObject({ code: 130 });
      expect(lines.out).not.toContain("\x1b[?25l");
    }
  });
});
