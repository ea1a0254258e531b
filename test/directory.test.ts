/** Model directories: they appear whole or not at all, replace only models, and leave nothing behind when they fail. */
import { execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ModelFiles, withConfig } from "../host/files/config.ts";
import { assertWritable } from "../host/files/directory-node.ts";
import { load, save } from "../host/index.ts";
import { randomModel, refusal, SHAPE } from "./model-fixture.ts";

let files: ModelFiles;
let place: string;
let model: string;

beforeAll(async () => {
  files = await randomModel();
});

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "saffu-test-"));
  model = join(place, "model");
});

afterEach(async () => {
  await rm(place, { recursive: true, force: true });
});

async function contents(directory: string): Promise<Map<string, Uint8Array>> {
  const names = (await readdir(directory)).sort();
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, new Uint8Array(await readFile(join(directory, name)))] as const),
    ),
  );
}

describe("a model is written", () => {
  test("and read again, with the same bytes, by path and by URL", async () => {
    await save(model, files);
    expect(await contents(model)).toEqual(files);
    expect(await readdir(place)).toEqual(["model"]);
    expect((await load(model)).files).toEqual(files);
    expect((await load(pathToFileURL(model))).files).toEqual(files);
    expect((await load(String(pathToFileURL(model)))).files).toEqual(files);
  });

  test("by the model itself", async () => {
    const loaded = await load(files);
    await loaded.save(model);
    expect(await contents(model)).toEqual(files);
  });

  test("below directories that are not there yet", async () => {
    const deep = join(place, "a", "b", "model");
    await save(deep, files);
    expect(await contents(deep)).toEqual(files);
  });

  test("in place of an empty directory", async () => {
    await mkdir(model);
    await save(model, files);
    expect(await contents(model)).toEqual(files);
  });

  test("in place of another model, even a broken one", async () => {
    await save(model, await withConfig(new Map([...files, ["statistics.safetensors", new Uint8Array(3)]]), SHAPE, {}));
    await rm(join(model, "kernel.simd.wasm"));
    await save(model, files);
    expect(await contents(model)).toEqual(files);
    expect(await readdir(place)).toEqual(["model"]);
  });

  test("through a link, where the link points to", async () => {
    await save(model, files);
    await symlink(model, join(place, "link"));
    await save(join(place, "link"), new Map([...files].filter(([name]) => name !== "README.md")));
    expect((await readdir(place)).sort()).toEqual(["link", "model"]);
    expect([...(await contents(model)).keys()]).not.toContain("README.md");
  });
});

describe("what is not a model is left alone", () => {
  test("a directory of other files", async () => {
    await mkdir(model);
    await writeFile(join(model, "thesis.txt"), "years of work");
    await expect(save(model, files)).rejects.toThrow(refusal("UNWRITABLE", model, "EEXIST"));
    await expect(assertWritable(model)).rejects.toThrow(refusal("UNWRITABLE", model, "EEXIST"));
    expect(await readFile(join(model, "thesis.txt"), "utf8")).toBe("years of work");
    expect(await readdir(place)).toEqual(["model"]);
  });

  test("a model directory that holds a file of someone's own", async () => {
    await save(model, files);
    await writeFile(join(model, "notes.txt"), "mine");
    await expect(save(model, files)).rejects.toThrow(refusal("UNWRITABLE", model, "notes.txt"));
    expect(await readFile(join(model, "notes.txt"), "utf8")).toBe("mine");
  });

  test("a directory with some other program's config.json", async () => {
    await mkdir(model);
    await writeFile(join(model, "config.json"), `{"format":"pt"}`);
    await expect(save(model, files)).rejects.toThrow(refusal("UNWRITABLE", model));
    expect(await readdir(model)).toEqual(["config.json"]);
  });

  test("a file, and a path through a file", async () => {
    await writeFile(model, "a file");
    await expect(save(model, files)).rejects.toThrow(refusal("UNWRITABLE", model, "ENOTDIR"));
    const through = join(model, "sub");
    await expect(save(through, files)).rejects.toThrow(refusal("UNWRITABLE", through, "ENOTDIR"));
    await expect(assertWritable(through)).rejects.toThrow(refusal("UNWRITABLE", through, "ENOTDIR"));
    expect(await readFile(model, "utf8")).toBe("a file");
    expect(await readdir(place)).toEqual(["model"]);
  });
});

