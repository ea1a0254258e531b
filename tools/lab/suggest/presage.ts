/**
 * Presage 0.9.1 with its own English data, as Debian has them: packages libpresage-dev and libpresage-data, and g++. Its settings are those of
 * /etc/presage.xml, but for the number of suggestions, and that it may suggest again what it has: which is shown is decided here. What it learns goes to a
 * directory of its own.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inLab } from "../paths.ts";
import { type Keyboard, MOST } from "./keystrokes.ts";

const DATA = "/usr/share/presage/database_en.db";
const SETTINGS = ["Presage.Selector.REPEAT_SUGGESTIONS", "yes"];
const MEMORY = "/dev/shm";

/** A way to ask it; undefined where it is not installed. */
export function presage(): { readonly bytes: number; start(): PresageKeyboard } | undefined {
  if (!existsSync("/usr/include/presage.h") || !existsSync(DATA)) return undefined;
  mkdirSync(inLab("build"), { recursive: true });
  const program = inLab("build", "presage");
  execFileSync("g++", ["-O2", "-w", "-std=c++14", "-o", program, inLab("suggest", "presage.cpp"), "-lpresage"]);
  return { bytes: statSync(DATA).size, start: () => new PresageKeyboard(program) };
}

export class PresageKeyboard implements Keyboard {
  readonly apart = true;
  private readonly child;
  private readonly answers;
  private readonly home = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "presage-"));

  constructor(program: string) {
    mkdirSync(join(this.home, ".presage"));
    this.child = spawn(program, [String(MOST), ...SETTINGS], {
      env: { ...process.env, HOME: this.home },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async learn(text: string): Promise<void> {
    await this.ask(`L${text}`);
  }

  async type(text: string): Promise<void> {
    await this.ask(`A${text}`);
  }

  async suggest(): Promise<string[]> {
    return (await this.ask("P")).split("\t").filter((rest) => rest !== "");
  }

  end(): void {
    this.child.stdin.end();
    this.child.on("close", () => rmSync(this.home, { recursive: true, force: true }));
  }

  private async ask(line: string): Promise<string> {
    this.child.stdin.write(`${line.replaceAll("\n", " ")}\n`);
    const answer = await this.answers.next();
    if (answer.done) throw new Error("presage has ended");
    return answer.value;
  }
}
