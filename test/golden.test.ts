/** The shipped models, held to what they have always given: by both builds of their kernels, and by the oracle. */
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { readTensors } from "../host/files/safetensors.ts";
import { load, type Model } from "../host/index.ts";
import { Oracle } from "./oracle.ts";

/**
 * SHA-256 of the text generated (UTF-8), of the surprisal of each token of PARAGRAPH, of the probabilities after it (f32, little endian), and of
 * PARAGRAPH's frame. They change with the weights, where `npm run models --prefix tools/lab` gives others: then put the new ones here, in the same change. Where
 * the weights are as before, a kernel, the sampler or the tokenizer has changed its bits.
 */
const GOLDEN = {
  "models/nano-en": {
    text: "289a9c9b3187e120260636f28b3c870bed73f7b0ebe253026db24156637c435a",
    surprisal: "ade4c9f30c470f36c2a53adf986b34d2aa72074d168c3398b6d4ffb2eb34bfa2",
    probabilities: "e678c78e4b4bb846b2e4fc83f2f422d2b713b0c3391f2b9db627e6980ab36e5c",
    frame: "137f6c3ea1369a5376255c3018360db1ac0d54be834f807a34db0bab9c55fa16",
  },
  "models/potato-en": {
    text: "22e30626d56eefe12987c3987b3f6929e98581f8b3c5acb8fbc7e1a7bf1ae154",
    surprisal: "fa00fcfb20b99fecaee4f4206db06de9a90f5c0898204be40426b72e0653d3eb",
    probabilities: "c4312c947798932e2b1a2ad8bb4caffcf92182ddbd1908aa6f01603feb03d09e",
    frame: "368284df10643bd40b350e4e23d7f191cdd61d16e0fc4f8cb590dd1ffaffedea",
  },
  "models/potato-en-tuned": {
    text: "060e54dd1373789d613e078283710c3e70e56f899b558b3d3fc43ffc9925cc62",
    surprisal: "cfa7b11f2f6976be1e52d1ccf3b434b5791aafaf523121474162411a76b1cf21",
    probabilities: "7964695cea602264b270dac62a7309b0968972feccd9303bfdfcf54b2c7f310e",
    frame: "3cc3d4b3e5c3e166a2d47143a4941ce081491385631cf8b8364fe1ea76c07dab",
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
      frame: sha256(model.pack(PARAGRAPH)),
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
