/** Every command, told to end while it works and while it waits: how long it takes, how it ends, and what it leaves. */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockStatistics } from "../../host/files/lock-node.ts";
import { FeedForward, lines } from "../../host/index.ts";
import { generator } from "../generator.ts";

/** A command in a state to be interrupted in. */
export interface Situation {
  readonly name: string;
  readonly words: readonly string[];
  /** Milliseconds before the signal. */
  readonly after: number;
  /** It waits for the directory of its model or classifier, which another writes to. */
  readonly locked?: boolean;
  /** Its standard output is never read. */
  readonly unread?: boolean;
}

/** How one ended. */
export interface Interrupted {
  readonly name: string;
  readonly signal: NodeJS.Signals;
  readonly code: number | null;
  readonly err: string;
  /** From the signal to the end of the process. */
  readonly seconds: number;
  /** Files that were there before and are not the same, and files that have come, by name. */
  readonly changed: readonly string[];
}

/**
 * Words of the situations: MODEL, CLASSIFIER and OUT are directories, LONG a text of minutes, ROWS and MANY labelled lines, PIPE a named pipe without a
 * writer, - is silent.
 */
export const SITUATIONS: readonly Situation[] = [
  { name: "fit, at work", words: ["fit", "LONG", "--out", "OUT"], after: 2500 },
  { name: "fit, at work on a text soon read", words: ["fit", "SHORT", "--out", "OUT", "--passes", "100"], after: 2000 },
  {
    name: "fit, at work in its own thread",
    words: ["fit", "SHORT", "--out", "OUT", "--passes", "100", "--threads", "0"],
    after: 2500,
  },
  {
    name: "fit, while it compiles",
    words: ["fit", "SHORT", "--out", "OUT", "--profile", "nano", "--groups", "3"],
    after: 1500,
  },
  { name: "fit of a silent pipe", words: ["fit", "PIPE", "--out", "OUT"], after: 700 },
  { name: "tune, at work", words: ["tune", "MODEL", "LONG", "--out", "OUT"], after: 2500 },
  {
    name: "tune, with a checkpoint",
    words: ["tune", "MODEL", "SHORT", "--out", "OUT", "--epochs", "1000", "--checkpoint", "CHECKPOINT"],
    after: 2500,
  },
  { name: "tune on silent input", words: ["tune", "MODEL", "-", "--out", "OUT"], after: 700 },
  { name: "eval, at work", words: ["eval", "MODEL", "LONG"], after: 900 },
  { name: "eval of a silent pipe", words: ["eval", "MODEL", "PIPE"], after: 700 },
  { name: "eval of silent input", words: ["eval", "MODEL", "-"], after: 700 },
  { name: "eval of a device without an end", words: ["eval", "MODEL", "/dev/zero"], after: 900 },
  { name: "suggest, at work", words: ["suggest", "MODEL", "--learn", "LONG"], after: 900 },
  { name: "suggest on silent input", words: ["suggest", "MODEL"], after: 700 },
  { name: "generate, at work", words: ["generate", "MODEL", "--max-tokens", "1000000", "--json"], after: 900 },
  {
    name: "generate that nobody reads",
    words: ["generate", "MODEL", "--max-tokens", "1000000"],
    after: 900,
    unread: true,
  },
  { name: "watch, at work", words: ["watch", "LONG", "--alarms"], after: 900 },
  { name: "watch of a silent pipe", words: ["watch", "PIPE"], after: 700 },
  { name: "watch of silent input", words: ["watch"], after: 700 },
  { name: "watch of a file and labels that do not come", words: ["watch", "SHORT", "--labels", "PIPE"], after: 900 },
  { name: "watch that nobody reads", words: ["watch", "LONG"], after: 900, unread: true },
  { name: "observe, at work", words: ["observe", "MODEL", "LONG"], after: 900 },
  { name: "observe of a silent pipe", words: ["observe", "MODEL", "PIPE"], after: 700 },
  { name: "observe of silent input", words: ["observe", "MODEL", "-"], after: 700 },
  { name: "observe, behind another", words: ["observe", "MODEL", "SHORT"], after: 700, locked: true },
  { name: "forget, behind another", words: ["forget", "MODEL", "SHORT"], after: 700, locked: true },
  { name: "forget of a silent pipe", words: ["forget", "MODEL", "PIPE"], after: 700 },
  { name: "merge, behind another", words: ["merge", "MODEL", "MODEL", "--out", "MODEL"], after: 700, locked: true },
  { name: "refit, behind another", words: ["refit", "MODEL", "--out", "MODEL"], after: 700, locked: true },
  {
    name: "compile, while it compiles",
    words: ["compile", "MODEL", "--target", "wasm", "--recall", "8", "--history", "64", "--out", "OUT"],
    after: 900,
  },
  {
    name: "classify fit, while it reads",
    words: ["classify", "fit", "MANY", "--kind", "lines", "--label", "level", "--out", "OUT"],
    after: 900,
  },
  {
    name: "classify fit, at work",
    words: ["classify", "fit", "ROWS", "--kind", "lines", "--label", "level", "--passes", "1000", "--out", "OUT"],
    after: 1500,
  },
  {
    name: "classify fit of two layers, at work",
    words: [
      ...["classify", "fit", "ROWS", "--kind", "lines", "--label", "level", "--hidden", "8x8"],
      ...["--passes", "1000", "--out", "OUT"],
    ],
    after: 1500,
  },
  {
    name: "classify fit of a silent pipe",
    words: ["classify", "fit", "PIPE", "--label", "x", "--out", "OUT"],
    after: 700,
  },
  {
    name: "classify predict that nobody reads",
    words: ["classify", "predict", "CLASSIFIER", "MANY"],
    after: 1200,
    unread: true,
  },
  { name: "classify eval of silent input", words: ["classify", "eval", "CLASSIFIER", "-"], after: 700 },
  { name: "classify observe, at work", words: ["classify", "observe", "CLASSIFIER", "MANY"], after: 900 },
  { name: "classify observe of a silent pipe", words: ["classify", "observe", "CLASSIFIER", "PIPE"], after: 700 },
  {
    name: "classify forget, behind another",
    words: ["classify", "forget", "CLASSIFIER", "ROWS"],
    after: 700,
    locked: true,
  },
  {
    name: "classify merge, behind another",
    words: ["classify", "merge", "CLASSIFIER", "CLASSIFIER", "--out", "CLASSIFIER"],
    after: 700,
    locked: true,
  },
  {
    name: "classify refit, behind another",
    words: ["classify", "refit", "CLASSIFIER", "--out", "CLASSIFIER"],
    after: 700,
    locked: true,
  },
  { name: "stats", words: ["stats", "MODEL", "--export", "OUT"], after: 90 },
  { name: "info", words: ["info", "MODEL"], after: 90 },
];

