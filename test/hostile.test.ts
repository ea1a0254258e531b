/** Directories that are not trusted: nothing in one hangs a load, fills the memory, or answers for a model what is no answer. */
import { execFileSync, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import initWabt from "wabt";
import { compileDevice } from "../host/compile/compile.ts";
import { CONFIG, type ModelFiles, withConfig } from "../host/files/config.ts";
import { writeTensors } from "../host/files/safetensors.ts";
import { load, type Model, save, validateShape } from "../host/index.ts";
import { byteTokenizer } from "../host/tokenizer/index.ts";
import { randomModel, randomTensors, refusal, SHAPE } from "./model-fixture.ts";

const NANO = "models/nano-en";
/** Each by itself; both kernels together, as the one that does not run is not needed. */
const FILES = ["config.json", "kernel", "model.safetensors", "statistics.safetensors", "tokenizer.json"];
const namesOf = (name: string) => (name === "kernel" ? ["kernel.scalar.wasm", "kernel.simd.wasm"] : [name]);

let home: string;
let directory: string;
let files: ModelFiles;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-test-"));
  files = await randomModel();
});

afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  directory = join(await mkdtemp(join(home, "case-")), "model");
  await cp(NANO, directory, { recursive: true });
  const model = await load(directory);
  await model.observe("it was the best of times");
  await model.save(directory);
});

