/** What of the arguments is a model, and what are files. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { invalidOption } from "../../errors.ts";
import { CONFIG } from "../../files/config.ts";
import { modelDirectory } from "../../files/package-node.ts";

const STANDARD_INPUT = "-";

/**
 * The first argument is a model if it is a directory with one, or, where nothing has that name here, the name of a model of the package.
 *
 * @throws SaffuError INVALID_OPTION for a directory without a model; MODEL_MISSING_FILE for a word before files that is neither
 */
export async function argumentsOf(given: readonly string[]): Promise<{ model: string | undefined; files: string[] }> {
  const [first = STANDARD_INPUT, ...rest] = given;
  const directory = await directoryOf(first);
  if (directory === undefined) {
    // a word without a dot, before files, that nothing has for a name: a model that is misspelt
    if (rest.length > 0 && /^\w[\w-]*$/.test(first) && !(await stat(first).catch(() => undefined)))
      await modelDirectory(first);
    return { model: undefined, files: [first, ...rest] };
  }
  if (!(await stat(join(directory, CONFIG)).catch(() => undefined))) {
    throw invalidOption("a file", "a file, or a directory with a model", first);
  }
  return { model: first, files: rest.length > 0 ? rest : [STANDARD_INPUT] };
}

async function directoryOf(name: string): Promise<string | undefined> {
  const found = await stat(name).catch(() => undefined);
  if (found !== undefined) return found.isDirectory() ? name : undefined;
  if (name === STANDARD_INPUT || /[/\\]/.test(name)) return undefined;
  return modelDirectory(name).catch(() => undefined);
}
