/** A model's files: nothing that is missing, cut, altered or too new is loaded, wherever the files are. */

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as browser from "../host/browser.ts";
import { compileDevice } from "../host/compile/compile.ts";
import { formatConfig, type ModelFiles, parseConfig, withConfig } from "../host/files/config.ts";
import { readTensors, type Tensor, writeTensors } from "../host/files/safetensors.ts";
import { load as loadInNode, packageModel, validateShape } from "../host/index.ts";
import type { Shape } from "../host/shape.ts";
import { byteTokenizer } from "../host/tokenizer/index.ts";
import { exchanged, randomModel, randomTensors, refusal, SHAPE } from "./model-fixture.ts";

const { load } = browser;
let files: ModelFiles;
const FILES = ["README.md", "kernel.scalar.wasm", "kernel.simd.wasm", "model.safetensors", "tokenizer.json"];
const encoder = new TextEncoder();
/** What a load needs: the rest is carried along where it is whole. */
const NEEDED = FILES.slice(1);
const NO_BYTES = { bytes: 0, sha256: "0".repeat(64) };

beforeAll(async () => {
  files = await randomModel();
});

function changed(name: string, bytes: Uint8Array): ModelFiles {
  return new Map([...files, [name, bytes]]);
}

/** config.json with some of its fields exchanged. */
function reconfigured(change: object): ModelFiles {
  const config = JSON.parse(new TextDecoder().decode(files.get("config.json")));
  return changed("config.json", encoder.encode(JSON.stringify({ ...config, ...change })));
}

