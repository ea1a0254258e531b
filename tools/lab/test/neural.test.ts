/** The networks that closed forms are compared with: they learn, they are as large as asked, and they refuse what is broken by name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { answerOf, neuralIsThere } from "../evidence/kinds/neural.ts";

const folder = mkdtempSync(join(tmpdir(), "saffu-neural-"));
afterAll(() => rmSync(folder, { recursive: true }));

const VOCABULARY = 32;
/** Fibonacci's numbers modulo 31: a period of 30, in which the token before does not tell the next, the two before do. */
const stream = (length: number) => {
  const tokens = [0, 1];
  while (tokens.length < length) tokens.push((tokens.at(-1)! + tokens.at(-2)!) % 31);
  return tokens;
};
const entropy = (tokens: readonly number[]) => {
  const shares = [...new Set(tokens)].map((token) => tokens.filter((other) => other === token).length / tokens.length);
  return shares.reduce((sum, share) => sum - share * Math.log2(share), 0);
};
const file = (name: string, tokens: readonly number[]) => {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(Uint16Array.from(tokens).buffer));
  return path;
};
const DEV = stream(600);
const JOB = {
  ...{
    model: "feed-forward",
    vocabulary: VOCABULARY,
    parameters: 50_000,
    tied: false,
    rate: 0.01,
    seed: 1,
    dropout: 0,
  },
  ...{ train: file("train.u16", stream(2000)), dev: [file("dev.u16", DEV)], test: [file("test.u16", DEV)] },
};

needs("tools/lab/.venv (npm run baselines --prefix tools/lab)", neuralIsThere())("baselines/neural.py", () => {
  test.each([
    ["feed-forward", false, 50_000],
    ["transformer", true, 100_000],
    ["lstm", true, 50_000],
  ])(
    "%s learns a pattern, with the parameters that were asked for",
    async (model, tied, parameters) => {
      const answer = await answerOf({ ...JOB, model, tied, parameters });
      // nothing is left to say but the first tokens: a tenth leaves room for them and for a training that has not converged
      expect(answer.devBits / DEV.length).toBeLessThan(entropy(DEV) / 10);
      expect(answer.testBits).toBeCloseTo(answer.devBits, 6);
      expect(Math.abs(answer.parameters / parameters - 1)).toBeLessThan(0.05);
      expect(answer.seconds).toBeGreaterThan(answer.compileSeconds);
    },
    180_000,
  ); // a compilation and up to 300 epochs, on a machine that may be busy

  describe("refuses, saying why,", () => {
    test.each([
      [
        "a model that there is not",
        { model: "perceptron" },
        "model must be one of feed-forward, transformer, lstm, got perceptron",
      ],
      ["a job with parts missing", { rate: undefined, seed: undefined }, "the job lacks rate, seed"],
      ["a text that is not there", { train: join(folder, "none.u16") }, "none.u16: No such file"],
      ["a text without tokens", { dev: [file("empty.u16", [])] }, "empty.u16 has no tokens"],
      ["a text too short to train on", { train: file("short.u16", stream(100)) }, "has 100 tokens, training needs"],
      ["tokens beyond the vocabulary", { vocabulary: 16 }, "the vocabulary ends at 15"],
    ])(
      "%s",
      async (_, change, message) => {
        await expect(answerOf({ ...JOB, ...change })).rejects.toThrow(message);
      },
      60_000,
    ); // JAX is slow to start
  });
});
