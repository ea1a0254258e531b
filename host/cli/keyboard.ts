/**
 * A line of text that is typed at a terminal, with suggestions below it. Keys come one by one (raw mode), until the input ends or a signal comes; then
 * the terminal is as it was.
 */
import { clearScreenDown, cursorTo, moveCursor } from "node:readline";
import { addAbortSignal } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { throwIfAborted } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { Session } from "../model/session.ts";
import type { Suggestion, SuggestOptions } from "../model/suggest.ts";
import { widthOf } from "./width.ts";

const INTERRUPT = "\x03";
const END = "\x04";
const LITERAL = "\x16";
const ESCAPE = "\x1b";
/** What a terminal sends for one key: a sequence behind the escape character, or one character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const KEYS = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)?|./gsu;
/** Behind a word that was taken, these stand without the blank that came with it. */
const CLOSING = /^[.,;:!?)\]}”’"]$/;
const HELP = "Tab or a number takes a word, Ctrl-V types the next key as it is, Ctrl-D ends.\n";

export class Keyboard {
  private line = "";
  /** Where the line began, to go back to. */
  private readonly begin: Session;
  private session: Session;
  private found: Suggestion[] = [];
  /** The line ends with a blank that came with a word. */
  private spaced = false;
  private literal = false;

  constructor(
    model: Model,
    private readonly bounds: SuggestOptions,
  ) {
    this.begin = model.session();
    this.session = this.begin.fork();
  }

  /** Types until the input ends. @throws SaffuError ABORTED */
  async run(signal: AbortSignal): Promise<void> {
    const { stdin } = process;
    process.stdout.write(HELP);
    stdin.setRawMode(true);
    try {
      addAbortSignal(signal, stdin);
      const decoder = new StringDecoder("utf8");
      this.draw();
      for await (const chunk of stdin as AsyncIterable<Buffer>) {
        const keys = decoder.write(chunk).match(KEYS) ?? [];
        if (!keys.every((key) => this.take(key))) break;
        this.draw();
      }
    } catch (cause) {
      throwIfAborted(signal);
      throw cause;
    } finally {
      stdin.setRawMode(false);
      this.clear();
      process.stdout.write(this.line === "" ? "" : `${this.line}\n`);
      stdin.destroy();
    }
  }

  /** Takes a key. False where it ends the typing. */
  private take(key: string): boolean {
    const literal = this.literal;
    this.literal = false;
    if (literal && !key.startsWith(ESCAPE)) this.type(key);
    else if (key === END) return false;
    else if (key === INTERRUPT) process.kill(process.pid, "SIGINT");
    else if (key === LITERAL) this.literal = true;
    else if (key === "\r" || key === "\n") this.enter();
    else if (key === "\x7f" || key === "\b") this.rub();
    else if (key === "\t") this.accept(0);
    else if (/^[1-9]$/.test(key) && this.words()[Number(key) - 1] !== undefined) this.accept(Number(key) - 1);
    else if (key >= " " && !key.startsWith(ESCAPE)) this.type(key);
    return true;
  }

  /** What is suggested now; looked for when it is first asked for behind a change. */
  private words(): Suggestion[] {
    if (this.found.length === 0) this.found = this.session.suggest(this.bounds);
    return this.found;
  }

  private accept(place: number): void {
    const taken = this.words()[place];
    if (taken === undefined) return;
    this.type(`${taken.rest} `);
    this.spaced = true;
  }

  private type(text: string): void {
    if (this.spaced && CLOSING.test(text)) this.rub();
    this.spaced = false;
    this.line += text;
    this.session.push(text);
    this.found = [];
  }

  /** Takes the line's last character away. */
  private rub(): void {
    this.line = this.line.replace(/.$/su, "");
    this.spaced = false;
    this.session.close();
    this.session = this.begin.fork();
    this.session.push(this.line);
    this.found = [];
  }

  private enter(): void {
    this.clear();
    process.stdout.write(`${this.line}\n`);
    this.begin.push(`${this.line}\n`);
    this.session.close();
    this.session = this.begin.fork();
    this.line = "";
    this.spaced = false;
    this.found = [];
  }

  private clear(): void {
    cursorTo(process.stdout, 0);
    clearScreenDown(process.stdout);
  }

  /** The line's end, and below it the words. */
  private draw(): void {
    const columns = process.stdout.columns || 80; // 0 where the terminal does not know
    const line = endOfWidth(this.line, columns - 1);
    const words = this.words().map(({ word }, i) => `${i + 1} ${word}`);
    const below = [...[...words.join("   ")].reverse()].join("");
    this.clear();
    process.stdout.write(`${line}\n${[...endOfWidth(below, columns - 1)].reverse().join("")}`);
    moveCursor(process.stdout, 0, -1);
    cursorTo(process.stdout, columnsOf(line));
  }
}

function columnsOf(text: string): number {
  return [...text].reduce((sum, character) => sum + widthOf(character), 0);
}

/** The longest end of a text that takes at most so many columns; of control characters nothing is shown. */
function endOfWidth(text: string, columns: number): string {
  let shown = "";
  let width = 0;
  for (const character of [...text].reverse()) {
    if (/\p{Cc}/u.test(character)) continue;
    width += widthOf(character);
    if (width > columns) break;
    shown = character + shown;
  }
  return shown;
}
