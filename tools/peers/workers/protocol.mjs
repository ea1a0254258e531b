// What a peer's process says: one line when the first token is scored, then one for each job that it is asked for, as JSON. Its own CPU time,
// user and system, of all its threads; its own peak memory.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Seconds of CPU that this process has taken. */
export function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Bytes. Of /proc where there is one: what getrusage tells of a process begins with its parent's. */
export function peak() {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
  const [, kilobytes = process.resourceUsage().maxRSS] = /VmHWM:\s+(\d+) kB/.exec(status) ?? [];
  return 1024 * Number(kilobytes);
}

/** Token ids of a file. */
export function tokensOf(folder, name) {
  const bytes = readFileSync(join(folder, name));
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2).slice();
}

/**
 * @param first scores the first token: bits
 * @param jobs by name: take their arguments, and return what they found
 */
export async function serve(first, jobs) {
  const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  const bits = await first();
  say({ bits, cpu: cpu(), peak: peak() });
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...words] = line.split(" ");
    const job = jobs[name];
    if (job === undefined) {
      say({ missing: true });
      continue;
    }
    const before = cpu();
    const found = await job(...words.map(Number));
    say({ cpu: cpu() - before, ...found, peak: peak() });
  }
}

/** Jobs of a network that gives probabilities and then takes the token. */
export function networkJobs(tokens, { reset, predict, append }, draw) {
  return {
    async decode(count) {
      await reset();
      let bits = 0;
      for (let i = 0; i < count; ++i) {
        bits -= Math.log2((await predict())[tokens[i]]);
        append(tokens[i]);
      }
      return { bits };
    },
    async write(count, temperature, topK, topP) {
      await reset();
      for (let i = 0; i < count; ++i) append(draw(await predict(), temperature, topK, topP));
      return {};
    },
  };
}
