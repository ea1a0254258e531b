/** saffu stats */
import { rm } from "node:fs/promises";
import { SaffuError } from "../errors.ts";
import { writeFlushed } from "../files/directory-node.ts";
import { loadModel } from "./load.ts";

interface Options {
  readonly export?: string;
  readonly json?: boolean;
}

export async function run(directory: string, { export: file, json }: Options): Promise<void> {
  const model = await loadModel(directory);
  const info = await model.statistics();
  if (file !== undefined) {
    const bytes = await model.exportStatistics();
    await writeFlushed(file, bytes).catch(async (cause) => {
      // a part of the file is no file; one that was there before is not touched
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") await rm(file, { force: true }).catch(() => {});
      throw new SaffuError("UNWRITABLE", `${file} cannot be written: ${(cause as Error).message}`, { cause });
    });
  }
  if (json) {
    process.stdout.write(`${JSON.stringify(info)}\n`);
    return;
  }
  const rows = Object.entries(info).map(([name, value]) => `${name.padEnd(17)} ${value}\n`);
  process.stdout.write(rows.join(""));
}
