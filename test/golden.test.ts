/** The shipped models, held to what they have always given: by both flavours of their kernels, and by the oracle. */
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { load, type Model } from "../host/index.ts";
import { readTensors } from "../host/model/safetensors.ts";
import { Oracle } from "./oracle.ts";

/**
 * SHA-256 of the text generated (UTF-8), of the surprisal of each token of PARAGRAPH, and of the probabilities after it (f32, little
 * endian). They change with the weights, where `npm run models` gives others: then put the new ones here, in the same change. Where
 * the weights are as before, a kernel, the sampler or the tokenizer has changed its bits.
 */
const GOLDEN = {
  "models/nano-en": {
    text: "d183b760bf53136952983ee6727cdfa2c3e0a183c409baab089cd27f98257353",
    surprisal: "8f4de9c0f2fe643041d365a1db51225476ee638b3f909f54b91429c36630375f",
    probabilities: "a62e52ce87bd016ef668489aeed1b5700bc4d9c1c28ff2b09775a6d46af9a74f",
  },
  "models/potato-en": {
    text: "f354bf15f9cdb28d8a53c5970db6c8ebf2401b022c45195533ba27c4a0857930",
    surprisal: "d45a14d5f98719f38625b50995ef9a326b333cfbda45a9765a429cda7c7fb95e",
    probabilities: "67fbae8b1a056327d4743bd4d45292ea259ebe1f3fad601b9518777ac6b0b5cf",
  },
  "models/potato-en-tuned": {
    text: "8664a6316f24b3f97057c48fc8690988d500d4a91f4c1439cd847e7c9f61462e",
    surprisal: "404b1114d9d5cb9bf3c6518efa6ac8dddb8548a87a7d189693a24d9b1ead3601",
    probabilities: "67c31c132a4f8f49c96e8c201be9613277657c4dcb4cc1d4226b5ac4cba0af1f",
  },
};

const PROMPT = "In the morning the";
/** More than nano's ring of 256 bytes holds, in characters of one to four bytes, with words that recur. */
const PARAGRAPH = `The miller weighs the grain, and the grain weighs the miller down: sack by sack he carries it up the narrow stair, a
hundred and seven steps – he has counted them every day for thirty years. “Crème brûlée,” says the miller's wife, “is what we shall
eat when you have carried the last sack.” ⚖️ But the last sack is never the last sack, and the stair has a hundred and seven steps.`;
/** Default temperature, top-k and top-p. */
const OPTIONS = { maxTokens: 200, seed: 2311 };

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

describe.each(Object.entries(GOLDEN))("%s", (directory, golden) => {
  test.each(["scalar", "simd"] as const)("gives its golden digests, %s", async (flavour) => {
    const model = await load(directory, { flavour });
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
      for (const token of model.tokenizer.encode(PROMPT)) generating.append(token);
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
