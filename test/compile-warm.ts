/**
 * The compiler in the test's own process, where its code is warm from the second module on, which compile-setup.ts puts in the compiler's place;
 * abort.test.ts shows that both give the same bytes. It imports nothing of the host that would import what is being mocked.
 */
import type { ModuleRequest } from "../host/compile/ahead.ts";
import type * as compile from "../host/compile/compile.ts";
import { keepModule, readKept } from "../host/compile/kept.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import { turn } from "../host/fit/steps.ts";
import type { Build } from "../host/model/kernel.ts";
import type { Shape } from "../host/shape.ts";

/** The names of what was compiled, or remembered, and a call before each; a test may set both. */
export const hooks = {
  compiled: [] as string[],
  onCompile: undefined as ((name: string) => void) | undefined,
};

/**
 * For tests of many shapes: from here on, modules of this file are compiled with little optimisation, which takes a third of the time; in CI, as
 * they are shipped.
 */
export function compileQuickly(on = true): void {
  quick = on && process.env.CI === undefined;
}

let quick = false;

const withLittle = (request: ModuleRequest): ModuleRequest => ({
  ...request,
  options: [...request.options.filter((option) => !/^--(optimizeLevel|shrinkLevel|converge)/.test(option)), LITTLE],
});
const LITTLE = "--optimizeLevel=1";

/** The compiler that keeps what it compiles for the other files' tests. It has one state, so it compiles one module at a time. */
export function compilingHere(real: typeof compile): typeof compile {
  let before: Promise<unknown> = Promise.resolve();
  const compiled = (name: string, shipped: ModuleRequest, shape: Shape): Promise<Uint8Array> => {
    const request = quick ? withLittle(shipped) : shipped;
    hooks.compiled.push(name);
    hooks.onCompile?.(name);
    const work = before.then(async () => {
      const kept = readKept(request).bytes;
      if (kept !== undefined) return kept;
      const bytes = await real.compileRequestHere(request, shape);
      await keepModule(request, bytes);
      return bytes;
    });
    before = work.catch(() => {});
    return work;
  };
  const device = async (build: Build, shape: Shape, options?: ModuleOptions) => {
    const module = await compiled(`device ${build}`, real.deviceRequest(shape, build, options), shape);
    return real.sizedFor(shape, module, options);
  };
  return {
    ...real,
    compileDevice: async (shape, build, options) => device(build, shape, options),
    compileDevices: async (shape, builds, options, signal) => {
      const modules = new Map<(typeof builds)[number], Uint8Array>();
      for (const build of builds) {
        await turn(signal);
        modules.set(build, await device(build, shape, options));
      }
      return modules;
    },
    compileSolver: async (shape, build, threads) =>
      compiled(`solver ${build}`, real.solverRequest(shape, build, threads), shape),
  };
}
