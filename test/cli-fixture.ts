/** The command line as its users run it: built, in a process of its own. */
import { execFileSync, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Builds the command into a folder of a test file's own, and returns ways to run it. */
export function commandIn(folder: string) {
  execFileSync(process.execPath, ["tools/build.mjs", "--bundles", "--out", folder]);
  const main = join(folder, "cli.js");

  /** Starts `words`; `shell` is what a shell does before, in the same process. */
  function start(words: readonly string[], shell?: string) {
    const [file, ...before] = shell
      ? ["/bin/sh", "-c", `${shell}; exec "$0" "$@"`, process.execPath]
      : [process.execPath];
    const child = spawn(file!, [...before, main, ...words], { stdio: "pipe" });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })));
    return { child, ended };
  }

  /** Runs `words` with `input` on standard input. */
  function run(words: readonly string[], input?: string | Uint8Array): Promise<Ended> {
    const { child, ended } = start(words);
    child.stdin.on("error", () => {}); // it may end before it has read all
    child.stdin.end(input);
    return ended;
  }

  return { main, start, run };
}

/** How a command ends that fails: nothing on standard output, one line on standard error, which names these things. */
export function failure(exit: number, code: string, ...named: string[]) {
  const quoted = named.map((name) => `(?=.*${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")})`).join("");
  return { code: exit, out: "", err: expect.stringMatching(new RegExp(`^saffu: ${code}: ${quoted}[^\\n]+\\n$`)) };
}

/** Names and bytes of a directory's files. */
export async function contentsOf(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), "hex")])),
  );
}
