/** saffu stats */
import { writeNew } from "../files/directory-node.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { done } from "./output.ts";

interface Options {
  readonly export?: string;
  readonly withMemory?: boolean;
  readonly json?: boolean;
}

export async function run(directory: string, { export: file, withMemory, json }: Options): Promise<void> {
  const model = await loadModel(directory, undefined, interruptSignal());
  const info = await model.statistics();
  if (file !== undefined) {
    const bytes = await model.exportStatistics({ memory: withMemory });
    await writeNew(file, bytes);
    done(`${file} is written`);
  }
  if (json) {
    process.stdout.write(`${JSON.stringify(info)}\n`);
    return;
  }
  const rows = Object.entries(info).map(([name, value]) => `${name.padEnd(17)} ${value}\n`);
  process.stdout.write(rows.join(""));
}
