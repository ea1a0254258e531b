/** `saffu suggest`, in processes of its own: lines, learned texts, a terminal. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "../host/index.ts";
import { commandIn, contentsOf, failure } from "./cli-fixture.ts";
import { needs, onPath } from "./needs.ts";

const POTATO = "models/potato-en";
const LINES = ["It was a dark nig", "", "Hello,", "é 🙂 ", "a".repeat(9000), "the fi"];
const TEXT = "Dear Zylpha, the quorvex is at the weatherglass again. Bring the quorvex to Zylpha.\n".repeat(3);

let saffu: ReturnType<typeof commandIn>;
let place: string;
let notes: string;
beforeAll(async () => {
  saffu = commandIn("build/test-suggest");
  place = await mkdtemp(join(tmpdir(), "saffu-suggest-"));
  notes = join(place, "notes.txt");
  await writeFile(notes, TEXT);
});
afterAll(() => rm(place, { recursive: true, force: true }));

const done = async (words: string[], input?: string | Uint8Array) => {
  const { code, out, err } = await saffu.run(words, input);
  expect([code, err]).toEqual([0, ""]);
  return out;
};

test("each line of text is a line of words, or with --json of suggestions, as the library has them", async () => {
  const model = await load(POTATO);
  const found = LINES.map((line) => model.suggest(line, { n: 4 }));
  const words = found.map((each) => `${each.map(({ word }) => word).join("\t")}\n`).join("");
  expect(await done(["suggest", POTATO, "-n", "4"], LINES.join("\n"))).toBe(words);
  expect(await done(["suggest", POTATO, "-n", "4"], `${LINES.join("\r\n")}\r\n`)).toBe(words);
  const json = await done(["suggest", POTATO, "-n", "4", "--json", "--build", "scalar"], `${LINES.join("\n")}\n`);
  expect(
    json
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  ).toEqual(found.map((suggestions) => ({ suggestions })));
  expect(await done(["suggest", POTATO], "")).toBe("");
  const bytes = Uint8Array.of(0xff, 0xfe, 0x20);
  const [first] = (await done(["suggest", POTATO, "--max-bytes", "2"], bytes)).trim().split("\t");
  expect(first!.length).toBeLessThan(3);
});

test("a line is answered as it comes, before the next", async () => {
  const { child, ended } = saffu.start(["suggest", POTATO]);
  for (const [line, wanted] of [
    ["It was a dark nig\n", /^night\t/m],
    ["the United State\n", /^States\t/m],
  ] as const) {
    child.stdin.write(line);
    await new Promise<void>((resolve) => {
      let out = "";
      const look = (chunk: Buffer) => {
        out += chunk;
        if (!wanted.test(out)) return;
        child.stdout.off("data", look);
        resolve();
      };
      child.stdout.on("data", look);
    });
  }
  child.stdin.end();
  expect((await ended).code).toBe(0);
});

test("what is learned works for that run alone with --learn, and until it is forgotten with observe", async () => {
  const typed = Array.from("Dear Zylpha, the quorvex is", (_, i, all = "Dear Zylpha, the quorvex is") =>
    all.slice(0, i + 1),
  );
  const mine = join(place, "mine");
  await cp(POTATO, mine, { recursive: true });
  const before = await contentsOf(mine);
  const keys = (...words: string[]) => done(["suggest", mine, "--json", ...words], typed.join("\n"));
  const plain = await keys();
  const learned = await keys("--learn", notes);
  expect(learned).not.toBe(plain);
  expect(learned).toContain('"word":"quorvex"');
  expect(plain).not.toContain('"quorvex"');
  expect(await contentsOf(mine)).toEqual(before);
  await done(["observe", mine, notes, "--json"]);
  expect(await keys()).toBe(learned);
  await done(["forget", mine, notes, "--json"]);
  expect(await keys()).toBe(plain);
});

test("bad options, texts and models are one line", async () => {
  const { run } = saffu;
  expect(await run(["suggest", POTATO, "-n", "0"], "a")).toEqual(failure(2, "INVALID_OPTION", "-n", "1..20"));
  expect(await run(["suggest", POTATO, "-n", "x"], "a")).toEqual(failure(2, "INVALID_OPTION", "-n"));
  expect(await run(["suggest", POTATO, "--max-bytes", "999"])).toEqual(failure(2, "INVALID_OPTION", "--max-bytes"));
  const none = join(place, "none");
  expect(await run(["suggest", POTATO, "--learn", none])).toEqual(failure(4, "INVALID_TEXT", "none cannot be read"));
  expect(await run(["suggest", POTATO, "--learn", "-"], "a")).toEqual(failure(4, "INVALID_TEXT", "named twice"));
  expect(await run(["suggest", none], "a")).toEqual(failure(3, "MODEL_MISSING_FILE", "none"));
});

needs("python3", onPath("python3"))("at a terminal", () => {
  const typing = (signal: string, steps: readonly (readonly [wait: string, keys: string])[]) =>
    new Promise<{ code: number; out: string; seconds: number; canonical: [boolean, boolean] }>((resolve, reject) => {
      const words = ["test/terminal.py", signal, process.execPath, saffu.main, "suggest", POTATO];
      const child = execFile("python3", words, { timeout: 100_000 }, (error, stdout, stderr) => {
        if (error) reject(new Error(stderr || error.message));
        else resolve(JSON.parse(stdout));
      });
      child.stdin!.end(steps.map((step) => JSON.stringify(step)).join("\n"));
    });

  test("words are shown key by key, and taken by Tab or a number; the text is left behind, the terminal as it was", async () => {
    const ended = await typing("", [
      ["Ctrl-D ends", "It was a dark nig"],
      ["1 night", "\t"],
      ["night ", "."], // the blank goes
      ["night.", "\r"],
      ["night.", "the fi"],
      ["1 first", "1"],
      ["first ", "\u00162x\u007f"], // a number that is typed, and a letter rubbed out
      ["first 2", "\u001b[A\u001b[200~"], // keys without a meaning
      ["first 2", "\u0004"],
    ]);
    expect(ended).toMatchObject({ code: 0, canonical: [false, true] });
    expect(ended.out).toMatch(/the first 2\r\n$/);
  });

  test.each([
    ["", "\u0003", 130, "SIGINT"],
    ["SIGTERM", "", 143, "SIGTERM"],
    ["SIGINT", "", 130, "SIGINT"],
  ])("a signal ends it, and the terminal is as it was: %j %j", async (signal, key, code, named) => {
    const ended = await typing(signal, [
      ["Ctrl-D ends", "the fi"],
      ["1 first", key],
    ]);
    expect(ended).toMatchObject({ code, canonical: [false, true] });
    expect(ended.out).toContain(`saffu: ABORTED: interrupted by ${named}`);
    expect(ended.seconds).toBeLessThan(20);
  });
});
