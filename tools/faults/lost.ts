/** Several processes learn into one directory at the same time, and each acknowledged piece has to be found in it at the end. */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "../../host/index.ts";
import { bundle } from "./kills.ts";

/** What was acknowledged, and what was found. */
export interface LostReport {
  /** Pieces that each process was told are saved. */
  readonly pieces: readonly number[];
  readonly acknowledged: number;
  readonly found: number;
  /** Acknowledged tokens that are not in the sums. */
  readonly lost: number;
  /** What stands in the directory beside a model: temporary files, locks. */
  readonly left: readonly string[];
}

/**
 * Half of the processes use the library and go on for ever; the others are the command, one process a piece.
 *
 * @param model directory of a small model, which is copied
 * @throws Error where a process fails, or where the sums are not those of a model that observed all the pieces
 */
export async function learnTogether(model: string, processes: number, seconds: number): Promise<LostReport> {
  const home = await mkdtemp(join(tmpdir(), "saffu-lost-"));
  try {
    const directory = join(home, "model");
    await cp(model, directory, { recursive: true });
    const learner = join(home, "learner.mjs");
    const command = join(home, "cli.mjs");
    await bundle("./learner.ts", learner);
    await bundle("../../host/cli/main.ts", command);
    const told = await Promise.all(
      Array.from({ length: processes }, (_, i) =>
        i % 2 === 0
          ? throughLibrary(learner, directory, `process ${i}`, seconds)
          : throughCommand(command, directory, `process ${i}`, seconds),
      ),
    );
    const reference = await load(model);
    let acknowledged = 0;
    for (const { tokens, piece } of told.flat()) {
      acknowledged += tokens;
      await reference.observe(piece);
    }
    const statistics = await (await load(directory)).statistics();
    const found = statistics.observedTokens;
    if (found === acknowledged && statistics.statisticsDigest !== (await reference.statistics()).statisticsDigest) {
      throw new Error("as many tokens as were acknowledged, and not the same");
    }
    const left = (await readdir(directory)).filter((name) => name.startsWith("."));
    return { pieces: told.map(({ length }) => length), acknowledged, found, lost: acknowledged - found, left };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** A piece whose save was acknowledged. */
interface Told {
  readonly tokens: number;
  readonly piece: string;
}

async function throughLibrary(learner: string, directory: string, name: string, seconds: number): Promise<Told[]> {
  const out = await run([learner, directory, name, String(seconds)]);
  return out
    .split("\n")
    .slice(0, -1)
    .map((line) => ({ tokens: Number.parseInt(line, 10), piece: line.slice(line.indexOf(" ") + 1) }));
}

async function throughCommand(command: string, directory: string, name: string, seconds: number): Promise<Told[]> {
  const told: Told[] = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    const piece = `${name}.${told.length}: and the door is open`;
    const { tokens } = JSON.parse(await run([command, "observe", directory, "-", "--json"], piece));
    told.push({ tokens, piece });
  }
  return told;
}

function run(words: readonly string[], input = ""): Promise<string> {
  const child = spawn(process.execPath, words, { stdio: "pipe" });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("close", (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${words[1]} ended with ${code}: ${err}`)),
    );
  });
}
