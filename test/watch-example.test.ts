/** examples/watch: what a board says of lines is what the library says of them, with and without a language model. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileWatch, load, openWatch, watch, watchHeader } from "../host/index.ts";
import { PLAN_AT, planOf } from "../host/watch/layout.ts";
import { type WatchOptions, watchSettings } from "../host/watch/options.ts";
import { generator } from "../tools/generator.ts";
import { inspect, MVP, problem } from "../tools/module/inspect.ts";
import { needs, onPath } from "./needs.ts";

const EXAMPLE = "examples/watch";
const WASM3 = "examples/firmware/build/wasm3";
/** The Makefile's settings. */
const optionsOf = (name: string): WatchOptions =>
  JSON.parse(readFileSync(join(EXAMPLE, "Makefile"), "utf8").match(new RegExp(`^${name} := (\\{.*\\})$`, "m"))![1]!);

/** Bytes of a module with its plan, and of wasm3's operand stack as main.c sets it aside. */
const [MOST_CODE, STACK_BYTES] = [9 * 1024, 2048];

describe("a watch that is compiled", () => {
  test("imports nothing, begins, and needs no more than the first version of WebAssembly has", async () => {
    const module = await compileWatch(optionsOf("least"));
    expect(await problem(module, MVP)).toBeUndefined();
    const found = await inspect(module);
    expect(found.imports).toEqual([]);
    expect(found.exports).toEqual([
      ...[
        "PLAN_AT: i32 = 64",
        "begin: () → i32",
        "checksum: () → i32",
        "input: () → i32",
        "look: (i32) → i32",
        "memory",
      ],
      ...["push: (i32 i32 i32) → i32", "put: (i32 i32) → i32", "result: (i32) → i32", "resume: () → i32"],
    ]);
    expect(found.startFunction).toBe(false);
    expect(found.memory).toEqual({ least: 1, most: 1 });
    expect(module.length).toBeLessThanOrEqual(MOST_CODE);
    // d_m3MaxFunctionSlots of wasm3 where it is built for Arduino boards, and room for operands
    for (const { params, locals } of found.functions) expect(params + locals).toBeLessThanOrEqual(100);
    for (const { arduinoSlots } of found.functions) expect(arduinoSlots).toBeLessThanOrEqual(128);
    expect(found.stack.bytes).toBeLessThanOrEqual(STACK_BYTES);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource));
    const { begin, push, memory } = exports as unknown as {
      begin(): number;
      push(...values: number[]): number;
      memory: WebAssembly.Memory;
    };
    expect(push(0, 0, 0)).toBe(-1);
    expect(begin()).toBe(0);
    expect(push(0, 0, 0)).toBe(0);
    expect(memory.buffer.byteLength).toBe(65536);
  });

  test("is of its own options: what a device has no use for is refused by name, and what is out of bounds", async () => {
    for (const name of ["reach", "model", "classifier", "state", "module"]) {
      const wrong = { [name]: 1 };
      const refusal = { code: "INVALID_OPTION", message: expect.stringMatching(name) };
      await expect(compileWatch(wrong as never)).rejects.toMatchObject(refusal);
      await expect(watchHeader(wrong as never)).rejects.toMatchObject(refusal);
    }
    await expect(watchHeader({ window: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(compileWatch(null as never)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

test("the README's table has the memory of each size", () => {
  const readme = readFileSync(join(EXAMPLE, "README.md"), "utf8");
  for (const name of ["least", "small", "usual"]) {
    const { end, stateEnd } = planOf(watchSettings(optionsOf(name)).shape);
    const cells = [end, stateEnd - PLAN_AT].map((bytes) => bytes.toLocaleString("en")).join(" | ");
    expect(readme).toMatch(new RegExp(`^\\| \`${name}\`: [^|]* \\| ${cells.replaceAll("|", "\\|")} \\|`, "m"));
  }
});

/** Lines that are hard to read: of any bytes, empty, with carriage returns, longer than what is looked at, without an end. */
function hardLines(): Buffer {
  const next = generator(9);
  const log = readFileSync("examples/gateway/gateway.log").toString("latin1").split("\n").slice(0, 300);
  const lines = log.flatMap((line, i) => {
    if (i % 23 === 0) return [line, ""];
    if (i % 29 === 0) return [`${line}\r`];
    if (i % 31 === 0) return [line.repeat(9)];
    if (i % 37 === 0) return [Array.from({ length: 60 }, () => String.fromCharCode(next() * 256)).join("")];
    return [line];
  });
  return Buffer.from(lines.join("\n"), "latin1");
}

async function rowsOf(input: Uint8Array, options: WatchOptions): Promise<string> {
  let rows = "";
  for await (const { line, rank, of, score, alarm, id } of watch([input], options)) {
    if (alarm !== undefined) rows += `${line} ${rank} ${of} ${score.toFixed(4)} ${alarm} ${id}\n`;
  }
  return rows;
}

const found = onPath("gcc") && onPath("make") && existsSync(join(WASM3, "wasm3.h"));
needs("gcc, make, and wasm3's C sources (examples/firmware/fetch-wasm3.sh)", found)("on wasm3, from C", () => {
  const home = mkdtempSync(join(tmpdir(), "saffu-watch-example-"));
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  beforeAll(() => {
    execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", "build/test-watch-example"]);
  });
  const make = (...words: string[]) => {
    const built = join(process.cwd(), "build/test-watch-example");
    const given = [`SAFFU=${process.execPath} ${join(built, "cli.js")}`, `PACKAGE=${join(built, "index.js")}`];
    return execFileSync("make", ["--silent", "-C", EXAMPLE, `BUILD=${home}`, ...given, ...words], {
      ...{ encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    });
  };
  const say = (program: string, input: Uint8Array) => {
    const { status, stdout, stderr } = spawnSync(join(home, program), { input, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    return stdout;
  };
  const log = readFileSync("examples/gateway/gateway.log");

  test("the example says what the library says, of lines of any bytes too", async () => {
    const options = optionsOf("small");
    const said = make("check");
    expect(said).toBe(await rowsOf(log, options));
    const [shown] = /(?<=^```\n)\d[^`]+(?=```$)/m.exec(readFileSync(join(EXAMPLE, "README.md"), "utf8"))!;
    expect(said.startsWith(shown)).toBe(true); // the page shows its first lines
    const hard = hardLines();
    const own = { ...options, oneIn: 10, gap: 3 };
    make(`OPTIONS=${JSON.stringify(own)}`, `BUILD=${join(home, "own")}`, join(home, "own/watch"));
    const wanted = await rowsOf(hard, own);
    expect(wanted.split("\n").length).toBeGreaterThan(10);
    expect(say("own/watch", hard)).toBe(wanted);
    expect(say("watch", new Uint8Array(0))).toBe("");
  });

  test("in wasm3's Arduino build, with the least settings, as well", async () => {
    const flags = "EXTRA=-DARDUINO=10819";
    mkdirSync(join(home, "arduino"));
    make(flags, `BUILD=${join(home, "arduino")}`, join(home, "arduino/least/watch"));
    expect(say("arduino/least/watch", log)).toBe(await rowsOf(log, optionsOf("least")));
  });

  test("with a model's bits it says what the library says with that model", async () => {
    const model = await load("models/nano-en");
    make(join(home, "model/watch"));
    const wanted = await rowsOf(log, { ...optionsOf("model"), model });
    expect(wanted.split("\n").length).toBeGreaterThan(4);
    expect(wanted).not.toBe(await rowsOf(log, optionsOf("model")));
    expect(say("model/watch", log)).toBe(wanted);
  });

  test("its memory is what the watch says that it is", async () => {
    const sizes = make("sizes");
    for (const name of ["least", "small", "usual"]) {
      const { bytes } = await openWatch(optionsOf(name));
      expect(sizes).toContain(`${name}\nlinear memory ${bytes}\n`);
    }
  });
});
