/** The runtimes that the golden script is run on. All but V8 itself are brought by install.sh, or by the project's own dependencies. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import type { Build } from "../../host/model/kernel.ts";
import { ARM64, ARMV7, onPath } from "../hosts.ts";
import type { Case } from "./cases.ts";
import { play, playDriver } from "./play.ts";
import type { Answer, Played } from "./script.ts";

export interface Runtime {
  readonly name: string;
  readonly builds: readonly Build[];
  /** Seconds a thousand tokens of nano, and minutes of potato. */
  readonly slow?: true;
  /** It runs modules that have the script inside, and no others. */
  readonly inside?: true;
  /** What must be there. */
  readonly needs: string;
  /** Whether it is. */
  found(): boolean;
  play(made: Case): Promise<Played>;
  close?(): Promise<void>;
}

const BOTH: readonly Build[] = ["scalar", "simd"];
const PYTHON = ".venv/bin/python";
const BUILT = "build/conformance";
const INTERPRETER = "node_modules/wabt/bin/wasm-interp";

export const RUNTIMES: readonly Runtime[] = [
  {
    name: "V8 in Node",
    builds: BOTH,
    needs: "Node",
    found: () => true,
    play: async ({ module, weights, script }) => ({
      version: process.versions.v8,
      answers: play(module, weights, script.steps),
    }),
  },
  {
    name: "V8 in Node, script inside",
    inside: true,
    builds: BOTH,
    needs: "Node",
    found: () => true,
    play: async (made) => {
      const { module, exports } = await made.driver();
      return { version: process.versions.v8, answers: playDriver(module, exports) };
    },
  },
  inChromium(),
  emulated("32-bit ARM", ARMV7, ["scalar"]), // its vectors take subnormal numbers for zero: the host runs scalar there
  emulated("64-bit ARM", ARM64, BOTH),
  python("wasm3", ["scalar"]), // it has no SIMD
  python("wasmtime", BOTH),
  program("wasmi", `${BUILT}/wasmi/release/golden`),
  program("wazero", `${BUILT}/wazero`, "interpreter"),
  program("wazero", `${BUILT}/wazero`, "compiler"),
  {
    name: "WAMR, script inside",
    inside: true,
    builds: ["scalar"],
    needs: `${BUILT}/wamr/golden (tools/conformance/install.sh)`,
    found: () => existsSync(`${BUILT}/wamr/golden`),
    play: async (made) => {
      const { module, exports } = await made.driver();
      return runner(`${BUILT}/wamr/golden`, [written(made, module), ...exports], "");
    },
  },
  {
    name: "wabt's interpreter, script inside",
    inside: true,
    builds: BOTH,
    slow: true,
    needs: "the package wabt",
    found: () => existsSync(INTERPRETER),
    play: interpret,
  },
];

/** V8 of a Node for another machine, which qemu-user runs. */
function emulated(machine: string, words: readonly string[] | undefined, builds: readonly Build[]): Runtime {
  let player: string | undefined;
  return {
    name: `V8 in Node on ${machine}`,
    builds,
    needs: "qemu-user, a C library for it, and tools/hosts (.ci/run)",
    found: () => words !== undefined,
    play: async (made) => {
      if (player === undefined) {
        player = `${made.path}.player.cjs`;
        const entryPoints = ["tools/conformance/player.ts"];
        await build({ entryPoints, outfile: player, bundle: true, format: "cjs", platform: "node" });
      }
      const [file, ...before] = words!;
      return runner(file!, [...before, player], JSON.stringify(made.script));
    },
  };
}

/** A package of Python, driven by golden.py. */
function python(name: string, builds: readonly Build[]): Runtime {
  return {
    name,
    builds,
    needs: `${name} in .venv (tools/conformance/install.sh)`,
    found: () => {
      try {
        execFileSync(PYTHON, ["-c", `import ${name}`], { stdio: "ignore" });
        return true;
      } catch {
        return false;
      }
    },
    play: ({ script }) => runner(PYTHON, ["tools/conformance/golden.py", name], JSON.stringify(script)),
  };
}

