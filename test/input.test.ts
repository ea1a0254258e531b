/** What can be read but once is read in a stream, and again to the byte, whatever its length. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { openTexts } from "../host/cli/input.ts";
import { refusal } from "./model-fixture.ts";

let home: string;
let place: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "saffu-input-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => {
  place = mkdtempSync(join(home, "case-"));
  execFileSync("mkfifo", [join(place, "pipe")]);
});

const WRITER = `
  const { createHash } = require("node:crypto");
  const lines = Buffer.from(Array.from({ length: 1000 }, (_, i) => "line " + i + " of a text that comes through a pipe\\n").join(""));
  const out = require("node:fs").openSync(process.argv[1], "w");
  const hash = createHash("sha256");
  for (let left = Number(process.argv[2]); left > 0; left -= lines.length) {
    const part = lines.subarray(0, left);
    hash.update(part);
    for (let at = 0; at < part.length; ) at += require("node:fs").writeSync(out, part, at);
  }
  console.log(hash.digest("hex"));`;

/** Writes so many bytes into a pipe from another process; resolves to their digest. */
function written(path: string, bytes: number): Promise<string> {
  const child = spawn(process.execPath, ["-e", WRITER, path, String(bytes)]);
  return new Promise((resolve) => child.stdout.once("data", (digest) => resolve(String(digest).trim())));
}

/** The digest of a text's chunks, how many bytes had come by the first chunk, and in all. */
async function digestOf(chunks: AsyncIterable<Uint8Array>): Promise<{ digest: string; first: number; bytes: number }> {
  const hash = createHash("sha256");
  let [first, bytes] = [0, 0];
  for await (const chunk of chunks) {
    hash.update(chunk);
    first ||= chunk.length;
    bytes += chunk.length;
  }
  return { digest: hash.digest("hex"), first, bytes };
}

test.each([
  ["fits in memory", 1_000_000],
  ["does not", 40_000_003],
])("a text from a pipe that %s comes in parts, twice the same, and leaves no file", async (_what, bytes) => {
  const temporary = join(place, "tmp");
  mkdirSync(temporary);
  vi.stubEnv("TMPDIR", temporary);
  try {
    const path = join(place, "pipe");
    const input = await openTexts([path], new AbortController().signal);
    const digest = written(path, bytes);
    const once = await digestOf(input.chunks(true));
    expect(once.first).toBeLessThan(bytes); // it is not waited for as a whole
    expect(once).toMatchObject({ digest: await digest, bytes });
    expect(readdirSync(temporary)).toEqual([]); // the file has no name while it is there
    for (let again = 0; again < 2; ++again) {
      expect(await digestOf(input.chunks(true))).toMatchObject({ digest: once.digest, bytes });
    }
  } finally {
    vi.unstubAllEnvs();
  }
});

test("where no temporary file can be written, the error names its folder", async () => {
  vi.stubEnv("TMPDIR", join(place, "nowhere"));
  try {
    const path = join(place, "pipe");
    const input = await openTexts([path], new AbortController().signal);
    void written(path, 40_000_000);
    await expect(digestOf(input.chunks(true))).rejects.toEqual(refusal("UNWRITABLE", "nowhere"));
  } finally {
    vi.unstubAllEnvs();
  }
});
