// Everything that `npm test` of the lab checks, and one line at the end: "N passed, N failed". Formatting, lint and import directions are
// checked by the project's own tools, under its rules.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bin, runStages, vitest } from "../stages.mjs";

process.chdir(dirname(fileURLToPath(import.meta.url)));

await runStages([
  { name: "types", command: bin("typescript/bin/tsc", "--noEmit") },
  {
    name: "formatting, lint",
    command: bin(join("..", "..", "node_modules", "@biomejs/biome/bin/biome"), "check", "."),
  },
  {
    name: "import directions",
    command: bin(
      join("..", "..", "node_modules", "dependency-cruiser/bin/dependency-cruise.mjs"),
      "--config",
      ".dependency-cruiser.cjs",
      ".",
    ),
  },
  vitest("lab (vitest)"),
]);
