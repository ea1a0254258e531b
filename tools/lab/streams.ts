/**
 * Fits to logs, sensor lines and prose, beside what people use today: `npm run streams --prefix tools/lab` (minutes). Four fifths of a text's
 * lines are fitted to, the rest is held out. A compressor is given the same lines before, and what the rest adds to them is counted. `-- --help` tells the options.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { LADDER, type Profile } from "../../host/fit/recipe.ts";
import type { FitOptions } from "../../host/index.ts";
import { table } from "../markdown.ts";
import { compressors, PPMD, ppmdIn } from "./baselines/compressors.ts";
import { DEV, type Kind, REPORT, splitLines } from "./corpora/streams.ts";
import {
  type Compressed,
  compare,
  compressed,
  earlierBits,
  earlierKey,
  fitAndScore,
  least,
  type Row,
  type Scored,
} from "./figures/streams.ts";
import { inRoot } from "./paths.ts";

const HELP = `npm run streams -- [options]
  --dev            the texts that settings are chosen on; otherwise those that figures are reported on
  --long           those of megabytes as well
  --texts A,B      only these
  --profiles A,B   all but base by default, which is for megabytes
  --fit JSON       options of fit, as {"history":1024}
  --memory BYTES   of the small PPMd; 262144 by default, 65536 at least
  --out FILE       adds a JSON line for each text and profile
  --before FILE    shows such lines beside, of the same bytes of a text: the last of each text and profile`;

const { values } = parseArgs({
  options: {
    dev: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    texts: { type: "string" },
    profiles: { type: "string" },
    fit: { type: "string", default: "{}" },
    memory: { type: "string", default: "262144" },
    out: { type: "string" },
    before: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}

interface Text {
  readonly name: string;
  readonly kind: Kind;
  readonly bytes: number;
  readonly sha256: string;
  readonly fit: Uint8Array;
  readonly held: Uint8Array;
  readonly others: Readonly<Record<string, Compressed>>;
}

const chosen = values.dev ? DEV : REPORT;
const profiles = listed(values.profiles, Object.keys(LADDER), (name) => name !== "base") as Profile[];
const named = listed(
  values.texts,
  chosen.map(({ name }) => name),
  (name) => values.long || !chosen.find((each) => each.name === name)!.long,
);
const options: FitOptions = JSON.parse(values.fit);
const memory = Number(values.memory);
const earlier = values.before === undefined ? undefined : earlierBits(readFileSync(values.before, "utf8"));
const { installed, missing } = compressors(memory);
for (const name of missing) console.error(`skipped: ${name}: its program is not installed`);

const texts: Text[] = [];
for (const { name, kind, read } of chosen.filter((each) => named.includes(each.name))) {
  try {
    const text = read();
    const { fit, held } = splitLines(text);
    const sha256 = createHash("sha256").update(text).digest("hex");
    texts.push({ name, kind, bytes: text.length, sha256, fit, held, others: compressed(installed, fit, held) });
  } catch (error) {
    console.error(`skipped: ${name}: ${(error as Error).message}`);
  }
}

const sizes = (text: Text) => [text.name, text.kind, `${text.bytes}`, `${text.held.length}`];
for (const [title, figure] of [
  ["with the fitted lines before", "primed"],
  ["alone", "alone"],
] as const) {
  const rows = texts.map((text) => [...sizes(text), ...Object.values(text.others).map((own) => digits(own[figure]))]);
  const headers = ["text", "kind", "bytes", "held out", ...Object.keys(installed)];
  console.log(`\nBits a byte of the held-out lines, ${title}:\n\n${table(headers, rows)}`);
}

const summary: string[][] = [];
for (const profile of profiles) {
  const measured: { text: Text; own: Scored }[] = [];
  for (const text of texts) {
    try {
      const own = await fitAndScore(text.fit, text.held, { ...options, profile });
      measured.push({ text, own });
      keep({ profile, options, ...described(text), ...own });
      console.error(`${profile} on ${text.name}: ${digits(own.held)} bits a byte`);
    } catch (error) {
      console.error(`skipped: ${profile} on ${text.name}: ${(error as Error).message}`);
    }
  }
  const rivals = rivalsOf(measured[0]?.text);
  const columns = ["V", "weights", "bits a byte", "after the fitted lines"];
  if (earlier !== undefined) columns.push("before, and × it");
  columns.push(...rivals.map((name) => `× ${name}`));
  const rows = measured.map(({ text, own }) => [
    text.name,
    `${own.vocabulary}`,
    `${own.weightBytes}`,
    digits(own.held),
    digits(own.heldAfterFit),
    ...(earlier === undefined ? [] : [beside(own.held, earlier.get(earlierKey(profile, text.name, text.sha256)))]),
    ...rivals.map((name) => ratio(own.held / best(text)[name]!)),
    own.fitSeconds.toFixed(1),
    own.microsecondsAByte.toFixed(2),
  ]);
  console.log(`\n${profile}:\n\n${table(["text", ...columns, "fit, CPU s", "score, CPU µs a byte"], rows)}`);
  for (const [which, figure] of [
    ["", "held"],
    [", after the fitted lines", "heldAfterFit"],
  ] as const) {
    const all = measured.map(({ text, own }) => ({ text, row: rowOf(text, own[figure]) }));
    const groups: [string, Row[]][] = [
      ["all", all.map(({ row }) => row)],
      ...(["log", "sensor", "prose"] as const).map((kind): [string, Row[]] => [
        kind,
        all.filter(({ text }) => text.kind === kind).map(({ row }) => row),
      ]),
      ["from 20 kB", all.filter(({ text }) => text.bytes >= 20_000).map(({ row }) => row)],
      ["below 20 kB", all.filter(({ text }) => text.bytes < 20_000).map(({ row }) => row)],
    ];
    for (const [group, some] of groups) {
      if (some.length === 0) continue;
      const cells = rivals.map((rival) => {
        const { texts: of, atOrBelow, mean, worst, worstText } = compare(some, rival);
        return `${atOrBelow} of ${of}, ${ratio(mean)}, ${ratio(worst)} ${worstText}`;
      });
      summary.push([`${profile}${which}`, group, ...cells]);
    }
  }
}
const told = "texts on which no more bits are needed; geometric mean of ours / theirs; the largest, and where";
console.log(`\nIn short (${told}):\n\n${table(["model", "texts", ...rivalsOf(texts[0])], summary, true)}`);

/** What ours are compared with, of the compressors that are installed. */
function rivalsOf(text: Text | undefined): string[] {
  return text === undefined ? [] : Object.keys(best(text));
}

