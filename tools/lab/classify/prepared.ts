/** Sets of examples that a script of Python writes: a JSON file each. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { inLab } from "../paths.ts";

/** The interpreter of aeon, river and scikit-learn: of the environment that `npm run classifiers` makes, or the one that PYTHON names. */
export const python = (): string => process.env.PYTHON ?? inLab(".venv-classify", "bin", "python");
/** What to do where it is not there, or has no such package. */
export const missing = (needs: string): Error =>
  new Error(`no Python with ${needs}: npm run classifiers --prefix tools/lab`);

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
    const { status } = spawnSync(python(), [inLab("classify", `${name}.py`), folder, ...words], { stdio: "inherit" });
    if (status !== 0) throw missing(needs);
  }
  for (const file of readdirSync(folder).sort()) yield JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as T;
}
