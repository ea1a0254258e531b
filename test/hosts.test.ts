/**
 * Where the package runs: bundled for Node by each bundler, small and without the compiler; by `require` and in Jest; with types for
 * each way in which TypeScript resolves them; on the oldest Node that is allowed, on ARM of 32 and 64 bits, in Deno, Bun and an edge worker, to the bit.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load } from "../host/index.ts";
import { ARM64, ARMV7, BUN, DENO, LATEST, LEAST, ofHosts, type Runtime, S390X, WORKERD } from "../tools/hosts.ts";
import { needs } from "./needs.ts";
import { node, packed, program, projectWith } from "./package-fixture.ts";

const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
const INSTALL = "tools/hosts (npm ci --force --ignore-scripts --prefix tools/hosts)";
const TEXT = "It was a dark night.";
/** Most bytes of a bundle that only loads, not minified: without what fits, and by far without the compiler of 10 MB. */
const MOST = 215_000;

let home: string;
let project: string;
let commonjs: string;
let bits: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-hosts-"));
  const tarball = await packed(home);
  [project, commonjs] = [join(home, "project"), join(home, "commonjs")];
  await projectWith(project, tarball);
  await projectWith(commonjs, tarball, "commonjs");
  // the compiler is there, as for one who fits, too: a bundler could follow it
  for (const name of ["assemblyscript", "binaryen", "long"]) {
    await cp(join("node_modules", name), join(project, "node_modules", name), { recursive: true });
  }
  await writeFile(join(project, "app.js"), APP);
  bits = (await node(project, "app.js", "nano-en")).out;
  expect(Number(bits)).toBeGreaterThan(10);
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** An application that only loads. */
const APP = `import { load } from "saffu";
load(process.argv[2]).then((model) => console.log(model.score(${JSON.stringify(TEXT)}).bits));
`;
const REQUIRES = APP.replace(`import { load } from "saffu"`, `const { load } = require("saffu")`);
const MODEL = "./node_modules/saffu/models/nano-en";

