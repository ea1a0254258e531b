/** saffu observe, saffu forget: each TEXT is a piece of its own, and DIR changes once, at the end. */
import type { Observation } from "../learning/options.ts";
import { type Input, openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { changeModel, loadModel } from "./load.ts";
import { Progress } from "./progress.ts";

interface Options {
  readonly age?: boolean;
  readonly memory?: number;
  readonly generation?: number;
  readonly memoryOnly?: boolean;
  readonly json?: boolean;
}

export async function run(
  verb: "observe" | "forget",
  directory: string,
  texts: string[],
  { age, memory, generation, memoryOnly, json }: Options,
): Promise<void> {
  const signal = interruptSignal();
  await openTexts(texts, signal); // all of them, before any work
  const inputs: Input[] = [];
  for (const text of texts) inputs.push(await openTexts([text], signal));
  // what waits for its writer is read before others have to wait; a bad model is told before that
  if (inputs.some(({ again }) => !again)) await loadModel(directory, undefined, signal);
  for (const input of inputs) await input.readAhead();
  const progress = await Progress.start();
  const start = performance.now();
  const pieces: Observation[] = [];
  const change = { model: directory, out: directory, signal, memory, quiet: json };
  const model = await changeModel(change, async (model, save) => {
    for (const input of inputs) {
      const onProgress = ({ tokens }: { tokens: number }) => progress.update(verb, tokens, 0);
      const options = { signal, onProgress, ...(verb === "observe" ? { age } : { generation, memoryOnly }) };
      pieces.push(await model[verb](input.chunks(), options));
    }
    await save();
    return model;
  }).finally(() => progress.stop());
  const seconds = (performance.now() - start) / 1000;
  const sum = (value: (piece: Observation) => number) => pieces.reduce((total, piece) => total + value(piece), 0);
  const [tokens, bytes, bits] = [sum((piece) => piece.tokens), sum((piece) => piece.bytes), sum((piece) => piece.bits)];
  const bitsPerByte = bits / (bytes || 1); // an empty text is learned, and nothing with it
  const { observedTokens, statisticsDigest, corrected, generation: now, memoryTokens } = await model.statistics();
  const evictedTokens = sum((piece) => piece.evictedTokens);
  const keeps = evictedTokens > 0 && memoryTokens > 0;
  const left = keeps ? `; ${evictedTokens} tokens left the memory, which has room for ${memoryTokens}` : "";
  // sums are exact at once, predictions once they are solved
  const stale =
    verb === "forget" && corrected
      ? `; predictions still hold what the last refit solved: saffu refit ${directory} --out ${directory}`
      : "";
  process.stdout.write(
    json
      ? `${JSON.stringify({ pieces: pieces.length, tokens, bytes, bitsPerByte, observedTokens, generation: now, memoryTokens, evictedTokens, statisticsDigest, seconds })}\n`
      : `${verb === "observe" ? "observed" : "forgot"} ${tokens} tokens (${bytes} bytes, ${bitsPerByte.toFixed(4)} bits per byte under the base); ${observedTokens} tokens are in the statistics${left}${stale}\n`,
  );
}
