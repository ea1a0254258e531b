/** A clone has the bytes that were committed, whatever its owner's git does to line ends: models load, and modules built ahead are found. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "../host/index.ts";
import { refusal } from "./model-fixture.ts";
import { needs, onPath } from "./needs.ts";

needs("git, and a checkout of it", onPath("git") && existsSync(".git"))("a clone with core.autocrlf=true", () => {
  let folder: string;
  let clone: string;
  let names: string[];
  const git = (cwd: string, ...words: string[]) => {
    const settings = ["user.name=test", "user.email=test@example.org", "commit.gpgsign=false"];
    const all = [...settings.flatMap((setting) => ["-c", setting]), ...words];
    return execFileSync("git", all, { cwd, encoding: "utf8", stdio: "pipe", maxBuffer: 1 << 28 });
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "saffu-clone-"));
    const origin = join(folder, "origin");
    clone = join(folder, "clone");
    // the files as they stand here, committed or not
    names = git(".", "ls-files", "-z")
      .split("\0")
      .filter((name) => name !== "" && existsSync(name));
    for (const name of names) await cp(name, join(origin, name));
    git(origin, "init", "--quiet");
    git(origin, "add", "--all", "--force");
    git(origin, "commit", "--quiet", "--message", "all");
    git(folder, "-c", "core.autocrlf=true", "clone", "--quiet", "--config", "core.autocrlf=true", origin, clone);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("turns line ends where nothing says otherwise, and a model is refused then: what follows can fail", async () => {
    const origin = join(folder, "origin");
    const plain = join(folder, "plain");
    git(origin, "checkout", "--quiet", "-b", "plain");
    git(origin, "rm", "--quiet", ".gitattributes");
    git(origin, "commit", "--quiet", "--message", "without attributes");
    git(folder, "-c", "core.autocrlf=true", "clone", "--quiet", origin, plain);
    expect(await readFile(join(plain, "models/nano-en/tokenizer.json"), "utf8")).toContain("\r\n");
    await expect(load(join(plain, "models/nano-en"))).rejects.toThrow(refusal("MODEL_DIGEST", "tokenizer.json"));
  });

  test("has every file to the byte", async () => {
    const differs = [];
    for (const name of names) {
      if (!(await readFile(name)).equals(await readFile(join(clone, name)))) differs.push(name);
    }
    expect(names.length).toBeGreaterThan(300);
    expect(differs).toEqual([]);
  });

  test.each(["nano-en", "micro-en", "potato-en", "potato-en-tuned", "base-en", "messages-en", "messages-nano"])(
    "loads %s",
    async (name) => {
      const model = await load(join(clone, "models", name));
      expect(model.score("It was").bits).toBe((await load(join("models", name))).score("It was").bits);
      expect(model.files.get("README.md")).toEqual(new Uint8Array(await readFile(join("models", name, "README.md"))));
    },
  );
});
