/** Kills a process that learns and saves, again and again over the same directory, and looks at what it leaves. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { LEFTOVER, STATISTICS } from "../../host/files/statistics.ts";
import { load } from "../../host/index.ts";
import { generator } from "../generator.ts";

/** What was found after the kills. */
export interface KillReport {
  readonly kills: number;
  /** Saves that were acknowledged before a kill, all kills together. */
  readonly saves: number;
  /** Killed between two saves; killed in a save, and the old state, or the new one, stood there. */
  readonly between: number;
  readonly old: number;
  readonly new: number;
  /** Killed in a save, and its temporary file was left. */
  readonly leftovers: number;
  /** States without any statistics that were found. */
  readonly none: number;
}

/** The writer as one file that needs nothing else. */
export function bundleWriter(outfile: string): Promise<void> {
  return bundle("./writer.ts", outfile);
}

/** A program, by its path from here, as one file. What packages need of CommonJS is given to it. */
export async function bundle(program: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [new URL(program, import.meta.url).pathname],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    banner: {
      js: `import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);`,
    },
    external: ["assemblyscript"],
    logLevel: "warning",
  });
}

/**
 * Every kill but one in ten goes on where the last one left the directory. Half of them come at any moment, half right after a
 * save has begun.
 *
 * @param model directory of a small model, which is copied
 * @throws Error where what is found cannot be loaded, is older than the last acknowledged save, or is none of what was to be saved
 */
export async function killWriters(model: string, kills: number, seed: number): Promise<KillReport> {
  const home = await mkdtemp(join(tmpdir(), "saffu-faults-"));
  const random = generator(seed);
  const report = { kills, saves: 0, between: 0, old: 0, new: 0, leftovers: 0, none: 0 };
  try {
    const writer = join(home, "writer.mjs");
    await bundleWriter(writer);
    let directory = "";
    let found = "none";
    for (let kill = 0; kill < kills; ++kill) {
      if (kill === 0 || random() < 0.1) {
        directory = join(home, `model-${kill}`);
        await cp(model, directory, { recursive: true });
        found = "none";
      }
      const what = `seed ${seed}, kill ${kill}`;
      const told = await runAndKill(writer, directory, Math.floor(random() * 2 ** 31), random);
      const [first, ...steps] = told;
      if (first !== `ready ${found}`) throw new Error(`${what}: the writer loaded "${first}", ${found} was left`);
      const saved = [found, ...steps.filter((step) => step.startsWith("saved ")).map(digestIn)];
      const begun = steps.at(-1)?.startsWith("begin ") ? digestIn(steps.at(-1)!) : undefined;

      const leftovers = (await readdir(directory)).filter((name) => LEFTOVER.test(name)).length;
      // every save removes what the kill before it left
      const removed = saved.length > 1 && begun === undefined;
      if (leftovers > (removed ? 0 : 1)) throw new Error(`${what}: ${leftovers} leftovers`);
      const bytes = await readFile(join(directory, STATISTICS)).catch(() => undefined);
      const now = bytes ? createHash("sha256").update(bytes).digest("hex") : "none";
      const again = await (await load(directory)).learnedFile(); // whole, or this throws
      if (!(again === undefined ? bytes === undefined : bytes?.equals(again)))
        throw new Error(`${what}: read otherwise`);

      const last = saved.at(-1)!;
      if (now !== last && now !== begun) {
        const age = saved.includes(now)
          ? "older than the last acknowledged save"
          : "no state that was ever to be saved";
        throw new Error(`${what}: found ${now}, ${age}; acknowledged ${last}, begun ${begun}`);
      }
      report.saves += saved.length - 1;
      if (begun !== undefined) report.leftovers += leftovers;
      if (now === "none") ++report.none;
      if (begun === undefined) ++report.between;
      else if (now === begun) ++report.new;
      else ++report.old;
      found = now;
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return report;
}

function digestIn(step: string): string {
  return step.split(" ")[1]!;
}

/** What a writer told before it was killed, line by line. */
async function runAndKill(writer: string, directory: string, seed: number, random: () => number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, directory, String(seed)], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  let armed = false;
  const atSave = random() < 0.5;
  const saves = Math.floor(random() * 12);
  const delay = atSave ? random() * 4 : random() * 120; // a save takes a few ms, a dozen of them a tenth of a second
  child.stdout.on("data", (chunk) => {
    told += chunk;
    const ready = atSave ? told.split("begin ").length - 1 > saves : told.includes("\n");
    if (!ready || armed) return;
    armed = true;
    if (delay < 1) child.kill("SIGKILL");
    else setTimeout(() => child.kill("SIGKILL"), delay);
  });
  const signal = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (_code, signal) => resolve(signal));
  });
  if (signal !== "SIGKILL") throw new Error(`the writer ended by itself: ${told}`);
  // a line that was cut was not told
  return told.slice(0, told.lastIndexOf("\n")).split("\n");
}
