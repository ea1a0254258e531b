/** Who may read a model, and where its files really are: a save changes neither. */
import { execFileSync } from "node:child_process";
import {
  chmod,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { assertWritable } from "../host/cli/writable.ts";
import { replaceFile } from "../host/files/directory-node.ts";
import { STATISTICS } from "../host/files/statistics.ts";
import { load, type Model, save } from "../host/index.ts";
import { commandIn, failure } from "./cli-fixture.ts";
import { refusal } from "./model-fixture.ts";

const NANO = "models/nano-en";
const { run } = commandIn("build/test-permissions");

let home: string;
let place: string;
let directory: string;
let statistics: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
  directory = join(place, "model");
  statistics = join(directory, STATISTICS);
  await cp(NANO, directory, { recursive: true });
});

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

async function learned(): Promise<Model> {
  const model = await load(directory);
  await model.observe("it was the best of times");
  return model;
}

describe.skipIf(process.platform === "win32")("permissions are kept", () => {
  test.each([0o600, 0o640, 0o664, 0o644])("of statistics that are replaced: %o", async (mode) => {
    const model = await learned();
    await model.save(directory);
    await chmod(statistics, mode);
    await model.observe("it was the worst of times");
    await model.save(directory);
    expect(await modeOf(statistics)).toBe(mode.toString(8));
    expect((await run(["observe", directory, "-"], "and so on")).code).toBe(0);
    expect(await modeOf(statistics)).toBe(mode.toString(8));
    expect((await run(["refit", directory, "--out", directory])).code).toBe(0);
    expect(await modeOf(statistics)).toBe(mode.toString(8));
  });

  test("of the model, for the first statistics beside it", async () => {
    await chmod(join(directory, "config.json"), 0o600);
    await (await learned()).save(directory);
    expect(await modeOf(statistics)).toBe("600");
  });

  test("of a directory and its files when a model is replaced as a whole", async () => {
    const { files } = await learned();
    await chmod(directory, 0o700);
    await chmod(join(directory, "model.safetensors"), 0o600);
    await save(directory, files);
    expect(await modeOf(directory)).toBe("700");
    expect(await modeOf(join(directory, "model.safetensors"))).toBe("600");
    expect(await modeOf(join(directory, "tokenizer.json"))).toBe(await modeOf(join(NANO, "tokenizer.json")));
  });

  test("of an empty directory that a model is written to", async () => {
    const empty = join(place, "empty");
    await mkdir(empty, 0o700);
    await save(empty, (await learned()).files);
    expect(await modeOf(empty)).toBe("700");
  });

  test("of a module that is compiled anew", async () => {
    const out = join(place, "nano.wasm");
    const compile = ["compile", directory, "--target", "wasm", "--out", out];
    expect((await run(compile)).code).toBe(0);
    await chmod(out, 0o600);
    expect((await run(compile)).code).toBe(0);
    expect(await modeOf(out)).toBe("600");
  });
});

describe.skipIf(process.platform === "win32")("links", () => {
  test.each<[string, (to: string, from: string) => Promise<void>, string]>([
    ["a symbolic link", symlink, "symbolic link"],
    ["a file of two names", link, "hard links"],
  ])(
    "statistics that are %s are refused by name, before any work and at the save, and stay",
    async (_what, make, named) => {
      const model = await learned();
      await model.save(directory);
      const elsewhere = join(place, "elsewhere.safetensors");
      await rename(statistics, elsewhere);
      await make(elsewhere, statistics);
      const before = await readFile(elsewhere);
      const other = await load(directory);
      await other.observe("it was the worst of times");
      await expect(other.save(directory)).rejects.toThrow(refusal("UNWRITABLE", statistics, named));
      expect(await run(["observe", directory, "-"], "more")).toEqual(failure(5, "UNWRITABLE", statistics, named));
      expect(await readFile(elsewhere)).toEqual(before);
      expect(await readFile(statistics)).toEqual(before);
    },
  );

  test("a directory that is one is followed", async () => {
    const name = join(place, "link");
    await symlink(directory, name);
    await (await learned()).save(name);
    expect((await (await load(directory)).statistics()).observedTokens).toBeGreaterThan(0);
  });

  test.each(["a pipe", "a link to a pipe"])("%s is no file to be replaced, and stays what it is", async (what) => {
    const [pipe, path] = [join(place, "pipe"), join(place, what)];
    execFileSync("mkfifo", [pipe]);
    await (what === "a pipe" ? rename : symlink)(pipe, path);
    const names = await readdir(place);
    await expect(replaceFile([path, new Uint8Array(3)])).rejects.toThrow(refusal("UNWRITABLE", path, "EFTYPE"));
    const commands = [
      ["export", directory, "--onnx", path],
      ["compile", directory, "--target", "wasm", "--out", path],
    ];
    for (const command of commands) expect(await run(command)).toEqual(failure(5, "UNWRITABLE", path, "EFTYPE"));
    expect((await stat(path)).isFIFO()).toBe(true);
    expect(await readdir(place)).toEqual(names);
  });

  test("a device is refused before the work: root could put a file in place of the machine's own", async () => {
    await expect(assertWritable("/dev/null")).rejects.toThrow(refusal("UNWRITABLE", "/dev/null", "EFTYPE"));
  });

  test("a file that is replaced is followed", async () => {
    const [file, name] = [join(place, "file"), join(place, "name")];
    await writeFile(file, "old");
    await symlink(file, name);
    await replaceFile([name, new TextEncoder().encode("new")]);
    expect(await readFile(file, "utf8")).toBe("new");
  });
});
