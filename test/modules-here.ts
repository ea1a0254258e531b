/** Modules of any shape, compiled in the test's own process (compile-here.ts). */
import { deviceRequest, solverRequest } from "../host/compile/compile.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import type { Build } from "../host/model/kernel.ts";
import type { Shape } from "../host/shape.ts";
import { compiledHere } from "./compile-here.ts";

export function compileDevice(shape: Shape, build: Build, options: ModuleOptions = {}): Promise<Uint8Array> {
  return compiledHere(deviceRequest(shape, build, options));
}

export function compileSolver(shape: Shape, build: Build, threads: boolean): Promise<Uint8Array> {
  return compiledHere(solverRequest(shape, build, threads));
}
