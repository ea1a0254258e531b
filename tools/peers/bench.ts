/**
 * `npm run bench:peers`: saffu and its peers at the same jobs, in rounds in which each does the job once; what was measured goes to
 * results/results.json, and docs/performance.md is written from it. Minutes. A peer that is not installed is left out, and named.
 *
 *     --rounds N     rounds of what takes milliseconds (default 7); half of that of fits
 *     --python FILE  a Python that has torch (default: .venv here, which `npm run torch --prefix tools/peers` makes)
 *     --kenlm DIR    folder with KenLM's lmplz, build_binary and query (default: the environment variable KENLM)
 *     --page         writes the page from the results that are stored, and measures nothing
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileSolver } from "../../host/compile/compile.ts";
import { MODEL, prepare, TRAIN } from "./data.ts";
import { JOBS, type JobName, REQUESTS } from "./jobs.ts";
import { Kenlm } from "./kenlm.ts";
import { page } from "./page.ts";
import { inPeers, inRoot, ROOT } from "./paths.ts";
import { type Answer, Peer } from "./peer.ts";
import { type Results, readResults, type Series, writeResults } from "./results.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    python: { type: "string", default: inPeers(".venv", "bin", "python") },
    kenlm: { type: "string", default: process.env.KENLM ?? "" },
    page: { type: "boolean", default: false },
  },
});

/** Bits of the same weights on the same text: a peer that computes something else is no peer. */
const AGREE = 1e-3;
const FOLDER = inPeers("build", "bench");
/** Rates and epochs of Adam that gave the fewest bits on the held-out text, of 0.01 to 0.1 and of 1, 2, 4 and 8. */
const ADAM = { "PyTorch, one epoch of Adam": "fit 1 0.05 256", "PyTorch, two epochs of Adam": "fit 2 0.03 256" };

/** How a peer's process is started, by name; undefined where it is not there. */
const commands: Record<string, readonly string[]> = {};
const versions: Record<string, string> = {};
const missing: Record<string, string> = {};
/** What was measured, by job and peer. */
const found = new Map<
  string,
  { job: JobName; peer: string; values: number[]; peak: number; bits: number | undefined }
>();

if (values.page) write(readResults());
else await measure();

async function measure(): Promise<void> {
  const rounds = Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds >= 3))
    throw new Error(`--rounds must be a whole number from 3 on, got ${values.rounds}`);
  mkdirSync(FOLDER, { recursive: true });
  process.env.SAFFU_MODULES ??= inPeers("build", "modules"); // shapes without a history are not built ahead
  mkdirSync(process.env.SAFFU_MODULES, { recursive: true });
  execFileSync(process.execPath, ["tools/build.mjs"], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  const { shape, heldOut } = await prepare(FOLDER);
  await compileSolver(shape, "simd", true); // as the device's are by now: fits find all of them
  const kenlm = findPeers();
  await fits(Math.floor(rounds / 2), kenlm, heldOut.length);
  await coldStarts(Math.ceil((2 * rounds) / 3), kenlm);
  await jobs(rounds, kenlm);
  const series = JOBS.flatMap(({ name }) => [...found.values()].filter(({ job }) => job === name));
  const results: Results = {
    processor: `${cpus()[0]!.model.trim()}, ${cpus().length} cores`,
    node: process.versions.node,
    versions,
    missing,
    series: series.map(
      (each): Series => ({ ...each, values: each.values.map((value) => Number(value.toPrecision(4))) }),
    ),
  };
  writeResults(results);
  write(results);
}

function write(results: Results): void {
  writeFileSync(inRoot("docs", "performance.md"), page(results));
  console.log(page(results));
}

