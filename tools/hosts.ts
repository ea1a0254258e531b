/** Programs of tools/hosts, and how each runs a file of JavaScript. */
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const MODULES = resolve("tools/hosts/node_modules");

/** A file of a package of tools/hosts, if it is installed. */
export function ofHosts(path: string): string | undefined {
  const file = `${MODULES}/${path}`;
  return existsSync(file) ? file : undefined;
}

/** Where a program stands, if it is on the PATH. */
export function onPath(program: string): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** The words that come before a file's name, if the runtime is here. */
export type Runtime = readonly string[] | undefined;

const alone = (program: string | undefined, ...words: string[]): Runtime =>
  program === undefined ? undefined : [program, ...words];

/** Node for another machine, by the name of its package and of its C library. */
function emulated(qemu: string, name: string, library: string): Runtime {
  const [emulator, node, root] = [onPath(qemu), ofHosts(`node-${name}/bin/node`), `/usr/${library}`];
  return emulator && node && existsSync(root) ? [emulator, "-L", root, node] : undefined;
}

/** A Node of another version, for this kind of machine alone. */
const ofVersion = (name: string) =>
  process.platform === "linux" && process.arch === "x64" ? alone(ofHosts(`${name}/bin/node`)) : undefined;

export const LEAST = ofVersion("node-least");
export const LATEST = ofVersion("node-latest");
export const ARMV7 = emulated("qemu-arm", "armv7l", "arm-linux-gnueabihf");
export const ARM64 = emulated("qemu-aarch64", "arm64", "aarch64-linux-gnu");
export const S390X = emulated("qemu-s390x", "s390x", "s390x-linux-gnu");
export const DENO = alone(ofHosts("@deno/linux-x64-glibc/deno"), "run", "--allow-all", "--no-remote");
export const BUN = alone(ofHosts("@oven/bun-linux-x64/bin/bun"), "run");
/** The runtime of edge workers: it serves what a configuration says. */
export const WORKERD = ofHosts("@cloudflare/workerd-linux-64/bin/workerd");