/** Bits a byte of those: primed, or alone where that is less. */
function best({ others }: Text): Record<string, number> {
  const figure = (names: readonly string[]) => {
    const all = names.map((name) => others[name]).filter((other) => other !== undefined);
    return all.length === 0 ? undefined : Math.min(...all.map(least));
  };
  const figures = {
    gzip: figure(["gzip"]),
    xz: figure(["xz"]),
    "best PPMd": figure(PPMD),
    [ppmdIn(memory)]: figure([ppmdIn(memory)]),
  };
  return Object.fromEntries(Object.entries(figures).filter((each): each is [string, number] => each[1] !== undefined));
}

function rowOf(text: Text, bits: number): Row {
  return { name: text.name, bytes: text.bytes, bits, rivals: best(text) };
}

function described({ name, kind, bytes, sha256, fit, held, others }: Text): Record<string, unknown> {
  return { text: name, kind, bytes, sha256, fitBytes: fit.length, heldBytes: held.length, others };
}

/** Adds a line to the results. */
function keep(result: Record<string, unknown>): void {
  if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify({ code: commit(), ...result })}\n`);
}

function commit(): string | null {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { cwd: inRoot(), encoding: "utf8" }).trim();
  } catch {
    return null; // not a checkout
  }
}

/** The names asked for, or those that `usual` takes. */
function listed(names: string | undefined, known: readonly string[], usual: (name: string) => boolean): string[] {
  if (names === undefined) return known.filter(usual);
  const all = names.split(",");
  const unknown = all.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: unknown; there are ${known.join(", ")}`);
  return all;
}

function beside(bits: number, before: number | undefined): string {
  return before === undefined ? "" : `${digits(before)}, ${ratio(bits / before)}`;
}

function digits(bits: number): string {
  return bits.toFixed(3);
}

function ratio(value: number): string {
  return value.toFixed(2);
}
