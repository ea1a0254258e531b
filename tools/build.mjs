// Builds dist/: the library for Node (modules, and one file for require) and for browsers, the command line, the declarations, and modules
// compiled ahead.
//   node tools/build.mjs            builds
//   --budget      prints the sizes of the packages and of the browser's bundle, and fails where one is over its budget
//   --out DIR     builds there in place of dist/
//   --bundles     leaves the declarations and the modules out
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { tsImport } from "tsx/esm/api";

/** A sensor's page is served over slow links: everything that runs a model, before its weights, in bytes gzipped. */
const BROWSER_BUDGET = 42 * 1024; // learning, n-grams, boundaries, messages, channels, archives, sessions, suggestions, memories, unfinished words, SHA-256 and Unicode's classes among them
/** The same of classifiers, which a page has alone: every encoding, fitting and learning among it. */
const CLASSIFY_BUDGET = 25 * 1024;
/** And of watches, their module among it. */
const WATCH_BUDGET = 20 * 1024;
/** What each package may take once it is installed, in bytes, by its folder. */
const PACKAGE_BUDGETS = { ".": 3_380_000 }; // of it modules 460 kB, the ONNX export 20 kB, classifiers 310 kB, messages 80 kB, suggestions 30 kB, watches 220 kB, models of messages 430 kB
/** Packages that the command line has inside, so that a dependant installs none. */
const BUNDLED = ["commander", "cli-progress"];

const { values } = parseArgs({
  options: { budget: { type: "boolean" }, bundles: { type: "boolean" }, out: { type: "string", default: "dist" } },
});
const outdir = values.out;
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
mkdirSync(outdir, { recursive: true });
for (const name of readdirSync(outdir)) {
  if (name !== "modules") rmSync(join(outdir, name), { recursive: true, force: true }); // they are brought up to date below
}

// What runs under Node keeps its names, so that stack traces can be read, and has no maps; blanks and comments would be a third of it. Node
// prints the line of what is thrown uncaught: lines stay short.
const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", packages: "external", outdir };
const short = { minifySyntax: true, minifyWhitespace: true, lineLimit: 120 };
const node = { ...common, ...short, platform: "node", target: "node20" };
const licences = new Map();
const [modules, library] = await Promise.all([
  values.bundles ? undefined : builtAhead(),
  build({
    ...node,
    entryPoints: { index: "host/index.ts", cli: "host/cli/main.ts" },
    metafile: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    define: { SAFFU_VERSION: JSON.stringify(version) },
    plugins: [bundled()],
  }),
  // for require(): the same once more, so it is minified whole
  build({
    ...{ ...node, minify: true, format: "cjs", outExtension: { ".js": ".cjs" } },
    entryPoints: { index: "host/index.ts" },
    define: { "import.meta.url": "SAFFU_URL" },
    banner: {
      js: `const SAFFU_URL=typeof __filename==="string"?require("node:url").pathToFileURL(__filename).href:undefined;`,
    },
  }),
  build({
    ...common,
    entryPoints: { browser: "host/browser.ts", classify: "host/classify/browser.ts" },
    platform: "browser",
    minify: true,
  }),
]);
await build({
  ...common,
  entryPoints: { watch: "host/watch/browser.ts" },
  platform: "browser",
  minify: true,
  define: { SAFFU_WATCH: JSON.stringify(await watchModule()) },
});
keepIgnored();
if (!values.bundles) {
  const entry = Object.values(library.metafile.outputs).find(({ entryPoint }) => entryPoint === "host/index.ts");
  await declarations(entry.exports.toSorted());
}
const texts = [...licences].sort().map(([name, text]) => `${name}\n\n${text.trim()}\n`);
writeFileSync(
  join(outdir, "LICENSES.txt"),
  `The command line of saffu has these packages inside.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`,
);

if (values.budget) {
  if (modules) console.log(`modules: ${modules.modules}, ${modules.bytes} bytes, ${modules.compiled} compiled now`);
  for (const [name, budget] of [
    ["browser", BROWSER_BUDGET],
    ["classify", CLASSIFY_BUDGET],
    ["watch", WATCH_BUDGET],
  ]) {
    const bytes = readFileSync(`${outdir}/${name}.js`);
    const zipped = gzipSync(bytes, { level: 9 }).length;
    within(`${name} bundle: ${bytes.length} bytes, ${zipped} gzipped`, zipped, budget);
  }
  for (const [folder, budget] of Object.entries(PACKAGE_BUDGETS)) {
    const { name, size, unpackedSize, entryCount } = packed(folder);
    within(
      `package ${name}: ${entryCount} files, ${size} bytes packed, ${unpackedSize} unpacked`,
      unpackedSize,
      budget,
    );
  }
}

/** Bundlers are told again that the compiler is not theirs to follow: the comments that say it are gone with the others. */
function keepIgnored() {
  const ignored = (file) => {
    const before = readFileSync(file, "utf8");
    const after = before.replaceAll(/\bimport\((?=[\w$]+\))/g, "import(/* @vite-ignore */ /* webpackIgnore: true */ ");
    if (after !== before) writeFileSync(file, after);
    return after !== before;
  };
  const chunks = readdirSync(join(outdir, "chunks")).map((name) => join(outdir, "chunks", name));
  const imported = [...chunks, join(outdir, "index.js"), join(outdir, "cli.js")].filter(ignored);
  if (imported.length === 0 || !ignored(join(outdir, "index.cjs")))
    throw new Error("no import of the compiler is found");
}

