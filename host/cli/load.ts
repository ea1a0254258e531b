/** Loading the model a command names. */
import { directoryReader } from "../model/directory-node.ts";
import type { Flavour } from "../model/kernel.ts";
import { Model } from "../model/model.ts";

/** @throws SaffuError as load does, and INVALID_OPTION where `flavour` is none */
export function loadModel(directory: string, flavour?: string, signal?: AbortSignal): Promise<Model> {
  return Model.read(directoryReader(directory), { flavour: flavour as Flavour | undefined, signal });
}
