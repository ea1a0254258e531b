/** KenLM: 5-grams counted and smoothed (lmplz), then asked for the probability of each token of a text (query). It draws nothing and learns nothing. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "./peer.ts";

const ORDER = 5;
/** Tokens of a line, which KenLM takes for a sentence. */
const LINE = 1000;
/** The text is scored so often: one takes milliseconds. */
const TIMES = 20;

export class Kenlm {
  constructor(
    private readonly programs: string,
    private readonly folder: string,
  ) {
    for (const name of ["train", "heldout", "tokens"]) {
      writeFileSync(join(folder, `${name}.ids`), idsOf(readTokens(folder, name)));
    }
    const [first] = readTokens(folder, "tokens");
    writeFileSync(join(folder, "first.ids"), `${first}\n`);
    writeFileSync(join(folder, "many.ids"), readFileSync(join(folder, "tokens.ids"), "utf8").repeat(TIMES));
  }

  fit(): Answer {
    const arpa = join(this.folder, "kenlm.arpa");
    const words = ["-o", String(ORDER), "-S", "256M", "-T", this.folder, "--arpa", arpa];
    const used = this.run("lmplz", words, "train.ids");
    execFileSync(join(this.programs, "build_binary"), [arpa, this.binary], { stdio: "ignore" });
    const { output } = this.query("heldout.ids");
    const tokens = readTokens(this.folder, "heldout").length;
    return {
      ...used,
      bits: tokens * Math.log2(Number(/Perplexity including OOVs:\s*(\S+)/.exec(output)?.[1])),
      tokens,
    };
  }

  /** CPU of `count` tokens: of many, without what a process takes for one. */
  decode(count: number): Answer {
    const [many, one] = [this.query("many.ids"), this.query("first.ids")];
    const scored = TIMES * readTokens(this.folder, "tokens").length;
    return { cpu: ((many.cpu - one.cpu) / scored) * count, peak: many.peak };
  }

  first(): Answer {
    return this.query("first.ids");
  }

  private get binary(): string {
    return join(this.folder, "kenlm.bin");
  }

  private query(input: string) {
    return this.run("query", ["-v", "summary", this.binary], input);
  }

  /** A program, which says at its end what it has used: from a shell, as the memory that it tells begins with that of who starts it. */
  private run(program: string, words: readonly string[], input: string) {
    const shell = ["-c", '"$0" "$@"; exit $?', join(this.programs, program), ...words];
    const { status, stdout, stderr } = spawnSync("sh", shell, {
      input: readFileSync(join(this.folder, input)),
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    const [, peak, user, system] = /RSSMax:(\d+) kB\s+user:(\S+)\s+sys:(\S+)/.exec(stderr) ?? [];
    if (status !== 0 || peak === undefined) throw new Error(`${program} failed: ${stderr.trim().slice(-500)}`);
    return { cpu: Number(user) + Number(system), peak: 1024 * Number(peak), output: stdout };
  }
}

function readTokens(folder: string, name: string): Uint16Array {
  const bytes = readFileSync(join(folder, `${name}.u16`));
  return new Uint16Array(new Uint8Array(bytes).buffer);
}

function idsOf(tokens: Uint16Array): string {
  const lines = Array.from({ length: Math.ceil(tokens.length / LINE) }, (_, i) =>
    tokens.subarray(i * LINE, (i + 1) * LINE),
  );
  return `${lines.map((line) => line.join(" ")).join("\n")}\n`;
}
