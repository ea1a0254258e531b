// Builds dist/: the library for Node and for browsers, the command line, and the declarations.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", packages: "external" };
await Promise.all([
  build({
    ...common,
    entryPoints: { index: "host/index.ts", cli: "host/cli/main.ts" },
    outdir: "dist",
    platform: "node",
    target: "node20",
    splitting: true,
  }),
  build({ ...common, entryPoints: { browser: "host/browser.ts" }, outdir: "dist", platform: "browser", minify: true }),
]);
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
