/** Instances of the modules with as much memory as they need. A fit starts hundreds of few sizes: each is compiled once. */
import { SaffuError } from "../errors.ts";
import { withPages } from "../model/predictor-module.ts";
import { compileModule } from "../model/webassembly.ts";

const PAGE = 65536;
/** Compiled modules that are kept of each program. */
const MOST_KEPT = 16;

const compiled = new WeakMap<Uint8Array, Map<number, Promise<WebAssembly.Module>>>();

/**
 * Starts a module with room for so many bytes.
 *
 * @throws SaffuError OUT_OF_MEMORY, UNSUPPORTED
 */
export async function startInstance(module: Uint8Array, bytes: number): Promise<WebAssembly.Exports> {
  const pages = roundedUp(Math.ceil(bytes / PAGE));
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