describe("config.json", () => {
  test("lists every other file, keys sorted, and comes out the same again", () => {
    const bytes = files.get("config.json")!;
    const config = parseConfig(bytes);
    expect(Object.keys(config.files)).toEqual(FILES);
    expect(formatConfig(config)).toEqual(bytes);
    expect(new TextDecoder().decode(bytes)).toMatch(/^\{\n {2}"files": [\s\S]*\}\n$/);
  });

  test("does not depend on the order in which files or recipe are given", async () => {
    const turned = new Map([...files].reverse());
    const again = await withConfig(turned, SHAPE, { b: { d: 1, c: [{ f: 2, e: 3 }] }, a: 0 });
    const once = await withConfig(files, SHAPE, { a: 0, b: { c: [{ e: 3, f: 2 }], d: 1 } });
    expect(again).toEqual(once);
    expect([...again.keys()]).toEqual(["README.md", "config.json", ...FILES.slice(1)]);
  });

  test.each<[string, object, string, string[]]>([
    ["a newer version", { version: 3 }, "MODEL_VERSION", ["version 3 found", "1 and 2 are supported"]],
    ["an older version", { version: 0 }, "MODEL_VERSION", ["version 0 found"]],
    ["no version", { version: undefined }, "MODEL_VERSION", ["undefined found"]],
    ["a version as text", { version: "1" }, "MODEL_VERSION", [`"1" found`]],
    ["another format", { format: "gguf" }, "MODEL_CORRUPT", ["config.json", "saffu"]],
    ["no shape", { shape: undefined }, "INVALID_SHAPE", []],
    ["a shape out of bounds", { shape: { ...SHAPE, window: 99 } }, "INVALID_SHAPE", ["window", "1..16"]],
    ["no recipe", { recipe: undefined }, "MODEL_CORRUPT", ["recipe"]],
    ["no files", { files: [] }, "MODEL_CORRUPT", ["files"]],
    ["no weights", { files: {} }, "MODEL_CORRUPT", ["model.safetensors"]],
    [
      "no kernel",
      { files: { "model.safetensors": NO_BYTES, "tokenizer.json": NO_BYTES } },
      "MODEL_CORRUPT",
      ["kernel.scalar.wasm or kernel.simd.wasm"],
    ],
    [
      "a file outside the directory",
      { files: { "../passwd": { bytes: 1, sha256: "0".repeat(64) } } },
      "MODEL_CORRUPT",
      ["../passwd"],
    ],
    ["a file without digest", { files: { "a.txt": { bytes: 1 } } }, "MODEL_CORRUPT", ["a.txt"]],
  ])("%s is refused", async (_what, change, code, named) => {
    await expect(load(reconfigured(change))).rejects.toThrow(refusal(code, ...named));
  });

  test("with a key twice is refused", async () => {
    const text = new TextDecoder().decode(files.get("config.json")).replace('"format"', '"format": "other", "format"');
    await expect(load(changed("config.json", encoder.encode(text)))).rejects.toThrow(
      refusal("MODEL_CORRUPT", "config.json", '"format"', "twice"),
    );
  });

  test("over 1 MiB is refused", async () => {
    const padded = encoder.encode(" ".repeat((1 << 20) + 1));
    await expect(load(changed("config.json", padded))).rejects.toThrow(refusal("MODEL_CORRUPT", "1048576"));
  });

  test("nested deeper than any model file is refused, and does not overflow the stack", async () => {
    const deep = encoder.encode(`{"format":"saffu","version":${"[".repeat(100_000)}${"]".repeat(100_000)}}`);
    await expect(load(changed("config.json", deep))).rejects.toThrow(refusal("MODEL_CORRUPT", "config.json"));
  });

  test("any bytes and any JSON are either read or refused with a typed error", () => {
    const config = parseConfig(files.get("config.json")!);
    const fields = fc.record(
      {
        format: fc.anything(),
        version: fc.anything(),
        shape: fc.anything(),
        recipe: fc.anything(),
        files: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const text = fc.oneof(
      fc.json(),
      fields.map((change) => stringify({ ...config, ...change })),
    );
    const bytes = fc.oneof(
      fc.uint8Array(),
      text.map((json) => encoder.encode(json)),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        try {
          expect([1, 2]).toContain(parseConfig(given).version);
        } catch (error) {
          expect(["MODEL_CORRUPT", "MODEL_VERSION", "INVALID_SHAPE"]).toContain((error as { code: string }).code);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("no flipped bit goes unnoticed, the free text of the recipe and what says of files that do not run aside", async () => {
    const bytes = files.get("config.json")!;
    const spanOf = (pattern: RegExp) => {
      const { index, 0: entry } = pattern.exec(new TextDecoder().decode(bytes))!;
      return [entry, index] as const;
    };
    const free = ["recipe", "README\\.md", "kernel\\.scalar\\.wasm"].map((name) => {
      const [entry, index] = spanOf(new RegExp(`"${name}": \\{[^}]*\\}`));
      const from = name === "recipe" ? index + '"recipe"'.length + 1 : index; // a name is none of the text
      return { from, to: index + entry.length };
    });
    for (let at = 0; at < bytes.length; ++at) {
      if (free.some(({ from, to }) => at >= from && at < to)) continue;
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      const loading = load(changed("config.json", flipped), { build: "simd" });
      await expect(loading, `bit ${at % 8} of byte ${at}`).rejects.toThrow(
        refusalOf(
          ...["MODEL_CORRUPT", "MODEL_VERSION", "INVALID_SHAPE", "MODEL_DIGEST", "MODEL_MISSING_FILE"],
          "TOKENIZER_INVALID", // a vocabulary that is one, but not the tokenizer's
        ),
      );
    }
  });
});

describe.each(NEEDED)("%s", (name) => {
  const build = name === "kernel.scalar.wasm" ? ("scalar" as const) : name === "kernel.simd.wasm" ? "simd" : undefined;
  const load = (source: ModelFiles) => browser.load(source, { build });

  test("missing", async () => {
    const without = new Map(files);
    without.delete(name);
    await expect(load(without)).rejects.toThrow(refusal("MODEL_MISSING_FILE", name));
  });

  test("truncated", async () => {
    const bytes = files.get(name)!;
    const wanted = `records ${bytes.length}`;
    for (const length of [0, 1, bytes.length - 1]) {
      const cut = changed(name, bytes.subarray(0, length));
      await expect(load(cut)).rejects.toThrow(refusal("MODEL_DIGEST", name, "truncated", wanted));
    }
  });

  test("too long", async () => {
    const longer = changed(name, new Uint8Array([...files.get(name)!, 0]));
    await expect(load(longer)).rejects.toThrow(refusal("MODEL_DIGEST", name, "too long"));
  });

  test("one bit flipped, anywhere", async () => {
    const { length } = files.get(name)!;
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), fc.nat(7), async (at, bit) => {
        const flipped = files.get(name)!.slice();
        flipped[at]! ^= 1 << bit;
        await expect(load(changed(name, flipped))).rejects.toThrow(refusal("MODEL_DIGEST", name, "sha256"));
      }),
      { numRuns: 50 },
    );
  });
});

describe("files that agree with config.json and not with one another are refused", () => {
  test("tensors of another shape", async () => {
    const wide = writeTensors(randomTensors({ ...SHAPE, units: 8 }));
    const loading = load(await exchanged(files, "model.safetensors", wide));
    await expect(loading).rejects.toThrow(refusal("MODEL_CORRUPT", "block.U", "I8 (64, 16)", "wants I8 (64, 8)"));
  });

  test("a tensor that is not there", async () => {
    const tensors = randomTensors(SHAPE);
    tensors.delete("decoder.O");
    const loading = load(await exchanged(files, "model.safetensors", writeTensors(tensors)));
    await expect(loading).rejects.toThrow(refusal("MODEL_CORRUPT", "decoder.O is missing"));
  });

  test("weights that are not finite", async () => {
    const { tensors } = readTensors(files.get("model.safetensors")!.slice(), "f");
    tensors.get("decoder.o0")!.data[3] = Number.NaN;
    const loading = load(await exchanged(files, "model.safetensors", writeTensors(tensors)));
    await expect(loading).rejects.toThrow(refusal("MODEL_CORRUPT", "decoder.o0", "not finite"));
  });

  test("weights that a kernel cannot run on: beyond 2^64, and shares that are none", async () => {
    for (const [name, value, bound] of [
      ["decoder.O.scale", -(2 ** 65), "2^64"],
      ["block.u0", 1e38, "2^64"],
      ["attention.gate", 1.001, "0..1"],
      ["attention.gate", -0.001, "0..1"],
    ] as const) {
      const { tensors } = readTensors(files.get("model.safetensors")!.slice(), "f");
      tensors.get(name)!.data[1] = value;
      const loading = load(await exchanged(files, "model.safetensors", writeTensors(tensors)));
      await expect(loading).rejects.toThrow(refusal("MODEL_CORRUPT", name, bound));
    }
  });

  test("weights of long matches out of their bounds", async () => {
    const shape = validateShape({ ...SHAPE, history: 32, longMatches: true });
    const remembering = await randomModel(shape);
    for (const [at, value, bound] of [
      [0, Number.NaN, "not finite"],
      [7, Number.POSITIVE_INFINITY, "not finite"],
      [143, 3.001, "-1..3"],
      [0, -1.001, "-1..3"],
      [144, 8.001, "-8..8"],
      [287, -8.001, "-8..8"],
    ] as const) {
      const tensors = randomTensors(shape);
      tensors.get("attention.long")!.data[at] = value;
      const changed = await withConfig(new Map(remembering).set("model.safetensors", writeTensors(tensors)), shape, {});
      await expect(load(changed)).rejects.toThrow(refusal("MODEL_CORRUPT", "attention.long", bound));
    }
    const tensors = randomTensors(shape);
    for (const [at, value] of [
      [0, -1],
      [143, 3],
      [144, 8],
      [287, -8],
    ] as const) {
      tensors.get("attention.long")!.data[at] = value;
    }
    const bounds = await withConfig(new Map(remembering).set("model.safetensors", writeTensors(tensors)), shape, {});
    expect((await load(bounds)).score("at its bounds").surprisal.every(Number.isFinite)).toBe(true);
  });

  test("a memory that is missing, of another type, length or vocabulary", async () => {
    const shape = validateShape({ ...SHAPE, history: 32, longMatches: true, memory: 90 });
    const remembering = await randomModel(shape);
    const loading = async (memory: Tensor | undefined) => {
      const tensors = randomTensors(shape);
      tensors.delete("memory.tokens");
      if (memory) tensors.set("memory.tokens", memory);
      return load(await withConfig(new Map(remembering).set("model.safetensors", writeTensors(tensors)), shape, {}));
    };
    const wanted = "the shape wants U8 (90)";
    const named = (what: string) => refusal("MODEL_CORRUPT", "model.safetensors", `memory.tokens is ${what}`, wanted);
    await expect(loading(undefined)).rejects.toThrow(named("missing"));
    const tokens = (dtype: "U8" | "U16", length: number, wrong?: number) => {
      const data = (dtype === "U8" ? new Uint8Array(length) : new Uint16Array(length)).fill(65);
      if (wrong !== undefined) data[47] = wrong;
      return { dtype, shape: [length], data } as Tensor;
    };
    await expect(loading(tokens("U16", 90))).rejects.toThrow(named("U16 (90)"));
    for (const length of [0, 89, 91])
      await expect(loading(tokens("U8", length))).rejects.toThrow(named(`U8 (${length})`));
    expect((await loading(tokens("U8", 90))).score("AAAA").surprisal.every(Number.isFinite)).toBe(true);
    // of a vocabulary that does not fill its bytes
    for (const vocabulary of [248, 264]) {
      const other = validateShape({ ...shape, vocabulary, bits: 32, memoryIndexed: true });
      const tensors = randomTensors(other);
      tensors.set("memory.tokens", tokens(vocabulary > 256 ? "U16" : "U8", 90, vocabulary));
      const model = { config: { shape: other }, files: new Map([["model.safetensors", writeTensors(tensors)]]) };
      await expect(packageModel(model)).rejects.toThrow(
        refusal("MODEL_CORRUPT", `memory.tokens holds token ${vocabulary}, the vocabulary has ${vocabulary}`),
      );
    }
  });

  test("a kernel of a shape without long matches, and one without room for the memory to learn with", async () => {
    const shape = validateShape({ ...SHAPE, history: 32, longMatches: true, memory: 65536 });
    const remembering = await randomModel(shape);
    const kernelOf = async (kernelShape: Shape) => {
      const kernel = await compileDevice(kernelShape, "simd");
      return load(await withConfig(new Map(remembering).set("kernel.simd.wasm", kernel), shape, {}));
    };
    const { longMatches, memory, ...plain } = shape;
    await expect(kernelOf(plain)).rejects.toThrow(
      refusal("MODEL_CORRUPT", "kernel.simd.wasm", "another shape", "attention.long"),
    );
    const small = await kernelOf({ ...plain, longMatches: true });
    expect(small.score("it predicts").surprisal).toEqual((await load(remembering)).score("it predicts").surprisal);
    await expect(small.observe("it learns")).rejects.toThrow(
      refusal("MODEL_CORRUPT", "kernel.simd.wasm", "no room for a memory of 65536 bytes"),
    );
  });

  test.each([
    ["beyond the bits", [SHAPE.bits, 0xffff]],
    ["absent altogether", [0xffff, 0xffff]],
    ["after the padding", [0xffff, 1]],
  ])("a cipher with a bit %s", async (_what, row) => {
    const tensors = randomTensors(SHAPE);
    const cipher = tensors.get("cipher")!.data as Uint16Array; // (V, 2): with 32 bits, 256 tokens need pairs
    cipher.set(row, 2 * 5);
    const loading = load(await exchanged(files, "model.safetensors", writeTensors(tensors)));
    await expect(loading).rejects.toThrow(refusal("MODEL_CORRUPT", "cipher", "32 bits", "token 5"));
  });

  test("a tokenizer of another size, or that is not JSON", async () => {
    const tokenizer = JSON.stringify(byteTokenizer().toJSON()).replace(`"Ā":`, `"ĀĀ":256,"Ā":`);
    const larger = load(await exchanged(files, "tokenizer.json", encoder.encode(tokenizer)));
    await expect(larger).rejects.toThrow(refusal("TOKENIZER_INVALID", "257 tokens", "wants 256"));
    const broken = load(await exchanged(files, "tokenizer.json", encoder.encode("{")));
    await expect(broken).rejects.toThrow(refusal("TOKENIZER_INVALID", "tokenizer.json"));
  });

  test("a kernel that is no module, or of another kind", async () => {
    const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0); // a module without anything
    const none = exchanged(files, "kernel.scalar.wasm", new Uint8Array(8));
    await expect(load(await none, { build: "scalar" })).rejects.toThrow(refusal("MODEL_CORRUPT", "kernel.scalar.wasm"));
    const bare = exchanged(files, "kernel.simd.wasm", empty);
    await expect(load(await bare)).rejects.toThrow(refusal("MODEL_CORRUPT", "kernel.simd.wasm", "no memory"));
  });

  test("a SIMD kernel is not passed over because it is broken: it is the one that would run", async () => {
    const broken = await exchanged(files, "kernel.simd.wasm", encoder.encode("not a module"));
    await expect(load(broken)).rejects.toThrow(refusal("MODEL_CORRUPT", "kernel.simd.wasm"));
    expect((await load(broken, { build: "scalar" })).info().build).toBe("scalar");
  });
});

describe("what is not needed to run is not needed to load", () => {
  const without = (...names: string[]) => new Map([...files].filter(([name]) => !names.includes(name)));
  const text = "any text";
  let bits: number;
  beforeAll(async () => {
    bits = (await load(files)).score(text).bits;
  });

  /** Loads it and sees that it is the same model. */
  async function loaded(source: ModelFiles, options: browser.LoadOptions = {}): Promise<browser.Model> {
    const model = await load(source, options);
    expect(model.score(text).bits).toBe(bits);
    return model;
  }

  test("the card: removed, edited, or larger than is read", async () => {
    const model = await loaded(without("README.md"));
    expect([...model.files.keys()]).not.toContain("README.md");
    expect(Object.keys(model.info().files)).toEqual([...model.files.keys()].sort());
    const card = encoder.encode("---\nlicense: other\n---\n# A model of the tests\n");
    const edited = await loaded(changed("README.md", card));
    expect(edited.files.get("README.md")).toEqual(card);
    expect(edited.info().files["README.md"]!.bytes).toBe(card.length);
    const large = await loaded(changed("README.md", new Uint8Array((1 << 20) + 1)));
    expect(large.files.has("README.md")).toBe(false);
  });

  test("the other kernel: removed, or broken, which is carried nowhere", async () => {
    for (const [used, other] of [
      ["simd", "kernel.scalar.wasm"],
      ["scalar", "kernel.simd.wasm"],
    ] as const) {
      expect((await loaded(without(other), { build: used })).info().build).toBe(used);
      const broken = await loaded(changed(other, new Uint8Array(files.get(other)!.length)), { build: used });
      expect([...broken.files.keys()]).not.toContain(other);
      expect(await loaded(broken.files, { build: used })).toBeDefined(); // and so a save of it loads
      await expect(load(without(other), { build: used === "simd" ? "scalar" : "simd" })).rejects.toThrow(
        refusal("MODEL_MISSING_FILE", other),
      );
    }
  });

  test("a kernel that is not there is replaced by the one that is, whether config.json lists it or not", async () => {
    expect((await loaded(without("kernel.simd.wasm"))).info().build).toBe("scalar");
    const one = await withConfig(without("kernel.simd.wasm"), SHAPE, {});
    expect((await loaded(one)).info().build).toBe("scalar");
    const only = await withConfig(without("kernel.scalar.wasm", "README.md"), SHAPE, {});
    expect((await loaded(only)).info().build).toBe("simd");
    await expect(load(only, { build: "scalar" })).rejects.toThrow(refusal("MODEL_MISSING_FILE", "kernel.scalar.wasm"));
    const none = without("kernel.scalar.wasm", "kernel.simd.wasm");
    await expect(load(none)).rejects.toThrow(refusal("MODEL_MISSING_FILE", "kernel.s"));
  });

  test("a file that nothing here knows", async () => {
    const more = await withConfig(new Map(files).set("notes.txt", encoder.encode("notes")), SHAPE, {});
    expect((await loaded(more)).files.has("notes.txt")).toBe(true);
    expect((await loaded(new Map(more).set("notes.txt", encoder.encode("other")))).files.has("notes.txt")).toBe(false);
  });

  test("on a runtime without SIMD, kernel.scalar.wasm runs", async () => {
    const validate = vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    try {
      expect((await loaded(files)).info().build).toBe("scalar");
      await expect(load(files, { build: "simd" })).rejects.toThrow(
        refusal("UNSUPPORTED", "kernel.simd.wasm", "no SIMD"),
      );
    } finally {
      validate.mockRestore();
    }
    expect((await load(files)).info().build).toBe("simd");
    await expect(load(files, { build: "gpu" as "simd" })).rejects.toThrow(refusal("INVALID_OPTION", "build", "gpu"));
  });
});

describe("over http", () => {
  let server: Server;
  let address: string;
  /** What a load asks for where the runtime has SIMD. */
  const READ = ["config.json", "kernel.simd.wasm", "model.safetensors", "tokenizer.json"];
  const requested: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url!.split("?")[0]!;
      requested.push(path);
      const bytes = files.get(path.split("/").pop()!);
      if (path.startsWith("/silent/")) return; // never answers
      const [, first, name] = path.split("/");
      const page = {
        page: FILES.concat("config.json"),
        "no-simd": ["kernel.simd.wasm"],
        "no-weights": ["model.safetensors"],
      };
      if (page[first as keyof typeof page]?.includes(name!)) {
        response.setHeader("content-type", "text/html");
        return response.end("\n<!DOCTYPE html><title>An application</title>");
      }
      if (first === "bare" && ["README.md", "kernel.scalar.wasm"].includes(name!)) return response.writeHead(403).end();
      if (path.startsWith("/long/") && path.endsWith(".safetensors")) {
        response.write(bytes);
        response.end("more");
      } else if (path.startsWith("/cut/") && path.endsWith(".safetensors")) {
        response.end(bytes!.subarray(0, 100));
      } else if (bytes === undefined || path.startsWith("/nothing/")) {
        response.statusCode = 404;
        response.end();
      } else response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test("a directory is loaded, with or without a slash at its end, and progress is told in bytes", async () => {
    const steps: number[] = [];
    const model = await load(`${address}/models/tiny`, {
      onProgress: ({ done, total }) => {
        expect(total).toBe(READ.reduce((sum, name) => sum + files.get(name)!.length, 0));
        steps.push(done / total);
      },
    });
    expect(model.files).toEqual(new Map(READ.map((name) => [name, files.get(name)!])));
    expect((await load(model.files)).score("any text").bits).toBe(model.score("any text").bits);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(1);
    requested.length = 0;
    await load(new URL(`${address}/models/tiny/`));
    expect(requested.sort()).toEqual(READ.map((name) => `/models/tiny/${name}`).sort());
  });

  test("a page in place of a file is named with its address: it is missing, whatever the status says", async () => {
    const config = `${address}/page/config.json`;
    await expect(load(`${address}/page`)).rejects.toThrow(
      refusal("MODEL_MISSING_FILE", config, "is this HTML?", "200"),
    );
    // so a host that serves no .wasm for one kernel is asked for the other
    expect((await load(`${address}/no-simd`)).info().build).toBe("scalar");
    const weights = `${address}/no-weights/model.safetensors`;
    await expect(load(`${address}/no-weights`)).rejects.toThrow(
      refusal("MODEL_MISSING_FILE", weights, "is this HTML?"),
    );
  });

  test("a host that serves neither card nor the kernel that does not run has all that is needed", async () => {
    expect((await load(`${address}/bare`)).info().build).toBe("simd");
  });

  test("what came by http is saved with the files that it needs, and loads from there", async () => {
    const folder = await mkdtemp(join(tmpdir(), "saffu-http-"));
    try {
      const model = await loadInNode(`${address}/models/tiny`);
      await model.save(join(folder, "tiny"));
      expect((await readdir(join(folder, "tiny"))).sort()).toEqual(READ);
      const saved = await loadInNode(join(folder, "tiny"));
      expect(saved.score("any text").bits).toBe(model.score("any text").bits);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("what is missing, cut or too long is refused", async () => {
    await expect(load(`${address}/nothing`)).rejects.toThrow(refusal("MODEL_MISSING_FILE", "config.json", "404"));
    await expect(load(`${address}/cut`)).rejects.toThrow(refusal("MODEL_DIGEST", "model.safetensors", "100 bytes"));
    await expect(load(`${address}/long`)).rejects.toThrow(refusal("MODEL_DIGEST", "model.safetensors", "too long"));
    const nobody = "http://127.0.0.1:1/model"; // a port on which nothing listens
    await expect(load(nobody)).rejects.toThrow(refusal("MODEL_MISSING_FILE", nobody));
  });

  test("a load can be aborted while it waits", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await expect(load(`${address}/silent`, { signal: controller.signal })).rejects.toThrow(refusal("ABORTED"));
    await expect(load(files, { signal: AbortSignal.abort() })).rejects.toThrow(refusal("ABORTED"));
  });
});

/** As refusal, of any of some codes. */
function refusalOf(...codes: string[]): object {
  return { asymmetricMatch: (error: unknown) => codes.includes((error as { code: string }).code) };
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? Number(part) : part));
}
