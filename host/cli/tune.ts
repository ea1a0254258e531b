/** saffu tune */
import { assertWritable, writeDirectory } from "../files/directory-node.ts";
import type { TuneRecipeOptions } from "../tune/recipe.ts";
import { tune } from "../tune/tune.ts";
import { openTexts } from "./input.ts";
import { interruptSignal, STEPS } from "./interrupt.ts";
import { done } from "./output.ts";
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
  const signal = interruptSignal(options.checkpoint === undefined ? undefined : STEPS);
  await openTexts(dev === undefined ? texts : [...texts, dev], signal); // all of them, before any work
  const input = await openTexts(texts, signal);
  const heldOut = dev === undefined ? [] : [await readWhole(dev, signal)];
  await assertWritable(out); // before the work, not after it
  const progress = await Progress.start();
  const start = performance.now();
  try {
    const { files, report } = await tune(directory, () => input.chunks(), {
      ...settings,
      dev: heldOut,
      signal,
      onProgress: ({ phase, done, total }) => progress.update(phase, done, phase === "tokens" ? input.bytes : total),
    });
    await writeDirectory(out, files, { signal });
    done(`${out} is written`);
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
    const kept = bestEpoch === 0 ? " (the start: no epoch was better)" : "";
    const held = devBitsPerByte[bestEpoch];
    const last =
      held === undefined ? "" : `, ${held.toFixed(4)} bits per byte of ${dev}, without history attention${kept}`;
    process.stdout.write(
      json
        ? `${JSON.stringify(facts)}\n`
        : `${out}: tuned on ${trainTokens} tokens in ${steps} steps, ${facts.seconds.toFixed(1)} s${last}\n`,
    );
  } finally {
    progress.stop();
  }
}

/** @throws SaffuError INVALID_TEXT, ABORTED */
async function readWhole(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await openTexts([path], signal)).chunks()) chunks.push(chunk);
  return Buffer.concat(chunks);
}
