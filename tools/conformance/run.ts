/**
 * The golden script of script.ts on every runtime that is installed, held to the oracle's answers bit by bit.
 *   npm run conformance             prints the matrix; fails where a runtime differs, or is missing where CI is set
 *   npm run conformance -- --only TEXT    rows whose name, build or form contain TEXT
 */
import { parseArgs } from "node:util";
import { Cases, difference, digestOfAll, FORM_NAMES, moduleForms } from "./cases.ts";
import { RUNTIMES } from "./runtimes.ts";
import { type Answer, tokensOf } from "./script.ts";

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const cases = new Cases();
const rows: string[][] = [];
const complaints: string[] = [];

function row(name: string, version: string, build: string, form: string, answers: readonly Answer[], verdict: string) {
  const { length } = rows;
  rows.push([name, version, build, form, digestOfAll(answers), verdict, perSecond(form, answers)]);
  process.stderr.write(`${rows[length]!.join(" | ")}\n`);
}

const tokens = new Map<string, number>();
function perSecond(form: string, answers: readonly Answer[]): string {
  const seconds = answers.reduce((sum, answer) => sum + answer.seconds, 0);
  return Math.round(tokens.get(form)! / seconds).toLocaleString("en");
}

try {
  for (const form of FORM_NAMES) {
    tokens.set(form, tokensOf(await cases.steps(form)));
    row("TypeScript oracle", process.version.slice(1), "–", form, await cases.oracle(form), "reference");
  }
  for (const runtime of RUNTIMES) {
    const wanted = runtime.builds.flatMap((build) => FORM_NAMES.map((form) => ({ build, form })));
    const chosen = wanted.filter(({ build, form }) => `${runtime.name}, ${build}, ${form}`.includes(values.only));
    const modules = moduleForms(runtime.builds);
    const asked = modules.filter(({ build, form }) => `${runtime.name}, ${build}, ${form}`.includes(values.only));
    if (chosen.length + asked.length === 0) continue;
    if (!runtime.found()) {
      const complaint = `${runtime.name}: needs ${runtime.needs}`;
      if (process.env.CI) complaints.push(complaint);
      process.stderr.write(`skipped, ${complaint}\n`);
      continue;
    }
    for (const { build, form } of chosen) {
      const made = await cases.case(form, build);
      const at = `${runtime.name}, ${build}, ${form}`;
      try {
        const { version, answers } = await runtime.play(made);
        const differs = difference(made.script.steps, await cases.oracle(form), answers);
        if (differs !== undefined) complaints.push(`${at}: ${differs}`);
        row(runtime.name, version, build, form, answers, differs === undefined ? "equal" : "DIFFERS");
      } catch (error) {
        complaints.push(`${at}: ${(error as Error).message}`);
      }
    }
    for (const { build, form, run } of asked) {
      const { made, wanted } = await run(cases);
      const at = `${runtime.name}, ${build}, ${form}`;
      try {
        const { version, answers } = await runtime.play(made);
        const differs = difference(made.script.steps, wanted, answers);
        if (differs !== undefined) complaints.push(`${at}: ${differs}`);
        rows.push([
          runtime.name,
          version,
          build,
          form,
          digestOfAll(answers),
          differs === undefined ? "equal" : "DIFFERS",
          "–",
        ]);
        process.stderr.write(`${rows.at(-1)!.join(" | ")}\n`);
      } catch (error) {
        complaints.push(`${at}: ${(error as Error).message}`);
      }
    }
    await runtime.close?.();
  }
} finally {
  for (const runtime of RUNTIMES) await runtime.close?.();
  cases.remove();
}
const lines = [["runtime", "version", "build", "model", "digest", "bits", "tokens/s"], ...rows];
const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
for (const line of lines)
  console.log(
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