describe.skipIf(process.platform === "win32")("what stands in a file's place", () => {
  const KINDS: [string, (path: string) => Promise<unknown> | unknown][] = [
    ["a FIFO", (path) => execFileSync("mkfifo", [path])],
    [
      "a link to a FIFO",
      async (path) => {
        execFileSync("mkfifo", [`${path}.pipe`]);
        await symlink(`${path}.pipe`, path);
      },
    ],
    ["a device without an end", (path) => symlink("/dev/zero", path)],
    ["a device that waits", (path) => symlink("/dev/random", path)],
    ["a directory", (path) => mkdir(path)],
    [
      "a socket",
      (path) =>
        void spawnSync(process.execPath, [
          "-e",
          `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
        ]),
    ],
  ];
  test.each(KINDS.flatMap(([kind, make]) => FILES.map((name) => [kind, name, make] as const)))(
    "%s for %s is refused by name, and nothing waits",
    async (_kind, name, make) => {
      for (const each of namesOf(name)) {
        await rm(join(directory, each));
        await make(join(directory, each));
      }
      const signal = AbortSignal.timeout(30_000); // ABORTED is another error
      await expect(load(directory, { signal })).rejects.toThrow(refusal("MODEL_MISSING_FILE", name, "cannot be read"));
    },
  );

  test.each(KINDS)("%s for config.json is nothing that may be replaced", async (_kind, make) => {
    await rm(join(directory, CONFIG));
    await make(join(directory, CONFIG));
    await expect(save(directory, files)).rejects.toThrow(refusal("UNWRITABLE", directory));
  });
});

describe("lengths", () => {
  test.each(FILES)("of %s, sparse and of 2^40 bytes: refused before it is read", async (name) => {
    for (const each of namesOf(name)) await truncate(join(directory, each), 2 ** 40);
    await expect(load(directory)).rejects.toThrow(
      refusal(name.startsWith("conf") || name.startsWith("stat") ? "MODEL_CORRUPT" : "MODEL_DIGEST", name),
    );
  });

  test.each(FILES.filter((name) => !/config|statistics/.test(name)))(
    "that config.json gives %s, beyond what the shape can need: refused, wherever the files are",
    async (name) => {
      const config = JSON.parse(await readFile(join(directory, CONFIG), "utf8"));
      for (const each of namesOf(name)) {
        config.files[each].bytes = 2 ** 33;
        await truncate(join(directory, each), 2 ** 33);
      }
      await writeFile(join(directory, CONFIG), JSON.stringify(config));
      await expect(load(directory)).rejects.toThrow(refusal("MODEL_CORRUPT", CONFIG, name, String(2 ** 33)));
    },
  );
});

describe("bodies of HTTP", () => {
  let server: Server;
  let served: Record<string, (response: ServerResponse, bytes: Uint8Array) => void> = {};
  let sent = 0;

  beforeAll(async () => {
    server = createServer(async ({ url }, response) => {
      const name = url!.slice(1);
      const bytes = await readFile(join(NANO, name)).catch(() => undefined);
      if (bytes === undefined) response.writeHead(404).end();
      else if (served[name]) served[name](response, bytes);
      else response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  beforeEach(() => {
    sent = 0;
    served = {};
  });

  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const endless = (response: ServerResponse) => {
    const zeros = Buffer.alloc(1 << 16);
    const more = () => {
      while (!response.destroyed && sent < 1 << 28) {
        sent += zeros.length;
        if (!response.write(zeros)) return void response.once("drain", more);
      }
    };
    more();
  };

  test.each(["config.json", "model.safetensors", "tokenizer.json"])(
    "%s without an end is read to its length",
    async (name) => {
      served[name] = endless;
      await expect(load(address())).rejects.toThrow(refusal(name === CONFIG ? "MODEL_CORRUPT" : "MODEL_DIGEST", name));
      expect(sent).toBeLessThan(1 << 26); // what buffers on the way hold
    },
  );

  test("with a length that is a lie: too short a body, and too long a one", async () => {
    served["tokenizer.json"] = (response, bytes) => {
      response.writeHead(200, { "content-length": bytes.length + 10 }).write(bytes.subarray(0, 100));
      response.destroy();
    };
    await expect(load(address())).rejects.toThrow(refusal("MODEL_MISSING_FILE", "tokenizer.json"));
    served["tokenizer.json"] = (response, bytes) => response.end(Buffer.concat([bytes, bytes]));
    await expect(load(address())).rejects.toThrow(refusal("MODEL_DIGEST", "tokenizer.json", "too long"));
  });

  test("that are whole and do not end are taken: their digest says what they are", async () => {
    served["tokenizer.json"] = (response, bytes) =>
      void response.writeHead(200, { "content-length": bytes.length + 10 }).write(bytes);
    expect((await load(address())).score("a").tokens).toBe(1);
  });

  test("that are silent are waited for until the signal", async () => {
    served["tokenizer.json"] = (response, bytes) => void response.write(bytes.subarray(0, 10));
    await expect(load(address(), { signal: AbortSignal.timeout(500) })).rejects.toEqual(refusal("ABORTED"));
  });
});

describe("a kernel whose digests agree", () => {
  let source: string;
  let assemble: (text: string) => Uint8Array;

  beforeAll(async () => {
    const wabt = await initWabt();
    const parsed = wabt.readWasm(await compileDevice(SHAPE, "scalar"), { readDebugNames: false });
    parsed.applyNames();
    source = parsed.toText({ foldExprs: false, inlineExport: false });
    assemble = (text) => wabt.parseWat("kernel.wat", text).toBinary({}).buffer;
  });

  /** The kernel with a function exchanged: its export names another of the same type, which does this. */
  function kernelWith(name: string, body: string): Uint8Array {
    const index = new RegExp(`\\(export "${name}" \\(func (\\d+)\\)\\)`).exec(source)![1]!;
    const type = new RegExp(`\\(func \\(;${index};\\) \\(type (\\d+)\\)`).exec(source)![1]!;
    const functions = source.match(/\(func \(;\d+;\)/g)!.length;
    const hostile = `  (func (type ${type}) ${body})\n`;
    return assemble(
      source
        .replace(`(export "${name}" (func ${index}))`, `(export "${name}" (func ${functions}))`)
        .replace(/ {2}\(memory/, (memory) => hostile + memory),
    );
  }

  const withKernel = (bytes: Uint8Array, shape = SHAPE) =>
    withConfig(new Map([...files, ["kernel.scalar.wasm", bytes], ["kernel.simd.wasm", bytes]]), shape, {});
  const loaded = async (bytes: Uint8Array): Promise<Model> => load(await withKernel(bytes));
  const drained = async (items: AsyncIterable<unknown>) => {
    for await (const _ of items);
  };

  const FEEDS: [string, (model: Model) => Promise<unknown>][] = [
    ["score", async (model) => model.score("abc")],
    ["scoreStream", (model) => model.scoreStream(["abc"])],
    ["surprisals", (model) => drained(model.surprisals(["abc"]))],
    ["predict", async (model) => model.predict("abc")],
    ["generate", (model) => drained(model.generate("abc"))],
  ];
  const LEARNS = (name: "observe" | "forget"): [string, (model: Model) => Promise<unknown>][] => [
    [name, (model) => model[name]("abc")],
  ];
  const observed = (model: Model) => model.observe("abc");
  const merged = async (model: Model) => model.merge(await model.exportStatistics());
  const REFITS: [string, (model: Model) => Promise<unknown>][] = [
    ["refit", (model) => observed(model).then(() => model.refit())],
  ];
  const CASES: [string, string, [string, (model: Model) => Promise<unknown>][]][] = [
    ["feed", "unreachable", FEEDS],
    ["feed", "f32.const nan", FEEDS],
    ["feed", "f32.const inf", FEEDS],
    ["feed", "f32.const -5", FEEDS],
    ["sample", "i32.const 100000", FEEDS.slice(4)],
    ["sample", "i32.const -1", FEEDS.slice(4)],
    ["append", "unreachable", FEEDS.slice(4)],
    ["reset", "unreachable", FEEDS],
    ["predict", "unreachable", FEEDS.slice(3, 4)],
    ["observe", "f32.const nan", LEARNS("observe")],
    ["observe", "f32.const -77", LEARNS("observe")],
    ["observe", "unreachable", LEARNS("observe")],
    ["forget", "f32.const nan", [["forget", (model) => observed(model).then(() => model.forget("abc"))]]],
    ["refit", "unreachable", REFITS],
    ["refit", "i32.const -9", REFITS],
    ["merge", "unreachable", [["merge", async (model) => observed(model).then(() => merged(model))]]],
  ];
  test.each(CASES.flatMap(([name, body, calls]) => calls.map(([what, call]) => [name, body, what, call] as const)))(
    "and whose %s is `%s`: %s is refused by the kernel's name, and gives no figures",
    async (name, body, _what, call) => {
      const model = await loaded(kernelWith(name, body));
      await expect(call(model)).rejects.toEqual(refusal("MODEL_CORRUPT", "kernel.simd.wasm", name));
      const { observedTokens } = await model.statistics();
      expect(observedTokens).toBe(["refit", "merge", "forget"].includes(name) ? 3 : 0);
    },
  );

  test("that answers NaN is no model of `saffu eval`", async () => {
    const place = join(await mkdtemp(join(home, "case-")), "model");
    await save(place, await withKernel(kernelWith("feed", "f32.const nan")));
    await writeFile(`${place}.txt`, "a text");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "tsx", "host/cli/main.ts", "eval", place, `${place}.txt`],
      { encoding: "utf8" },
    );
    expect([status, stdout, stderr]).toEqual([
      3,
      "",
      expect.stringMatching(/^saffu: MODEL_CORRUPT: kernel.simd.wasm: feed answers NaN\n$/),
    ]);
  });

  test("and whose memory can grow is refused at the load", async () => {
    const source = Buffer.from(kernelWith("observe", "i32.const 1 memory.grow drop f32.const 1"));
    // one memory, with a least and a most of one page: now with a most of 100
    const at = source.indexOf(Buffer.of(5, 4, 1, 1, 1, 1));
    expect(at).toBeGreaterThan(0);
    source[at + 5] = 100;
    await expect(loaded(new Uint8Array(source))).rejects.toEqual(refusal("MODEL_CORRUPT", "kernel.simd.wasm", "grow"));
  });

  test.each([
    ["fewer units", { groups: 1, units: 8, window: 1 }],
    ["more groups", { groups: 4 }],
    ["a wider window", { window: 3 }],
    ["more bits", { bits: 64 }],
    ["codes of four bits", { weightBits: 4 as const }],
    ["attention over the window", { windowAttention: true }],
    ["a document", { documentGroups: 2, documentSpan: 5 }],
    ["longer matches", { matchLength: 4 }],
    ["a longer history", { history: 4096 }],
  ])("and that is of another shape, of config.json with %s, is refused at the load", async (_what, change) => {
    const shape = validateShape({ ...SHAPE, ...change });
    const weights = writeTensors(randomTensors(shape));
    const kernel = await compileDevice(SHAPE, "simd");
    const of = new Map([...files, ["model.safetensors", weights], ["kernel.simd.wasm", kernel]]);
    const made = await withConfig(of, shape, {});
    await expect(load(made)).rejects.toEqual(refusal("MODEL_CORRUPT", "kernel.simd.wasm"));
  });

  test("and that wants more memory than the shape can need is refused at the load", async () => {
    const huge = assemble(
      source
        .replace(/(\(memory \(;0;\)) \d+ \d+\)/, "$1 30000 30000)")
        .replace(/\(export "PREDICTOR_END"[^\n]*\n/, "\n"),
    );
    await expect(loaded(huge)).rejects.toEqual(refusal("MODEL_CORRUPT", "kernel.simd.wasm", "memory"));
  });

  test("the kernels of all shipped models are of their shapes", async () => {
    for (const name of await readdir("models")) {
      for (const build of ["scalar", "simd"] as const)
        expect((await load(`models/${name}`, { build })).info().build).toBe(build);
    }
  });

  test("a tokenizer of bytes goes with them", () => expect(byteTokenizer().vocabularySize).toBe(SHAPE.vocabulary));
});
