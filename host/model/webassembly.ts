/**
 * WebAssembly as the runtime offers it. It may be absent, and a page's policy or a host of edge workers may forbid to compile: then no
 * file is to blame.
 */
import { SaffuError } from "../errors.ts";
import type { Build } from "./kernel.ts";

/** Whether the runtime has 128-bit vectors: the least module that needs them, a function that makes one and drops it. */
export function hasSimd(): boolean {
  const module = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11];
  return WebAssembly.validate(Uint8Array.from(module));
}

/**
 * Whether the runtime's vectors give the bits that single numbers do: half of the least normal f32, a subnormal number, as a product of
 * vectors. 32-bit ARM takes it for zero. Where a policy forbids to ask, it is not told here.
 */
export function hasExactSimd(): boolean {
  if (!hasSimd()) return false;
  try {
    const { half } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(HALF_OF_LEAST))).exports;
    return (half as () => number)() === 1 << 22;
  } catch {
    return true;
  }
}

/** (func (export "half") (result i32) (i32x4.extract_lane 0 (f32x4.mul (f32x4.splat 2^-126) (f32x4.splat 0.5)))) */
const HALF_OF_LEAST = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 8, 1, 4, 104, 97, 108, 102, 0, 0, 10, 24, 1],
  ...[22, 0, 67, 0, 0, 128, 0, 253, 19, 67, 0, 0, 0, 63, 253, 19, 253, 230, 1, 253, 27, 0, 11],
];

/** @throws SaffuError UNSUPPORTED where the runtime cannot run a model or a fit at all */
export function assertWebAssembly(): void {
  if (typeof WebAssembly !== "object") {
    const why = "as under node --jitless, or in a browser's lockdown mode";
    throw new SaffuError(
      "UNSUPPORTED",
      `this runtime has no WebAssembly (the global is missing, ${why}): models need it`,
    );
  }
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
    throw new SaffuError("UNSUPPORTED", "this machine is big-endian: models run on little-endian ones alone");
  }
}

/** @throws SaffuError UNSUPPORTED where the runtime cannot run a solver of this build */
export function assertSolvable(build: Build): void {
  assertWebAssembly();
  if (build === "scalar" || hasSimd()) return;
  throw new SaffuError(
    "UNSUPPORTED",
    `this runtime has no SIMD: the option build: "scalar" fits without, to the same bytes`,
  );
}

/** Compiles a module. @throws SaffuError UNSUPPORTED where the runtime forbids it; whatever the engine says of bytes that are no module */
export async function compileModule(bytes: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes as BufferSource);
  } catch (cause) {
    throw (await forbidden()) ?? cause;
  }
}

/** The error of a runtime that does not compile even the empty module; engines' words for it differ. */
async function forbidden(): Promise<SaffuError | undefined> {
  try {
    await WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    return undefined;
  } catch (cause) {
    const page = "a page adds 'wasm-unsafe-eval' to script-src of its Content-Security-Policy";
    const worker = "an edge worker gives load the option kernel";
    const words = (cause as Error).message.slice(0, 100); // some engines quote the whole policy
    return new SaffuError("UNSUPPORTED", `this runtime forbids to compile WebAssembly: ${page}, ${worker} (${words})`, {
      cause,
    });
  }
}
