// Everything that `npm test` checks. With --lab, which CI gives and which needs `npm ci --prefix tools/lab`, the lab's tests before it.
import { parseArgs } from "node:util";
import { bin, countAspect, countStages, node, runStages, vitest } from "./stages.mjs";

const { values } = parseArgs({ options: { lab: { type: "boolean", default: false } } });
const lab = { name: "the lab", command: node("tools/lab/test.mjs"), count: countStages };

await runStages([
  ...(values.lab ? [lab] : []),
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
  vitest("host (vitest)"),
]);
