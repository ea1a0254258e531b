/** Loading the model a command names. */
import type { Flavour } from "../model/kernel.ts";
import { Model } from "../model/model.ts";
import { directorySource, NODE } from "../model/platform-node.ts";

/** @throws SaffuError as load does, and INVALID_OPTION where `flavour` is none */
export function loadModel(directory: string, flavour?: string, signal?: AbortSignal): Promise<Model> {
  return Model.read(directorySource(directory), { flavour: flavour as Flavour | undefined, signal }, NODE);
}
