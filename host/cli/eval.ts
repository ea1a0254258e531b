/** saffu eval */
import { readTexts, totalBytes } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { Progress } from "./progress.ts";

export async function run(
  directory: string,
  texts: string[],
  options: { json?: boolean; flavour?: string },
): Promise<void> {
  const signal = interruptSignal();
  const model = await loadModel(directory, options.flavour, signal);
  const total = await totalBytes(texts);
  const progress = new Progress();
  const start = performance.now();
  try {
    const score = await model.scoreStream(readTexts(texts), {
      signal,
      onProgress: ({ bytes }) => progress.update("scoring", bytes, total),
    });
    progress.stop();
    const { tokens, bytes, bits, bitsPerByte, perplexity } = score;
    const tokensPerSecond = tokens / ((performance.now() - start) / 1000);
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ tokens, bytes, bits, bitsPerByte, perplexity, tokensPerSecond })}\n`);
    } else {
      process.stdout.write(
        `${bitsPerByte.toFixed(4)} bits per byte, perplexity ${perplexity.toFixed(2)} (${tokens} tokens, ${bytes} bytes, ${tokensPerSecond.toFixed(0)} tokens/s)\n`,
      );
    }
  } finally {
    progress.stop();
  }
}
