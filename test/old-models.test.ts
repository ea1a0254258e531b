/** A model directory as it was written before shapes had long matches: it loads, predicts, learns and compiles as it did, to the bit. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { compileDevice } from "../host/compile/compile.ts";
import { withConfig } from "../host/files/config.ts";
import { load, type Model, packageModel } from "../host/index.ts";

const DIRECTORY = "test/models/nano-before";
const TEXT = "The pump is on; the pump is off. Zürich, 06:00: the pump is on.\n".repeat(6);
/** SHA-256 of surprisals of TEXT and of probabilities after it, as the kernels of before gave them: first the base's, then of what TEXT was refitted. */
const BASE = "65447be839a2e8171a765a5068263945dbafe485b86c2f80e9f05ddda8568201";
const LEARNED = "c9cf71fd33021291e0056e45332a7881acb781ed48d7b53e53877f34d81e995e";

const sha256 = (...parts: Float32Array[]) =>
  parts
    .reduce(
      (hash, { buffer, byteOffset, byteLength }) => hash.update(new Uint8Array(buffer, byteOffset, byteLength)),
      createHash("sha256"),
    )
    .digest("hex");

const digestOf = (model: Model) => sha256(model.score(TEXT).surprisal, model.predict(TEXT));

async function digests(model: Model): Promise<[string, string]> {
  const base = digestOf(model);
  await model.observe(TEXT);
  await model.refit();
  return [base, digestOf(model)];
}

test.each(["scalar", "simd"] as const)("with its own kernels, %s", async (build) => {
  const model = await load(DIRECTORY, { build });
  expect([model.config.shape.longMatches, model.config.shape.memory]).toEqual([undefined, undefined]);
  expect(await digests(model)).toEqual([BASE, LEARNED]);
});

test.each(["scalar", "simd"] as const)("with kernels that are compiled today, %s", async (build) => {
  const { files, config } = await load(DIRECTORY);
  const kernel = await compileDevice(config.shape, build);
  const today = await withConfig(new Map(files).set(`kernel.${build}.wasm`, kernel), config.shape, {});
  expect(await digests(await load(today, { build }))).toEqual([BASE, LEARNED]);
});

test("packaged today, in data segments and in flash", async () => {
  const model = await load(DIRECTORY);
  const wanted = Array.from(model.score(TEXT).surprisal);
  for (const target of ["wasm", "flash"] as const) {
    const { module, weights } = await packageModel(model, { target });
    const read = (offset: number, to: number, bytes: number) => {
      new Uint8Array(memory.buffer).set(weights!.subarray(offset, offset + bytes), to);
      return bytes;
    };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource), { saffu: { read } });
    const memory = exports.memory as WebAssembly.Memory;
    const run = exports as unknown as Record<string, (...values: number[]) => number>;
    expect(run.reset!()).toBe(0);
    expect(Array.from(model.tokenizer.encode(TEXT), (token) => run.feed!(token))).toEqual(wanted);
  }
});
