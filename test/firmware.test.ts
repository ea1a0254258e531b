/** examples/firmware: what it prints on wasm3 is what it has always printed, and what V8 makes of the same calls. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Package, packageModel } from "../host/compile/package.ts";
import { readTensors } from "../host/files/safetensors.ts";
import { STATISTICS } from "../host/files/statistics.ts";
import { load, type Model } from "../host/index.ts";
import { needs, onPath } from "./needs.ts";

const EXAMPLE = "examples/firmware";
/** The forms of the Makefile. */
const FORMS = {
  nano: { model: "models/nano-en", options: {} },
  "potato-flash": { model: "models/potato-en", options: { target: "flash", history: 1024, indexed: false } },
  "potato-flash-frozen": {
    model: "models/potato-en",
    options: { target: "flash", history: 1024, indexed: false, learning: false },
  },
} as const;
type Form = keyof typeof FORMS;
const NAMES = Object.keys(FORMS) as Form[];

const golden = (form: Form) => readFileSync(join(EXAMPLE, `${form}.golden`), "utf8");

/** The literals of `static const char name[] = …;` in main.c: the texts are those of the C host. */
function text(name: string): string {
  const source = readFileSync(join(EXAMPLE, "main.c"), "utf8");
  const literals = source.match(new RegExp(`static const char ${name}\\[\\] = ([^;]*"[^;"]*");`, "s"))![1]!;
  return [...literals.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([literal]) => JSON.parse(literal)).join("");
}

describe.each(NAMES)("%s on V8", (form) => {
  let model: Model;
  let made: Package;
  beforeAll(async () => {
    model = await load(FORMS[form].model);
    made = await packageModel(model, FORMS[form].options);
  });

  test("gives what the C host prints", () => {
    expect(replay(made, model)).toBe(golden(form));
  });
});

test.each(["nano", "potato-flash"] as const)("%s observes what the library does", async (form) => {
  const model = await load(FORMS[form].model);
  await model.observe(text("TEXT"));
  const { tensors } = readTensors((await model.learnedFile())!, STATISTICS);
  const { observedTokens } = await model.statistics();
  const sums = ["observed", "expected"].map((name) => tensors.get(name)!.data as Uint32Array);
  const words = Uint32Array.from([...sums[0]!, ...sums[1]!, observedTokens]);
  expect(golden(form)).toContain(`statistics, ${words.byteLength} bytes: ${fnv(NOTHING, bytesOf(words))}`);
});

