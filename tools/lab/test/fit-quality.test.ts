/** How well a fitted model predicts, against baselines over the same tokens: a floor under the recipe, far from its figures. */
import { beforeAll, describe, expect, test } from "vitest";
import { type FitResult, fit } from "../../../host/fit/fit.ts";
import { load, type ModelFiles } from "../../../host/index.ts";
import { bytesOf } from "../../../test/fit-fixture.ts";
import { withoutAttention } from "../../variants.ts";
import { fitKneserNey } from "../baselines/kneser-ney.ts";
import { benchCorpus, firstWords } from "../corpora/gutenberg.ts";

/** 38 KB of English, and 11 KB from other paragraphs of the same books: no word is in both twice over. */
const { train: corpus } = benchCorpus();
const train = bytesOf(firstWords(corpus, 7000));
const heldOut = bytesOf(firstWords(corpus.slice(corpus.length / 2), 2000));

/** Two groups over three tokens, without what the profile has beside its network. */
const PLAIN = { profile: "nano", groups: 2, window: 3, history: 256, longMatches: false } as const;

describe("38 KB of English under two groups of eight units", () => {
  let fitted: FitResult;
  let bigram: number;
  let stack: number;
  let whole: number;
  const bitsOf = async (files: ModelFiles) => (await load(files)).score(heldOut).bits;
  const kneserNey = (order: number) => {
    const { tokenizer } = fitted;
    const baseline = fitKneserNey(tokenizer.encode(train), { order, vocabulary: tokenizer.vocabularySize });
    return -baseline.score(tokenizer.encode(heldOut)).reduce((sum, bits) => sum + bits, 0);
  };

  beforeAll(async () => {
    fitted = await fit(() => [train], { ...PLAIN, heldOut: [heldOut] });
    bigram = kneserNey(2);
    stack = await bitsOf(await withoutAttention(fitted.files));
    whole = await bitsOf(fitted.files);
  });

  test("takes less than half the bits of a uniform model, and fewer than the unigram", () => {
    expect(whole).toBeLessThan(0.5 * 8 * heldOut.length); // found 0.43
    expect(whole).toBeLessThan(0.85 * kneserNey(1));
  });

  test("predicts unseen text better than the Kneser-Ney bigram of the same tokens, without self-attention", () => {
    expect(stack / bigram).toBeLessThan(0.97); // found 0.952
  });

  test("and better yet with it", () => {
    expect(whole / bigram).toBeLessThan(0.94); // found 0.925
    expect(whole / stack).toBeLessThan(0.985);
  });

  test("and the profile nano, of half the network, better than either by what it remembers", async () => {
    const { files } = await fit(() => [train], { profile: "nano" });
    expect((await bitsOf(files)) / whole).toBeLessThan(0.95);
  });

  test("loses at most 0.5 % to int8", () => {
    const { heldOutBits } = fitted.report;
    expect(Math.abs(stack / heldOutBits - 1)).toBeLessThan(0.005);
  });

  test("is better fitted on all of the text than on its first quarter", async () => {
    const quarter = await fit(() => [train.subarray(0, train.length / 4)], PLAIN);
    expect(whole / (await bitsOf(quarter.files))).toBeLessThan(0.97);
  });
});
