/** How an error leaves the command: one line on standard error, and an exit code. */
import { type ErrorCode, SaffuError, shortened } from "../errors.ts";
import { interruptedBy } from "./interrupt.ts";
import { whatIsDone } from "./output.ts";

const EXIT_CODES: Record<ErrorCode, number> = {
  INVALID_OPTION: 2,
  INVALID_SHAPE: 2,
  OUT_OF_MEMORY: 2,
  MODEL_MISSING_FILE: 3,
  MODEL_CORRUPT: 3,
  MODEL_VERSION: 3,
  MODEL_DIGEST: 3,
  TOKENIZER_INVALID: 3,
  TOKEN_OUT_OF_RANGE: 3,
  INVALID_TEXT: 4,
  INVALID_MESSAGE: 4,
  CHANNEL_LOST: 4,
  INVALID_EXAMPLE: 4,
  UNKNOWN_LABEL: 4,
  BUSY: 5,
  UNWRITABLE: 5,
  UNSUPPORTED: 6,
  STATISTICS_MISMATCH: 7,
  STATISTICS_FULL: 7,
  STATISTICS_AGED: 7,
  NOT_OBSERVED: 7,
  CHECKPOINT_MISMATCH: 7,
  ABORTED: 130,
};
const TERMINATED = 143;
/** The work is done, and the report of it failed: not to be repeated, as what is observed twice counts twice. */
const DONE_UNSAID = 8;

/** The part of every --help that says how a command ends. */
export const EXIT_HELP = `
Exit codes:
  0 done            4 bad text or row      130 interrupted (Ctrl-C)
  1 unexpected      5 cannot write         143 terminated
  2 bad option,     6 not supported here
    shape or size   7 statistics refused: another base, full, or a text
  3 bad model files   never observed; or a checkpoint of another run
                    8 done and saved, but its report could not be written:
                      do not repeat it
An error is one line on standard error, "saffu: CODE: message"; with --json it is {"error":{"code","message"}}.`;

/**
 * Prints the line of an error and returns the exit code.
 *
 * @param flags of the command, by the name that the library has for the option
 */
export function report(error: unknown, json: boolean, flags: ReadonlyMap<string, string> = new Map()): number {
  const signal = interruptedBy();
  // what breaks because of an interrupt is the interrupt
  const known = signal !== undefined ? new SaffuError("ABORTED", `interrupted by ${signal}`) : error;
  const code = known instanceof SaffuError ? known.code : "UNEXPECTED";
  const done = whatIsDone();
  const why = known instanceof Error ? known.message : String(known);
  const said = done === undefined ? why : `${why}; the work is done, do not repeat it: ${done}`;
  const message = code === "INVALID_OPTION" || code === "INVALID_SHAPE" ? withFlags(said, flags) : said;
  const line = lineOf(code, message, json);
  process.stderr.write(`${line}\n`);
  if (done !== undefined) return DONE_UNSAID;
  if (signal === "SIGTERM") return TERMINATED;
  return known instanceof SaffuError ? EXIT_CODES[known.code] : 1;
}

/** Most characters of a line. */
const LONGEST = 300;

/** The line of an error. What ends a line, or moves a terminal's cursor, is spelt out. */
function lineOf(code: string, message: string, json: boolean): string {
  for (let most = LONGEST; ; most -= 10) {
    const said = shortened(message, most);
    const line = json
      ? JSON.stringify({ error: { code, message: said } })
      : `saffu: ${code}: ${said.replace(/\s*\n\s*/g, " ").replace(/\p{Cc}/gu, spelled)}`;
    if (line.length <= LONGEST) return line;
  }
}

function spelled(control: string): string {
  return `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** The message as the command line has it: `maxTokens must be …` is `--max-tokens must be …` there. */
function withFlags(message: string, flags: ReadonlyMap<string, string>): string {
  return message.replace(/^[a-z]\w*(?= must )|\b[a-z]+[A-Z]\w*/g, (name) => flags.get(name) ?? name);
}
