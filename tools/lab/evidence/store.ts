/**
 * Results, one JSON line each, in a file that is only ever appended to: a line is one write, so a kill leaves at most one torn line,
 * which reading passes over and the next append closes off. The last line of a key counts.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Entry, type Job, keyOf } from "./job.ts";

export class Store {
  private readonly entries = new Map<string, Entry>();
  private torn = false;

  /** @param accept entries that count; the others are as if they were not there */
  constructor(
    readonly path: string,
    accept: (entry: Entry) => boolean = () => true,
  ) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    this.torn = text !== "" && !text.endsWith("\n");
    for (const line of text.split("\n")) {
      const entry = parsed(line);
      if (entry !== undefined && accept(entry)) this.entries.set(entry.key, entry);
    }
  }

  get(job: Job): Entry | undefined {
    return this.entries.get(keyOf(job));
  }

  all(): Entry[] {
    return [...this.entries.values()];
  }

  append(entry: Entry): void {
    mkdirSync(dirname(this.path), { recursive: true });
    appendFileSync(this.path, `${this.torn ? "\n" : ""}${JSON.stringify(entry)}\n`);
    this.torn = false;
    this.entries.set(entry.key, entry);
  }
}

/** An entry; none of a torn line, or of one whose job was described otherwise than its key says. */
function parsed(line: string): Entry | undefined {
  try {
    const entry = JSON.parse(line) as Entry;
    return entry.key === keyOf(entry.job) ? entry : undefined;
  } catch {
    return undefined;
  }
}
