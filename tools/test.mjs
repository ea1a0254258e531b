// Everything that `npm test` checks. With --lab and --peers, which CI gives and which need `npm ci --prefix tools/lab` and `npm ci --prefix
// tools/peers`, the tests of those packages before it.
import { parseArgs } from "node:util";
import { bin, countAspect, countStages, node, runStages, vitest } from "./stages.mjs";

const { values } = parseArgs({
  options: { lab: { type: "boolean", default: false }, peers: { type: "boolean", default: false } },
});
/** Packages of their own, whose test commands run stages, too. */
const ofPackage = (folder, name) => ({ name, command: node(`tools/${folder}/test.mjs`), count: countStages });

await runStages([
  ...(values.lab ? [ofPackage("lab", "the lab")] : []),
  ...(values.peers ? [ofPackage("peers", "the peers")] : []),
  { name: "build, size budget", command: node("tools/build.mjs", "--budget") },
  [
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
    ...[
      ["scalar", "as-pect.config.js", "as-pect.asconfig.json"],
      ["simd", "as-pect.config.js", "assembly/__tests__/simd.asconfig.json"],
      ["plain shape", "assembly/__tests__/plain.config.js", "assembly/__tests__/plain.asconfig.json"],
      ["long matches", "assembly/__tests__/long.config.js", "assembly/__tests__/long.asconfig.json"],
      ["long matches, simd", "assembly/__tests__/long.config.js", "assembly/__tests__/long-simd.asconfig.json"],
      ["long matches, indexed", "assembly/__tests__/long.config.js", "assembly/__tests__/long-indexed.asconfig.json"],
    ].map(([name, config, compiler]) => ({
      name: `kernels, ${name}`,
      command: bin("@as-pect/cli/bin/asp.js", "--summary", "--config", config, "--as-config", compiler),
      count: countAspect,
    })),
  ],
  vitest("host (vitest)"),
]);
