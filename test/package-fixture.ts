/** The package as a dependant has it: packed by npm, installed by npm into a folder of its own, with nothing from the network. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Ended } from "./cli-fixture.ts";

/** Runs npm with `words` in a folder. It is the npm that runs the tests, if one does. */
export function npm(folder: string, ...words: string[]): string {
  const own = process.env.npm_execpath;
  const [file, before] = own?.endsWith(".js") ? [process.execPath, [own]] : ["npm", []];
  // what the npm that runs the tests says of its own checkout is not for this one
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_cache)/i.test(name)));
  return execFileSync(file, [...before, ...words], { cwd: folder, encoding: "utf8", env, stdio: "pipe" });
}

/** Packs dist/ as it was built, which `npm test` does first. Returns the tarball's path. */
export async function packed(folder: string): Promise<string> {
  if (!existsSync("dist/modules/index.json")) throw new Error("dist/ is not built: npm run build");
  await mkdir(folder, { recursive: true });
  const found = npm(".", "pack", "--json", "--ignore-scripts", "--pack-destination", resolve(folder));
  const { filename } = Object.values(JSON.parse(found) as Record<string, { filename: string }>)[0]!;
  return join(folder, filename);
}

/** Makes an empty project and installs `what` there, offline. */
export async function projectWith(folder: string, what: string, type: "module" | "commonjs" = "module"): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type }));
  npm(folder, "install", "--offline", "--no-audit", "--no-fund", resolve(what));
}

/** Runs Node on `words` in a folder. */
export function node(folder: string, ...words: string[]): Promise<Ended> {
  return program(folder, process.execPath, ...words);
}

/** Runs a program on `words` in a folder. */
export function program(folder: string, file: string, ...words: string[]): Promise<Ended> {
  return new Promise((ended) => {
    // a dependant has no modules but the package's
    const env = { ...process.env, SAFFU_MODULES: "", NODE_OPTIONS: "" };
    execFile(file, words, { cwd: folder, env }, (error, out, err) => {
      ended({ code: error === null ? 0 : ((error as { code?: number }).code ?? null), out, err });
    });
  });
}

/** Code blocks of a page, in order, under a heading. */
export async function codeOf(page: string, language: string, heading: string): Promise<string[]> {
  const section = (await readFile(page, "utf8")).split(`\n${heading}\n`)[1]!.split(/\n#+ /)[0]!;
  return Array.from(section.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs")), ([, code]) => code!);
}