const found = onPath("gcc") && onPath("make") && existsSync(join(EXAMPLE, "build/wasm3/wasm3.h"));
needs(`gcc, make, and wasm3's C sources (${EXAMPLE}/fetch-wasm3.sh)`, found)("on wasm3", () => {
  let home: string;
  /** Builds a kind and form, and runs it. */
  const run = (kind: string, form: Form, flags = "") => {
    const program = join(home, kind, form);
    const saffu = `SAFFU=${process.execPath} ${join(process.cwd(), "build/test-firmware/cli.js")}`;
    rmSync(program, { force: true }); // it may have other flags; what it is linked with stays
    const words = ["--silent", "-C", EXAMPLE, saffu, `BUILD=${home}`, `CPPFLAGS=${flags}`, program];
    execFileSync("make", words, { stdio: ["ignore", "ignore", "inherit"] });
    const { status, stdout, stderr } = spawnSync(program, { encoding: "utf8" });
    return { status, stdout, stderr };
  };
  beforeAll(async () => {
    execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", "build/test-firmware"]);
    home = await mkdtemp(join(tmpdir(), "saffu-firmware-"));
  });
  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
  });

  test.each(["default", "arduino"].flatMap((kind) => NAMES.map((form) => [kind, form] as const)))(
    "with %s settings, %s prints its golden text",
    (kind, form) => {
      expect(run(kind, form)).toEqual({ status: 0, stdout: golden(form), stderr: "" });
    },
  );

  test("complete finishes words as the library does", async () => {
    const prompts = ["It was a dark nig", "It was ", "the United State", "said the old ma", "they'r", "It was the ben"];
    const program = join(home, "default/potato-flash-frozen-complete");
    const saffu = `SAFFU=${process.execPath} ${join(process.cwd(), "build/test-firmware/cli.js")}`;
    const words = ["--silent", "-C", EXAMPLE, saffu, `BUILD=${home}`, program];
    execFileSync("make", words, { stdio: ["ignore", "ignore", "inherit"] });
    const { status, stdout, stderr } = spawnSync(program, prompts, { encoding: "utf8" });
    const model = await load("models/potato-en");
    let wanted = "";
    for (const prompt of prompts) {
      let text = "";
      for await (const piece of model.generate(prompt, { temperature: 0, maxTokens: 8 })) text += piece;
      wanted += `${prompt}|${text.replaceAll("\n", "\\x0a")}\n`;
    }
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: wanted, stderr: "" });
  });

  test.each(
    ["default", "arduino"].flatMap((kind) =>
      Object.entries(PACKERS).map(([form, name]) => [kind, form, name] as const),
    ),
  )(
    "with %s settings, %s packs messages into the library's frames, unpacks them, and refuses what is none",
    async (kind, form, name) => {
      const model = await load(name);
      const program = join(home, kind, form);
      const saffu = `SAFFU=${process.execPath} ${join(process.cwd(), "build/test-firmware/cli.js")}`;
      execFileSync("make", ["--silent", "-C", EXAMPLE, saffu, `BUILD=${home}`, program], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const hostile = [
        ...fc
          .sample(fc.uint8Array({ maxLength: 60 }), { numRuns: 300, seed: 3 })
          .map((bytes) => Buffer.from(bytes).toString("hex")),
        ...["xyz", "0", "00".repeat(241), "00".repeat(242), "ff".repeat(300)],
      ];
      packsAsTheLibrary(program, model, hostile);
    },
  );

  test.each(NAMES)("five eighths of the operand stack are enough for %s", (form) => {
    expect(run("arduino", form, "-DSAFFU_STACK_BYTES=1280").stdout).toBe(golden(form));
  });

  test("one byte of linear memory less than the header says is too little", () => {
    const { status, stderr } = run("default", "nano", '-DSAFFU_MEMORY_LIMIT="(SAFFU_MEMORY_BYTES - 1)"');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/: -7, .*out of bounds/)]);
  });

  test("a stack that is too small is a code and a message, and no crash", () => {
    const { status, stderr } = run("arduino", "nano", "-DSAFFU_STACK_BYTES=256");
    expect([status, stderr]).toEqual([1, expect.stringMatching(/: -7, .*stack overflow\n$/)]);
  });
});

