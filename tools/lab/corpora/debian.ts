/**
 * Files of Debian packages, which need not be installed: a package is downloaded once by apt and unpacked below build/debian.
 *
 * ```ts
 * readFileSync(debianFile("fail2ban", "usr/lib/python3/dist-packages/fail2ban/tests/files/logs/sshd"));
 * ```
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inLab } from "../paths.ts";

/** Where a file of a package stands; downloads the package first where it has not been. Throws where apt or the package is missing. */
export function debianFile(name: string, path: string): string {
  const file = join(debianPackage(name), path);
  if (!existsSync(file)) throw new Error(`Debian's ${name} has no ${path}`);
  return file;
}

function debianPackage(name: string): string {
  const all = inLab("build", "debian");
  const folder = join(all, name);
  if (existsSync(folder)) return folder;
  mkdirSync(all, { recursive: true });
  const part = mkdtempSync(join(all, ".part-"));
  try {
    ran("apt-get", ["download", name], part, `${name} cannot be downloaded (apt-get update first)`);
    const file = readdirSync(part).find((each) => each.endsWith(".deb"));
    if (file === undefined) throw new Error(`apt-get has downloaded no package ${name}`);
    ran("dpkg", ["-x", file, "files"], part, `${file} cannot be unpacked`);
    renameSync(join(part, "files"), folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return folder;
}

function ran(program: string, words: readonly string[], folder: string, otherwise: string): void {
  try {
    execFileSync(program, words, { cwd: folder, stdio: "ignore" });
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new Error(missing ? `${program} is not installed` : otherwise, { cause: error });
  }
}
