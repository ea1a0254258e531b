/** Measures scorers of streams. `--write DIR` writes the streams, a JSON file each. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WATCHED } from "./corpora/watch.ts";

const at = process.argv.indexOf("--write");
if (at > 0) {
  const folder = process.argv[at + 1]!;
  mkdirSync(folder, { recursive: true });
  for (const { name, kind, role, read } of WATCHED) {
    const { rows, labels } = read();
    console.log(name, kind, role, rows.length, labels.filter(Boolean).length);
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ name, kind, role, rows, labels }));
  }
}
