/** The module of watches (assembly/watch/). Its sizes are data, so there is one for every watch: built ahead, or kept, or compiled once. */
import type { ModuleRequest } from "./ahead.ts";
import { readOrCompile } from "./compile.ts";

/** What is asked for; the module has one page, and whoever starts it says how many it gets. */
export function watchRequest(): ModuleRequest {
  const off = "--disable=bulk-memory,sign-extension,nontrapping-f2i,mutable-globals";
  const memory = ["--initialMemory=1", "--maximumMemory=1"];
  const options = ["--runtime=stub", "--noAssert", "--use=abort=", off];
  return {
    entry: "watch",
    files: ["watch/device.ts"],
    options: [...options, "--optimizeLevel=3", "--shrinkLevel=1", "--converge", ...memory],
  };
}

/** @throws SaffuError UNSUPPORTED where it is not built ahead, and there is no compiler; ABORTED */
export async function watchModule(signal?: AbortSignal | undefined): Promise<Uint8Array> {
  const [module] = await readOrCompile([watchRequest()], undefined, signal);
  return module!;
}
