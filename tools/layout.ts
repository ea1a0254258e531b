/** assembly/device/layout.ts and assembly/solver/layout.ts, written from the table of addresses: `npm run build` does it. */
import { readFileSync, writeFileSync } from "node:fs";
import { DEVICE, layoutSource, layoutTable, SOLVER, solverExtras, TILE_ROWS } from "../host/compile/layout.ts";
import { readBlock, writeBlock } from "./markdown.ts";

/** Text of each file by its path. */
export const LAYOUTS: Readonly<Record<string, string>> = {
  "assembly/device/layout.ts": layoutSource(
    DEVICE,
    "../shape",
    `\n/** Decoder rows in a tile of the flash form. */\nexport const TILE_ROWS: usize = ${TILE_ROWS};\n`,
  ),
  "assembly/solver/layout.ts": layoutSource(SOLVER, "../shape", solverExtras()),
};

/** The documents' tables, and the block of each. */
export const DOCUMENTS = { "docs/device.md": layoutTable(DEVICE) } as const;

/** Writes those that are not what the table says. */
export function writeLayouts(): void {
  for (const [path, table] of Object.entries(DOCUMENTS)) {
    if (readBlock(path, "layout") !== table) writeBlock(path, "layout", table);
  }
  for (const [path, text] of Object.entries(LAYOUTS)) {
    if (readFileSync(path, "utf8") !== text) writeFileSync(path, text);
  }
}
