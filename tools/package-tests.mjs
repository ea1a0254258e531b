import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bin, node, runStages, vitest } from "./stages.mjs";

/**
 * Checks all of a package below tools/ that has dependencies of its own, and prints one line at the end: "N passed, N failed". Formatting,
 * lint and import directions are checked by the project's own tools, under its rules.
 *
 * @param file of the package's test.mjs, as an address
 */
export async function testPackage(name, file) {
  process.chdir(dirname(fileURLToPath(file)));
  const ofProject = (path, ...words) => node(join("..", "..", "node_modules", path), ...words);
  await runStages([
    { name: "types", command: bin("typescript/bin/tsc", "--noEmit") },
    { name: "formatting, lint", command: ofProject("@biomejs/biome/bin/biome", "check", ".") },
    {
      name: "import directions",
      command: ofProject("dependency-cruiser/bin/dependency-cruise.mjs", "--config", ".dependency-cruiser.cjs", "."),
    },
    vitest(`${name} (vitest)`),
  ]);
}
