/**
 * The ONNX file of a model's network: its structure, read by a parser of its own, what is refused, and the command that writes it. That a runtime
 * computes from it what the network does is tested where one is installed, in tools/peers.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dequantised } from "../host/files/dequantise.ts";
import { readTensors } from "../host/files/safetensors.ts";
import { load, onnxModel, save } from "../host/index.ts";
import { hiddenLayers, type Shape, validateShape } from "../host/shape.ts";
import { commandIn, failure } from "./cli-fixture.ts";
import { randomModel, refusal } from "./model-fixture.ts";

/** Fields of a message, by number, in order: numbers, or bytes. */
type Message = Map<number, (number | Uint8Array)[]>;

function parsed(bytes: Uint8Array): Message {
  const message: Message = new Map();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key % 8;
    expect([0, 2], "numbers and what has a length are all that is written").toContain(kind);
    const length = varint();
    const value = kind === 0 ? length : bytes.subarray(at, at + length);
    if (kind === 2) at += length;
    message.set(Math.floor(key / 8), [...(message.get(Math.floor(key / 8)) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return message;
}

const numbers = (message: Message, field: number) => (message.get(field) ?? []) as number[];
const texts = (message: Message, field: number) =>
  (message.get(field) ?? []).map((bytes) => new TextDecoder().decode(bytes as Uint8Array));
const messages = (message: Message, field: number) =>
  (message.get(field) ?? []).map((bytes) => parsed(bytes as Uint8Array));

/** Name, element type and sizes of an input or an output. */
function described(info: Message) {
  const tensor = messages(messages(info, 2)[0]!, 1)[0]!;
  const sizes = messages(messages(tensor, 2)[0]!, 1).map((size) => numbers(size, 1)[0] ?? texts(size, 2)[0]);
  return [texts(info, 1)[0], numbers(tensor, 1)[0], sizes];
}

/** The file of a model of `shape`, as far as it is looked at here; it must hang together. */
function structure(bytes: Uint8Array) {
  const model = parsed(bytes);
  const graph = messages(model, 7)[0]!;
  const constants = new Map(
    messages(graph, 5).map((tensor) => {
      const [type, sizes] = [numbers(tensor, 2)[0]!, numbers(tensor, 1)];
      const raw = tensor.get(9)![0] as Uint8Array;
      const width = { 1: 4, 6: 4, 7: 8 }[type]!;
      expect(raw.length, "as many bytes as its sizes say").toBe(sizes.reduce((product, size) => product * size, width));
      return [texts(tensor, 8)[0]!, { type, sizes, raw }] as const;
    }),
  );
  const inputs = messages(graph, 11).map(described);
  const outputs = messages(graph, 12).map(described);
  const nodes = messages(graph, 1).map((node) => ({
    operator: texts(node, 4)[0]!,
    inputs: texts(node, 1),
    output: texts(node, 2)[0]!,
  }));
  const known = new Set<unknown>([...constants.keys(), ...inputs.map(([name]) => name)]);
  const used = new Set<unknown>(outputs.map(([name]) => name));
  for (const { inputs, output } of nodes) {
    for (const name of inputs) {
      expect(known, "what a node reads is computed before it").toContain(name);
      used.add(name);
    }
    expect(known, "no two values have one name").not.toContain(output);
    known.add(output);
  }
  expect(known, "nothing is computed, stored or asked for in vain").toEqual(used);
  const opsets = messages(model, 8).map((opset) => [texts(opset, 1)[0], numbers(opset, 2)[0]]);
  const metadata = Object.fromEntries(messages(model, 14).map((entry) => [texts(entry, 1)[0]!, texts(entry, 2)[0]!]));
  return { versions: [numbers(model, 1)[0], opsets], metadata, inputs, outputs, nodes, constants };
}

const bytesOf = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const BASE = { vocabulary: 256, bits: 256, window: 2, groups: 2, units: 4, history: 0, matchLength: 0 };
const SHAPES: Record<string, Shape> = {
  plain: validateShape(BASE),
  "ciphers, document, attention, second layer": validateShape({
    ...{ ...BASE, bits: 32, window: 3, windowAttention: true, weightBits: 4 },
    ...{ documentGroups: 4, documentSpan: 9, secondGroups: 2, secondWindow: 3 },
  }),
};

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "saffu-onnx-"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

describe.each(Object.entries(SHAPES))("the ONNX file of a network: %s", (_, shape) => {
  test("is whole, of opset 13, and says its inputs, its outputs and its shape", async () => {
    const files = await randomModel(shape);
    const bytes = onnxModel({ config: { shape }, files });
    const { versions, metadata, inputs, outputs, constants } = structure(bytes);
    expect(versions).toEqual([7, [["", 13]]]);
    expect(JSON.parse(metadata["saffu.shape"]!)).toEqual(shape);
    const { secondWindow = 1, documentGroups = 0, vocabulary, window, units } = shape;
    const document = (name: string) => (documentGroups ? [[name, 1, ["batch", documentGroups * units]]] : []);
    expect(inputs).toEqual([["tokens", 6, ["batch", window + secondWindow - 1]], ...document("document")]);
    expect(outputs.toSorted()).toEqual([...document("next_document"), ["probabilities", 1, ["batch", vocabulary]]]);
    const { tensors } = readTensors(files.get("model.safetensors")!, "");
    const raws = Array.from(constants.values(), ({ raw }) => Buffer.from(raw));
    const width = hiddenLayers(shape).reduce((sum, layer) => sum + layer.width, 0);
    expect(raws.some((raw) => raw.equals(bytesOf(dequantised(tensors, "decoder.O", width))))).toBe(true);
    expect(onnxModel({ config: { shape }, files }), "the same bytes for the same model").toEqual(bytes);
  });
});

describe("onnxModel", () => {
  test("takes what a refit solved in place of the base's rows where it is asked to", async () => {
    const model = await load(await randomModel(SHAPES.plain));
    const before = onnxModel(model);
    await model.observe("The pump is on; the pump is off. ".repeat(40));
    await model.refit();
    expect(onnxModel(model), "the base stays the base").toEqual(before);
    const corrected = structure(onnxModel(model, { correction: model.correction }));
    const wanted = dequantised(model.correction!, "decoder.O", 8);
    expect(wanted).not.toEqual(
      dequantised(readTensors(model.files.get("model.safetensors")!, "").tensors, "decoder.O", 8),
    );
    expect(
      Array.from(corrected.constants.values(), ({ raw }) => Buffer.from(raw)).some((raw) =>
        raw.equals(bytesOf(wanted)),
      ),
    ).toBe(true);
  });

  test("refuses by type what is no model, a correction of another, and a network beyond what a file can hold", async () => {
    const files = await randomModel(SHAPES.plain);
    const config = { shape: SHAPES.plain! };
    const call = onnxModel as (...given: unknown[]) => unknown;
    const refused = (...given: unknown[]) => expect(() => call(...given));
    const of = (shape: object) => ({ config: { shape }, files });
    refused(undefined).toThrow(refusal("INVALID_OPTION", "model"));
    refused({ config, files: new Map() }).toThrow(refusal("MODEL_MISSING_FILE", "model.safetensors"));
    refused(of({ ...BASE, window: 99 })).toThrow(refusal("INVALID_SHAPE", "window", "16"));
    refused(of({ ...BASE, window: 3 })).toThrow(refusal("MODEL_CORRUPT", "block.U"));
    const other = new Map([["decoder.O", { dtype: "I8", shape: [8, 8], data: new Int8Array(64) }]]);
    const unknown = new Map([["decoder.X", other.get("decoder.O")]]);
    for (const correction of [7, other, unknown, new Map([["decoder.O", null]])]) {
      refused(of(BASE), { correction }).toThrow(refusal("INVALID_OPTION", "correction"));
    }
    const large = { ...BASE, vocabulary: 65528, bits: 65528, window: 8, groups: 128, units: 8 };
    refused(of(large)).toThrow(refusal("UNSUPPORTED", "bytes in f32", String(2 ** 31 - 2 ** 20)));
  });
});

test("memory that is refused is an error by type, which says how much was wanted", async () => {
  const files = await randomModel(SHAPES.plain);
  const refused = vi.spyOn(Float32Array, "from").mockImplementation(() => {
    throw new RangeError("Array buffer allocation failed");
  });
  try {
    expect(() => onnxModel({ config: { shape: SHAPES.plain! }, files })).toThrow(refusal("OUT_OF_MEMORY", "bytes"));
  } finally {
    refused.mockRestore();
  }
});

describe("saffu export", () => {
  test("writes the file that the library gives, and says its size and digest; what is refused leaves nothing", async () => {
    const saffu = commandIn("build/test-onnx");
    const folder = join(home, "model");
    await save(folder, await randomModel(SHAPES.plain));
    const out = join(home, "model.onnx");
    const { code, out: said, err } = await saffu.run(["export", folder, "--onnx", out, "--json"]);
    expect([code, err]).toEqual([0, ""]);
    const bytes = await readFile(out);
    expect(bytes.equals(onnxModel(await load(folder)))).toBe(true);
    const { createHash } = await import("node:crypto");
    expect(JSON.parse(said)).toEqual({ bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
    const before = await readdir(home);
    const refused = join(home, "no.onnx");
    const refusals: [string[], number, string, string][] = [
      [["--onnx", refused, "--corrected"], 2, "INVALID_OPTION", "no correction: saffu refit solves one"],
      [["--onnx", home], 5, "UNWRITABLE", home],
      [["--onnx", join(home, "none", "x.onnx")], 5, "UNWRITABLE", "none"],
      [[], 2, "INVALID_OPTION", "--onnx"],
    ];
    for (const [words, exit, errorCode, named] of refusals) {
      expect(await saffu.run(["export", folder, ...words])).toEqual(failure(exit, errorCode, named));
    }
    expect(await readdir(home)).toEqual(before);
  });
});
