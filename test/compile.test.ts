/** `saffu compile`: each target is whole, says what it is, and predicts what the library does; what is refused leaves nothing. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instantiateSync } from "@assemblyscript/loader";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { weightBytes } from "../host/compile/layout.ts";
import { packageOptions } from "../host/compile/options.ts";
import { withConfig } from "../host/files/config.ts";
import { writeTensors } from "../host/files/safetensors.ts";
import { bytesNeeded, cHeader, load, type Model, type Package, packageModel, save } from "../host/index.ts";
import { hiddenWidth, memoryBytes as memoryImageBytes, validateShape } from "../host/shape.ts";
import { commandIn, failure } from "./cli-fixture.ts";
import type { Exports } from "./kernel-fixture.ts";
import { randomModel, randomTensors, refusal, SHAPE } from "./model-fixture.ts";
import { needs, onPath } from "./needs.ts";

/** Words that recur, so that history attention has its part, and characters of more than a byte. */
const TEXT = "The pump is on; the pump is off. Zürich, 06:00: the pump is on.\n".repeat(3);

let home: string;
let model: string;
let place: string;
let saffu: ReturnType<typeof commandIn>;
beforeAll(async () => {
  saffu = commandIn("build/test-compile");
  home = await mkdtemp(join(tmpdir(), "saffu-compile-"));
  model = join(home, "model");
  await save(model, await randomModel());
});
beforeEach(async () => {
  place = await mkdtemp(join(home, "case-"));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** Runs `saffu compile`, which must succeed, and returns its report. */
async function compile(directory: string, ...options: string[]) {
  const { code, out, err } = await saffu.run(["compile", directory, ...options, "--json"]);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
}

const sha256 = (...parts: Uint8Array[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");

/** What a module makes of the tokens of TEXT. */
function surprisals(wasm: Uint8Array, { tokenizer }: Model, weights?: Uint8Array): number[] {
  const read = (offset: number, to: number, bytes: number) => {
    new Uint8Array(exports.memory.buffer).set(weights!.subarray(offset, offset + bytes), to);
    return bytes;
  };
  const { exports } = instantiateSync<Exports>(wasm as BufferSource, weights ? { saffu: { read } } : {});
  expect(exports.reset!()).toBe(0);
  return Array.from(tokenizer.encode(TEXT), (token) => exports.feed!(token));
}

describe.each([
  ["nano-en", "wasm"],
  ["potato-en", "flash"],
] as const)("%s, target %s", (name, target) => {
  const directory = `models/${name}`;
  let loaded: Model;
  let made: Package;
  beforeAll(async () => {
    loaded = await load(directory);
    made = await packageModel(loaded, { target });
  });

  test("is written as the library packages it, and predicts what the library does", async () => {
    const out = join(place, "a.wasm");
    const report = await compile(directory, "--target", target, "--out", out);
    const wasm = await readFile(out);
    const weights = target === "flash" ? await readFile(`${out}.weights`) : new Uint8Array(0);
    // nothing in them depends on the process
    expect(report).toEqual({
      moduleBytes: made.module.length,
      weightBytes: made.weights?.length ?? 0,
      memoryBytes: made.memoryBytes,
      digest: made.digest,
    });
    expect([wasm.length, weights.length]).toEqual([report.moduleBytes, report.weightBytes]);
    expect(report.digest).toBe(sha256(wasm, weights));
    expect(report.memoryBytes).toBe(
      bytesNeeded(loaded.config.shape, packageOptions(loaded.config.shape, { flash: target === "flash" })),
    );
    expect(surprisals(wasm, loaded, weights)).toEqual(Array.from(loaded.score(TEXT).surprisal));
    expect(await readdir(place)).toEqual(target === "flash" ? ["a.wasm", "a.wasm.weights"] : ["a.wasm"]);
  });

  needs("gcc", onPath("gcc"))("as a C header", () => {
    test("what gcc makes of it is what the library packages", async () => {
      const out = join(place, "saffu_model.h");
      const { module, weights = new Uint8Array(0), memoryBytes, digest } = made;
      const header = cHeader(made, loaded.tokenizer);
      if (target === "flash") {
        const report = await compile(directory, "--target", "c-header", "--flash", "--out", out);
        expect(report).toEqual({ moduleBytes: module.length, weightBytes: weights.length, memoryBytes, digest });
        expect(await readFile(out, "utf8")).toBe(header);
      } else await writeFile(out, header);
      const printed = printedFrom(place);
      const { vocabulary, bits, window, groups, units, history, matchLength, weightBits = 8 } = loaded.config.shape;
      const sizes = [
        vocabulary,
        loaded.tokenizer.longestPiece ?? 0,
        0,
        65535,
        bits,
        window,
        groups,
        units,
        hiddenWidth(loaded.config.shape),
        history,
        matchLength,
        weightBits,
      ];
      const macros = [...sizes, module.length, memoryBytes, weights.length, 0, `"${digest}"`];
      expect(printed.macros).toEqual(macros.map(String));
      expect([printed.module, printed.weights]).toEqual([sha256(module), sha256(weights)]);
      const { tokenizer } = loaded;
      expect(printed.tokens).toEqual(
        Array.from({ length: vocabulary }, (_, token) => Buffer.from(tokenizer.bytesOf(token)).toString("hex")),
      );
    });
  });

  test.each(["scalar", "simd"] as const)("%s, without learning, predicts the same", async (build) => {
    const { module, weights, memoryBytes } = await packageModel(loaded, { target, build, learning: false });
    expect(memoryBytes).toBeLessThan(made.memoryBytes);
    expect(surprisals(module, loaded, weights)).toEqual(Array.from(loaded.score(TEXT).surprisal));
  });
});

describe.each([
  ["looked through", {}],
  ["indexed", { memoryIndexed: true, indexed: true, adapts: true }],
])("a model with a memory that is %s", (_name, changes) => {
  const shape = validateShape({ ...SHAPE, history: 64, matchLength: 4, longMatches: true, memory: 301, ...changes });
  let loaded: Model;
  let wanted: number[];
  beforeAll(async () => {
    const files = await randomModel(shape);
    loaded = await load(files);
    wanted = Array.from(loaded.score(TEXT).surprisal);
    // it is there, and has a say
    const tensors = new Map(randomTensors(shape)).set("memory.tokens", {
      dtype: "U8",
      shape: [301],
      data: new Uint8Array(301),
    });
    const other = await load(
      await withConfig(new Map([...files, ["model.safetensors", writeTensors(tensors)]]), shape, {}),
    );
    expect(Array.from(other.score(TEXT).surprisal)).not.toEqual(wanted);
  });

  test("predicts the same in data segments and from flash, in both builds, in exactly the bytes that are needed", async () => {
    for (const target of ["wasm", "flash"] as const) {
      for (const build of ["scalar", "simd"] as const) {
        for (const learning of [true, false]) {
          const { module, weights, memoryBytes } = await packageModel(loaded, { target, build, learning });
          expect(surprisals(module, loaded, weights)).toEqual(wanted);
          expect(memoryBytes).toBe(bytesNeeded(shape, packageOptions(shape, { learning, flash: target === "flash" })));
          expect(weights?.length ?? 0).toBe(target === "flash" ? weightBytes(shape) + memoryImageBytes(shape) : 0);
        }
      }
    }
  });

  test("has room beside it for what is recalled, in its own place or behind the memory", async () => {
    const kernel = await compileDevice(shape, "simd", { recall: 64 });
    const files = await withConfig(new Map([...loaded.files, ["kernel.simd.wasm", kernel]]), shape, {});
    const after = await Promise.all(
      [64, 40_000].map(async (memory) => {
        const model = await load(files, { memory });
        expect(Array.from(model.score(TEXT).surprisal)).toEqual(wanted);
        await model.observe(TEXT.slice(20, 60));
        return Array.from(model.score(TEXT).surprisal);
      }),
    );
    expect(after[0]).not.toEqual(wanted);
    expect(after[1]).toEqual(after[0]);
  });

  test("learns as it does where it is loaded", async () => {
    const { module } = await packageModel(loaded, { target: "wasm" });
    const { exports } = instantiateSync<Exports>(module as BufferSource);
    expect(exports.reset!()).toBe(0);
    const observed = Array.from(loaded.tokenizer.encode(TEXT), (token) => exports.observe!(token));
    expect(observed).toEqual(wanted);
    const learning = await load(loaded.files);
    expect((await learning.observe(TEXT)).bits).toBe(wanted.reduce((sum, bits) => sum + bits, 0));
  });

  needs("gcc", onPath("gcc"))("as a C header", () => {
    test.each(["wasm", "flash"] as const)("%s: what gcc makes of it is what the library packages", async (target) => {
      const made = await packageModel(loaded, { target });
      await writeFile(join(place, "saffu_model.h"), cHeader(made, loaded.tokenizer));
      const printed = printedFrom(place);
      expect([printed.module, printed.weights]).toEqual([
        sha256(made.module),
        sha256(made.weights ?? new Uint8Array(0)),
      ]);
      expect(printed.macros.slice(12, 15)).toEqual(
        [made.module.length, made.memoryBytes, made.weights?.length ?? 0].map(String),
      );
    });
  });

  test("has none where it is compiled without a history", async () => {
    const { shape: compiled, module, weights } = await packageModel(loaded, { target: "flash", history: 0 });
    expect([compiled.longMatches, compiled.memory, compiled.memoryIndexed]).toEqual([undefined, undefined, undefined]);
    expect(weights!.length).toBe(weightBytes(compiled));
    expect(surprisals(module, loaded, weights).every(Number.isFinite)).toBe(true);
  });
});

/** Compiles a program around saffu_model.h, and runs it. */
function printedFrom(folder: string) {
  const names =
    "VOCABULARY LONGEST_PIECE LINES BEGIN BITS WINDOW GROUPS UNITS HIDDEN HISTORY MATCH_LENGTH WEIGHT_BITS MODULE_BYTES MEMORY_BYTES WEIGHT_BYTES PACK DIGEST";
  const program = `#include "saffu_model.h"
#include <stdio.h>
#define TEXT(...) #__VA_ARGS__
#define SHOW(macro) puts(TEXT(macro));
static void hex(const uint8_t *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) printf("%02x", bytes[i]);
  puts("");
}
int main(void) {
  ${names
    .split(" ")
    .map((name) => `SHOW(SAFFU_${name})`)
    .join("\n  ")}
  hex(saffu_module, sizeof saffu_module);
#if SAFFU_WEIGHT_BYTES > 0
  hex(saffu_weights, sizeof saffu_weights);
#else
  puts("");
#endif
  for (int t = 0; t < SAFFU_VOCABULARY; ++t)
    hex(saffu_token_bytes + saffu_token_offsets[t], saffu_token_offsets[t + 1] - saffu_token_offsets[t]);
}
`;
  const options = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-x",
    "c",
    "-",
    "-I",
    folder,
    "-o",
    join(folder, "a.out"),
  ];
  execFileSync("gcc", options, { input: program, stdio: ["pipe", "inherit", "inherit"] });
  const lines = execFileSync(join(folder, "a.out"), { encoding: "utf8", maxBuffer: 1 << 24 }).split("\n");
  const macros = names.split(" ").length;
  const digest = (line: string) => sha256(Buffer.from(line, "hex"));
  const [module, weights, ...tokens] = lines.slice(macros, -1) as [string, string, ...string[]];
  return { macros: lines.slice(0, macros), module: digest(module), weights: digest(weights), tokens };
}

test("a header names the token that texts begin behind, of a model of lines", async () => {
  const { config, files } = await load(await randomModel());
  const lines = join(place, "lines");
  await save(lines, await withConfig(files, config.shape, { boundary: "newline" }));
  const out = join(place, "saffu_model.h");
  await compile(lines, "--target", "c-header", "--out", out);
  expect(await readFile(out, "utf8")).toContain("#define SAFFU_BEGIN 10\n");
  const of = await load(lines);
  const made = await packageModel(of, {});
  for (const begin of [-1, 256, 65535, 0.5, null]) {
    const wanted = refusal("INVALID_OPTION", "begin must be a token below 256");
    expect(() => cHeader(made, of.tokenizer, begin as number)).toThrow(wanted as Error);
  }
});

describe("options", () => {
  test("--corrected: with what the last refit solved, in place of the base's rows", async () => {
    const [learned, out] = [join(place, "learned"), join(place, "a.wasm")];
    const options = ["--target", "wasm", "--out", out, "--corrected"];
    const loaded = await load(model);
    await loaded.save(learned);
    expect(await saffu.run(["compile", learned, ...options])).toEqual(
      failure(2, "INVALID_OPTION", "--corrected", "no correction"),
    );
    const base = Array.from(loaded.score(TEXT).surprisal);
    await loaded.observe(TEXT);
    await loaded.refit({ pseudoCounts: 5 });
    await loaded.save(learned);
    const corrected = Array.from(loaded.score(TEXT).surprisal);
    expect(corrected).not.toEqual(base);
    await compile(learned, ...options);
    expect(surprisals(await readFile(out), loaded)).toEqual(corrected);
    expect(surprisals((await packageModel(loaded)).module, loaded)).toEqual(base);
  });

  test("recall: room for so many tokens", async () => {
    const loaded = await load(model);
    const { module, memoryBytes } = await packageModel(loaded, { recall: 48 });
    expect(memoryBytes).toBe(bytesNeeded(loaded.config.shape, { recall: 48 }));
    const { exports } = instantiateSync<{ RECALL: WebAssembly.Global }>(module as BufferSource);
    expect(exports.RECALL.value).toBe(48);
  });

  test("what stood there is replaced, and people get a line", async () => {
    const out = join(place, "a.wasm");
    for (const file of [out, `${out}.weights`]) await writeFile(file, "before");
    const options = ["--target", "flash", "--recall", "8", "--no-learning", "--build", "simd"];
    const { code, out: line } = await saffu.run(["compile", model, "--out", out, ...options]);
    const { module, weights, memoryBytes } = await packageModel(await load(model), {
      ...{ target: "flash", recall: 8, learning: false, build: "simd" },
    });
    expect(Buffer.compare(await readFile(out), module)).toBe(0);
    expect(Buffer.compare(await readFile(`${out}.weights`), weights!)).toBe(0);
    expect([code, line.split("\n").length]).toEqual([0, 2]);
    for (const part of [out, module.length, weights!.length, memoryBytes]) expect(line).toContain(`${part}`);
  });

  test.each<[string[], string[]]>([
    [
      ["--target", "elf"],
      ["target", "wasm, flash or c-header", "elf"],
    ],
    [
      ["--target", "wasm", "--flash"],
      ["flash", "c-header"],
    ],
    [
      ["--target", "wasm", "--build", "sse"],
      ["build", "scalar", "simd", "sse"],
    ],
    [
      ["--target", "wasm", "--recall", "12"],
      ["recall", "multiple of 8", "12"],
    ],
    [
      ["--target", "wasm", "--recall", "-8"],
      ["recall", "-8"],
    ],
    [
      ["--target", "flash", "--recall", "32776"],
      ["recall", "32768"],
    ],
    [
      ["--target", "wasm", "--recall", "1.5"],
      ["recall", "1.5"],
    ],
    [[], ["--target"]],
  ])("%j is refused, and nothing written", async (options, named) => {
    const ended = await saffu.run(["compile", model, "--out", join(place, "a.wasm"), ...options]);
    expect(ended).toEqual(failure(2, "INVALID_OPTION", ...named));
    expect(await readdir(place)).toEqual([]);
  });

  test("the library refuses the same", async () => {
    const loaded = await load(model);
    const cases: [object, string][] = [
      [{ target: "c-header" }, "target"],
      [{ build: "vector" }, "build"],
      [{ recall: 4 }, "recall"],
      [{ recall: Number.NaN }, "recall"],
      [{ recall: "8" }, "recall"],
    ];
    for (const [options, named] of cases) {
      await expect(packageModel(loaded, options)).rejects.toEqual(refusal("INVALID_OPTION", named));
    }
  });
});

describe("what cannot be written", () => {
  test.each<[string, (place: string) => Promise<string>]>([
    ["a folder that is not there", async (place) => join(place, "nowhere", "a.wasm")],
    [
      "a folder in the place of the module",
      async (place) => {
        await mkdir(join(place, "a.wasm"));
        return join(place, "a.wasm");
      },
    ],
    [
      "a folder in the place of the weights",
      async (place) => {
        await mkdir(join(place, "a.wasm.weights"));
        return join(place, "a.wasm");
      },
    ],
  ])("%s: UNWRITABLE, and nothing half-written", async (_what, prepare) => {
    const out = await prepare(place);
    const before = await readdir(place);
    const ended = await saffu.run(["compile", model, "--target", "flash", "--out", out]);
    expect(ended).toEqual(failure(5, "UNWRITABLE", out, "cannot be written"));
    expect(await readdir(place)).toEqual(before);
  });

  test("a model that is not there", async () => {
    const ended = await saffu.run(["compile", place, "--target", "wasm", "--out", join(place, "a")]);
    expect(ended).toEqual(failure(3, "MODEL_MISSING_FILE", "config.json"));
    expect(await readdir(place)).toEqual([]);
  });

  test("interrupted: nothing, or all of it", async () => {
    const out = join(place, "a.wasm");
    const { child, ended } = saffu.start(["compile", model, "--target", "flash", "--out", out]);
    child.stdin.end();
    await new Promise((resolve) => setTimeout(resolve, 700));
    child.kill("SIGINT");
    const { code } = await ended;
    // before the command has begun to listen, the signal ends the process by itself
    if (code === null || code === 130) expect(await readdir(place)).toEqual([]);
    else expect([code, await readdir(place)]).toEqual([0, ["a.wasm", "a.wasm.weights"]]);
  });
});
