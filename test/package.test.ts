/**
 * What a dependant gets: one package and no other, whole, in the promised size; a profile is fitted with no compiler; models go by
 * name; bundlers build it.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failure } from "./cli-fixture.ts";
import { codeOf, node, npm, packed, projectWith } from "./package-fixture.ts";

const { peerDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const INSTALL = `npm install assemblyscript@${peerDependencies.assemblyscript}`;

let home: string;
let project: string;
const saffu = (...words: string[]) => node(project, join("node_modules", "saffu", "dist", "cli.js"), ...words);
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-package-"));
  project = join(home, "project");
  await projectWith(project, await packed(home));
  await cp("examples/gateway/gateway.log", join(project, "gateway.log"));
  const text = readFileSync("LICENSE", "utf8");
  for (const name of ["book.txt", "notes.txt", "chapter.txt"]) await writeFile(join(project, name), text);
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** Runs a module of the project, which must end well, and returns what it prints. */
async function run(code: string): Promise<string> {
  await writeFile(join(project, "run.mjs"), code);
  const ended = await node(project, "run.mjs");
  expect(ended).toMatchObject({ code: 0, err: "" });
  return ended.out;
}

/** Bytes of all files below a folder. */
function bytesIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

describe("installed", () => {
  test("it is exactly one package, and has the licences of what is inside it", () => {
    const lock = JSON.parse(readFileSync(join(project, "node_modules", ".package-lock.json"), "utf8"));
    const folders = readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."));
    const bytes = bytesIn(join(project, "node_modules"));
    console.log(`a dependant has ${folders.length} package, ${bytes} bytes in node_modules`);
    expect([Object.keys(lock.packages), folders]).toEqual([["node_modules/saffu"], ["saffu"]]);
    const licences = readFileSync(join(project, "node_modules/saffu/dist/LICENSES.txt"), "utf8");
    for (const inside of ["commander", "cli-progress", "string-width"]) expect(licences).toContain(`\n${inside} `);
  });

  test("what only a checkout needs stays there", () => {
    const root = join(project, "node_modules", "saffu");
    const files = readdirSync(root, { recursive: true, encoding: "utf8" });
    expect(readdirSync(join(root, "models")).sort()).toEqual(["messages-en", "messages-nano", "nano-en", "potato-en"]);
    expect(files.filter((name) => /__tests__|evidence|base-en|\.map$|^(host|test|tools)\b/.test(name))).toEqual([]);
  });

  test("the README's example runs as it is pasted", async () => {
    const [example] = await codeOf("README.md", "js", "## Use it");
    const [printed] = await codeOf("README.md", "text", "## Use it");
    expect(await run(example!)).toBe(printed);
  });

  test("the README's commands run as they are pasted", async () => {
    const [watching, commands] = await codeOf("README.md", "sh", "## Use it");
    const [, , ...words] = watching!.trim().split(" ");
    const { code, out } = await saffu(...words);
    const alarms = out.trim().split("\n");
    expect([code, alarms.length > 2, JSON.parse(alarms[0]!).alarm]).toEqual([0, true, "begin"]);
    const lines = commands!.trim().split("\n");
    expect(lines.length).toBe(5);
    const [piped] = lines.splice(4);
    const { status, stdout } = spawnSync("sh", ["-c", piped!], { cwd: project, encoding: "utf8" });
    expect([status, Buffer.from(stdout, "base64").length]).toEqual([0, 10]); // as the page says
    for (const line of lines) {
      const words = line.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', ""));
      expect(words.slice(0, 2)).toEqual(["npx", "saffu"]);
      expect(await saffu(...words.slice(2))).toMatchObject({ code: 0, err: "" });
    }
    expect(readdirSync(join(project, "node_modules", ".bin"))).toContain("saffu");
  });

  test("loads, scores, learns, forgets to the last bit and saves", async () => {
    const out = await run(`
      import { load } from "saffu";
      const model = await load("nano-en");
      const before = model.score("It was").bits;
      await model.observe("Sea shells. ".repeat(50));
      await model.refit({ pseudoCounts: 100 });
      const learned = model.score("Sea shells.").bits;
      await model.save("mine");
      const mine = await load("./mine");
      await mine.forget("Sea shells. ".repeat(50));
      await mine.refit();
      console.log(JSON.stringify([before === mine.score("It was").bits, learned < mine.score("Sea shells.").bits]));`);
    expect(JSON.parse(out)).toEqual([true, true]);
  });

  test("a profile is fitted, and tuned, without a compiler", async () => {
    const fitted = await saffu("fit", "book.txt", "--out", "models/nano", "--profile", "nano", "--json");
    expect(fitted).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(fitted.out).phases.compile).toBeLessThan(0.5); // a compiler takes seconds
    const one = await saffu("fit", "book.txt", "--out", "models/one", "--profile", "nano", "--threads", "0");
    expect(one).toMatchObject({ code: 0, err: "" });
    const weights = await Promise.all(
      ["nano", "one"].map((name) => readFile(join(project, "models", name, "model.safetensors"), "hex")),
    );
    expect(weights[0]).toBe(weights[1]);
    expect(await saffu("tune", "models/nano", "book.txt", "--out", "models/tuned")).toMatchObject({ code: 0, err: "" });
    const packaged = await saffu("compile", "nano-en", "--target", "wasm", "--out", "nano.wasm");
    expect(packaged).toMatchObject({ code: 0, err: "" });
  });

  test("a log of few words is fitted without one, too: its vocabulary is one that modules are built ahead for", async () => {
    const fitted = await saffu("fit", "gateway.log", "--out", "models/log", "--json");
    expect(fitted).toMatchObject({ code: 0, err: "" });
    const { shape } = JSON.parse((await saffu("info", "models/log", "--json")).out);
    expect(shape).toMatchObject({ vocabulary: 384, bits: 384, groups: 14 });
  });

  test("where the compiler is needed, one line says what to install", async () => {
    const short = await saffu("fit", "book.txt", "--out", "models/short", "--profile", "base");
    expect(short).toEqual(failure(6, "UNSUPPORTED", INSTALL, "nano, micro, potato, base", "fills its vocabulary"));
    const other = await saffu("fit", "book.txt", "--out", "models/other", "--profile", "nano", "--groups", "3");
    expect(other).toEqual(failure(6, "UNSUPPORTED", INSTALL));
    const packaged = await saffu("compile", "potato-en", "--target", "flash", "--out", "potato.wasm");
    expect(packaged).toEqual(failure(6, "UNSUPPORTED", INSTALL));
  });
});

