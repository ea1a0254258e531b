/** saffu eval */
import type { ScoreOptions } from "../model/model.ts";
import { openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { Progress } from "./progress.ts";

interface Options extends ScoreOptions {
  readonly build?: string;
  readonly json?: boolean;
}

export async function run(directory: string, texts: string[], { boundary, build, json }: Options): Promise<void> {
  const signal = interruptSignal();
  const input = await openTexts(texts, signal);
  const model = await loadModel(directory, build, signal);
  const progress = await Progress.start();
  const start = performance.now();
  try {
    const { tokens, bytes, bits, bitsPerByte, perplexity } = await model.scoreStream(input.chunks(), {
      boundary,
      signal,
      onProgress: (done) => progress.update("scoring", done.bytes, input.bytes),
    });
    progress.stop();
    const tokensPerSecond = tokens / ((performance.now() - start) / 1000);
    process.stdout.write(
      json
        ? `${JSON.stringify({ tokens, bytes, bits, bitsPerByte, perplexity, tokensPerSecond })}\n`
        : `${bitsPerByte.toFixed(4)} bits per byte, perplexity ${perplexity.toFixed(2)} (${tokens} tokens, ${bytes} bytes, ${tokensPerSecond.toFixed(0)} tokens/s)\n`,
    );
  } finally {
    progress.stop();
  }
}
