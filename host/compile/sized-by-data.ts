/**
 * Modules whose sizes are data: one for each build, whatever it runs. It has one page of memory, and whoever starts it says how many it gets.
 */
import type { Build } from "../model/kernel.ts";
import type { ModuleRequest } from "./ahead.ts";

/** What is asked for. @param file of assembly/ */
export function sizedByData(entry: string, file: string, build: Build): ModuleRequest {
  const off = "--disable=bulk-memory,sign-extension,nontrapping-f2i,mutable-globals";
  const memory = ["--initialMemory=1", "--maximumMemory=1"];
  const options = ["--runtime=stub", "--noAssert", "--use=abort=", build === "simd" ? "--enable=simd" : off];
  return {
    entry,
    files: [file],
    options: [...options, "--optimizeLevel=3", "--shrinkLevel=1", "--converge", ...memory],
  };
}
