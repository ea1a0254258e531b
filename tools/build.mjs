// Builds dist/: the library for Node and for browsers, the command line, and the declarations.
//   node tools/build.mjs            builds
//   --budget      prints the size of the browser's bundle, and fails where it is over its budget
//   --out DIR     builds there in place of dist/
//   --bundles     leaves the declarations out
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** A sensor's page is served over slow links: everything that runs a model, before its weights, in bytes gzipped. */
const BROWSER_BUDGET = 20 * 1024;

const { values } = parseArgs({
  options: { budget: { type: "boolean" }, bundles: { type: "boolean" }, out: { type: "string", default: "dist" } },
});
const outdir = values.out;
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
rmSync(outdir, { recursive: true, force: true });
const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  packages: "external",
  outdir,
};
await Promise.all([
  build({
    ...common,
    entryPoints: { index: "host/index.ts", cli: "host/cli/main.ts" },
    platform: "node",
    target: "node20",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    define: { SAFFU_VERSION: JSON.stringify(version) },
  }),
  build({ ...common, entryPoints: { browser: "host/browser.ts" }, platform: "browser", minify: true }),
]);
if (!values.bundles) {
  const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", `${outdir}/types`];
  execFileSync(process.execPath, tsc, { stdio: "inherit" });
}

if (values.budget) {
  const bytes = readFileSync(`${outdir}/browser.js`);
  const zipped = gzipSync(bytes, { level: 9 }).length;
  const verdict = zipped <= BROWSER_BUDGET ? "within" : "OVER";
  console.log(`browser bundle: ${bytes.length} bytes, ${zipped} gzipped, ${verdict} the budget of ${BROWSER_BUDGET}`);
  if (zipped > BROWSER_BUDGET) process.exitCode = 1;
}