describe("models by name", () => {
  test("an unknown name's error has the names that exist", async () => {
    const ended = await saffu("info", "potato-de");
    expect(ended).toEqual(failure(3, "MODEL_MISSING_FILE", '"potato-de"', "nano-en, potato-en"));
  });

  test("a path is no name, and names a file that is missing", async () => {
    expect(await saffu("info", "./nano-en")).toEqual(failure(3, "MODEL_MISSING_FILE", "config.json is missing"));
  });

  test("a directory goes before a name, and learning makes one of that name: the package stays as it is", async () => {
    const shipped = join(project, "node_modules", "saffu", "models", "nano-en");
    const before = readdirSync(shipped);
    expect(await saffu("observe", "nano-en", "notes.txt")).toMatchObject({ code: 0, err: "" });
    expect(readdirSync(shipped)).toEqual(before);
    const tokens = async () => JSON.parse((await saffu("stats", "nano-en", "--json")).out).observedTokens;
    expect(await tokens()).toBe(statSync(join(project, "notes.txt")).size); // a token a byte
    await rm(join(project, "nano-en"), { recursive: true });
    expect(await tokens()).toBe(0);
  });
});

describe("models by address", () => {
  test("saffu/models/NAME/FILE resolves, by import and by require, and its folder loads", async () => {
    const out = await run(`
      import { createRequire } from "node:module";
      import { pathToFileURL } from "node:url";
      import { load } from "saffu";
      for (const name of ["nano-en", "potato-en"]) {
        const file = "saffu/models/" + name + "/config.json";
        const imported = import.meta.resolve(file);
        const required = pathToFileURL(createRequire(import.meta.url).resolve(file)).href;
        const { bits } = (await load(new URL(".", imported))).score("It was");
        console.log(imported === required, bits === (await load(name)).score("It was").bits);
      }`);
    expect(out).toBe("true true\ntrue true\n");
  });

  test("one that a cleaner went over, without its card and with one kernel, is all that commands need", async () => {
    const bare = join(project, "models", "bare");
    await cp(join(project, "node_modules/saffu/models/nano-en"), bare, { recursive: true });
    for (const name of ["README.md", "kernel.scalar.wasm"]) await rm(join(bare, name));
    const info = JSON.parse((await saffu("info", "models/bare", "--json")).out);
    expect([info.build, Object.keys(info.files).sort()]).toEqual([
      "simd",
      ["config.json", "kernel.simd.wasm", "model.safetensors", "tokenizer.json"],
    ]);
    const module = async (model: string) => {
      const ended = await saffu("compile", model, "--target", "wasm", "--out", "module.wasm", "--json");
      expect(ended).toMatchObject({ code: 0, err: "" });
      return JSON.parse(ended.out).digest;
    };
    expect(await module("models/bare")).toBe(await module("nano-en"));
    expect(await saffu("observe", "models/bare", "notes.txt")).toMatchObject({ code: 0, err: "" });
    expect(await saffu("tune", "models/bare", "book.txt", "--out", "models/bare-tuned")).toMatchObject({
      code: 0,
      err: "",
    });
    expect(await saffu("eval", "models/bare-tuned", "book.txt")).toMatchObject({ code: 0, err: "" });
    const scalar = await saffu("eval", "models/bare", "notes.txt", "--build", "scalar");
    expect(scalar).toEqual(failure(3, "MODEL_MISSING_FILE", "kernel.scalar.wasm"));
    const out = await run(`
      import { readdirSync } from "node:fs";
      import { load } from "saffu";
      const model = await load("models/bare");
      await model.save("models/bare-saved");
      const saved = await load("models/bare-saved");
      console.log(readdirSync("models/bare-saved").join(), model.score("It was").bits === saved.score("It was").bits);`);
    expect(out).toBe("config.json,kernel.simd.wasm,model.safetensors,statistics.safetensors,tokenizer.json true\n");
  });
});

