/**
 * The compiler in the test's own process, for tests of many shapes: its code is warm from the second module on, which then costs a fraction of
 * what a process of its own takes. What it compiles is kept for the other files' tests. modules-here.test.ts shows that both give the same bytes.
 * It imports nothing that imports host/compile/compile.ts, in whose place compile-memo.ts puts it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { main } from "assemblyscript/asc";
import { type ModuleRequest, sourceFolder } from "../host/compile/ahead.ts";
import { keepModule, readKept } from "../host/compile/kept.ts";

/** The compiler's work so far: it has one state, so one module is compiled at a time. */
let before: Promise<unknown> = Promise.resolve();

/** The module that is asked for. @throws Error with the compiler's words */
export function compiledHere(request: ModuleRequest): Promise<Uint8Array> {
  const work = before.then(() => compile(request));
  before = work.catch(() => {});
  return work;
}

async function compile(request: ModuleRequest): Promise<Uint8Array> {
  const kept = readKept(request);
  if (kept.bytes !== undefined) return kept.bytes;
  const sources = sourceFolder();
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await main([...request.files, "--outFile=module.wasm", ...request.options], {
    readFile: (name) => {
      const path = join(sources, name);
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    writeFile: (_name, contents) => {
      bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || bytes === undefined) throw error ?? new Error(stderr.toString());
  await keepModule(request, bytes);
  return bytes;
}
