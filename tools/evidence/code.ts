/**
 * What decides a system's results now, as one digest. Of a saffu model it is what a small probe comes to, and the settings that follow
 * from the amount of text, so that a change of the sources that changes no bit leaves the results standing; of the others it is the
 * sources'.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { load } from "../../host/index.ts";
import { loadData } from "./data.ts";
import { codeDigest, digest, type Job } from "./job.ts";
import { quickened, type System, systemOf } from "./systems.ts";

/** Tokens that the probe is fitted on, and bytes of dev that it scores. */
const PROBE_TOKENS = 3000;
const PROBE_BYTES = 4096;

/** Digest of a system's code: one probe for each state of its sources, kept under `cache`. */
export async function codeOf(system: System, cache = join("build", "evidence", "code")): Promise<string> {
  const sources = codeDigest(system.sources);
  if (system.model === undefined) return sources;
  const path = join(cache, `${system.name}-${sources}`);
  try {
    return readFileSync(path, "utf8");
  } catch {
    // not probed yet
  }
  const found = await probed(system, system.model);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, found);
  return found;
}

/** Digest of what decides a job's result: its system's, and the settings that follow from its amount of text. */
export type CodeOfJob = (job: Job) => string;

/** For jobs of the systems with these names. */
export async function codesOf(names: Iterable<string>): Promise<CodeOfJob> {
  const codes = new Map<string, string>();
  for (const name of new Set(names)) codes.set(name, await codeOf(systemOf(name)));
  return (job) => {
    const code = codes.get(job.system)!;
    const settings = systemOf(job.system).settings?.(job);
    return settings === undefined ? code : digest(`${code} ${JSON.stringify(settings)}`);
  };
}

/** Digest of the weights that the system's options come to on a little text, of how they score, and of what they are scored on. */
async function probed(system: System, model: NonNullable<System["model"]>): Promise<string> {
  const data = await loadData(PROBE_TOKENS);
  const { fixed, axes } = quickened(system);
  const firsts = Object.entries(axes).map(([axis, values]) => [axis, values[0]!]);
  const options = { ...fixed, ...Object.fromEntries(firsts) };
  const { files } = await model({ system: system.name, budget: PROBE_TOKENS, seed: 1, options }, data);
  const { bits } = (await load(files)).score(data.corpus.dev[0]!.text.slice(0, PROBE_BYTES));
  const hash = createHash("sha256").update(JSON.stringify(system.fixed)).update(files.get("model.safetensors")!);
  for (const file of [...data.dev.files, ...data.test.files]) hash.update(readFileSync(file));
  return hash.update(bits.toPrecision(9)).digest("hex").slice(0, 16);
}
