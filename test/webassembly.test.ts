/** Runtimes that have no WebAssembly, or forbid to compile it: the model is not to blame, and what can be done is said. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import wabt from "wabt";
import { fit, load, tune } from "../host/index.ts";
import { hasExactSimd, hasSimd } from "../host/model/webassembly.ts";
import { refusal } from "./model-fixture.ts";

const NANO = "models/nano-en";
const TEXT = "It was a dark night.";
const kernel = (name: string, model = NANO) => new WebAssembly.Module(readFileSync(`${model}/kernel.${name}.wasm`));
/** As a bundle for edge workers has a model: files without its kernels. */
const files = () => {
  const names = readdirSync(NANO).filter((name) => !name.endsWith(".wasm"));
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(`${NANO}/${name}`))]));
};

let bits: number;
beforeAll(async () => {
  bits = (await load(NANO)).score(TEXT).bits;
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("where it is forbidden to compile", () => {
  test.each([
    [
      "Chromium",
      "WebAssembly.compile(): Refused to compile or instantiate WebAssembly module because 'unsafe-eval' is not an allowed source",
    ],
    [
      "Chromium, later",
      "WebAssembly.compile(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive",
    ],
    ["Firefox", "call to WebAssembly.compile() blocked by CSP"],
    ["an edge worker", "WebAssembly.compile(): Wasm code generation disallowed by embedder"],
  ])("as %s says it: UNSUPPORTED, with the reason and what to do", async (_who, message) => {
    vi.spyOn(WebAssembly, "compile").mockRejectedValue(new WebAssembly.CompileError(message));
    const told = refusal("UNSUPPORTED", message.slice(0, 100), "'wasm-unsafe-eval'", "option kernel");
    await expect(load(NANO)).rejects.toThrow(told);
    expect(await load(NANO).catch((error) => error.message.length)).toBeLessThanOrEqual(300); // a line that can be read
    await expect(fit(() => [new Uint8Array(1000).fill(65)], { profile: "nano" })).rejects.toThrow(told);
  });

  test("a module compiled elsewhere runs there: a real context without code generation", async () => {
    const entryPoints = ["host/browser.ts"];
    const common = { bundle: true, write: false, format: "iife", globalName: "saffu" } as const;
    const { outputFiles } = await build({ entryPoints, ...common });
    const globals = { TextDecoder, TextEncoder, URL, setTimeout, performance };
    const context = createContext(globals, { codeGeneration: { wasm: false, strings: false } });
    runInContext(outputFiles[0]!.text, context);
    Object.assign(context, {
      entries: [...files()],
      kernel: kernel("simd"),
      scalar: readFileSync(`${NANO}/kernel.scalar.wasm`),
    });
    const run = (code: string) => runInContext(`(async () => { ${code} })()`, context);
    const refused = run(`
      const files = new Map([...entries, ["kernel.scalar.wasm", scalar]]);
      return saffu.load(files, { build: "scalar" }).catch(({ code, message }) => code + " " + message);`);
    expect(await refused).toMatch(/^UNSUPPORTED .*option kernel.*disallowed by embedder/);
    const found = run(`
      const model = await saffu.load(new Map(entries), { kernel });
      const { bits } = model.score(${JSON.stringify(TEXT)}); // what is observed is recalled
      await model.observe(${JSON.stringify(TEXT)});
      return [bits, (await model.statistics()).observedTokens];`);
    expect(await found).toEqual([bits, TEXT.length]);
  });
});

describe("without the global WebAssembly", () => {
  test("UNSUPPORTED, before a file is read", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    await expect(load("models/none")).rejects.toThrow(refusal("UNSUPPORTED", "no WebAssembly"));
    await expect(load(NANO, { build: "simd" })).rejects.toThrow(refusal("UNSUPPORTED", "no WebAssembly"));
    const fitting = fit(() => [new Uint8Array(1000).fill(65)], { profile: "nano" });
    await expect(fitting).rejects.toThrow(refusal("UNSUPPORTED", "no WebAssembly"));
  });

  test("as the real node --jitless, in the command line", () => {
    const words = ["--jitless", "--import", "tsx", "host/cli/main.ts", "info", NANO];
    const failed = (() => {
      try {
        return execFileSync(process.execPath, words, { encoding: "utf8", stdio: "pipe" });
      } catch (error) {
        return (error as { stderr: string }).stderr;
      }
    })();
    expect(failed).toMatch(/UNSUPPORTED.*no WebAssembly/);
  });
});

describe("a kernel that is given", () => {
  test("gives the bits of the model's own, learns, refits, and is what info says", async () => {
    for (const name of ["scalar", "simd"]) {
      const model = await load(files(), { kernel: kernel(name) });
      expect([model.score(TEXT).bits, model.info().build]).toEqual([bits, "given"]);
      await model.observe("She sells sea shells. ".repeat(20));
      await model.refit({ pseudoCounts: 1000 });
      const own = await load(NANO, { statistics: await model.learnedFile() });
      expect(model.score("shells").bits).toBe(own.score("shells").bits);
      expect(own.score(TEXT).bits).not.toBe(bits);
    }
  });

  test("of another model, with imports, of nothing: INVALID_OPTION says what is wrong", async () => {
    const other = kernel("simd", "models/potato-en");
    await expect(load(files(), { kernel: other })).rejects.toThrow(
      refusal("INVALID_OPTION", "kernel", "none of this model"),
    );
    const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    await expect(load(files(), { kernel: empty })).rejects.toThrow(
      refusal("INVALID_OPTION", "kernel", "none of this model"),
    );
    const { parseWat } = await wabt();
    const importing = new WebAssembly.Module(
      parseWat("f", `(module (import "env" "f" (func)))`, {}).toBinary({}).buffer as BufferSource,
    );
    await expect(load(files(), { kernel: importing })).rejects.toThrow(refusal("INVALID_OPTION", "imports env.f"));
    const bytes = readFileSync(`${NANO}/kernel.simd.wasm`) as unknown as WebAssembly.Module;
    await expect(load(NANO, { kernel: bytes })).rejects.toThrow(refusal("INVALID_OPTION", "WebAssembly.Module"));
    await expect(load(NANO, { kernel: kernel("simd"), build: "simd" })).rejects.toThrow(
      refusal("INVALID_OPTION", "build"),
    );
  });
});

test("whether there is SIMD is asked with a module that needs it, and nothing else", async () => {
  const validate = vi.spyOn(WebAssembly, "validate");
  expect(hasSimd()).toBe(true);
  const module = validate.mock.calls[0]![0] as Uint8Array;
  const { readWasm } = await wabt();
  const check = (simd: boolean) => readWasm(module, { simd } as never).validate();
  expect(() => check(true)).not.toThrow();
  expect(() => check(false)).toThrow();
});

test("vectors that take subnormal numbers for zero are not used", async () => {
  expect(hasExactSimd()).toBe(true);
  expect((await load(NANO)).info().build).toBe("simd");
  class Flushing {
    readonly exports = { half: () => 0 };
  }
  vi.stubGlobal("WebAssembly", Object.assign(Object.create(WebAssembly), { Instance: Flushing }));
  expect(hasExactSimd()).toBe(false);
  await expect(load(NANO, { build: "simd" })).rejects.toThrow(refusal("UNSUPPORTED", "rounds small numbers to zero"));
});

test("without SIMD, a fit and a tuning say which option does without, and it does, to the same bytes", async () => {
  const text = () => [new TextEncoder().encode("A river freezes from its banks inwards. ".repeat(30))];
  const fitted = await fit(text, { profile: "nano", threads: 0 });
  vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
  const told = refusal("UNSUPPORTED", "no SIMD", `build: "scalar"`);
  await expect(fit(text, { profile: "nano", threads: 0 })).rejects.toThrow(told);
  await expect(tune(fitted.files, text)).rejects.toThrow(told);
  const scalar = await fit(text, { profile: "nano", threads: 0, build: "scalar" });
  expect(scalar.files).toEqual(fitted.files);
});

test("a big-endian machine: UNSUPPORTED, not MODEL_CORRUPT", async () => {
  // its 16-bit numbers have the other byte first
  const real = Uint16Array.of;
  vi.spyOn(Uint16Array, "of").mockImplementation((...numbers) =>
    real.call(Uint16Array, ...numbers.map((n) => (n << 8) | (n >> 8))),
  );
  await expect(load(NANO)).rejects.toThrow(refusal("UNSUPPORTED", "big-endian"));
});