/** What a server behind a socket of the file system answers. */
async function got(socketPath: string): Promise<string> {
  const [response] = await once(get({ socketPath, path: "/" }), "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

/** Runs a bundle of APP, which stands alone, and states its bytes. */
async function runs(name: string, folder: string, file: string, most = MOST): Promise<void> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  console.log(`${name}: an application that loads is ${bytes} bytes`);
  expect(bytes).toBeLessThan(most);
  for (const each of files)
    expect(await readFile(join(folder, each), "utf8")).not.toMatch(/binaryen|from ?["']saffu["']|require\(["']saffu/);
  expect(await node(project, join(folder, file), MODEL)).toEqual({ code: 0, out: bits, err: "" });
}

describe("bundled for Node, an application that only loads is small, whole, and has no compiler", () => {
  test.each(["cjs", "esm"] as const)("by esbuild, %s", async (format) => {
    const folder = join(project, `esbuild-${format}`);
    const outfile = join(folder, `app.${format === "cjs" ? "cjs" : "mjs"}`);
    const { warnings } = await esbuild({
      ...{ entryPoints: [join(project, "app.js")], outfile, bundle: true, format, platform: "node" },
      ...{ logLevel: "silent", logOverride: { "empty-import-meta": "silent" } },
    });
    expect(warnings).toEqual([]);
    await runs(`esbuild, ${format}`, folder, outfile.slice(folder.length + 1));
  });

  test("by esbuild, one that requires it", async () => {
    await writeFile(join(project, "required.cjs"), REQUIRES);
    const folder = join(project, "esbuild-required");
    const outfile = join(folder, "app.cjs");
    const entryPoints = [join(project, "required.cjs")];
    await esbuild({ entryPoints, outfile, bundle: true, platform: "node", logLevel: "error" });
    await runs("esbuild, by require", folder, "app.cjs", 440_000); // one file, whole: nothing of it can be left out
  });

  test("by vite for a server, nothing left outside", async () => {
    const outDir = join(project, "vite-ssr");
    await vite({
      ...{ root: project, configFile: false, logLevel: "error", ssr: { noExternal: true, target: "node" } },
      build: { outDir, ssr: join(project, "app.js"), rollupOptions: { output: { entryFileNames: "app.mjs" } } },
    });
    await runs("vite, ssr", outDir, "app.mjs");
  });

  needs(INSTALL, ofHosts("rollup"))("by rollup", () => {
    test.each(["cjs", "es"] as const)("%s", async (format) => {
      const folder = join(project, `rollup-${format}`);
      const file = `app.${format === "cjs" ? "cjs" : "mjs"}`;
      const config = join(project, `rollup.${format}.mjs`);
      await writeFile(
        config,
        `import resolve from ${JSON.stringify(ofHosts("@rollup/plugin-node-resolve/dist/es/index.js"))};
        const onwarn = (warning) => { throw new Error(warning.message); };
        export default { input: "app.js", plugins: [resolve({ preferBuiltins: true })], onwarn, external: /^node:/,
          output: { dir: ${JSON.stringify(folder)}, entryFileNames: ${JSON.stringify(file)}, format: "${format}" } };`,
      );
      const ended = await node(project, ofHosts("rollup/dist/bin/rollup")!, "--config", config, "--silent");
      expect(ended).toMatchObject({ code: 0 });
      await runs(`rollup, ${format}`, folder, file);
    });
  });

  needs(INSTALL, ofHosts("webpack"))("by webpack", () => {
    test("for Node, without a warning", async () => {
      const folder = join(project, "webpack");
      const script = `const webpack = require(${JSON.stringify(ofHosts("webpack"))});
        const output = { path: ${JSON.stringify(folder)}, filename: "app.cjs" };
        webpack({ mode: "production", target: "node20", entry: "./app.js", output, optimization: { minimize: false } }, (error, stats) => {
          if (error) throw error;
          console.log(JSON.stringify(stats.toJson({ all: false, errors: true, warnings: true })));
        });`;
      await writeFile(join(project, "webpack.cjs"), script);
      const ended = await node(project, "webpack.cjs");
      expect(ended).toMatchObject({ code: 0, err: "" });
      expect(JSON.parse(ended.out)).toMatchObject({ errors: [], warnings: [] });
      await runs("webpack", folder, "app.cjs");
    });
  });

  test("one that fits a shape of its own, too, leaves the compiler outside and says what it lacks", async () => {
    const code = `import { fit } from "saffu";
      fit(() => [new Uint8Array(1000).fill(65)], { profile: "nano", groups: 3 }).catch(({ code }) => console.log(code));`;
    await writeFile(join(project, "fits.js"), code);
    const outfile = join(project, "fits", "app.cjs");
    await esbuild({
      ...{ entryPoints: [join(project, "fits.js")], outfile, bundle: true, format: "cjs", platform: "node" },
      ...{ logLevel: "error", logOverride: { "empty-import-meta": "silent" } },
    });
    expect(await node(project, outfile)).toEqual({ code: 0, out: "UNSUPPORTED\n", err: "" });
    expect(statSync(outfile).size).toBeLessThan(2 * MOST);
  });
});

describe("by require", () => {
  test("the same names, the same model by name, and a fit with threads", async () => {
    const code = `const saffu = require("saffu");
      import("saffu").then(async (imported) => {
        const model = await saffu.load("nano-en");
        const text = new TextEncoder().encode("A river freezes from its banks inwards. ".repeat(60));
        const { files } = await saffu.fit(() => [text], { profile: "nano" });
        const other = await imported.fit(() => [text], { profile: "nano", threads: 0 });
        const refused = await saffu.load("nano-de").catch((error) => error);
        console.log(JSON.stringify({
          names: Object.keys(saffu).sort().join() === Object.keys(imported).sort().join(),
          bits: model.score(${JSON.stringify(TEXT)}).bits,
          fitted: Buffer.compare(files.get("config.json"), other.files.get("config.json")),
          refused: refused instanceof saffu.SaffuError && refused.code,
        }));
      });`;
    await writeFile(join(commonjs, "whole.js"), code);
    const ended = await node(commonjs, "whole.js");
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(ended.out)).toEqual({
      names: true,
      bits: Number(bits),
      fitted: 0,
      refused: "MODEL_MISSING_FILE",
    });
  });

  needs(INSTALL, LEAST)("on the oldest Node that engines allow", () => {
    test("and by import", async () => {
      const [version] = /\d+/.exec(engines.node)!;
      expect((await program(home, ...(LEAST as [string]), "--version")).out).toBe(`v${version}.0.0\n`);
      await writeFile(join(commonjs, "app.js"), REQUIRES);
      const same = { code: 0, out: bits, err: "" };
      expect(await program(commonjs, ...(LEAST as [string]), "app.js", "nano-en")).toEqual(same);
      expect(await program(project, ...(LEAST as [string]), "app.js", "nano-en")).toEqual(same);
    });
  });

  needs(INSTALL, ofHosts("jest"))("in Jest as it comes", () => {
    test("a test that requires it passes: load, learn, fit", async () => {
      const code = `const { fit, load, SaffuError } = require("saffu");
        test("a model", async () => {
          const model = await load("nano-en");
          expect(model.score(${JSON.stringify(TEXT)}).bits).toBe(${bits.trim()});
          await model.observe("sea shells");
          await model.refit();
          const { files } = await fit(() => [new Uint8Array(1000).fill(65)], { profile: "nano" });
          expect((await load(files)).score("A").tokens).toBe(1);
          await expect(load("./nothing")).rejects.toBeInstanceOf(SaffuError);
          await expect(fit(() => [new Uint8Array(1000).fill(65)], { profile: "nano", groups: 3 })).rejects.toMatchObject({ code: "UNSUPPORTED" });
        });`;
      await writeFile(join(commonjs, "model.test.js"), code);
      const ended = await node(
        commonjs,
        ofHosts("jest/bin/jest.js")!,
        "--rootDir",
        commonjs,
        "--ci",
        "--no-cache",
        "--no-watchman",
      );
      expect(ended.err).toContain("1 passed");
      expect(ended.code).toBe(0);
    });
  });
});

