/** `saffu pack` and `unpack`, in processes of their own. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "../host/index.ts";
import { commandIn, failure } from "./cli-fixture.ts";

const NANO = "models/nano-en";
const LINES = ["It was a dark night.", "", "é 🙂 \r", "47.3769N 8.5417E", "a".repeat(300), "no end"];

let saffu: ReturnType<typeof commandIn>;
let place: string;
beforeAll(async () => {
  saffu = commandIn("build/test-messages");
  place = await mkdtemp(join(tmpdir(), "saffu-messages-"));
});
afterAll(() => rm(place, { recursive: true, force: true }));

const done = async (words: string[], input?: string | Uint8Array) => {
  const { code, out, err } = await saffu.run(words, input);
  expect([code, err]).toEqual([0, ""]);
  return out;
};

test("lines are packed one by one, as the library does, and come back from another process and build", async () => {
  const model = await load(NANO);
  const wanted = LINES.map((line) => Buffer.from(model.pack(line)).toString("base64"));
  const packed = await done(["pack", NANO, "--lines"], LINES.join("\n"));
  expect(packed).toBe(`${wanted.join("\n")}\n`);
  expect(await done(["unpack", NANO, "--lines", "--build", "scalar"], packed)).toBe(`${LINES.join("\n")}\n`);
  const bytes = Buffer.byteLength(LINES.join(""));
  const packedBytes = wanted.reduce((sum, frame) => sum + Buffer.from(frame, "base64").length, 0);
  const file = join(place, "lines");
  await writeFile(file, LINES.join("\n"));
  const counts = { messages: LINES.length, bytes, packedBytes };
  expect(JSON.parse(await done(["pack", NANO, file, "--lines", "--json"]))).toEqual({ ...counts, frames: wanted });
  expect(JSON.parse(await done(["unpack", NANO, "--lines", "--json"], packed))).toEqual({ ...counts, texts: LINES });
  expect(await done(["pack", NANO, "--lines"], "")).toBe("");
});

test("a whole file is one message, with its newlines", async () => {
  const text = LINES.join("\n");
  const { frames, ...counts } = JSON.parse(await done(["pack", NANO, "-", "--json"], text));
  expect(counts).toEqual({ messages: 1, bytes: Buffer.byteLength(text), packedBytes: expect.any(Number) });
  const frame = Buffer.from(frames[0], "base64");
  expect(frame.length).toBe(counts.packedBytes);
  expect(await done(["unpack", NANO], frame)).toBe(text);
});

test("a text of any length is an archive, and comes back from another build; what is none is refused", async () => {
  const text = `${LINES.join("\n")}\n`.repeat(300);
  const file = join(place, "long");
  await writeFile(file, text);
  const counts = JSON.parse(await done(["pack", NANO, file, "--archive", "--json"]));
  expect(counts).toEqual({ bytes: Buffer.byteLength(text), packedBytes: expect.any(Number) });
  const archive = execFileSync(process.execPath, [saffu.main, "pack", NANO, file, "--archive"], {
    maxBuffer: 1e8,
  });
  expect(archive.length).toBe(counts.packedBytes);
  expect(archive.length).toBeLessThan(text.length / 20);
  expect(await done(["unpack", NANO, "--archive", "--build", "scalar"], archive)).toBe(text);
  expect(JSON.parse(await done(["unpack", NANO, "--archive", "--json"], archive))).toEqual(counts);
  const { run } = saffu;
  expect(await run(["unpack", NANO, "--archive", "--json"], text)).toMatchObject({ code: 4 });
  expect(await run(["unpack", "potato-en", "--archive"], archive)).toEqual(
    failure(4, "INVALID_MESSAGE", "another model"),
  );
  for (const words of [["--lines"], ["--max-bytes", "5"], ["--checksum", "1"]]) {
    expect(await run(["pack", NANO, "--archive", ...words], "x")).toEqual(failure(2, "INVALID_OPTION", words[0]!));
  }
});

test("a checksum stands behind each line, and a damaged line is named", async () => {
  const packed = await done(["pack", NANO, "--lines", "--checksum", "2"], LINES.join("\n"));
  expect(await done(["unpack", NANO, "--lines", "--checksum", "2"], packed)).toBe(`${LINES.join("\n")}\n`);
  const frames = packed
    .trimEnd()
    .split("\n")
    .map((line) => Buffer.from(line, "base64"));
  frames[2]![0]! ^= 1;
  const damaged = frames.map((frame) => frame.toString("base64")).join("\n");
  expect(await saffu.run(["unpack", NANO, "--lines", "--json", "--checksum", "2"], damaged)).toMatchObject({ code: 4 });
});

test("what is no frame is refused by its line, and what is too long by its bound", async () => {
  const run = saffu.run;
  expect(await run(["unpack", NANO, "--lines", "--json"], "\nnot base64\n")).toMatchObject({ code: 4, out: "" });
  expect(await run(["unpack", NANO, "--lines"], "!\n")).toEqual(failure(4, "INVALID_MESSAGE", "line 1", "base64"));
  const long = Buffer.from(Uint8Array.of(255, ...Array.from({ length: 20 }, () => 1))).toString("base64");
  expect(await run(["unpack", NANO, "--lines", "--max-bytes", "19"], long)).toEqual(
    failure(4, "INVALID_MESSAGE", "line 1", "19 bytes"),
  );
  expect(await run(["pack", NANO, "--max-bytes", "3"], "four")).toEqual(failure(4, "INVALID_TEXT", "3 bytes", "4"));
  expect(await run(["pack", NANO, "--max-bytes", "-1"], "x")).toEqual(failure(2, "INVALID_OPTION", "--max-bytes"));
  expect(await run(["unpack", NANO, join(place, "none")])).toEqual(failure(4, "INVALID_TEXT", "none cannot be read"));
});
