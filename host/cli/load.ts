/** Loading the model a command names. */
import { stat } from "node:fs/promises";
import { lockStatistics } from "../files/lock-node.ts";
import { modelDirectory } from "../files/package-node.ts";
import type { Held } from "../files/statistics.ts";
import { assertUnlinked } from "../files/statistics-node.ts";
import type { Build } from "../model/kernel.ts";
import { Model } from "../model/model.ts";
import { directorySource, NODE } from "../model/platform-node.ts";
import { done } from "./output.ts";

/** @param model a directory, or the name of a model of the package. @throws SaffuError as load does, and INVALID_OPTION where `build` is none */
export async function loadModel(model: string, build?: string, signal?: AbortSignal, memory?: number): Promise<Model> {
  const options = { build: build as Build | undefined, signal, memory };
  return Model.read(directorySource(await modelDirectory(model)), options, NODE);
}

/** What a command changes in place. */
interface Change {
  readonly model: string;
  /** Where it is saved. */
  readonly out: string;
  readonly signal: AbortSignal;
  /** Tokens that the memory has room for. */
  readonly memory?: number | undefined;
  /** Says nothing of a wait. */
  readonly quiet: boolean | undefined;
}

/**
 * Loads a model, and has nobody else write to `out` until `work`, which saves it there, is done. What can be known to fail does so
 * before.
 *
 * @throws SaffuError as load does; UNWRITABLE
 */
export async function changeModel<T>(
  { model, out, signal, memory, quiet }: Change,
  work: (model: Model, save: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const source = await modelDirectory(model);
  const there = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!there) await loadModel(model, undefined, signal, memory); // says what is wrong, before a lock is made
  const onWait = (holder: string) => {
    if (!quiet) process.stderr.write(`saffu: waiting for ${holder}, which writes to ${out}\n`);
  };
  const lock: Held = await lockStatistics(out, { signal, onWait });
  try {
    await assertUnlinked(out);
    const loaded = await loadModel(model, undefined, signal, memory);
    return await work(loaded, async () => {
      await loaded.save(out, { signal, lock });
      done(`${out} is saved`);
    });
  } finally {
    lock.release();
  }
}
