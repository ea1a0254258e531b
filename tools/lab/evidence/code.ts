/**
 * What decides a system's results now, as a digest. Of a saffu model it is what a small probe comes to, and the settings that follow
 * from the amount of text, so that a change of the sources that changes no bit leaves the results standing; behind a point there is
 * another, of self-attention, which a result without it does not depend on. Of the others it is the sources'.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ModelFiles } from "../../../host/files/config.ts";
import { readTensors } from "../../../host/files/safetensors.ts";
import { load } from "../../../host/index.ts";
import { ATTENTION, withoutAttention } from "../../variants.ts";
import { inLab } from "../paths.ts";
import { loadData } from "./data.ts";
import { codeDigest, digest, type Entry, type Job } from "./job.ts";
import { quickened, type System, systemOf } from "./systems.ts";

/** Tokens that the probe is fitted on, and bytes of dev that it scores. */
const PROBE_TOKENS = 3000;
const PROBE_BYTES = 4096;

/** Digests of a system's code: one probe for each state of its sources, kept under `cache`. */
export async function codeOf(system: System, cache = inLab("build", "code")): Promise<string> {
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

/** Whether a result is of the code whose digests are `now`: of its self-attention, too, unless the result leaves that out. */
export function stands({ code, result }: Entry, now: string): boolean {
  return code === now || (result.recency === undefined && code === now.split(".")[0]);
}

/** Digests of what decides a job's result: its system's, and the settings that follow from its amount of text. */
export type CodeOfJob = (job: Job) => string;

/** For jobs of the systems with these names. */
export async function codesOf(names: Iterable<string>): Promise<CodeOfJob> {
  const codes = new Map<string, string>();
  for (const name of new Set(names)) codes.set(name, await codeOf(systemOf(name)));
  return (job) => {
    const code = codes.get(job.system)!;
    const settings = systemOf(job.system).settings?.(job);
    const [stack, ...attention] = code.split(".");
    return settings === undefined ? code : [digest(`${stack} ${JSON.stringify(settings)}`), ...attention].join(".");
  };
}

/**
 * Digests of the weights that the system's options come to on a little text, of how they score, and of what they are scored on: the
 * stack's, and behind a point those of all.
 */
async function probed(system: System, model: NonNullable<System["model"]>): Promise<string> {
  const data = await loadData(PROBE_TOKENS);
  const { fixed, axes } = quickened(system);
  const firsts = Object.entries(axes).map(([axis, values]) => [axis, values[0]!]);
  const options = { ...fixed, ...Object.fromEntries(firsts) };
  const { files } = await model({ system: system.name, budget: PROBE_TOKENS, seed: 1, options }, data);
  const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
  const hash = createHash("sha256").update(JSON.stringify(system.fixed));
  for (const file of [...data.dev.files, ...data.test.files]) hash.update(readFileSync(file));
  for (const [name, { data: weights }] of tensors) if (!ATTENTION.includes(name)) hash.update(name).update(weights);
  const bitsOf = async (some: ModelFiles) =>
    (await load(some)).score(data.corpus.dev[0]!.text.slice(0, PROBE_BYTES)).bits.toPrecision(9);
  const stack = hash.update(await bitsOf(await withoutAttention(files)));
  const attention = stack.copy();
  for (const name of ATTENTION) attention.update(tensors.get(name)?.data ?? "");
  attention.update(await bitsOf(files));
  return [stack, attention].map((each) => each.digest("hex").slice(0, 16)).join(".");
}
