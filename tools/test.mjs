// Everything that `npm test` checks. With --lab, which CI gives and which needs `npm ci --prefix tools/lab`, the lab's tests before it.
import { parseArgs } from "node:util";
import { bin, countAspect, countStages, node, runStages, vitest } from "./stages.mjs";

const { values } = parseArgs({ options: { lab: { type: "boolean", default: false } } });
const lab = { name: "the lab", command: node("tools/lab/test.mjs"), count: countStages };

await runStages([
  ...(values.lab ? [lab] : []),
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
    ].map(([name, config, compiler]) => ({
      name: `kernels, ${name}`,
      command: bin("@as-pect/cli/bin/asp.js", "--summary", "--config", config, "--as-config", compiler),
      count: countAspect,
    })),
  ],
  vitest("host (vitest)"),
]);
