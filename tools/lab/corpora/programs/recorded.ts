/**
 * Recordings of real programs in use, made once below build/watch. Each takes a Debian package, which is downloaded and not installed (PostgreSQL is
 * used as it is installed), root, which nginx and PostgreSQL change their user from, and about a minute. Clients are drawn from a seed; times, ports, process
 * numbers and what falls between are the machine's, so figures are of one recording.
 *
 * ```ts
 * await record("nginx"); // does nothing where it is there
 * recorded("nginx").rows;
 * ```
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generator } from "../../../generator.ts";
import { inLab } from "../../paths.ts";
import { recordDnsmasq } from "./dnsmasq.ts";
import { recordHaproxy } from "./haproxy.ts";
import { recordMosquitto } from "./mosquitto.ts";
import { recordNginx } from "./nginx.ts";
import { recordPostgres } from "./postgres.ts";
import { recordRedis } from "./redis.ts";

const PROGRAMS = {
  nginx: { make: recordNginx, lines: 5000, seed: 11 },
  haproxy: { make: recordHaproxy, lines: 5000, seed: 12 },
  postgres: { make: recordPostgres, lines: 5000, seed: 13 },
  dnsmasq: { make: recordDnsmasq, lines: 5000, seed: 14 },
  mosquitto: { make: recordMosquitto, lines: 3500, seed: 15 },
  redis: { make: recordRedis, lines: 5000, seed: 16 },
};

export type Recording = keyof typeof PROGRAMS;
export const RECORDINGS = Object.keys(PROGRAMS) as Recording[];

interface Recorded {
  readonly rows: string[];
  readonly labels: boolean[];
}

/** Records a program where it has not been. Throws where the program cannot be had or does not start. */
export async function record(name: Recording): Promise<void> {
  const file = fileOf(name);
  if (existsSync(file)) return;
  mkdirSync(inLab("build", "watch"), { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), `saffu-${name}-`));
  const { make, lines, seed } = PROGRAMS[name];
  try {
    const log = await make(folder, generator(seed), lines);
    const { rows, labels } = log.rows();
    const plain = rows.map((row) => row.replaceAll(folder, `/srv/${name}`));
    writeFileSync(`${file}.part`, JSON.stringify({ rows: plain, labels }));
    renameSync(`${file}.part`, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What was recorded. Throws where nothing was. */
export function recorded(name: Recording): Recorded {
  if (!existsSync(fileOf(name))) throw new Error(`${name} has not been recorded: npm run watch -- --record`);
  return JSON.parse(readFileSync(fileOf(name), "utf8"));
}

function fileOf(name: Recording): string {
  return inLab("build", "watch", `${name}.json`);
}
