/** Loading the model a command names. */
import { modelDirectory } from "../files/package-node.ts";
import type { Build } from "../model/kernel.ts";
import { Model } from "../model/model.ts";
import { directorySource, NODE } from "../model/platform-node.ts";

/** @param model a directory, or the name of a model of the package. @throws SaffuError as load does, and INVALID_OPTION where `build` is none */
export async function loadModel(model: string, build?: string, signal?: AbortSignal): Promise<Model> {
  return Model.read(directorySource(await modelDirectory(model)), { build: build as Build | undefined, signal }, NODE);
}
