/** The shipped models, held to what they have always given: by both builds of their kernels, and by the oracle. */
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { readTensors } from "../host/files/safetensors.ts";
import { load, type Model } from "../host/index.ts";
import { Oracle } from "./oracle.ts";

/**
 * SHA-256 of the text generated (UTF-8), of the surprisal of each token of PARAGRAPH, and of the probabilities after it (f32, little
 * endian). They change with the weights, where `npm run models --prefix tools/lab` gives others: then put the new ones here, in the same change. Where
 * the weights are as before, a kernel, the sampler or the tokenizer has changed its bits.
 */
const GOLDEN = {
  "models/nano-en": {
    text: "289a9c9b3187e120260636f28b3c870bed73f7b0ebe253026db24156637c435a",
    surprisal: "ca9277c411e6e81c0e103ea312ac444a60d748f28d4a0f41cbb66c20c8076390",
    probabilities: "9f71b26e95f93e3f38f4f9c5b32b2b21041d1a4e95599c8ccd2929d4a6ab2677",
  },
  "models/potato-en": {
    text: "1962a5f947592debf124c12a2462e0c472b16df26fd19813859f78b8eff93338",
    surprisal: "4cca82765baf88fec0da51e67d850631fa38c5a93e79a063cb9b39fbe9ebaf70",
    probabilities: "af0fa3cd77023e84bb6efd225af41c26d8e795291b7d5389c409e8c175d0a389",
  },
  "models/potato-en-tuned": {
    text: "9ec285f8670bbdf879d32352a07b744f71f8e578ff891dfd3924bd6d025e524b",
    surprisal: "9c38364537916f954cc829ac3232912f8ebff1fe1f2d4e3baa93498f70240480",
    probabilities: "223fa0bc897420e570b039882c68700eb99135461b396d4611b9d148cc1e7ff9",
  },
};

const PROMPT = "In the morning the";
/** More than nano's history of 256 bytes holds, in characters of one to four bytes, with words that recur. */
const PARAGRAPH = `The miller weighs the grain, and the grain weighs the miller down: sack by sack he carries it up the narrow stair, a
hundred and seven steps – he has counted them every day for thirty years. “Crème brûlée,” says the miller's wife, “is what we shall
eat when you have carried the last sack.” ⚖️ But the last sack is never the last sack, and the stair has a hundred and seven steps.`;
/** Default temperature, top-k and top-p; every token as the sampler draws it. */
const OPTIONS = { maxTokens: 200, seed: 2311, heal: false, wellFormed: false };

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

describe.each(Object.entries(GOLDEN))("%s", (directory, golden) => {
  test.each(["scalar", "simd"] as const)("gives its golden digests, %s", async (build) => {
    const model = await load(directory, { build });
    let text = "";
    for await (const piece of model.generate(PROMPT, OPTIONS)) text += piece;
    expect({
      text: sha256(text),
      surprisal: sha256(bytesOf(model.score(PARAGRAPH).surprisal)),
      probabilities: sha256(bytesOf(model.predict(PARAGRAPH))),
    }).toEqual(golden);
  });

  describe("the oracle, over the same weights", () => {
    let model: Model;
    let oracle: () => Oracle;
    beforeAll(async () => {
      model = await load(directory);
      const { tensors } = readTensors(model.files.get("model.safetensors")!, "model.safetensors");
      oracle = () => new Oracle(model.config.shape, tensors);
    });

    test("generates the golden text", () => {
      const generating = oracle();
      for (const token of model.tokenizer.encode(PROMPT)) generating.feed(token);
      generating.seed(OPTIONS.seed);
      const tokens: number[] = [];
      for (let i = 0; i < OPTIONS.maxTokens; ++i) {
        const token = generating.sample(0.8, 0, 1);
        generating.append(token);
        tokens.push(token);
      }
      expect(sha256(new TextDecoder().decode(model.tokenizer.decode(tokens)))).toBe(golden.text);
    });

    test("gives the golden surprisal and probabilities", () => {
      const scoring = oracle();
      const surprisal = Float32Array.from(model.tokenizer.encode(PARAGRAPH), (token) => scoring.feed(token));
      expect(sha256(bytesOf(surprisal))).toBe(golden.surprisal);
      expect(sha256(bytesOf(scoring.predict()))).toBe(golden.probabilities);
    });
  });
});
