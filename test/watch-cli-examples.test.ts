/**
 * The examples of examples/watching: each command of the page runs, in a folder that stands for the root, with a journal and a systemd that are made up; the
 * unit is what systemd takes, and Telegraf's configuration is driven as Telegraf does, and by Telegraf itself where it is installed.
 */
import { execFile, spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandIn } from "./cli-fixture.ts";
import { needs, onPath } from "./needs.ts";
import { ordinary, rowsOf, strange, until } from "./watch-cli-fixture.ts";

const EXAMPLES = "examples/watching";
const LINES = [...ordinary(400), ...strange(2), ...ordinary(30, 2)];
let root: string;
let env: NodeJS.ProcessEnv;
/** Paths of the system, in the folder that stands for its root. */
const inRoot = (text: string) => text.replaceAll(/(?<![\w"$}])\/(var|etc|usr\/local)\//g, `${root}/$1/`);

beforeAll(() => {
  const { main } = commandIn("build/test-watch-examples");
  root = mkdtempSync(join(tmpdir(), "saffu-watch-examples-"));
  for (const folder of ["bin", "var/log", "var/lib", "etc/systemd/system", "etc/telegraf/telegraf.d", "usr/local/bin"])
    mkdirSync(join(root, folder), { recursive: true });
  program("saffu", `exec "${process.execPath}" "${resolve(main)}" "$@"`);
  program("systemctl", "exit 0");
  program("journalctl", `cat "${root}/journal"`);
  writeFileSync(
    join(root, "journal"),
    LINES.map((MESSAGE) => `${JSON.stringify({ _HOSTNAME: "gateway", MESSAGE })}\n`).join(""),
  );
  writeFileSync(join(root, "var/log/syslog.1"), LINES.map((line) => `${line}\n`).join(""));
  writeFileSync(join(root, "var/log/syslog"), LINES.map((line) => `${line}\n`).join(""));
  env = { ...process.env, PATH: `${join(root, "bin")}:${process.env.PATH}` };
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function program(name: string, line: string): void {
  writeFileSync(join(root, "bin", name), `#!/bin/sh\n${line}\n`);
  chmodSync(join(root, "bin", name), 0o755);
}

function sh(script: string, more: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    execFile("sh", ["-c", script], { cwd: EXAMPLES, env: { ...env, ...more } }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** Values of a unit's or of Telegraf's file, by what stands before the sign of equality. */
function settingOf(file: string, name: string): string {
  const text = readFileSync(join(EXAMPLES, file), "utf8");
  return new RegExp(`^\\s*${name}\\s*=\\s*(.*)$`, "m").exec(text)![1]!;
}

test("what the unit runs writes alarms to its folder of logs, and keeps its state", async () => {
  const folders = { STATE_DIRECTORY: join(root, "state"), LOGS_DIRECTORY: join(root, "logs") };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const [, line] = /^\/bin\/sh -c '(.*)'$/.exec(settingOf("saffu-watch.service", "ExecStart"))!;
  expect(await sh(line!, folders)).toMatchObject({ code: 0, out: "" });
  const rows = rowsOf(readFileSync(join(root, "logs/alarms.json"), "utf8"));
  expect(rows.map(({ text }) => text)).toContain(strange(1)[0]);
  expect(existsSync(join(root, "state/state"))).toBe(true);
});

test("the page's commands run, one after the other", async () => {
  const blocks = Array.from(readFileSync(join(EXAMPLES, "README.md"), "utf8").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm));
  expect(blocks.map(([, language]) => language)).toEqual(["sh", "sh", "sh", "sh"]);
  mkdirSync(join(root, "var/log/saffu-watch"));
  writeFileSync(join(root, "var/log/saffu-watch/alarms.json"), "");
  const { code, out, err } = await sh(`set -eu\n${inRoot(blocks.map(([, , code]) => code).join("\n"))}`);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  expect(existsSync(join(root, "etc/telegraf/telegraf.d/saffu.conf"))).toBe(true);
  expect(existsSync(join(root, "var/lib/saffu-watch/state"))).toBe(true);
  expect(out).toMatch(/\d+ surprising lines in .*syslog\.1; those that surprised most:\n/);
  expect(out).toContain(strange(1)[0]);
});

test("the report is of what is new, and nothing where there is no alarm", async () => {
  const log = join(root, "daily.log");
  const report = `sh report.sh "${log}" "${join(root, "daily.state")}"`;
  writeFileSync(
    log,
    ordinary(90)
      .map((line) => `${line}\n`)
      .join(""),
  );
  expect(await sh(report)).toMatchObject({ code: 0, out: "" });
  writeFileSync(log, [...ordinary(200, 2), ...strange(1)].map((line) => `${line}\n`).join(""));
  const { code, out } = await sh(report);
  expect(code).toBe(0);
  expect(out).toContain(`291: ${strange(1)[0]}\n`);
  expect(await sh(report)).toMatchObject({ code: 0, out: "" });
  expect((await sh("sh report.sh /no/where /no/state")).err).toContain("saffu: UNWRITABLE"); // which cron mails
});

needs("systemd-analyze", onPath("systemd-analyze"))("systemd", () => {
  test("takes the unit without a complaint", async () => {
    const unit = resolve(EXAMPLES, "saffu-watch.service");
    const { code, out, err } = await sh(`systemd-analyze verify "${unit}"`);
    const complaints = `${out}${err}`.split("\n").filter((line) => line.includes("saffu-watch"));
    expect({ code, complaints }).toEqual({ code: 0, complaints: [] });
  });
});

describe("Telegraf's configuration", () => {
  test("names a command whose rows are flat JSON but for what it lists", async () => {
    mkdirSync(join(root, "var/lib/telegraf"));
    const [file, ...words] = JSON.parse(settingOf("telegraf.conf", "command")) as string[];
    const there = words.map((word) => word.replace(/^\/var\//, `${root}/var/`));
    const child = spawn(file!, there, { env, stdio: ["pipe", "pipe", "ignore"] });
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    await until("a strange line", () => out.includes("wormhole"));
    child.kill("SIGTERM"); // so Telegraf ends it
    await new Promise((ended) => child.on("close", ended));
    const rows = rowsOf(out);
    const tags: string[] = JSON.parse(settingOf("telegraf.conf", "tag_keys"));
    const texts: string[] = JSON.parse(settingOf("telegraf.conf", "json_string_fields"));
    for (const row of rows) {
      for (const name of tags) expect(typeof row[name]).toBe("string");
      for (const name of texts.filter((each) => !each.includes("*"))) expect(typeof row[name]).toBe("string");
      for (const name of ["line", "bits", "score", "rank", "of"]) expect(typeof row[name]).toBe("number");
    }
    expect(texts).toContain("why_*_text"); // as Telegraf flattens [{"text": …}]
  });

  test.runIf(onPath("telegraf"))("is what Telegraf takes, and its metrics have the alarms", async () => {
    mkdirSync(join(root, "telegraf"));
    const [log, state, metrics] = ["log", "state", "metrics"].map((name) => join(root, "telegraf", name));
    cpSync(join(root, "var/log/syslog"), log!);
    const conf = readFileSync(join(EXAMPLES, "telegraf.conf"), "utf8")
      .replace("/var/log/syslog", log!)
      .replace("/var/lib/telegraf/saffu.state", state!);
    const output = `[agent]\n  flush_interval = "1s"\n[[outputs.file]]\n  files = [${JSON.stringify(metrics)}]\n  data_format = "influx"\n`;
    writeFileSync(join(root, "telegraf/telegraf.conf"), `${output}${conf}`);
    const child = spawn("telegraf", ["--config", join(root, "telegraf/telegraf.conf")], { env });
    await until("the metrics", () => existsSync(metrics!) && readFileSync(metrics!, "utf8").includes("wormhole"));
    child.kill("SIGTERM");
    await new Promise((ended) => child.on("close", ended));
    const found = readFileSync(metrics!, "utf8");
    expect(found).toMatch(/^saffu_watch,alarm=begin,.*id=[0-9a-f]{8} .*score=\d/m);
    expect(found).toMatch(/why_0_text="\w+"/);
    expect(existsSync(state!)).toBe(true); // it was told to end, and saved
  });
});
