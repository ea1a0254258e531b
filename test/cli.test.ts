/** The command line: what each command prints, how it fails, and that an interrupt leaves nothing half-written. */
import { execFileSync, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { load, save } from "../host/index.ts";
import { randomModel } from "./model-fixture.ts";

const BUNDLES = "build/test-cli";
const COMMANDS = ["fit", "eval", "generate", "info"];
/** English enough to fit a few bytes' statistics on. */
const TEXT = Array.from(
  { length: 400 },
  (_, i) => `Line ${i * 7}: the quick brown fox jumps over dog ${i % 13}.\n`,
).join("");

let home: string;
let model: string;
let text: string;
let place: string;

beforeAll(async () => {
  execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", BUNDLES]);
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  model = join(home, "model");
  text = join(home, "text.txt");
  await writeFile(text, TEXT);
  await save(model, await randomModel());
});

beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function start(parameters: readonly string[], stdio: "pipe" | number = "pipe") {
  const child = spawn(process.execPath, [join(BUNDLES, "cli.js"), ...parameters], { stdio: ["pipe", stdio, "pipe"] });
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr!.on("data", (chunk) => {
    err += chunk;
  });
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  return { child, ended };
}

function saffu(parameters: readonly string[], input?: string | Uint8Array): Promise<Ended> {
  const { child, ended } = start(parameters);
  child.stdin!.end(input);
  return ended;
}

/** The one line of a failure. */
const failure = (code: string) => expect.stringMatching(new RegExp(`^saffu: ${code}: [^\\n]+\\n$`));

async function contents(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), "latin1")])),
  );
}