const wamr = onPath("gcc") && onPath("make") && onPath("cmake") && existsSync(join(EXAMPLE, "build/wamr/core"));
needs(`gcc, make, cmake, and WAMR's C sources (${EXAMPLE}/fetch-wamr.sh)`, wamr)("on WAMR", () => {
  test("nano prints its golden text, and packs messages as the library does", async () => {
    const home = await mkdtemp(join(tmpdir(), "saffu-firmware-"));
    try {
      const cli = join(process.cwd(), "build/test-firmware-wamr");
      execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", cli]);
      const program = join(home, "on-wamr/nano");
      const words = ["--silent", "-C", EXAMPLE, `SAFFU=${process.execPath} ${cli}/cli.js`, `BUILD=${home}`, program];
      execFileSync("make", words, { stdio: ["ignore", "ignore", "inherit"] });
      expect(spawnSync(program, { encoding: "utf8" }).stdout).toBe(golden("nano"));
      const packer = join(home, "on-wamr/nano-messages");
      execFileSync("make", [...words.slice(0, -1), packer], { stdio: ["ignore", "ignore", "inherit"] });
      packsAsTheLibrary(packer, await load("models/messages-nano"), ["ff", "00", "0102030405", "ff".repeat(250)]);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});

/** Forms of the Makefile that pack messages, and their models. */
const PACKERS = { "nano-messages": "models/messages-nano", "potato-messages": "models/potato-en" };

/** What people send by radio, and lines that no code makes shorter. */
const MESSAGES = [
  ...[
    "on my way",
    "It was a dark night.",
    "",
    " ",
    "47.3769N 8.5417E, 21:30",
    "DL1ABC de HB9XYZ 73",
    "a\tb  c   d",
    "they're 'ere",
  ],
  ...["x".repeat(100), "#".repeat(239), "The wind was cold, and nobody was on the road. ".repeat(5)],
];
/** The same of other scripts: their tokens may differ, their texts do not. */
const OTHERS = ["é, and 🙂🙂", "Привет, как дела?", "\u00a0…“quoted”", "\u0001\u0002\u007f"];

/** A program that packs lines gives the library's frames for ASCII, and both read each other's; what is no frame ends in a code. */
function packsAsTheLibrary(program: string, model: Model, hostile: readonly string[]): void {
  const run = (words: string[], lines: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(program, words, { input: `${lines.join("\n")}\n` });
    expect([status, stderr.toString()]).toEqual([0, ""]);
    return stdout.toString("latin1").split("\n").slice(0, -1);
  };
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const frames = MESSAGES.map((message) => hex(model.pack(message)));
  expect(run([], MESSAGES)).toEqual(frames);
  expect(run(["unpack"], frames)).toEqual(MESSAGES);
  const latin1 = (text: string) => Buffer.from(text).toString("latin1");
  expect(
    run(
      ["unpack"],
      OTHERS.map((message) => hex(model.pack(message))),
    ),
  ).toEqual(OTHERS.map(latin1));
  const theirs = run([], OTHERS).map((frame) => model.unpack(Buffer.from(frame, "hex")));
  expect(theirs.map((message) => Buffer.from(message).toString())).toEqual(OTHERS);
  const wanted = hostile.map((line) => {
    if (line.length > 482) return "! -2"; // longer than a frame can be
    if (!/^([0-9a-f]{2}){0,241}$/.test(line)) return "! -1";
    try {
      return Buffer.from(model.unpack(Buffer.from(line, "hex"), { maxBytes: 240 })).toString("latin1");
    } catch (error) {
      return (error as Error).message.includes("more than 240 bytes") ? "! -2" : "! -9";
    }
  });
  expect(run(["unpack"], hostile).join("\n")).toBe(wanted.join("\n"));
}

const NOTHING = 0xcbf29ce484222325n;

/** FNV-1a of 64 bits, as 16 hexadecimal digits where it is printed. */
function fnv(from: bigint, bytes: Uint8Array): string {
  let digest = from;
  for (const byte of bytes) digest = BigInt.asUintN(64, (digest ^ BigInt(byte)) * 0x100000001b3n);
  return digest.toString(16).padStart(16, "0");
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

const MEANINGS: Record<number, string> = {
  [-1]: "a token, row or option is out of range",
  [-2]: "the statistics are full: a sum would pass 2^32 - 1",
  [-3]: "this was never observed: a sum would fall below 0",
  [-4]: "the module was compiled without learning",
  [-5]: "a read from flash fell short",
  [-6]: "reset has not been called, or has failed",
};

/** What main.c does, in the same order, with the module in V8 and the library's tokenizer. */
function replay({ module, weights, memoryBytes, digest, shape }: Package, { tokenizer }: Model): string {
  let broken = false;
  const read = (offset: number, destination: number, bytes: number) => {
    if (broken) return 0;
    new Uint8Array(memory.buffer).set(weights!.subarray(offset, offset + bytes), destination);
    return bytes;
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource), { saffu: { read } });
  const device = instance.exports as Record<string, (...numbers: number[]) => number>;
  const memory = instance.exports.memory as WebAssembly.Memory;
  const address = (name: string) => (instance.exports[name] as WebAssembly.Global).value as number;
  const V = shape.vocabulary;
  const PROMPT = text("PROMPT");
  const TEXT = text("TEXT");
  let out = "";
  const print = (line: string) => {
    out += `${line}\n`;
  };
  const probabilities = () => fnv(NOTHING, new Uint8Array(memory.buffer, address("PROBABILITIES"), V * 4));
  const statistics = () => {
    const from = address("OBSERVED");
    const region = new Uint8Array(memory.buffer, from, address("OBSERVED_TOKENS") + 4 - from);
    print(`statistics, ${region.length} bytes: ${fnv(NOTHING, region)}`);
    return fnv(NOTHING, region);
  };
  const refused = (call: string, code: number) => print(`${call}: ${code}, ${MEANINGS[code]}`);

  const generate = (title: string) => {
    device.reset!();
    device.seed!(2311);
    for (const token of tokenizer.encode(PROMPT)) device.feed!(token);
    const tokens = Uint32Array.from({ length: 200 }, () => {
      const token = device.sample!(0.8, 0, 1);
      device.append!(token);
      return token;
    });
    const written = [...tokens].flatMap((token) => [...tokenizer.bytesOf(token)]);
    const shown = written.map((byte) =>
      byte === 10 || (byte >= 32 && byte < 127)
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`,
    );
    print(`\n${title}\n| ${PROMPT}${shown.join("")}`);
    print(`tokens ${fnv(NOTHING, bytesOf(tokens))}`);
    device.predict!();
    print(`probabilities after them ${probabilities()}`);
    return fnv(NOTHING, bytesOf(tokens));
  };
  const goThrough = (title: string, call: (token: number) => number) => {
    device.reset!();
    const surprisals = Float32Array.from(tokenizer.encode(TEXT), call);
    const bits = surprisals.reduce((sum, surprisal) => sum + surprisal, 0);
    const milli = Math.floor((bits * 1000) / TEXT.length + 0.5);
    const shown = `${Math.floor(milli / 1000)}.${String(milli % 1000).padStart(3, "0")}`;
    print(`\n${title}: ${surprisals.length} tokens, ${TEXT.length} bytes, ${shown} bits a byte`);
    print(`surprisals ${fnv(NOTHING, bytesOf(surprisals))}`);
  };
  const refit = () => {
    let calls = 0;
    for (let from = 0; from < V; from += 32, ++calls) device.refit!(from, Math.min(V, from + 32), 3000, 1);
    print(`\nrefitted in ${calls} calls of 32 rows`);
    device.correct!(1);
  };

  print(`module of ${module.length} bytes, weights in flash ${weights?.length ?? 0}, memory ${memoryBytes}`);
  print(digest);
  refused("\npredict() before reset", device.predict!());
  const base = generate("written by the base");
  goThrough("scored by the base", device.feed!);
  const learns = device.correct!(0) === 0;
  if (learns) {
    print("");
    const empty = statistics();
    goThrough("observed", device.observe!);
    statistics();
    refit();
    generate("written with the correction");
    goThrough("scored with the correction", device.feed!);
    goThrough("forgotten", device.forget!);
    print(`as before it was observed: ${statistics() === empty ? "yes" : "no"}`);
    refit();
    print(`as the base: ${generate("written once it is forgotten") === base ? "yes" : "no"}`);
  }
  print("\nrefusals");
  device.reset!();
  device.predict!();
  const before = probabilities();
  refused("feed(V)", device.feed!(V));
  refused("append(2^32 - 1)", device.append!(0xffffffff));
  refused("sample(-1, 0, 1)", device.sample!(-1, 0, 1));
  if (learns) {
    refused("refit(0, V + 1)", device.refit!(0, V + 1, 3000, 1));
    refused("forget(65)", device.forget!(65));
    const tokens = new Uint32Array(memory.buffer, address("OBSERVED_TOKENS"), 1);
    tokens[0] = 0xffffffff;
    refused("observe(65)", device.observe!(65));
    tokens[0] = 0;
  } else {
    refused("observe(65)", device.observe!(65));
    refused("refit(0, 1)", device.refit!(0, 1, 3000, 1));
  }
  if (weights) {
    device.append!(65);
    broken = true;
    refused("predict()", device.predict!());
    refused("reset()", device.reset!());
    refused("predict()", device.predict!());
    broken = false;
    device.reset!();
  }
  device.predict!();
  print(`probabilities as before: ${probabilities() === before ? "yes" : "no"}`);
  return out;
}
