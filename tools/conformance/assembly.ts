/** Compiles an AssemblyScript entry that stands beside this file, or is generated, over the sources of assembly/. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shapeConstants } from "../../host/compile/compile.ts";
import { PAGE } from "../../host/compile/layout.ts";
import type { ModuleOptions } from "../../host/compile/options.ts";
import type { Build } from "../../host/model/kernel.ts";
import type { Shape } from "../../host/shape.ts";

const HERE = "tools/conformance";
const SOURCES = "assembly";

export interface Entry {
  /** Of a language model: its constants. */
  readonly model?: { readonly shape: Shape; readonly options: ModuleOptions };
  readonly build: Build;
  /** Source text by file name, in place of the files'; the entry is entry.ts. */
  readonly sources: Readonly<Record<string, string>>;
  /** Integer constants, as `--use` has them. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly memoryBytes: number;
}

/** The module, optimised as device modules are (host/compile/compile.ts). */
export async function compileEntry(entry: Entry): Promise<Uint8Array> {
  const { model, build, sources, constants = {}, memoryBytes } = entry;
  const { main } = await compiler();
  const pages = Math.ceil(memoryBytes / PAGE);
  const uses = [
    ...(model ? shapeConstants(model.shape, model.options) : []),
    ...Object.entries(constants).map(([name, value]) => `${name}=${value}`),
  ];
  const simd = build === "simd";
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await main(
    [
      "entry.ts",
      "--outFile=module.wasm",
      "--runtime=stub",
      "--noAssert",
      "--use=abort=",
      ...uses.flatMap((use) => ["--use", use]),
      simd ? "--enable=simd" : "--disable=bulk-memory,sign-extension,nontrapping-f2i,mutable-globals",
      "--optimizeLevel=3",
      "--shrinkLevel=1",
      "--converge",
      `--initialMemory=${pages}`,
      `--maximumMemory=${pages}`,
    ],
    {
      readFile: (name) => {
        const path = [HERE, SOURCES].map((folder) => join(folder, name)).find((path) => existsSync(path));
        return sources[name] ?? (path === undefined ? null : readFileSync(path, "utf8"));
      },
      writeFile: (_name, contents) => {
        bytes = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || bytes === undefined) throw new Error(`does not compile: ${stderr.toString()}`, { cause: error });
  return bytes;
}

/** The compiler, without the listener that it leaves on the process, which prints its source where anything is thrown uncaught. */
async function compiler(): Promise<typeof import("assemblyscript/asc")> {
  const before = process.listeners("uncaughtException");
  const loaded = await import("assemblyscript/asc");
  for (const listener of process.listeners("uncaughtException")) {
    if (!before.includes(listener)) process.off("uncaughtException", listener);
  }
  return loaded;
}