describe("a failure leaves nothing", () => {
  test("a name that the file system refuses", async () => {
    const long = join(place, "new", "n".repeat(300));
    await expect(save(long, files)).rejects.toThrow(refusal("UNWRITABLE", place.slice(0, 20), "ENAMETOOLONG"));
    expect(await readdir(place)).toEqual([]);
  });

  test("an abort before, or between files", async () => {
    await expect(save(model, files, { signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
    const controller = new AbortController();
    const slow = new Map(files);
    slow[Symbol.iterator] = function* () {
      for (const [i, entry] of [...files].entries()) {
        if (i === 2) controller.abort();
        yield entry;
      }
      return undefined;
    } as never;
    const deep = join(place, "parent", "model");
    await expect(save(deep, slow, { signal: controller.signal })).rejects.toThrow(refusal("ABORTED"));
    expect(await readdir(place)).toEqual([]);
  });

  test("the model that stood there still stands", async () => {
    await save(model, files);
    await expect(save(model, new Map(), { signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
    const broken = new Map([...files, ["no/such/place", new Uint8Array(1)]]);
    await expect(save(model, broken)).rejects.toThrow(refusal("INVALID_OPTION", "no/such/place"));
    expect(await contents(model)).toEqual(files);
    expect(await readdir(place)).toEqual(["model"]);
  });

  test("a check whether a model could be written", async () => {
    await assertWritable(join(place, "a", "b"));
    expect(await readdir(place)).toEqual([]);
    await save(model, files);
    await assertWritable(model);
    expect(await contents(model)).toEqual(files);
  });

  /** Runs `body` on a file system of its own, where this process may mount one. */
  const mounted = (options: string, body: () => Promise<void>) => async (context: { skip: (note: string) => void }) => {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", place], { stdio: "ignore" });
    } catch {
      context.skip("mounting needs privileges");
      return;
    }
    try {
      await body();
    } finally {
      execFileSync("umount", [place]);
    }
  };

  test(
    "a full disk",
    mounted("size=16k", async () => {
      await expect(save(model, files)).rejects.toThrow(refusal("UNWRITABLE", model, "ENOSPC"));
      expect(await readdir(place)).toEqual([]);
    }),
  );

  test(
    "a read-only file system",
    mounted("ro", async () => {
      await expect(save(model, files)).rejects.toThrow(refusal("UNWRITABLE", model, "EROFS"));
      await expect(assertWritable(model)).rejects.toThrow(refusal("UNWRITABLE", model, "EROFS"));
    }),
  );
});

describe("a directory is read", () => {
  test("beside what a killed writer left", async () => {
    await mkdir(join(place, ".model.0123456789ab.tmp"));
    await writeFile(join(place, ".model.0123456789ab.tmp", "config.json"), "{");
    await save(model, files);
    expect((await load(model)).files).toEqual(files);
  });

  test("or refused by name: no directory, a file for a directory, a directory for a file", async () => {
    await expect(load(model)).rejects.toThrow(refusal("MODEL_MISSING_FILE", join(model, "config.json"), "missing"));
    await writeFile(model, "");
    await expect(load(model)).rejects.toThrow(refusal("MODEL_MISSING_FILE", join(model, "config.json"), "ENOTDIR"));
    await rm(model);
    await save(model, files);
    await rm(join(model, "tokenizer.json"));
    await expect(load(model)).rejects.toThrow(refusal("MODEL_MISSING_FILE", join(model, "tokenizer.json"), "missing"));
    await mkdir(join(model, "tokenizer.json"));
    await expect(load(model)).rejects.toThrow(refusal("MODEL_MISSING_FILE", join(model, "tokenizer.json"), "EISDIR"));
  });

  test("without waiting where it is aborted", async () => {
    await save(model, files);
    await expect(load(model, { signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
  });
});

test("a writer killed at any moment leaves a whole model, old or new", async () => {
  await save(model, files);
  const other = new Map([...files].filter(([name]) => name !== "README.md"));
  const written = join(place, "other");
  await save(written, other);
  // replaces the model again and again, with one version and the other, until it is killed
  const program = `
    import { load, save } from ${JSON.stringify(pathToFileURL("host/index.ts").href)};
    const versions = [await load(${JSON.stringify(model)}), await load(${JSON.stringify(model)})];
    console.log("ready");
    for (let i = 0; ; ++i) await save(${JSON.stringify(model)}, versions[i % 2].files);
  `;
  for (const delay of [3, 11, 29]) {
    const writer = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program]);
    await new Promise((resolve) => writer.stdout.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, delay));
    const gone = new Promise((resolve) => writer.once("exit", resolve));
    writer.kill("SIGKILL");
    await gone;
    // between the two renames of a replacement its place is empty; the old model then stands beside it, whole
    const names = (await readdir(place)).filter((name) => name !== "other");
    const whole = await Promise.all(
      names.map((name) =>
        load(join(place, name)).then(
          () => name,
          () => undefined,
        ),
      ),
    );
    if (names.includes("model")) expect(whole).toContain("model");
    else expect(whole.filter((name) => name !== undefined)).not.toEqual([]);
    if (!names.includes("model")) break;
  }
});
