/** A page in a real browser: the built bundle gives there what the sources give in Node, to the bit, and asks nobody else. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as node from "../host/index.ts";
import { type Damage, type Server, serve } from "./browser-server.ts";
import { needs, onPath } from "./needs.ts";
import * as probe from "./probe.ts";

const CHROMIUM = onPath("chromium");
const MODELS = ["models/nano-en", "models/potato-en"];
const BUILDS = ["scalar", "simd"] as const;
const RUNS = MODELS.flatMap((model) => BUILDS.map((build) => [model, build] as const));

/** A function of probe.ts, without its first argument. */
type Rest<Name extends keyof typeof probe> = Parameters<(typeof probe)[Name]> extends [unknown, ...infer R] ? R : never;
type Result<Name extends keyof typeof probe> = Awaited<ReturnType<(typeof probe)[Name]>>;

needs("chromium", CHROMIUM)("a page in chromium", () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const requests: URL[] = [];
  const pageErrors: Error[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "saffu-browser-"));
    execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", join(folder, "dist")]);
    server = await serve(join(folder, "dist"));
    browser = await chromium.launch({
      executablePath: CHROMIUM!,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        // no name leads anywhere but here: nothing that the browser might do by itself leaves this machine
        "--host-resolver-rules=MAP insecure.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      ],
    });
    context = await browser.newContext();
    context.on("request", (request) => requests.push(new URL(request.url())));
    context.on("weberror", (error) => pageErrors.push(error.error()));
    page = await open("/");
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(path: string): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(new URL(path, server.origin).href);
    return opened;
  }

  function inPage<Name extends keyof typeof probe>(name: Name, ...rest: Rest<Name>): Promise<Result<Name>> {
    return runIn(page, name, ...rest);
  }

  function runIn<Name extends keyof typeof probe>(on: Page, name: Name, ...rest: Rest<Name>): Promise<Result<Name>> {
    return on.evaluate(`run(${[name, ...rest].map((value) => JSON.stringify(value)).join()})`);
  }

  const damaged = (how: Damage, file: string) => `${server.origin}/damaged/${how}/${file}/potato-en`;

  describe.each(RUNS)("%s, %s", (model, build) => {
    test("generates the tokens and the text that Node does, in pieces and as a web stream", async () => {
      const found = await inPage("generation", model, build);
      expect(found).toEqual(await probe.generation(node, model, build));
      expect(found.build).toBe(build);
      for (const { tokens, text, streamed } of found.runs) {
        expect(tokens.length).toBe(100);
        expect(streamed).toBe(text);
      }
      expect(new Set(found.runs.map(({ text }) => text)).size).toBe(3);
    });

    test("scores to the bit as Node does, at once and as a web stream in chunks", async () => {
      const { streamed, ...whole } = await inPage("score", model, build);
      expect(whole.surprisal.length).toBe(whole.tokens * 8);
      expect(streamed).toEqual(whole);
      expect({ ...whole, streamed }).toEqual(await probe.score(node, model, build));
    });

    test("predicts the probabilities that Node does, to the bit", async () => {
      const found = await inPage("predictions", model, build);
      expect(found).toEqual(await probe.predictions(node, model, build));
      expect(new Set(found.map(({ digest }) => digest)).size).toBe(6);
    });

    test("learns what Node does, to the bit, and loads with it again", async () => {
      const found = await inPage("learning", model, build);
      expect(found).toEqual(await probe.learning(node, model, build));
      expect(found.reloaded).toBe(found.bits);
      expect(found.bits).not.toBe((await probe.score(node, model, build)).surprisal);
    });
  });

  test.each([
    ["base", null],
    ["counts", null],
    ["ridge", null],
    ["base", { groups: 2, units: 8 }],
  ] as const)(
    "fits a classifier, %s, hidden layer %j, that observes and forgets to the byte as Node's does",
    async (exact, hidden) => {
      const found = await inPage("classifying", exact, hidden, `${server.origin}/classifier`);
      expect(found).toEqual(await probe.classifying(node as never, exact, hidden));
      expect(found.fitted.right).toBeGreaterThan(34); // of 40
      expect(found.loaded).toBe(found.learned.predicted);
      expect(found.learned).not.toEqual(found.forgotten);
      expect(found.forgotten).toEqual({ files: found.fitted.files, predicted: found.fitted.predicted });
      expect(found.bad).toEqual(["INVALID_EXAMPLE", "row 1: an image of 12 × 12 is 144 bytes, got 3"]);
    },
  );

  test("watches a stream as Node does, and forgets to the byte", async () => {
    const found = await inPage("watching");
    expect(found).toEqual(JSON.parse(JSON.stringify(await probe.watching(node))));
    expect(found.rows.at(-1)).toMatchObject({ line: 301, rank: 1, alarm: "begin" });
  });

  describe("refuses by the code that Node does", () => {
    test.each<[Damage, string, string]>([
      ["flipped", "model.safetensors", "MODEL_DIGEST"],
      ["flipped", "kernel.simd.wasm", "MODEL_DIGEST"],
      ["flipped", "tokenizer.json", "MODEL_DIGEST"],
      ["truncated", "model.safetensors", "MODEL_DIGEST"],
      ["extended", "kernel.simd.wasm", "MODEL_DIGEST"],
      ["truncated", "config.json", "MODEL_CORRUPT"],
      ["missing", "config.json", "MODEL_MISSING_FILE"],
      ["missing", "model.safetensors", "MODEL_MISSING_FILE"],
      ["cut", "model.safetensors", "MODEL_MISSING_FILE"],
    ])("%s %s: %s", async (how, file, code) => {
      const source = damaged(how, file);
      const found = await inPage("loadError", source);
      expect(found.code).toBe(code);
      expect(found.message).toContain(file);
      expect((await probe.loadError(node, source)).code).toBe(code);
    });

    test("options, texts and statistics out of bounds", async () => {
      const found = await inPage("callErrors", "models/nano-en");
      expect(found).toEqual(await probe.callErrors(node, "models/nano-en"));
      expect(Object.values(found)).not.toContain("none");
    });
  });

  test("has no directories and no solver, and says so", async () => {
    expect(await inPage("absent", "models/nano-en")).toEqual({ save: "UNSUPPORTED" });
  });

  test("stops where a signal fires: in a load, which gives up its fetch, in a generation, in a stream", async () => {
    const stalled = damaged("stalled", "model.safetensors");
    const found = await inPage("aborts", "models/nano-en", stalled);
    const { pieces, cancelled, "the model afterwards": works, ...codes } = found;
    expect(new Set(Object.values(codes))).toEqual(new Set(["ABORTED"]));
    expect([pieces, cancelled, works]).toEqual([3, true, true]);
    await expect.poll(() => server.open.size).toBe(0);
    expect(found).toEqual(await probe.aborts(node, "models/nano-en", stalled));
  });

  test("whose policy forbids WebAssembly is told UNSUPPORTED, not that the file is corrupt", async () => {
    const strict = await open("/without-wasm");
    const { code, message } = await runIn(strict, "loadError", "models/nano-en");
    expect(code).toBe("UNSUPPORTED");
    expect(message).toContain("adds 'wasm-unsafe-eval' to script-src");
    await strict.close();
  });

  test("without WebCrypto, as one served by name over http, checks digests all the same and predicts the same", async () => {
    const insecure = await open(`//insecure.test:${new URL(server.origin).port}/`);
    expect(await insecure.evaluate("String(globalThis.crypto?.subtle)")).toBe("undefined");
    const found = await runIn(insecure, "score", "models/nano-en", "simd");
    expect(found).toEqual(await probe.score(node, "models/nano-en", "simd"));
    const damage = await runIn(insecure, "loadError", "/damaged/flipped/model.safetensors/nano-en");
    expect(damage.code).toBe("MODEL_DIGEST");
    await insecure.close();
  });

  test("loads what a host has that serves neither the card nor the kernel that does not run", async () => {
    for (const file of ["README.md", "kernel.scalar.wasm"]) {
      expect((await inPage("loadError", damaged("missing", file))).code).toBe("none");
    }
    expect((await inPage("loadError", damaged("page", "config.json"))).message).toContain("is this HTML?");
  });

  test("asks for the page, the bundle and the files that are needed to run, each once, and for nothing else", async () => {
    const before = requests.length;
    const fresh = await open("/");
    await runIn(fresh, "generation", "models/potato-en", "simd");
    await fresh.close();
    const files = ["config.json", "kernel.simd.wasm", "model.safetensors", "tokenizer.json"];
    const wanted = ["/", "/page.js", "/browser.js", "/probe.js", ...files.map((file) => `/models/potato-en/${file}`)];
    expect(
      requests
        .slice(before)
        .map(({ href }) => href)
        .sort(),
    ).toEqual(wanted.map((path) => `${server.origin}${path}`).sort());
  });

  test("has asked nobody but the tests' server, and thrown nothing beside what its calls throw", () => {
    const own = [server.origin, server.origin.replace("127.0.0.1", "insecure.test")];
    expect(requests.filter(({ origin }) => !own.includes(origin))).toEqual([]);
    expect(pageErrors).toEqual([]);
  });
});