describe("help", () => {
  test.each([[[]], ...COMMANDS.map((name) => [[name]])])(
    "saffu %j --help shows an example and the exit codes",
    async (command) => {
      const { code, out, err } = await saffu([...command, "--help"]);
      expect([code, err]).toEqual([0, ""]);
      if (command.length > 0) expect(out).toMatch(/Example:\n {2}saffu/);
      for (const exit of ["0 done", "130 interrupted"]) expect(out).toContain(exit);
    },
  );

  test("saffu alone shows it, and is no success", async () => {
    const { code, out, err } = await saffu([]);
    expect([code, out]).toEqual([2, ""]);
    for (const command of COMMANDS) expect(err).toContain(command);
  });

  test("--version is that of the package", async () => {
    const { version } = JSON.parse(await readFile("package.json", "utf8"));
    expect(await saffu(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });
});

describe("a wrong command line exits with 2 and one line", () => {
  test.each<[string[], string]>([
    [["fitt"], "unknown command"],
    [["fitt"], "(see saffu --help)"],
    [["help", "fitt"], "unknown command 'fitt' (see saffu --help)"],
    [["info"], "missing required argument 'dir' (see saffu info --help)"],
    [["eval", "DIR"], "missing required argument 'text'"],
    [["fit", "TEXT"], "--out <dir>' not specified (see saffu fit --help)"],
    [["info", "DIR", "--colour"], "--colour"],
    [["generate", "DIR", "--seed", "1.5"], "--seed"],
    [["generate", "DIR", "--max-tokens"], "--max-tokens"],
    [["fit", "TEXT", "--out", "D", "--vocab", "many"], "--vocab"],
    // of a variable that is not set: it would be the directory that the command is run in
    ...["fit TEXT --out", "tune DIR TEXT --out", "tune DIR TEXT --out D --dev", "tune DIR TEXT --out D --checkpoint"]
      .concat("refit DIR --out", "merge DIR S --out", "unmerge DIR S --out", "stats DIR --export")
      .concat("compile DIR --target wasm --out", "export DIR --onnx")
      .map((words): [string[], string] => [[...words.split(" "), ""], `${words.split(" ").at(-1)} `]),
  ])("%j", async (parameters, named) => {
    const { code, out, err } = await saffu(parameters);
    expect({ code, out, err }).toEqual({ code: 2, out: "", err: failure("INVALID_OPTION") });
    expect(err).toContain(named);
    const json = await saffu([...parameters, "--json"]);
    if (!named.includes("max-tokens")) {
      expect([json.code, json.out, JSON.parse(json.err).error.code]).toEqual([2, "", "INVALID_OPTION"]);
    }
  });

  test.each<[string[], string, string]>([
    [["--temperature", "NaN"], "INVALID_OPTION", "not a number"],
    [["--temperature", "-1"], "INVALID_OPTION", "--temperature must be 0 or a number in 0.000001..1000"],
    [["--temperature", ""], "INVALID_OPTION", "not a number"],
    [["--top-p", "0"], "INVALID_OPTION", "--top-p must be"],
    [["--top-k", "-1"], "INVALID_OPTION", "0..65535"],
    [["--seed", "4294967296"], "INVALID_OPTION", "0..4294967295"],
    [["--max-tokens", "0"], "INVALID_OPTION", "--max-tokens must be an integer in 1..1000000"],
    [["--stop", ""], "INVALID_OPTION", "stop"],
    [["--build", "sse"], "INVALID_OPTION", "build"],
  ])("generate %j", async (parameters, code, named) => {
    const ended = await saffu(["generate", model, ...parameters]);
    expect(ended).toEqual({ code: 2, out: "", err: failure(code) });
    expect(ended.err).toContain(named);
  });

  test.each<[string[], string, string]>([
    [["--vocab", "1020"], "INVALID_SHAPE", "--vocab must be a multiple of 8"],
    [["--vocab", "1024", "--bits", "9"], "INVALID_SHAPE", "larger than 9 bits can name"],
    [["--window", "99"], "INVALID_SHAPE", "--window must be in 1..16"],
    [["--weight-bits", "5"], "INVALID_SHAPE", "--weight-bits must be 4 or 8"],
    [["--document-span", "9", "--document-groups", "0"], "INVALID_SHAPE", "left out where --document-groups is 0"],
    [["--profile", "huge"], "INVALID_OPTION", "nano"],
    [["--targets", "none"], "INVALID_OPTION", "responsibility"],
    [["--seed", "-1"], "INVALID_OPTION", "4294967295"],
  ])("fit %j, before any work and with nothing written", async (parameters, code, named) => {
    const ended = await saffu(["fit", text, "--out", join(place, "m"), ...parameters]);
    expect(ended).toEqual({ code: 2, out: "", err: failure(code) });
    expect(ended.err).toContain(named);
    expect(await readdir(place)).toEqual([]);
  });
});

describe("bad model files exit with 3", () => {
  test("missing, truncated, altered, too new", async () => {
    const check = async (code: string, ...named: string[]) => {
      for (const command of [
        ["info", place],
        ["eval", place, text],
        ["generate", place],
      ]) {
        const ended = await saffu(command);
        expect(ended).toEqual({ code: 3, out: "", err: failure(code) });
        for (const name of named) expect(ended.err).toContain(name);
      }
    };
    const write = async (name: string, change: (bytes: Buffer) => Uint8Array | string) =>
      writeFile(join(place, name), change(await readFile(join(model, name))));
    await check("MODEL_MISSING_FILE", join(place, "config.json"));
    for (const name of await readdir(model)) await write(name, (bytes) => bytes);
    await write("model.safetensors", (bytes) => bytes.subarray(0, 1000));
    await check("MODEL_DIGEST", "model.safetensors", "truncated", "1000");
    await write("model.safetensors", (bytes) => bytes.fill(0, 1000, 1010));
    await check("MODEL_DIGEST", "model.safetensors", "sha256");
    await write("config.json", (bytes) => bytes.toString().replace(/"version": [12]/, `"version": 7`));
    await check("MODEL_VERSION", "version 7 found", "1 and 2 are supported");
    const json = await saffu(["info", place, "--json"]);
    expect(JSON.parse(json.err)).toEqual({ error: { code: "MODEL_VERSION", message: expect.stringContaining("7") } });
    expect([json.code, json.out]).toEqual([3, ""]);
  });
});

describe("bad texts exit with 4", () => {
  test.each<[string, () => string[], string]>([
    ["a file that is not there", () => [join(home, "nothing.txt")], "nothing.txt"],
    ["a directory", () => [home], "EISDIR"],
    ["standard input twice", () => ["-", "-"], "twice"],
    ["an empty standard input", () => ["-"], "empty"],
  ])("%s", async (_what, texts, named) => {
    const out = join(place, "m");
    // of nothing there is no model to fit; its score is that of no tokens
    const evals = named === "empty" ? [] : [["eval", model, ...texts()]];
    for (const command of [...evals, ["fit", ...texts(), "--out", out]]) {
      const ended = await saffu(command, "");
      expect(ended).toEqual({ code: 4, out: "", err: failure("INVALID_TEXT") });
      expect(ended.err).toContain(named);
    }
    expect(await readdir(place)).toEqual([]);
  });

  test("not an empty standard input to eval: it has no tokens and no bits", async () => {
    const { code, out, err } = await saffu(["eval", model, "-", "--json"], "");
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toMatchObject({ tokens: 0, bytes: 0, bits: 0, bitsPerByte: 0, perplexity: 1 });
  });

  test("fit on one token", async () => {
    const ended = await saffu(["fit", "-", "--profile", "nano", "--out", join(place, "m")], "a");
    expect(ended).toEqual({ code: 4, out: "", err: failure("INVALID_TEXT") });
    expect(await readdir(place)).toEqual([]);
  });
});

describe("what cannot be written exits with 5", () => {
  test("a directory in the place of a file, before any work", async () => {
    const out = join(text, "m");
    const ended = await saffu(["fit", text, "--out", out]);
    expect(ended).toEqual({ code: 5, out: "", err: failure("UNWRITABLE") });
    expect(ended.err).toContain(`${out} cannot be written: ENOTDIR`);
  });

  test("a directory of other files", async () => {
    await writeFile(join(place, "thesis.txt"), "mine");
    const ended = await saffu(["fit", text, "--out", place]);
    expect(ended).toEqual({ code: 5, out: "", err: failure("UNWRITABLE") });
    expect(await readdir(place)).toEqual(["thesis.txt"]);
  });

  test.runIf(process.platform === "linux")("standard output on a full device", async () => {
    const { child, ended } = start(["info", model], openSync("/dev/full", "w"));
    child.stdin!.end();
    expect(await ended).toEqual({ code: 5, out: "", err: failure("UNWRITABLE") });
  });
});

describe("fit", () => {
  test("says where a text fills no vocabulary of the size that was asked for", async () => {
    const sentence = "she sells sea shells by the sea shore, and the shells she sells are sea shore shells. ";
    const out = join(place, "m");
    const { code, out: printed } = await saffu(["fit", "-", "--out", out, "--passes", "1"], sentence.repeat(60));
    expect(code).toBe(0);
    const { vocabulary } = JSON.parse(await readFile(join(out, "config.json"), "utf8")).shape;
    expect(vocabulary).toBeLessThan(1024);
    expect(printed).toContain(`: ${vocabulary} of 1024 tokens: no further pair of the text's pieces occurs 20 times`);
    const asked = await saffu(["fit", "-", "--out", out, "--passes", "1", "--vocab", "1024"], sentence.repeat(60));
    expect(asked.out).toContain(" of 1024 tokens: no further pair of the text's pieces occurs twice\n");
  });

  test("writes the same bytes for the same seed, from files and from standard input, and reports", async () => {
    const half = TEXT.length / 2;
    const [one, two] = [join(place, "one.txt"), join(place, "two.txt")];
    await writeFile(one, TEXT.slice(0, half));
    await writeFile(two, TEXT.slice(half));
    const options = ["--profile", "nano", "--seed", "3", "--passes", "1"];
    const whole = await saffu(["fit", text, "--out", join(place, "a"), ...options, "--json"]);
    expect([whole.code, whole.err]).toEqual([0, ""]);
    const report = JSON.parse(whole.out);
    expect(report).toMatchObject({ directory: join(place, "a"), tokens: TEXT.length, textBytes: TEXT.length });
    for (const key of ["parameters", "bytes", "weightBytes", "seconds", "phases", "shape"]) {
      expect(report).toHaveProperty(key);
    }
    const piped = await saffu(["fit", one, "-", "--out", join(place, "b"), ...options], TEXT.slice(half));
    expect([piped.code, piped.err]).toEqual([0, ""]);
    expect(piped.out).toContain(join(place, "b"));
    expect(await contents(join(place, "b"))).toEqual(await contents(join(place, "a")));
    // it may replace what it wrote, and another seed gives another model
    const other = await saffu([
      "fit",
      one,
      two,
      "--out",
      join(place, "b"),
      "--profile",
      "nano",
      "--seed",
      "4",
      "--passes",
      "1",
    ]);
    expect(other.code).toBe(0);
    expect(await contents(join(place, "b"))).not.toEqual(await contents(join(place, "a")));
    expect((await load(join(place, "b"))).config.recipe.seed).toBe(4);
    expect((await readdir(place)).sort()).toEqual(["a", "b", "one.txt", "two.txt"]);
  });

  test.each([100, 400, 1200, 2500])("interrupted after %d ms leaves nothing", async (delay) => {
    const long = join(place, "long.txt");
    await writeFile(long, TEXT.repeat(100));
    const { child, ended } = start([
      "fit",
      long,
      "--out",
      join(place, "deep", "m"),
      "--vocab",
      "512",
      "--passes",
      "50",
    ]);
    await new Promise((resolve) => setTimeout(resolve, delay));
    child.kill("SIGINT");
    const { code, out, err } = await ended;
    // before the command has begun to listen, the signal ends the process by itself
    if (code !== null) expect({ code, out, err }).toEqual({ code: 130, out: "", err: failure("ABORTED") });
    if (delay >= 1200) expect(code).toBe(130);
    expect(await readdir(place)).toEqual(["long.txt"]);
  });

  test("interrupted keeps the model that stood there", async () => {
    const before = await contents(model);
    const { child, ended } = start(["fit", text, "--out", model, "--passes", "100"]);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    child.kill("SIGTERM");
    expect(await ended).toEqual({ code: 143, out: "", err: failure("ABORTED") });
    expect(await contents(model)).toEqual(before);
  });
});

test("a model of lines is fitted and scored line by line, unless it is asked for as one text", async () => {
  const out = join(place, "lines");
  const lines = Array.from({ length: 60 }, (_, i) => `pump ${i % 7} is ${i % 2 ? "on" : "off"}\n`).join("");
  const fit = ["fit", "-", "--out", out, "--profile", "nano", "--passes", "1"];
  const refused = await saffu([...fit, "--boundary", "line"], lines);
  expect(refused).toEqual({ code: 2, out: "", err: failure("INVALID_OPTION") });
  expect(refused.err).toContain(`--boundary must be "newline" or "none", got "line"`);
  expect(await saffu([...fit, "--boundary", "newline"], "no end")).toMatchObject({ err: failure("INVALID_TEXT") });
  expect((await saffu([...fit, "--boundary", "newline"], lines)).code).toBe(0);
  const loaded = await load(out);
  const bits = async (...more: string[]) =>
    JSON.parse((await saffu(["eval", out, "-", "--json", ...more], lines)).out).bits;
  const alone = lines.match(/.*\n/g)!.reduce((sum, line) => sum + loaded.score(line).bits, 0);
  expect(await bits()).toBeCloseTo(alone, 6);
  expect(await bits("--boundary", "newline")).toBeCloseTo(alone, 6);
  expect(await bits("--boundary", "none")).toBe(loaded.score(lines, { boundary: "none" }).bits);
});

describe("eval", () => {
  test("prints the figures of the texts together", async () => {
    const loaded = await load(model);
    const { surprisal, ...totals } = loaded.score(TEXT + TEXT);
    expect(surprisal.length).toBe(2 * TEXT.length);
    const ended = await saffu(["eval", model, text, "-", "--json"], TEXT);
    expect([ended.code, ended.err]).toEqual([0, ""]);
    expect(JSON.parse(ended.out)).toEqual({ ...totals, tokensPerSecond: expect.any(Number) });
    const scalar = await saffu(["eval", model, text, text, "--json", "--build", "scalar"]);
    expect(JSON.parse(scalar.out)).toMatchObject(totals);
  });

  test("prints one line for people", async () => {
    const { code, out } = await saffu(["eval", model, text]);
    expect(code).toBe(0);
    expect(out).toMatch(/^[\d.]+ bits per byte, perplexity [\d.]+ \(\d+ tokens, \d+ bytes, \d+ tokens\/s\)\n$/);
  });

  test("takes bytes that are not UTF-8", async () => {
    const { code, out } = await saffu(["eval", model, "-", "--json"], Uint8Array.of(0xff, 0x80, 0, 0xc3));
    expect([code, JSON.parse(out).bytes]).toEqual([0, 4]);
  });

  test("can be interrupted while it waits for input", async () => {
    const { child, ended } = start(["eval", model, "-"]);
    child.stdin!.write("and then");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill("SIGINT");
    expect(await ended).toEqual({ code: 130, out: "", err: failure("ABORTED") });
  });
});

describe("generate", () => {
  test("prints what the library generates", async () => {
    const loaded = await load(model);
    let wanted = "";
    const options = { maxTokens: 40, temperature: 1.2, topK: 50, topP: 0.9, seed: 7, stop: ["zz", "\n\n"] };
    for await (const piece of loaded.generate("Line 7", options)) wanted += piece;
    const parameters = ["--prompt", "Line 7", "--max-tokens", "40", "--temperature", "1.2", "--top-k", "50"];
    parameters.push("--top-p", "0.9", "--seed", "7", "--stop", "zz", "--stop", "\n\n");
    expect(await saffu(["generate", model, ...parameters])).toEqual({ code: 0, out: `${wanted}\n`, err: "" });
    const json = await saffu(["generate", model, ...parameters, "--json"]);
    expect(JSON.parse(json.out)).toEqual({
      text: wanted,
      tokens: expect.any(Number),
      tokensPerSecond: expect.any(Number),
      loadMs: expect.any(Number),
      firstTokenMs: expect.any(Number),
    });
  });

  test("streams as it samples, and stops on an interrupt", async () => {
    const { child, ended } = start(["generate", model, "--max-tokens", "1000000"]);
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    child.kill("SIGINT");
    const { code, out, err } = await ended;
    expect({ code, err }).toEqual({ code: 130, err: failure("ABORTED") });
    expect(out.length).toBeGreaterThan(0);
  });

  test("is quiet when nobody reads on", async () => {
    const { child, ended } = start(["generate", model, "--max-tokens", "1000000"]);
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    child.stdout!.destroy();
    const { code, err } = await ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });
});

describe("info", () => {
  test("tells what the library tells", async () => {
    const wanted = (await load(model)).info();
    const { code, out, err } = await saffu(["info", model, "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(wanted)));
    const rows = (await saffu(["info", model])).out;
    expect(rows).toContain(`${wanted.parameters}`);
    for (const [name, { bytes, sha256 }] of Object.entries(wanted.files)) {
      expect(rows).toContain(`${bytes} bytes, sha256 ${sha256}`);
      expect(rows).toContain(name);
    }
  });
});

test("no progress bar where standard error is no terminal, however long it takes", async () => {
  const { child, ended } = start(["eval", model, "-"]);
  child.stdin!.write(TEXT);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  child.stdin!.end(TEXT);
  expect((await ended).err).toBe("");
});