describe("types", () => {
  const USE = `import { load, SaffuError, type Model, type Shape } from "saffu";
    export async function use(): Promise<number> {
      try {
        const model: Model = await load("nano-en", { build: "simd" });
        const shape: Shape = model.config.shape;
        // @ts-expect-error: it is a number
        const wrong: string = model.score("a").bits;
        return shape.vocabulary + model.score("a").bits + wrong.length;
      } catch (error) {
        return error instanceof SaffuError && error.code === "MODEL_DIGEST" ? 1 : 0;
      }
    }`;
  const FIT = `import { fit, save } from "saffu";
    export const fitted = async (): Promise<void> => save("a", (await fit(() => [new Uint8Array(1)], { profile: "nano" })).files);`;
  const compiled = async (name: string, files: Record<string, string>, compilerOptions: object, folder = project) => {
    const into = join(folder, name);
    await mkdir(into, { recursive: true });
    for (const [file, code] of Object.entries(files)) await writeFile(join(into, file), code);
    const options = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: [],
      target: "es2022",
      lib: ["ES2022", "DOM", "DOM.AsyncIterable"],
    };
    await writeFile(
      join(into, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, ...compilerOptions } }),
    );
    return node(into, resolve("node_modules/typescript/bin/tsc"), "-p", ".");
  };
  const WELL = { code: 0, out: "", err: "" };

  test.each<[string, object]>([
    ["node10", { module: "commonjs", moduleResolution: "node10" }],
    ["node16", { module: "node16", moduleResolution: "node16" }],
    ["nodenext", { module: "nodenext", moduleResolution: "nodenext" }],
    ["bundler", { module: "esnext", moduleResolution: "bundler" }],
  ])("%s resolves them, in modules and in CommonJS", async (name, options) => {
    expect(
      await compiled(
        `types-${name}`,
        { "use.ts": USE, "fit.ts": FIT, "use.mts": USE, "use.cts": USE, "fit.cts": FIT },
        options,
      ),
    ).toEqual(WELL);
    expect(await compiled(`types-${name}`, { "use.ts": USE, "fit.ts": FIT }, options, commonjs)).toEqual(WELL);
  });

  test.each(["browser", "workerd", "edge-light"])(
    "for %s there is what runs a model, and neither fit nor save",
    async (condition) => {
      const options = { module: "esnext", moduleResolution: "bundler", customConditions: [condition] };
      const saves = `import { load } from "saffu"; export const saved = async () => (await load("a")).save("b");`;
      if (condition === "browser") expect(await compiled("types-in-browser", { "use.ts": USE }, options)).toEqual(WELL); // the others' are the same files
      const { code, out } = await compiled(`types-${condition}-more`, { "fit.ts": FIT, "saves.ts": saves }, options);
      expect(code).not.toBe(0);
      for (const name of ["'fit'", "'save'", "'save' does not exist"]) expect(out).toContain(name);
    },
  );
});

