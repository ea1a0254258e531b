/** saffu generate */
import type { GenerateOptions } from "../model/sampling.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { write } from "./output.ts";

interface Options extends Omit<GenerateOptions, "signal" | "onToken"> {
  readonly prompt: string;
  readonly build?: string;
  readonly json?: boolean;
}

export async function run(directory: string, options: Options): Promise<void> {
  const { prompt, build, json, ...sampling } = options;
  const signal = interruptSignal();
  const start = performance.now();
  const model = await loadModel(directory, build, signal);
  const loaded = performance.now();
  let text = "";
  let tokens = 0;
  let first = loaded;
  const onToken = () => {
    if (++tokens === 1) first = performance.now();
  };
  for await (const piece of model.generate(prompt, { ...sampling, signal, onToken })) {
    if (json) text += piece;
    else await write(piece, signal);
  }
  if (!json) {
    process.stdout.write("\n");
    return;
  }
  const facts = {
    text,
    tokens,
    tokensPerSecond: tokens / ((performance.now() - loaded) / 1000),
    loadMs: loaded - start,
    firstTokenMs: first - start,
  };
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}
