/** saffu info */
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";

export async function run(directory: string, options: { json?: boolean }): Promise<void> {
  const info = (await loadModel(directory, undefined, interruptSignal())).info();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(info)}\n`);
    return;
  }
  const { shape, parameters, memoryBytes, files } = info;
  const rows = [
    ...Object.entries(shape),
    ["parameters", parameters],
    ["linear memory", `${memoryBytes} bytes`],
    ...Object.entries(files).map(([name, { bytes, sha256 }]) => [name, `${bytes} bytes, sha256 ${sha256}`]),
  ];
  process.stdout.write(rows.map(([name, value]) => `${String(name).padEnd(20)} ${value}\n`).join(""));
}