describe("in a bundle", () => {
  /** Serves a folder while `use` runs. Its address has to be known before the bundle is built. */
  async function served(folder: string, use: (origin: string) => Promise<void>): Promise<void> {
    const server = createServer(async ({ url }, response) => {
      const bytes = await readFile(join(folder, url!)).catch(() => undefined);
      if (bytes === undefined) response.writeHead(404).end();
      else response.end(bytes);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    try {
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }

  /** Runs the bundle, and compares the bits that it prints with those of the package itself. */
  async function predictsTheSame(bundle: string): Promise<void> {
    const ended = await node(project, bundle);
    expect(ended).toMatchObject({ code: 0, err: "" });
    const code = `import { load } from "saffu"; console.log((await load("nano-en")).score("It was a dark night.").bits);`;
    expect(ended.out).toBe(await run(code));
  }

  test("vite builds the documented page, which predicts the same", async () => {
    const [page] = await codeOf("docs/api.md", "js", "## In a bundle");
    await writeFile(join(project, "page.js"), page!);
    const outDir = join(project, "vite");
    await served(outDir, async (base) => {
      await vite({
        ...{ root: project, base, configFile: false, logLevel: "error" },
        build: {
          ...{ outDir, modulePreload: false },
          rollupOptions: { input: join(project, "page.js"), output: { entryFileNames: "page.js" } },
        },
      });
      await predictsTheSame(join(outDir, "page.js"));
    });
  });

  test("esbuild builds it with the documented loaders", async () => {
    const [page] = await codeOf("docs/api.md", "js", "## In a bundle");
    const [command] = await codeOf("docs/api.md", "sh", "## In a bundle");
    const loaders = Array.from(command!.matchAll(/--loader:(\S+)=(\S+)/g), ([, extension, loader]) => [
      extension,
      loader,
    ]);
    await writeFile(join(project, "plain.js"), page!.replaceAll("?url", ""));
    const outdir = join(project, "esbuild");
    await served(outdir, async (publicPath) => {
      const loader = Object.fromEntries(loaders);
      const entryPoints = [join(project, "plain.js")];
      await esbuild({ entryPoints, outdir, publicPath, loader, bundle: true, format: "esm", logLevel: "error" });
      await predictsTheSame(join(outdir, "plain.js"));
    });
  });

  test.each(["cjs", "esm"] as const)(
    "a bundle for Node (%s) has no compiler in it, nor anything of another package",
    async (format) => {
      const code = `import { fit, load } from "saffu";
      const text = new Uint8Array(1000).fill(65);
      const codes = [load("./node_modules/saffu/models/nano-en"), load("nano-de"), fit(() => [text], { profile: "nano" })];
      Promise.allSettled(codes).then((ended) => console.log(ended.map(({ reason }) => reason?.code ?? "done").join()));`;
      await writeFile(join(project, "node.js"), code);
      const outfile = join(project, "bundle", `node.${format === "cjs" ? "cjs" : "mjs"}`);
      // CommonJS has no await at the top: were there one, this would fail
      const { metafile, warnings } = await esbuild({
        ...{ entryPoints: [join(project, "node.js")], outfile, bundle: true, format, platform: "node" },
        ...{ metafile: true, logLevel: "error", logOverride: { "empty-import-meta": "silent" } },
      });
      expect(warnings).toEqual([]);
      const inputs = Object.keys(metafile.inputs);
      expect(inputs.filter((name) => !/\/project\/(node\.js|node_modules\/saffu\/dist\/.+)$/.test(name))).toEqual([]);
      const external = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
      expect(external.filter((path) => /assemblyscript|binaryen/.test(path))).toEqual([]);
      // away from its files, the code says what it lacks
      const ended = await node(project, outfile);
      expect(ended).toEqual({ code: 0, err: "", out: "done,MODEL_MISSING_FILE,UNSUPPORTED\n" });
    },
  );
});

describe("a checkout that is not built", () => {
  test("is installed by its path without a download, and says what to do", async () => {
    const checkout = join(home, "checkout");
    await mkdir(join(checkout, "tools"), { recursive: true });
    for (const name of ["package.json", "tools/prepare.mjs"]) await cp(name, join(checkout, name));
    const dependant = join(home, "dependant");
    await projectWith(dependant, checkout);
    const ended = await node(dependant, "-e", `import("saffu").catch((error) => console.log(error.message))`);
    expect(ended).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/not built: run npm ci in .*checkout/),
    });
    // such a dist/ is never packed
    await rm(join(checkout, "dist"), { recursive: true });
    expect(() => npm(checkout, "pack", "--dry-run")).toThrow("run npm ci in");
  });
});
