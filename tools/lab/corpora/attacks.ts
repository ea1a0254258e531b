/**
 * Lines of attacks: the test logs of about 80 filters of Debian's fail2ban (GPL-2.0-or-later; downloaded, never committed). The comment before a line
 * says whether it is a failed login or the like: `# failJSON: { "match": true ... }`. A line without such a comment is none.
 *
 * ```ts
 * daemonLog("sshd").filter(({ match }) => match).map(({ line }) => undated(line));
 * ```
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { debianFile } from "./debian.ts";

export interface DaemonLine {
  readonly line: string;
  /** fail2ban counts the line against a host. */
  readonly match: boolean;
}

const LOGS = "usr/lib/python3/dist-packages/fail2ban/tests/files/logs";

/** Names of the daemons, in order. Throws where the package cannot be had. */
export function daemonLogs(): string[] {
  const entries = readdirSync(debianFile("fail2ban", LOGS), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("zzz"))
    .map(({ name }) => name)
    .sort();
}

/** Lines of a daemon's test log, in order. Throws where the package cannot be had. */
export function daemonLog(daemon: string): DaemonLine[] {
  return readDaemonLog(readFileSync(debianFile("fail2ban", join(LOGS, daemon)), "utf8"));
}

/** Splits a test log into lines and what the comment before each says. */
export function readDaemonLog(text: string): DaemonLine[] {
  const lines: DaemonLine[] = [];
  let match = false;
  for (const line of text.split("\n").map((each) => each.trimEnd())) {
    if (line.startsWith("#")) {
      if (/^#\s*failJSON:/.test(line)) match = /"match":\s*true/.test(line);
    } else if (line !== "") {
      lines.push({ line, match });
      match = false;
    }
  }
  return lines;
}

const MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const CLOCK = "\\d{1,2}:\\d\\d:\\d\\d(?:[.,]\\d+)?";
/** Dates as the daemons write them; a host's name follows the one of syslog. */
const DATES = [
  `<\\d+>1? ?`,
  `${MONTH} +\\d{1,2} (?:\\d{4} )?${CLOCK} (?:\\[?[\\w.-]+\\]? (?=[\\w./() -]+(?:\\[\\d+\\])?:? ))?`,
  `\\[?(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat),? ${MONTH} +\\d{1,2} ${CLOCK} \\d{4}\\]?:? *`,
  `\\[?\\d{4}[-/.]\\d\\d[-/.]\\d\\d[ T:]${CLOCK}(?:Z| ?[+-]\\d\\d:?\\d\\d)?(?: [A-Z]{3,4})?\\]?[:,]? *`,
  `\\[?\\d{1,2}[-/ ](?:${MONTH}|\\d\\d)[-/ ]\\d{2,4}[: ]+${CLOCK}(?: ?[+-]\\d{4})?\\]?:? *`,
  `${MONTH}-\\d\\d-\\d\\d ${CLOCK} `,
  `\\d{6} {1,2}${CLOCK} `,
  `\\[(?:[A-Z]{3,4} )?${MONTH} +\\d{1,2} ${CLOCK}\\] *`,
  `@[0-9a-f]{24} `,
  `\\[?\\d{10}(?:\\.\\d+)?\\]? `,
].map((each) => new RegExp(`^${each}`));

/** A host's name that a daemon's follows: `host sshd[1]: ` and `host sshd 1 - - `. */
const HOST = /^[\w.-]+ (?=[\w./-]+(?:\[\d+\]:? | \d+ - - ))/;
/** The date of an access log, behind the address. */
const WITHIN = new RegExp(`\\[\\d\\d/${MONTH}/\\d{4}:\\d\\d:\\d\\d:\\d\\d [^\\]]*\\] ?`);

/** A line without the dates, and syslog's host, that it begins with; white space is one space. */
export function undated(line: string): string {
  let text = line.trim();
  for (let found = true; found; ) {
    const date = DATES.find((each) => each.test(text));
    found = date !== undefined;
    if (date !== undefined) text = text.replace(date, "").trimStart();
  }
  return text.replace(HOST, "").replace(WITHIN, "").replace(/\s+/g, " ");
}

/** The same line with other numbers: each digit of a number of two or more, or of an address, is drawn anew; as a burst's lines differ. */
export function renumbered(line: string, random: () => number): string {
  return line.replace(/\d{2,}/g, (digits) =>
    [...digits]
      .map((_, i) => (i === 0 ? 1 + Math.floor(random() * 2) : Math.floor(random() * (digits.length === 3 ? 5 : 10))))
      .join(""),
  );
}