/** Says which peers are there. */
function findPeers(): Kenlm | undefined {
  const packageOf = (path: string) => JSON.parse(readFileSync(path, "utf8")).version as string;
  const installed = (name: string) => packageOf(inPeers("node_modules", name, "package.json"));
  const worker = (name: string, ...words: string[]) => [
    process.execPath,
    inPeers("workers", `${name}.mjs`),
    FOLDER,
    ...words,
  ];
  commands.saffu = worker("saffu", "network");
  versions.saffu = `${packageOf(inRoot("package.json"))}, ${MODEL} without its history, under Node.js`;
  commands["saffu with its history"] = worker("saffu", MODEL);
  versions["saffu with its history"] = `the same with all of ${MODEL}: what is used, and predicts better`;
  commands["onnxruntime-node"] = worker("onnxruntime", "node");
  versions["onnxruntime-node"] = `${installed("onnxruntime-node")}, the file of \`saffu export --onnx\``;
  commands["onnxruntime-web"] = worker("onnxruntime", "web");
  versions["onnxruntime-web"] =
    `${installed("onnxruntime-web")}, its WebAssembly with SIMD under Node.js, the same file`;
  commands["TensorFlow.js"] = worker("tfjs");
  versions["TensorFlow.js"] = `${installed("@tensorflow/tfjs-core")}, its WebAssembly backend with SIMD under Node.js`;
  const probe = (file: string, ...words: string[]) => {
    try {
      return execFileSync(file, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
      return undefined;
    }
  };
  const torch = existsSync(values.python) && probe(values.python, "-c", "import torch; print(torch.__version__)");
  if (torch) {
    commands.PyTorch = [values.python, inPeers("workers", "pytorch.py"), FOLDER];
    versions.PyTorch = `${torch.replace(/\+.*/, "")}, on the CPU; a traced module where that is faster`;
  } else missing.PyTorch = "no Python with torch, which `npm run torch --prefix tools/peers` brings";
  const gcc = probe("gcc", "-dumpfullversion");
  const options = ["-O3", "-msse4.1", "-mno-avx", "-fno-math-errno", "-fno-trapping-math"];
  if (gcc && process.arch === "x64") {
    const program = join(FOLDER, "network-c");
    execFileSync("gcc", [...options, "-o", program, inPeers("network.c"), "-lm"]);
    commands["C at 128 bits"] = [program, FOLDER];
    versions["C at 128 bits"] =
      `gcc ${gcc}, \`${options.slice(0, 3).join(" ")}\`, the same int8 arithmetic: [network.c](../tools/peers/network.c)`;
  } else missing["C at 128 bits"] = "no gcc for x86-64";
  if (values.kenlm && existsSync(join(values.kenlm, "lmplz"))) {
    versions.KenLM =
      "5-grams of the text of 100,000 tokens, another kind of model; it gives a token's probability and no distribution";
    return new Kenlm(values.kenlm, FOLDER);
  }
  missing.KenLM = "no folder with its programs, which the environment variable KENLM names";
  return undefined;
}

function keep(job: JobName, peer: string, { cpu, peak, bits }: Answer, tokens?: number): void {
  const { scale } = JOBS.find(({ name }) => name === job)!;
  const key = `${job} ${peer}`;
  const kept = found.get(key) ?? { job, peer, values: [], peak: 0, bits: undefined };
  kept.values.push(cpu * scale);
  kept.peak = Math.max(kept.peak, peak);
  if (bits !== undefined && tokens !== undefined) kept.bits = Number((bits / tokens).toFixed(4));
  found.set(key, kept);
  console.error(`${key}: ${(cpu * scale).toPrecision(4)}`);
}

/** Everyone in turn, each round from another one on. */
function turns<T>(items: readonly T[], round: number): T[] {
  return items.map((_, i) => items[(i + round) % items.length]!);
}

/** Each fit is a process of its own, so that its memory can be told. */
async function fits(rounds: number, kenlm: Kenlm | undefined, heldOut: number): Promise<void> {
  const alone = async (command: readonly string[], request: string) => {
    const peer = new Peer(request, command);
    try {
      await peer.answer();
      return await peer.ask(request);
    } finally {
      await peer.end();
    }
  };
  const { PyTorch, saffu } = commands;
  const all: (() => Promise<void>)[] = [
    async () => {
      const answer = await alone(saffu!, "fit 1");
      if (answer.tokens !== TRAIN) throw new Error(`saffu has fitted ${answer.tokens} tokens, not ${TRAIN}`);
      keep("fit", "saffu", answer, heldOut);
    },
    ...(PyTorch ? Object.entries(ADAM) : []).map(([name, request]) => async () => {
      keep("fit", name, await alone(PyTorch!, request), heldOut);
    }),
    ...(kenlm ? [async () => keep("fit", "KenLM", kenlm.fit(), heldOut)] : []),
  ];
  for (let round = 0; round < rounds; ++round) for (const one of turns(all, round)) await one();
}

async function coldStarts(rounds: number, kenlm: Kenlm | undefined): Promise<void> {
  const all: (() => Promise<void>)[] = Object.entries(commands).map(([name, command]) => async () => {
    const peer = new Peer(name, command);
    try {
      keep("first", name, await peer.answer());
    } finally {
      await peer.end();
    }
  });
  if (kenlm) all.push(async () => keep("first", "KenLM", kenlm.first()));
  for (let round = 0; round < rounds; ++round) for (const one of turns(all, round)) await one();
}

/** What takes milliseconds is asked of processes that stay. */
async function jobs(rounds: number, kenlm: Kenlm | undefined): Promise<void> {
  const peers = Object.entries(commands).map(([name, command]) => new Peer(name, command));
  try {
    for (const peer of peers) await peer.answer();
    const requests = Object.entries(REQUESTS) as [JobName, string][];
    const count = Number(REQUESTS.decode!.split(" ")[1]);
    let own: number | undefined;
    // warm: each job three times, and what a peer does not do is known
    const does = new Set<string>();
    for (const peer of peers) {
      for (const [job, request] of requests) {
        for (let time = 0; time < 3; ++time) {
          const { missing: none, bits } = await peer.ask(request);
          if (none) break;
          does.add(`${job} ${peer.name}`);
          if (job !== "decode") continue;
          if (peer.name === "saffu") own = bits;
          const same = peer.name.startsWith("saffu") || Math.abs(bits! / own! - 1) < AGREE;
          if (!same) throw new Error(`${peer.name} finds ${bits} bits where saffu finds ${own}`);
        }
      }
    }
    const all = requests.map(([job, request]) => {
      const each: (() => Promise<void>)[] = peers
        .filter(({ name }) => does.has(`${job} ${name}`))
        .map((peer) => async () => {
          const answer = await peer.ask(request);
          keep(job, peer.name, answer, job === "decode" ? count : undefined);
          if (job !== "learn" || peer.name !== "saffu") return;
          const { cpu, peak } = await peer.ask("solve");
          keep(job, "saffu, and its correction solved", { cpu: answer.cpu + cpu, peak });
        });
      if (kenlm && job === "decode") each.push(async () => keep(job, "KenLM", kenlm.decode(count)));
      return each;
    });
    for (let round = 0; round < rounds; ++round) {
      for (const each of all) for (const one of turns(each, round)) await one();
    }
  } finally {
    for (const peer of peers) await peer.end();
  }
}