/**
 * Runs a command, sends it the signal (`twice`: and again 20 ms later), and looks at what it leaves.
 *
 * @param command dist/cli.js, or another bundle of it
 */
export async function interrupt(
  command: string,
  model: string,
  { name, words, after, locked, unread }: Situation,
  signal: NodeJS.Signals,
  twice = false,
): Promise<Interrupted> {
  const home = await mkdtemp(join(tmpdir(), "saffu-interrupt-"));
  const at = (file: string) => join(home, file);
  try {
    await cp(model, at("model"), { recursive: true });
    execFileSync("mkfifo", [at("pipe")]);
    const short = textOf(200_000);
    await writeFile(at("short.txt"), short);
    if (words.includes("LONG")) await writeFile(at("long.txt"), textOf(40_000_000));
    await mkdir(at("kept"));
    const classifies = words[0] === "classify";
    if (classifies) {
      await writeFile(at("rows.ndjson"), rowsOf(2000));
      if (words.includes("MANY")) await writeFile(at("many.ndjson"), rowsOf(1_000_000));
      if (words.includes("CLASSIFIER")) await saveClassifier(at("classifier"));
    }
    const places: Record<string, string> = {
      MODEL: at("model"),
      OUT: at("out"),
      LONG: at("long.txt"),
      SHORT: at("short.txt"),
      PIPE: at("pipe"),
      CLASSIFIER: at("classifier"),
      ROWS: at("rows.ndjson"),
      MANY: at("many.ndjson"),
      CHECKPOINT: at("kept/checkpoint"),
    };
    const lock = locked ? await lockStatistics(at(classifies ? "classifier" : "model")) : undefined;
    const before = await digests(home);
    const child = spawn(process.execPath, [command, ...words.map((word) => places[word] ?? word)], {
      stdio: "pipe",
      env: { ...process.env, SAFFU_MODULES: "" },
    });
    let err = "";
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    if (!unread) child.stdout.resume();
    let ended = 0;
    const end = new Promise<number | null>((resolve) => {
      child.on("exit", (code) => {
        ended = performance.now();
        child.stdout.destroy();
        resolve(code);
      });
    });
    await new Promise((resolve) => setTimeout(resolve, after));
    const sent = performance.now();
    child.kill(signal);
    if (twice) setTimeout(() => child.kill(signal), 20);
    const hung = setTimeout(() => child.kill("SIGKILL"), 30_000);
    const code = await end;
    clearTimeout(hung);
    lock?.release();
    const now = await digests(home);
    const names = new Set([...before.keys(), ...now.keys()]);
    // what was done before the signal came is whole
    const changed =
      code === 0 || code === 8
        ? []
        : [...names].filter((file) => before.get(file) !== now.get(file) && !file.startsWith("kept/"));
    return {
      name,
      signal,
      code,
      err,
      seconds: Math.max(0, ended - sent) / 1000,
      changed: changed.filter((file) => !file.endsWith(".lock")),
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Lines of words, no two alike. */
function textOf(bytes: number): string {
  const random = generator(1);
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += lines.at(-1)!.length) {
    lines.push(`${lines.length}: the ${Math.floor(1e6 * random()).toString(36)} is at ${Math.floor(100 * random())}\n`);
  }
  return lines.join("");
}

/** Lines with a label, as NDJSON. */
function rowsOf(count: number): string {
  const line = (i: number) =>
    JSON.stringify({ text: `job ${i} of ${i % 7} is ${i % 3 ? "done" : "late"}`, level: i % 3 ? "ok" : "bad" });
  return Array.from({ length: count }, (_, i) => `${line(i)}\n`).join("");
}

/** What `saffu classify fit ROWS --kind lines --label level --exact base` writes. */
async function saveClassifier(directory: string): Promise<void> {
  const examples = Array.from({ length: 60 }, (_, i) => ({
    input: i % 3 ? "job is done" : "job is late",
    label: i % 3 ? "ok" : "bad",
  }));
  const notes = { reading: { kind: "lines", label: "level", text: "text" } };
  const classifier = await FeedForward.fit(examples, { encoding: lines({ bits: 8 }), exact: "base", notes });
  await classifier.save(directory);
}

async function digests(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    if (entry.isFile())
      found.set(
        name,
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
      );
    else found.set(name, "");
  }
  return found;
}
