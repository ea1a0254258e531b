// saffu as it is installed. node saffu.mjs FOLDER MODEL: MODEL is a directory under FOLDER, or the name of a model of the package.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fit, load } from "../../../dist/index.js";
import { cpu, peak, serve, tokensOf } from "./protocol.mjs";

const [folder, name] = process.argv.slice(2);
const own = join(folder, name);
const model = await load(existsSync(own) ? own : name);
const tokens = tokensOf(folder, "tokens.u16");
const generated = async (count, temperature, topK, topP, wellFormed) => {
  const options = { maxTokens: count, temperature, topK, topP, wellFormed, heal: false };
  for await (const _ of model.generate("", options));
  return {};
};

await serve(() => model.score(tokens.subarray(0, 1)).bits, {
  decode: (count) => ({ bits: model.score(tokens.subarray(0, count)).bits }),
  write: (count, temperature, topK, topP) => generated(count, temperature, topK, topP, false),
  async learn(count) {
    await model.observe(tokens.subarray(0, count));
    return {};
  },
  async solve() {
    await model.refit();
    return {};
  },
  /** Fits the network alone with a tokenizer that is there: CPU from the tokens to the weights. */
  async fit(threads) {
    const text = readFileSync(join(folder, "train.txt"));
    let [tokens, weights] = [0, 0]; // when they are there
    const onProgress = ({ phase, done }) => {
      if (phase === "tokens") tokens = cpu();
      if (phase === "files" && done === 0) weights = cpu();
    };
    const options = { profile: "potato", history: 0, matchLength: 0, tokenizer: model.tokenizer, threads };
    const { files, report } = await fit(() => [text], { ...options, onProgress });
    const found = { cpu: weights - tokens, peak: peak() };
    const { bits } = (await load(files)).score(tokensOf(folder, "heldout.u16"));
    return { ...found, bits, tokens: report.trainTokens };
  },
});
