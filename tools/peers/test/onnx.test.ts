/**
 * The ONNX file of a model says what the model's network says: it is run by onnxruntime over real tokens, beside the device module without a
 * history. The two differ by what the device rounds, which is bounded here by the weights, and by rounding in f32.
 */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { compileDevice } from "../../../host/compile/compile.ts";
import { dequantised } from "../../../host/files/dequantise.ts";
import { readTensors, type Tensor, writeTensors } from "../../../host/files/safetensors.ts";
import { load, onnxModel } from "../../../host/index.ts";
import { hiddenWidth, type Shape, validateShape, withoutHistory } from "../../../host/shape.ts";
import { Device, randomWeights, repetitive } from "../../../test/kernel-fixture.ts";
import { inRoot } from "../paths.ts";

const TEXT =
  readFileSync(inRoot("examples/gateway/gateway.log"), "utf8").slice(0, 900) +
  readFileSync(inRoot("LICENSE"), "utf8").slice(0, 1500);

/** Some shapes in which each kind of layer stands alone, and all of them together, with inputs one-hot and by ciphers. */
const small = { vocabulary: 64, window: 3, groups: 2, units: 8, history: 0, matchLength: 0 };
const document = { documentGroups: 2, documentSpan: 5 };
const SHAPES: Record<string, object> = {
  "one group, a window of one token": { ...small, bits: 64, window: 1, groups: 1 },
  "groups of the window": { ...small, bits: 64 },
  "weights of four bits": { ...small, bits: 64, weightBits: 4 },
  ciphers: { ...small, bits: 12 },
  "window attention": { ...small, bits: 64, windowAttention: true },
  "window attention over ciphers": { ...small, bits: 12, windowAttention: true },
  "a document": { ...small, bits: 64, ...document },
  "a document of one token": { ...small, bits: 64, documentGroups: 1, documentSpan: 1 },
  "a document of ciphers": { ...small, bits: 12, ...document },
  "a second layer over one state": { ...small, bits: 64, secondGroups: 2, secondWindow: 1 },
  "a second layer over three states": { ...small, bits: 64, secondGroups: 2, secondWindow: 3 },
  "everything, one-hot": { ...small, bits: 64, ...document, windowAttention: true, secondGroups: 1, secondWindow: 2 },
  "everything, by ciphers": {
    ...{ ...small, bits: 10, window: 4, weightBits: 4, ...document, windowAttention: true },
    ...{ secondGroups: 3, secondWindow: 3 },
  },
};

/** A session of onnxruntime over a stream: each call predicts, then the token comes. */
class Stream {
  private readonly context: Int32Array;
  private document: Float32Array | undefined;

  private constructor(
    private readonly session: ort.InferenceSession,
    private readonly vocabulary: number,
  ) {
    const [tokens, document] = session.inputMetadata as ort.InferenceSession.TensorValueMetadata[];
    this.context = new Int32Array(tokens!.shape[1] as number).fill(vocabulary);
    if (document) this.document = new Float32Array(document.shape[1] as number);
  }

  static async of(file: Uint8Array, vocabulary: number): Promise<Stream> {
    return new Stream(
      await ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 }),
      vocabulary,
    );
  }

  /** Predicts what comes after all tokens so far, of which `token` is the last; V at the start. */
  async after(token: number): Promise<Float32Array> {
    const { context, vocabulary } = this;
    if (token < vocabulary) {
      context.copyWithin(0, 1);
      context[context.length - 1] = token;
    }
    const tokens = new ort.Tensor("int32", context, [1, context.length]);
    const document = this.document && new ort.Tensor("float32", this.document, [1, this.document.length]);
    const { probabilities, next_document } = await this.session.run({ tokens, ...(document && { document }) });
    if (next_document) this.document = next_document.data as Float32Array;
    return probabilities!.data as Float32Array;
  }
}

/**
 * What a logarithm of a probability may differ by. The device rounds each hidden state to a multiple of 2^-14, which moves a logit by at most
 * 2^-15 Σ |O|, and the logarithm of the sum by the most that any moves. Logits are below 100 and sums of f32, within 2^-13 of the exact ones.
 */
function bound(tensors: ReadonlyMap<string, Tensor>, shape: Shape): number {
  const width = hiddenWidth(shape);
  const rows = dequantised(tensors, "decoder.O", width);
  let most = 0;
  for (let at = 0; at < rows.length; at += width) {
    most = Math.max(
      most,
      rows.subarray(at, at + width).reduce((sum, weight) => sum + Math.abs(weight), 0),
    );
  }
  return 2 * (most * 2 ** -15 + 2 ** -13);
}

/** The most that logarithms differ by, over a text. */
async function difference(file: Uint8Array, device: Device, tokens: ArrayLike<number>, vocabulary: number) {
  const stream = await Stream.of(file, vocabulary);
  device.run.reset!();
  let most = 0;
  for (let i = -1; i < tokens.length; ++i) {
    if (i >= 0) device.run.append!(tokens[i]!);
    device.run.predict!();
    const found = await stream.after(i < 0 ? vocabulary : tokens[i]!);
    for (const [v, p] of device.probabilities.entries()) {
      // the device's exponential ends at e^-87
      if (p > 1e-30 || !(found[v]! < 1e-29)) most = Math.max(most, Math.abs(Math.log(found[v]! / p)));
    }
  }
  return most;
}

describe.each(["nano-en", "potato-en", "potato-en-tuned", "base-en"])("%s", (name) => {
  test("predicts in onnxruntime what the model's network does, over text", async () => {
    const model = await load(inRoot("models", name));
    const shape = withoutHistory(model.config.shape);
    const { tensors } = readTensors(model.files.get("model.safetensors")!, "model.safetensors");
    const device = new Device(
      new WebAssembly.Module((await compileDevice(shape, "simd")) as BufferSource),
      shape,
      tensors,
    );
    const tokens = model.tokenizer.encode(TEXT);
    expect(tokens.length).toBeGreaterThan(400);
    const found = await difference(onnxModel(model), device, tokens, shape.vocabulary);
    expect(found).toBeLessThan(bound(tensors, shape));
  });
});

describe.each(Object.entries(SHAPES))("random weights: %s", (_, given) => {
  test("predicts in onnxruntime what the device module does, from a stream's start", async () => {
    const shape = validateShape(given);
    const tensors = randomWeights(shape, 7);
    const device = new Device(
      new WebAssembly.Module((await compileDevice(shape, "simd")) as BufferSource),
      shape,
      tensors,
    );
    const file = onnxModel({ config: { shape }, files: new Map([["model.safetensors", writeTensors(tensors)]]) });
    const found = await difference(file, device, repetitive(shape, 120, 3), shape.vocabulary);
    expect(found).toBeLessThan(bound(tensors, shape));
  });
});
