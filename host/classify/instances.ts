/**
 * Instances of the modules with as much memory as they need. A fit needs hundreds, of few sizes, one after another: each size is compiled once, and an
 * instance that is given back serves again. Engines set gigabytes of addresses apart for each, and do not bear many.
 */
import { SaffuError } from "../errors.ts";
import { withPages } from "../model/predictor-module.ts";
import { compileModule } from "../model/webassembly.ts";

const PAGE = 65536;
/** Compiled modules that are kept of each program. */
const MOST_KEPT = 16;

const compiled = new WeakMap<Uint8Array, Map<number, Promise<WebAssembly.Module>>>();

/** Instances that are given back, by program and pages. */
const idle = new WeakMap<Uint8Array, Map<number, WebAssembly.Exports>>();

/** The programs have no data and no state but memory: what is given back is as new once that is zero. */
export function giveBack(module: Uint8Array, exports: { readonly memory: WebAssembly.Memory }): void {
  const kept = idle.get(module) ?? new Map<number, WebAssembly.Exports>();
  idle.set(module, kept);
  kept.set(exports.memory.buffer.byteLength / PAGE, exports as unknown as WebAssembly.Exports);
}

/** Lets go of the instances of a program that nobody uses. */
export function letGo(module: Uint8Array): void {
  idle.delete(module);
}

/**
 * Starts a module with room for so many bytes; its memory is zero.
 *
 * @throws SaffuError OUT_OF_MEMORY, UNSUPPORTED
 */
export async function startInstance(module: Uint8Array, bytes: number): Promise<WebAssembly.Exports> {
  const pages = roundedUp(Math.ceil(bytes / PAGE));
  const again = idle.get(module)?.get(pages);
  if (again !== undefined) {
    idle.get(module)!.delete(pages);
    new Uint8Array((again.memory as WebAssembly.Memory).buffer).fill(0);
    return again;
  }
  const kept = compiled.get(module) ?? new Map<number, Promise<WebAssembly.Module>>();
  compiled.set(module, kept);
  let found = kept.get(pages);
  if (found === undefined) {
    found = compileModule(withPages(module, pages));
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value!);
    kept.set(pages, found);
  }
  try {
    return (await WebAssembly.instantiate(await found)).exports;
  } catch (cause) {
    if (cause instanceof SaffuError) throw cause;
    throw new SaffuError("OUT_OF_MEMORY", `a classifier that needs ${pages} pages of 64 KiB does not start`, { cause });
  }
}

/** Pages to an eighth of their power of two, so that sizes that are about the same are the same. */
function roundedUp(pages: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(pages)) - 3);
  return Math.ceil(pages / step) * step;
}
