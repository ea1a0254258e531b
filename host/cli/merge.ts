/** saffu merge, saffu unmerge */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SaffuError } from "../errors.ts";
import { mostLearnedBytes, STATISTICS } from "../files/statistics.ts";
import { readStatisticsFile } from "../files/statistics-node.ts";
import { interruptSignal } from "./interrupt.ts";
import { changeModel } from "./load.ts";

interface Options {
  readonly out: string;
  readonly json?: boolean;
}

export async function run(
  verb: "merge" | "unmerge",
  directory: string,
  paths: string[],
  { out, json }: Options,
): Promise<void> {
  const signal = interruptSignal();
  const change = { model: directory, out, signal, quiet: json };
  const { observedTokens, memoryTokens, statisticsDigest } = await changeModel(change, async (model, save) => {
    const most = mostLearnedBytes(model.config.shape);
    for (const path of paths) {
      const bytes = await readStatisticsOf(path, most, signal);
      await model[verb](bytes, { signal }).catch((cause) => {
        if (!(cause instanceof SaffuError)) throw cause;
        throw new SaffuError(cause.code, `${path}: ${cause.message}`, { cause });
      });
    }
    await save();
    return model.statistics();
  });
  const kept =
    verb === "unmerge" && memoryTokens > observedTokens
      ? `; ${memoryTokens - observedTokens} tokens of texts that came with them are still kept verbatim: unmerge with statistics of --with-memory, or forget --memory-only`
      : "";
  process.stdout.write(
    json
      ? `${JSON.stringify({ [`${verb}d`]: paths.length, observedTokens, memoryTokens, statisticsDigest })}\n`
      : `${verb}d ${paths.length} ${verb === "merge" ? "into" : "from"} ${out}: ${observedTokens} tokens are in the statistics${kept}\n`,
  );
}

/** A statistics file, or that of a model directory. */
async function readStatisticsOf(path: string, most: number, signal: AbortSignal): Promise<Uint8Array> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return readStatisticsFile(isDirectory ? join(path, STATISTICS) : path, most, signal);
}