function within(what, bytes, budget) {
  console.log(`${what}, ${bytes <= budget ? "within" : "OVER"} the budget of ${budget}`);
  if (bytes > budget) process.exitCode = 1;
}

/** What npm would pack of a folder. */
function packed(folder) {
  const npm = process.env.npm_execpath;
  const [file, ...before] = npm?.endsWith(".js") ? [process.execPath, npm] : ["npm"];
  const words = [...before, "pack", "--dry-run", "--json", "--ignore-scripts"];
  const found = JSON.parse(
    execFileSync(file, words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
  return Object.values(found)[0]; // a list, or by name, as npm's version has it
}

/** The module of watches in base64: found among those that were built, or compiled. */
async function watchModule() {
  const { watchModule } = await tsImport("../host/compile/watch.ts", import.meta.url);
  return Buffer.from(await watchModule()).toString("base64");
}

async function builtAhead() {
  const { writeLayouts } = await tsImport("./layout.ts", import.meta.url);
  writeLayouts();
  const { buildModules } = await tsImport("./modules.ts", import.meta.url);
  return buildModules(`${outdir}/modules`);
}

/** The public declarations alone, in as few files as there can be; those for require() are taken from the others. */
async function declarations(values) {
  const whole = mkdtempSync(join(tmpdir(), "saffu-types-"));
  try {
    const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", whole];
    await promisify(execFile)(process.execPath, tsc).catch(({ stdout }) => {
      throw new Error(`the declarations are not built:\n${stdout}`);
    });
    const input = {
      index: join(whole, "index.d.ts"),
      browser: join(whole, "browser.d.ts"),
      classify: join(whole, "classify/browser.d.ts"),
      watch: join(whole, "watch/browser.d.ts"),
    };
    const bundle = await rollup({ input, plugins: [dts()] });
    const { output } = await bundle.write({
      dir: `${outdir}/types`,
      entryFileNames: "[name].d.ts",
      chunkFileNames: "run.d.ts",
    });
    const { exports } = output.find(({ name }) => name === "index");
    writeFileSync(`${outdir}/types/index.d.cts`, forRequire(exports, values));
  } finally {
    rmSync(whole, { recursive: true, force: true });
  }
}

/** Declarations of a CommonJS module that has what the ES module beside it has. `values`: the names that are there at run time. */
function forRequire(exports, values) {
  const mode = `{ "resolution-mode": "import" }`;
  const types = exports.filter((name) => !values.includes(name));
  const classes = values.filter((name) => /^[A-Z]/.test(name));
  return [
    `type Saffu = typeof import("./index.js", { with: ${mode} });`,
    ...values.map((name) => `export declare const ${name}: Saffu["${name}"];`),
    ...classes.map((name) => `export type ${name} = InstanceType<Saffu["${name}"]>;`),
    `export type { ${types.join(", ")} } from "./index.js" with ${mode};\n`,
  ].join("\n");
}

/** Puts the packages of BUNDLED into the output, minified: nobody reads their stack traces. The project's own code stays readable. */
function bundled() {
  const names = new RegExp(`^(${BUNDLED.join("|")})$`);
  return {
    name: "bundled",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: names }, ({ path }) => ({ path, namespace: "bundled" }));
      onLoad({ filter: names, namespace: "bundled" }, async ({ path }) => {
        const { outputFiles, metafile } = await build({
          entryPoints: [path],
          bundle: true,
          format: "esm",
          platform: "node",
          target: "node20",
          minify: true,
          legalComments: "none", // they are in LICENSES.txt
          metafile: true,
          write: false,
          plugins: [builtinsAsImports()],
        });
        for (const input of Object.keys(metafile.inputs)) addLicence(input);
        return { contents: outputFiles[0].text };
      });
    },
  };
}

/** A `require` of one of Node's own modules, which an ES module does not have, as an import. */
function builtinsAsImports() {
  return {
    name: "builtins-as-imports",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ path, kind }) => {
        if (kind !== "require-call" || !isBuiltin(path)) return undefined;
        return { path: path.replace(/^(node:)?/, "node:"), namespace: "required" };
      });
      onResolve({ filter: /^import:/ }, ({ path }) => ({ path: path.replace("import:", ""), namespace: "imported" }));
      onLoad({ filter: /./, namespace: "required" }, ({ path }) => {
        return { contents: `module.exports = require("import:${path}").default;` };
      });
      onLoad({ filter: /./, namespace: "imported" }, ({ path }) => ({
        contents: `export { default } from "${path}";`,
      }));
    },
  };
}

/** Keeps the licence of the package that a file belongs to. */
function addLicence(input) {
  const [folder] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input) ?? [];
  if (folder === undefined) return;
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} is bundled, and has no licence file`);
  licences.set(`${name} ${version}`, readFileSync(join(folder, file), "utf8"));
}
