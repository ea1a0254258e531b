/**
 * The compiler with a memory, for tests that fit often: `vi.mock("../host/compile/compile.ts", …)` puts it in the compiler's place.
 * It imports nothing of the host, which would import what is being mocked.
 */
import type * as compile from "../host/compile/compile.ts";
import { compiledHere } from "./compile-here.ts";

/** The names of what was compiled, or remembered, and a call before each; a test may set both. */
export const hooks = {
  compiled: [] as string[],
  onCompile: undefined as ((name: string) => void) | undefined,
};

/**
 * The compiler, each module compiled once a file: a second of work that would otherwise stand before every fit. That compiling
 * again gives the same bytes is tested with the real one.
 */
export function memoised(real: typeof compile): typeof compile {
  const modules = new Map<string, Promise<Uint8Array>>();
  const remembered = (name: string, make: () => Promise<Uint8Array>, ...key: unknown[]): Promise<Uint8Array> => {
    hooks.compiled.push(name);
    hooks.onCompile?.(name);
    const id = JSON.stringify([name, ...key]);
    if (!modules.has(id)) modules.set(id, make());
    return modules.get(id)!;
  };
  return {
    ...real,
    compileDevice: (shape, build, options) =>
      remembered(`device ${build}`, () => compiledHere(real.deviceRequest(shape, build, options)), shape, options),
    compileSolver: (shape, build, threads) =>
      remembered(`solver ${build}`, () => compiledHere(real.solverRequest(shape, build, threads)), shape, threads),
  };
}