describe("elsewhere the same bits come out", () => {
  const GOLDEN = `import { readdirSync, rmSync } from "node:fs";
    import process from "node:process";
    import { fit, load, save } from "saffu";
    const model = await load("nano-en");
    const build = process.arch === "arm" ? "scalar" : "simd"; // 32-bit ARM's vectors are not exact
    const found = { build: model.info().build === build, bits: model.score("It was a dark night. Ünïcödé 🏞️").bits, text: "" };
    for await (const piece of model.generate("It was", { maxTokens: 40, seed: 7 })) found.text += piece;
    await model.observe("She sells sea shells. ".repeat(10));
    await model.refit({ pseudoCounts: 1000 });
    found.learned = model.score("sea shells").bits;
    found.statistics = (await model.statistics()).statisticsDigest;
    await model.save("saved/model");
    await model.observe("He sells them, too. ");
    await model.save("saved/model"); // over what stands there
    const saved = await load("saved/model");
    found.saved = [saved.score("sea shells").bits, (await saved.statistics()).observedTokens, readdirSync("saved/model").sort()];
    const text = new TextEncoder().encode("A river freezes from its banks inwards. ".repeat(40));
    for (const threads of [0, 2]) {
      const { files } = await fit(() => [text], { profile: "nano", threads });
      found["fitted, threads " + threads] = new TextDecoder().decode(files.get("config.json"));
      await save("saved/fitted", files);
    }
    found.again = (await load("saved/fitted")).score("inwards").bits;
    rmSync("saved", { recursive: true });
    console.log(JSON.stringify(found));`;
  let expected: string;
  beforeAll(async () => {
    await writeFile(join(project, "golden.mjs"), GOLDEN);
    const ended = await node(project, "golden.mjs");
    expect(ended).toMatchObject({ code: 0, err: "" });
    expected = ended.out;
  });
  const QEMU = `${INSTALL}, and qemu-user with a C library (.ci/run)`;

  const places: [string, Runtime, string][] = [
    ["the oldest Node", LEAST, INSTALL],
    ["a late Node", LATEST, INSTALL],
    ["Deno", DENO, INSTALL],
    ["Bun", BUN, INSTALL],
    ["Node on 32-bit ARM", ARMV7, QEMU],
    ["Node on 64-bit ARM", ARM64, QEMU],
  ];
  for (const [name, runtime, what] of places) {
    needs(what, runtime)(name, () => {
      test("loads, scores, writes, learns, refits, saves, fits with threads and without", async () => {
        const ended = await program(project, ...(runtime as [string]), "golden.mjs");
        expect(ended).toEqual({ code: 0, out: expected, err: "" });
      });
    });
  }

  needs(INSTALL, WORKERD)("an edge worker", () => {
    test("loads with a kernel that was compiled ahead, learns, and is told so without one", async () => {
      const folder = join(project, "worker");
      const model = join(project, "node_modules/saffu/models/nano-en");
      await cp(model, folder, { recursive: true }); // the configuration embeds what is beside it
      await cp(join(project, "node_modules/saffu/dist/browser.js"), join(folder, "browser.js"));
      await writeFile(
        join(folder, "worker.js"),
        `import { load } from "./browser.js";
        import kernel from "./kernel.wasm";
        import scalar from "./scalar";
        import config from "./config";
        import weights from "./weights";
        import tokenizer from "./tokenizer";
        const named = { "config.json": config, "model.safetensors": weights, "tokenizer.json": tokenizer };
        const files = new Map(Object.entries(named).map(([name, bytes]) => [name, new Uint8Array(bytes)]));
        export default {
          async fetch() {
            const compiling = load(new Map(files).set("kernel.scalar.wasm", new Uint8Array(scalar)), { build: "scalar" });
            const refused = await compiling.catch(({ code, message }) => code + " " + message);
            const model = await load(files, { kernel });
            const { bits } = model.score(${JSON.stringify(TEXT)});
            await model.observe("She sells sea shells. ".repeat(10));
            await model.refit({ pseudoCounts: 1000 });
            return Response.json({ refused, bits, learned: model.score("sea shells").bits });
          },
        };`,
      );
      const module = (name: string, kind: string, path: string) =>
        `(name = ${JSON.stringify(name)}, ${kind} = embed ${JSON.stringify(path)})`;
      const modules = [
        module("worker.js", "esModule", "worker.js"),
        module("browser.js", "esModule", "browser.js"),
        module("kernel.wasm", "wasm", "kernel.simd.wasm"),
        module("scalar", "data", "kernel.scalar.wasm"),
        module("config", "data", "config.json"),
        module("weights", "data", "model.safetensors"),
        module("tokenizer", "data", "tokenizer.json"),
      ];
      const socket = join(folder, "socket");
      await writeFile(
        join(folder, "config.capnp"),
        `using Workerd = import "/workerd/workerd.capnp";
        const config :Workerd.Config = (
          services = [(name = "main", worker = .main)],
          sockets = [(name = "http", address = "unix:${socket}", http = (), service = "main")]
        );
        const main :Workerd.Worker = (modules = [${modules.join()}], compatibilityDate = "2025-01-01");`,
      );
      const server = spawn(WORKERD!, ["serve", "config.capnp"], {
        cwd: folder,
        stdio: ["ignore", "inherit", "inherit"],
      });
      try {
        await expect.poll(() => existsSync(socket), { timeout: 30_000 }).toBe(true);
        const answer = JSON.parse(await got(socket));
        // nano's kernel has a place of its own for eight tokens, and one that is compiled already gets no other
        const same = await load("models/nano-en", { memory: 8 });
        await same.observe("She sells sea shells. ".repeat(10));
        await same.refit({ pseudoCounts: 1000 });
        expect(answer).toMatchObject({ bits: Number(bits), learned: same.score("sea shells").bits });
        expect(answer.refused).toMatch(/^UNSUPPORTED .*option kernel/);
      } finally {
        server.kill();
      }
    });
  });

  needs(QEMU, S390X)("a big-endian machine", () => {
    test("is told UNSUPPORTED, by load and by fit", async () => {
      const code = `import { fit, load } from "saffu";
        const calls = [load("nano-en"), fit(() => [new Uint8Array(1000).fill(65)], { profile: "nano" })];
        const ended = await Promise.allSettled(calls);
        console.log(ended.map(({ reason }) => reason.code + " " + reason.message).join("; "));`;
      await writeFile(join(project, "big.mjs"), code);
      const { out, err } = await program(project, ...(S390X as [string]), "big.mjs");
      expect(err).toBe("");
      expect(out).toMatch(/^UNSUPPORTED .*big-endian.*; UNSUPPORTED .*big-endian/);
    });
  });
});
