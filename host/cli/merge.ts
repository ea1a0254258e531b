/** saffu merge */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SaffuError } from "../errors.ts";
import { STATISTICS } from "../files/config.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";

interface Options {
  readonly out: string;
  readonly json?: boolean;
}

export async function run(directory: string, paths: string[], { out, json }: Options): Promise<void> {
  const signal = interruptSignal();
  const model = await loadModel(directory, undefined, signal);
  for (const path of paths) {
    const bytes = await readStatisticsOf(path);
    await model.merge(bytes, { signal }).catch((cause) => {
      if (!(cause instanceof SaffuError)) throw cause;
      throw new SaffuError(cause.code, `${path}: ${cause.message}`, { cause });
    });
  }
  await model.save(out, { signal });
  const { observedTokens, statisticsDigest } = await model.statistics();
  process.stdout.write(
    json
      ? `${JSON.stringify({ merged: paths.length, observedTokens, statisticsDigest })}\n`
      : `merged ${paths.length} into ${out}: ${observedTokens} tokens are in the statistics\n`,
  );
}

/** A statistics file, or that of a model directory. */
async function readStatisticsOf(path: string): Promise<Uint8Array> {
  try {
    const file = (await stat(path)).isDirectory() ? join(path, STATISTICS) : path;
    return new Uint8Array(await readFile(file));
  } catch (cause) {
    throw new SaffuError("MODEL_MISSING_FILE", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
