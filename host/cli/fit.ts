/** saffu fit */

import { invalidOption } from "../errors.ts";
import { assertWritable, writeDirectory } from "../files/directory-node.ts";
import { fit } from "../fit/fit.ts";
import { LADDER, type RecipeOptions, vocabularyRule } from "../fit/recipe.ts";
import { parameters } from "../shape.ts";
import { symbolTokenizer } from "../tokenizer/index.ts";
import { openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { done } from "./output.ts";
import { Progress } from "./progress.ts";

interface Options extends Omit<RecipeOptions, "vocabulary"> {
  readonly out: string;
  readonly vocab?: number;
  readonly symbols?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export async function run(texts: string[], options: Options): Promise<void> {
  const { out, vocab, symbols, json, ...recipe } = options;
  if (vocab !== undefined && symbols !== undefined)
    throw invalidOption("symbols", "given in place of --vocab", symbols);
  const tokenizer = symbols === undefined ? undefined : symbolTokenizer(symbols);
  const signal = interruptSignal();
  const input = await openTexts(texts, signal);
  await assertWritable(out); // before the work, not after it
  const progress = await Progress.start();
  const start = performance.now();
  try {
    // a tokenizer is trained on the text before it is encoded
    const twice = tokenizer === undefined && (vocab ?? LADDER[recipe.profile ?? "potato"]?.at(-1)) !== 256;
    const { files, report } = await fit(() => input.chunks(twice), {
      ...recipe,
      vocabulary: vocab,
      tokenizer,
      signal,
      onProgress: ({ phase, done, total }) => progress.update(phase, done, phase === "tokens" ? input.bytes : total),
    });
    await writeDirectory(out, files, { signal });
    done(`${out} is written`);
    progress.stop();
    const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
    const facts = {
      directory: out,
      tokens: report.trainTokens,
      textBytes: report.trainBytes,
      parameters: parameters(report.shape),
      bytes,
      weightBytes: files.get("model.safetensors")!.length,
      seconds: (performance.now() - start) / 1000,
      phases: report.seconds,
      solverMemoryBytes: report.memoryBytes,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      shape: report.shape,
      wantedVocabulary: report.wantedVocabulary,
    };
    if (json) process.stdout.write(`${JSON.stringify(facts)}\n`);
    else {
      process.stdout.write(
        `${out}: ${facts.parameters} parameters in ${facts.weightBytes} bytes, fitted on ${facts.tokens} tokens in ${facts.seconds.toFixed(1)} s\n`,
      );
      const { vocabulary, memory, ngrams } = report.shape;
      if (memory) process.stdout.write(`${out}: remembers ${memory} tokens, the end of the text\n`);
      if (ngrams) process.stdout.write(`${out}: remembers ${ngrams} bytes of n-grams of the text\n`);
      if (vocabulary < report.wantedVocabulary) {
        const { minFrequency } = vocabularyRule({ ...recipe, vocabulary: vocab });
        const often = minFrequency === 2 ? "twice" : `${minFrequency} times; --vocab asks for more`;
        process.stdout.write(
          `${out}: ${vocabulary} of ${report.wantedVocabulary} tokens: no further pair of the text's pieces occurs ${often}\n`,
        );
      }
    }
  } finally {
    progress.stop();
  }
}
