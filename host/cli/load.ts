/** Loading the model a command names. */
import { SaffuError } from "../errors.ts";
import { directoryReader } from "../model/directory-node.ts";
import type { Flavour } from "../model/kernel.ts";
import { Model } from "../model/model.ts";

export async function loadModel(directory: string, flavour?: string, signal?: AbortSignal): Promise<Model> {
  if (flavour !== undefined && flavour !== "scalar" && flavour !== "simd") {
    throw new SaffuError("INVALID_OPTION", `flavour must be scalar or simd, got ${flavour}`);
  }
  return Model.read(directoryReader(directory), { flavour: flavour as Flavour | undefined, signal });
}
