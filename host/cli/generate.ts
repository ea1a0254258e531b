/** saffu generate */
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";

interface Options {
  readonly prompt: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly stop?: string[];
  readonly flavour?: string;
  readonly json?: boolean;
}

export async function run(directory: string, options: Options): Promise<void> {
  const { prompt, flavour, json, ...sampling } = options;
  const signal = interruptSignal();
  const start = performance.now();
  const model = await loadModel(directory, flavour, signal);
  let text = "";
  let firstAt = 0;
  for await (const piece of model.generate(prompt, { ...sampling, signal })) {
    if (firstAt === 0) firstAt = performance.now();
    text += piece;
    if (!json) process.stdout.write(piece);
  }
  if (!json) {
    process.stdout.write("\n");
    return;
  }
  const tokens = model.tokenizer.encode(text).length;
  const end = performance.now();
  process.stdout.write(
    `${JSON.stringify({ text, tokens, tokensPerSecond: tokens / ((end - firstAt) / 1000), firstTokenMs: firstAt - start })}\n`,
  );
}
