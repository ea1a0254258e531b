/** Writes assembly/device/layout.ts and assembly/solver/layout.ts from the table of addresses; with `--check` only compares. */
import { readFileSync, writeFileSync } from "node:fs";
import { DEVICE, layoutSource, SOLVER, solverExtras } from "../host/compile/layout.ts";
import { BATCH, MIXTURE_PLACES, THREADS, TILE } from "../host/compile/sizes.ts";

const FILES: Record<string, string> = {
  "assembly/device/layout.ts": layoutSource(DEVICE, "../shape", "\n/** Decoder rows in a tile of the flash form. */\nexport const TILE_ROWS: usize = 32;\n"),
  "assembly/solver/layout.ts": layoutSource(SOLVER, "../shape", solverExtras({ BATCH, TILE, THREADS, MIXTURE_PLACES })),
};
for (const [path, text] of Object.entries(FILES)) {
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is not what the table says: run npm run build`);
    process.exitCode = 1;
  }
}
