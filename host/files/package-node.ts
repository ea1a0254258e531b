/** What comes with the package: its folder, and the models in it (Node only). */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SaffuError } from "../errors.ts";
import { CONFIG } from "./config.ts";

/** The part of package.json that is read. */
export interface Manifest {
  readonly name: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/** The package's folder and package.json, seen from host/ or from dist/. Undefined where a bundler moved the code elsewhere. */
export function ownPackage(): { readonly root: string; readonly manifest: Manifest } | undefined {
  const here: string | undefined = import.meta.url;
  if (here === undefined) return undefined; // bundled as CommonJS
  for (let root = dirname(fileURLToPath(here)); ; root = dirname(root)) {
    const manifest = manifestIn(root);
    if (manifest?.name === "saffu") return { root, manifest };
    if (dirname(root) === root) return undefined;
  }
}

function manifestIn(folder: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * The directory of a model. A directory that exists is taken as it is. A name without a slash that is no directory here is a model
 * of the package.
 *
 * @throws SaffuError MODEL_MISSING_FILE for an unknown name, with the names that the package has
 */
export async function modelDirectory(source: string): Promise<string> {
  if (/[/\\]/.test(source)) return source;
  if (
    await stat(source).then(
      (found) => found.isDirectory(),
      () => false,
    )
  )
    return source;
  const folder = join(ownPackage()?.root ?? "", "models");
  const names = modelsIn(folder);
  if (names.includes(source)) return join(folder, source);
  const known =
    names.length > 0 ? `the models of the package are ${names.join(", ")}` : "no models are beside the code";
  throw new SaffuError("MODEL_MISSING_FILE", `no directory and no model has the name "${source}": ${known}`);
}

/** Names of the folder's model directories, sorted. */
function modelsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => existsSync(join(folder, name, CONFIG)))
      .sort();
  } catch {
    return [];
  }
}