/** A runner that install.sh builds. */
function program(name: string, path: string, ...words: string[]): Runtime {
  return {
    name: [name, ...words].join(" "),
    builds: BOTH,
    needs: `${path} (tools/conformance/install.sh)`,
    found: () => existsSync(path),
    play: ({ script }) => runner(path, words, JSON.stringify(script)),
  };
}

/** Runs a runner of the protocol in script.ts. */
export async function runner(file: string, words: readonly string[], script: string): Promise<Played> {
  const [first, ...lines] = (await output(file, words, script)).trimEnd().split("\n");
  const { version } = JSON.parse(first!) as { version: string };
  return { version, answers: lines.map((line) => JSON.parse(line) as Answer) };
}

/** What a command prints. @throws with what it says of its failure */
function output(file: string, words: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words);
    const printed: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        printed[stream] += text;
      });
    }
    child.on("error", reject);
    child.stdin.on("error", () => {}); // the child has ended before it read all: its code tells why
    child.on("close", (code) => {
      if (code === 0) resolve(printed.stdout);
      else reject(new Error(`${file} ends with ${code}: ${printed.stderr.slice(-2000)}`));
    });
    child.stdin.end(input);
  });
}

/** Each export runs a step; it prints them in order, each with its result, and not how long they took. */
async function interpret(made: Case): Promise<Played> {
  const { version } = JSON.parse(readFileSync("node_modules/wabt/package.json", "utf8")) as { version: string };
  const { module, exports } = await made.driver();
  const words = [INTERPRETER, written(made, module), "--run-all-exports"];
  const start = performance.now();
  const lines = (await output(process.execPath, words, "")).trimEnd().split("\n");
  const seconds = (performance.now() - start) / 1000;
  const answers = exports.map((name, i) => {
    const [, result] = lines[i]?.match(new RegExp(`^${name}\\(\\) => i64:(\\d+)$`)) ?? [];
    if (result === undefined) throw new Error(`wasm-interp: ${lines[i] ?? "nothing"} in place of ${name}`);
    return { digest: BigInt(result).toString(16).padStart(16, "0"), seconds: i === 0 ? seconds : 0 };
  });
  return { version, answers };
}

/** The path of a driver's module. */
function written(made: Case, module: Uint8Array): string {
  const path = `${made.path}.driver.wasm`;
  writeFileSync(path, module);
  return path;
}

/** V8 as Debian's Chromium has it, in an empty page that asks nobody for anything. */
function inChromium(): Runtime {
  const executablePath = onPath("chromium");
  let browser: Promise<Browser> | undefined;
  return {
    name: "Chromium",
    builds: BOTH,
    needs: "chromium",
    found: () => executablePath !== undefined,
    play: async ({ module, weights, script }) => {
      browser ??= chromium.launch({
        executablePath: executablePath!,
        args: [
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--disable-background-networking",
          "--host-resolver-rules=MAP * ~NOTFOUND", // nothing leaves this machine
        ],
      });
      const page = await (await browser).newPage();
      try {
        await page.addScriptTag({ content: await bundle() });
        const encoded = [base64(module), weights && base64(weights), script.steps];
        const call = `golden.playEncoded(${encoded.map((value) => JSON.stringify(value)).join()})`;
        const answers = await page.evaluate<Answer[]>(call);
        return { version: (await browser).version(), answers };
      } finally {
        await page.close();
      }
    },
    close: async () => {
      await (await browser)?.close();
      browser = undefined;
    },
  };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

async function bundle(): Promise<string> {
  const entryPoints = ["tools/conformance/play.ts"];
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    write: false,
    format: "iife",
    globalName: "golden",
  });
  return outputFiles[0]!.text;
}
