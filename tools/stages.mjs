// Runs the stages of a test command, in order, whatever the others find, and says at the end: "N passed, N failed". A stage that has no
// tests of its own (build, types, formatting) counts as one.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";

const folder = mkdtempSync(join(tmpdir(), "saffu-test-"));
const vitestReport = join(folder, "vitest.json");

/** A command that Node runs. */
export const node = (...words) => [process.execPath, ...words];
/** A program of a package that is installed in the working directory. */
export const bin = (path, ...words) => node(join("node_modules", path), ...words);
/** The stage of all tests that vitest finds. */
export const vitest = (name) => ({
  name,
  command: bin("vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json", `--outputFile=${vitestReport}`),
  count: countVitest,
});

/**
 * Runs them, and sets the exit code: 1 where anything failed. Each is shown whole, in its place, however many run at a time.
 *
 * @param stages `name`; `command`, its words; `count`, which finds the numbers of tests passed, failed and skipped in what it printed;
 * or a list of such that run two at a time
 */
export async function runStages(stages) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const broken = [];
  const done = ({ name, count }, { code, output }) => {
    const counts = count?.(output) ?? { passed: 0, failed: 0, skipped: 0 };
    // a stage that counts no test is one check; one that fails without a failed test has failed as a whole
    if (!count || (code !== 0 && counts.failed === 0) || counts.passed + counts.failed === 0) {
      if (code === 0 && !count) ++counts.passed;
      else ++counts.failed;
    }
    if (counts.failed > 0) broken.push(name);
    for (const kind of Object.keys(sum)) sum[kind] += counts[kind];
  };
  for (const stage of stages) {
    if (Array.isArray(stage)) {
      const waiting = [...stage];
      const worker = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const ended = await run(next.command, false);
          console.log(`\n── ${next.name}`);
          process.stdout.write(ended.output);
          done(next, ended);
        }
      };
      await Promise.all([worker(), worker()]);
    } else {
      console.log(`\n── ${stage.name}`);
      done(stage, await run(stage.command, true));
    }
  }
  rmSync(folder, { recursive: true, force: true });
  const { passed, failed, skipped } = sum;
  if (broken.length > 0) console.log(`\nfailed: ${broken.join("; ")}`);
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Runs a command and keeps what it prints; `shown`: it is seen while it runs. */
function run([file, ...words], shown) {
  return new Promise((resolve) => {
    const child = spawn(file, words, { stdio: ["ignore", "pipe", shown ? "inherit" : "pipe"] });
    let output = "";
    const keep = (chunk) => {
      output += chunk;
      if (shown) process.stdout.write(chunk);
    };
    child.stdout.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("close", (code) => resolve({ code, output }));
  });
}

function countVitest() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(vitestReport, "utf8"));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

/** From the line "[Tests]: 173 / 173" of as-pect's summary, coloured or not. */
export function countAspect(output) {
  const [, passed = 0, all = 0] = /\[Tests\]: (\d+) \/ (\d+)/.exec(stripVTControlCharacters(output)) ?? [];
  return { passed: Number(passed), failed: all - passed, skipped: 0 };
}

/** From the last line of a command that runs stages itself. */
export function countStages(output) {
  const last = output.trimEnd().split("\n").at(-1);
  const [, passed = 0, failed = 0, skipped = 0] = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(last) ?? [];
  return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
}
