/** saffu tune */
import { readFile } from "node:fs/promises";
import { SaffuError } from "../errors.ts";
import { assertWritable, writeDirectory } from "../model/directory-node.ts";
import type { TuneRecipeOptions } from "../tune/recipe.ts";
import { tune } from "../tune/tune.ts";
import { openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { Progress } from "./progress.ts";

interface Options extends TuneRecipeOptions {
  readonly out: string;
  readonly dev?: string;
  readonly checkpoint?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export async function run(directory: string, texts: string[], options: Options): Promise<void> {
  const { out, dev, json, ...settings } = options;
  const signal = interruptSignal();
  const input = await openTexts(texts, signal);
  const heldOut = dev === undefined ? [] : [await readDev(dev)];
  await assertWritable(out); // before the work, not after it
  const progress = await Progress.start();
  const start = performance.now();
  try {
    const { files, report } = await tune(directory, () => input.chunks(false), {
      ...settings,
      dev: heldOut,
      signal,
      onProgress: ({ phase, done, total }) => progress.update(phase, done, phase === "tokens" ? input.bytes : total),
    });
    await writeDirectory(out, files, { signal });
    progress.stop();
    const { recipe, steps, trainTokens, trainBytes, trainBits, devBitsPerByte, bestEpoch, shape } = report;
    const facts = {
      directory: out,
      tokens: trainTokens,
      textBytes: trainBytes,
      ...recipe,
      steps,
      trainBits,
      devBitsPerByte,
      bestEpoch,
      weightBytes: files.get("model.safetensors")!.length,
      seconds: (performance.now() - start) / 1000,
      phases: report.seconds,
      shape,
    };
    const kept = bestEpoch === 0 ? ", the start, which no epoch betters" : "";
    const held = devBitsPerByte[bestEpoch];
    const last = held === undefined ? "" : `, ${held.toFixed(4)} bits per byte held out, without self-attention${kept}`;
    process.stdout.write(
      json
        ? `${JSON.stringify(facts)}\n`
        : `${out}: tuned on ${trainTokens} tokens in ${steps} steps, ${facts.seconds.toFixed(1)} s${last}\n`,
    );
  } finally {
    progress.stop();
  }
}

/** @throws SaffuError INVALID_TEXT */
async function readDev(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new SaffuError("INVALID_TEXT", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
