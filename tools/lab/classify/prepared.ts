/** Sets of examples that a script of Python writes: a JSON file each. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { inLab } from "../paths.ts";

/**
 * The sets in the folder that `--folder` names; without it classify/NAME.py writes them into one.
 *
 * @param needs the package that the script is of
 * @param words what else the script is told
 */
export function* preparedSets<T>(name: string, needs: string, ...words: readonly string[]): Generator<T> {
  const { values } = parseArgs({ options: { folder: { type: "string" }, dev: { type: "boolean" } } });
  const folder = values.folder ?? inLab("build", name);
  if (values.folder === undefined) {
    mkdirSync(folder, { recursive: true });
    const python = process.env.PYTHON ?? inLab(".venv", "bin", "python");
    const { status } = spawnSync(python, [inLab("classify", `${name}.py`), folder, ...words], { stdio: "inherit" });
    if (status !== 0) throw new Error(`the environment has no ${needs}: pip install -r classify/requirements.txt`);
  }
  for (const file of readdirSync(folder).sort()) yield JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as T;
}
