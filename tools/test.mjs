// Everything that `npm test` checks, in order, and one line at the end: "N passed, N failed". A stage that has no tests of its own
// (build, types, formatting) counts as one. Every stage runs, whatever the others find.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";

const folder = mkdtempSync(join(tmpdir(), "saffu-test-"));
const vitestReport = join(folder, "vitest.json");
const node = (...words) => [process.execPath, ...words];
const bin = (path, ...words) => node(join("node_modules", path), ...words);

const STAGES = [
  { name: "build, size budget", command: node("tools/build.mjs", "--budget") },
  { name: "types", command: bin("typescript/bin/tsc", "--noEmit") },
  { name: "formatting, lint", command: bin("@biomejs/biome/bin/biome", "check", ".") },
  {
    name: "import directions",
    command: bin(
      "dependency-cruiser/bin/dependency-cruise.mjs",
      "--config",
      ".dependency-cruiser.cjs",
      "host",
      "tools",
    ),
  },
  ...["as-pect.asconfig.json", "assembly/__tests__/simd.asconfig.json", "assembly/__tests__/one-hot.asconfig.json"].map(
    (config) => ({
      name: `kernels, ${config}`,
      command: bin("@as-pect/cli/bin/asp.js", "--summary", "--as-config", config),
      count: countAspect,
    }),
  ),
  {
    name: "host (vitest)",
    command: bin("vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json", `--outputFile=${vitestReport}`),
    count: countVitest,
  },
];

let passed = 0;
let failed = 0;
let skipped = 0;
const broken = [];
for (const { name, command, count } of STAGES) {
  console.log(`\n── ${name}`);
  const { code, output } = await run(command);
  const counts = count?.(output) ?? { passed: 0, failed: 0, skipped: 0 };
  // a stage that counts no test is one check; one that fails without a failed test has failed as a whole
  if (!count || (code !== 0 && counts.failed === 0) || counts.passed + counts.failed === 0) {
    if (code === 0 && !count) ++counts.passed;
    else ++counts.failed;
  }
  if (counts.failed > 0) broken.push(name);
  passed += counts.passed;
  failed += counts.failed;
  skipped += counts.skipped;
}
rmSync(folder, { recursive: true, force: true });
if (broken.length > 0) console.log(`\nfailed: ${broken.join("; ")}`);
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 ? 1 : 0;

/** Runs a command with its output shown, and keeps what it prints. */
function run([file, ...words]) {
  return new Promise((resolve) => {
    const child = spawn(file, words, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
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

/** From the line "[Tests]: 173 / 173" of the summary, coloured or not. */
function countAspect(output) {
  const [, passed = 0, all = 0] = /\[Tests\]: (\d+) \/ (\d+)/.exec(stripVTControlCharacters(output)) ?? [];
  return { passed: Number(passed), failed: all - passed, skipped: 0 };
}
