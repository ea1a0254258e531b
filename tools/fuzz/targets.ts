/**
 * What the fuzz reads with: every reader of bytes that come from elsewhere. A target either reads an input, and checks what it has
 * read, or throws; which errors are right is for run.ts to say.
 */
import fc from "fast-check";
import { SaffuError } from "../../host/errors.ts";
import { formatConfig, type ModelFiles, parseConfig, withConfig } from "../../host/files/config.ts";
import { isRecord, parseJson } from "../../host/files/json.ts";
import { pieceOf } from "../../host/files/pieces.ts";
import { readTensors, type Tensor, writeTensors } from "../../host/files/safetensors.ts";
import { formatLearned, parseLearned, STATISTICS } from "../../host/files/statistics.ts";
import { load } from "../../host/index.ts";
import { type Shape, validateShape } from "../../host/shape.ts";
import { byteTokenizer, tokenizerFromJSON } from "../../host/tokenizer/index.ts";
import { trainTokenizer } from "../../host/tokenizer/train.ts";
import { anyBytes, edited, editedJson, partsOf, patched, respelled, sealed, withHeader } from "./mutations.ts";
import { sumsOf } from "./plausible-sums.ts";
import { check, same, type Target, target } from "./target.ts";
import { fieldTarget, stateTarget, watchModuleTarget } from "./watch-targets.ts";

/** All of them; `files` are those of a small model over bytes. */
export async function targets(files: ModelFiles): Promise<Target[]> {
  return [
    await statisticsTarget(),
    tensorsTarget(files.get("model.safetensors")!),
    configTarget(files.get("config.json")!),
    await tokenizerTarget(),
    await modelTarget(files),
    await frameTarget(files),
    await archiveTarget(files),
    await packetTarget(files),
    await stateTarget(),
    fieldTarget(),
    await watchModuleTarget(),
  ];
}

const encoder = new TextEncoder();
const TEXT = "It was the best of times, it was the worst of times. ";

/** Small, so that an edit is likely to hit what matters. */
const SHAPE: Shape = validateShape({
  vocabulary: 8,
  bits: 8,
  window: 1,
  groups: 2,
  units: 4,
  history: 0,
  matchLength: 0,
});
const BASE = { digest: "0123456789abcdef".repeat(4), shape: SHAPE };

const ARRAYS = {
  U32: Uint32Array,
  U16: Uint16Array,
  I8: Int8Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
} as const;
const anyBits = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 24 }),
  fc.constantFrom(Uint8Array.of(0xff), Uint8Array.of(0, 0, 0x80, 0x7f)), // NaN, Infinity
);

/** A tensor of these sizes, of any bits. */
function tensorOf(dtype: keyof typeof ARRAYS, shape: readonly number[]): fc.Arbitrary<Tensor> {
  const length = shape.reduce((product, size) => product * size, 1) * ARRAYS[dtype].BYTES_PER_ELEMENT;
  return anyBits.map((bits) => {
    const bytes = Uint8Array.from({ length }, (_, i) => bits[i % bits.length]!);
    return { dtype, shape, data: new ARRAYS[dtype](bytes.buffer) } as Tensor;
  });
}

/** A tensor of any sizes, those of SHAPE more often than others. */
const anyTensor = fc
  .tuple(
    fc.constantFrom(...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[])),
    fc.oneof(fc.constantFrom<number[]>([8, 8], [8], [3]), fc.array(fc.nat(9), { maxLength: 3 })),
  )
  .chain(([dtype, shape]) => tensorOf(dtype, shape));

async function statisticsTarget(): Promise<Target> {
  const tokens = Array.from({ length: 12 }, (_, i): [number, number, number] => [i * 5, i * 3, i]);
  const statistics = sumsOf(BASE.shape, tokens);
  const correction = new Map<string, Tensor>([
    ["decoder.O", { dtype: "I8", shape: [8, 8], data: new Int8Array(64).fill(-3) }],
    ["decoder.O.scale", { dtype: "F32", shape: [8], data: new Float32Array(8).fill(0.5) }],
  ]);
  const pieces = [pieceOf(Uint16Array.of(7, 0), 0), pieceOf(Uint16Array.of(3), 0)];
  const bare = await formatLearned({ statistics, pieces: [], correction: undefined }, BASE);
  const full = await formatLearned({ statistics, pieces, correction }, BASE);
  const { header, data } = partsOf(full);
  const file = readTensors(full, STATISTICS);
  const names = [...file.tensors.keys(), "correction.block.U", "correction.block.U.scale", "correction.x", "more"];
  const all = [...file.tensors];
  const anyTensors = fc.oneof(
    fc.constant({}),
    // one that fits, but for its contents
    fc
      .constantFrom(...all)
      .chain(([name, { dtype, shape }]) =>
        tensorOf(dtype as keyof typeof ARRAYS, shape).map((tensor) => ({ [name]: tensor })),
      ),
    fc.dictionary(fc.constantFrom(...names), anyTensor, { maxKeys: 3 }),
  );
  const anyMetadata = fc.dictionary(
    fc.constantFrom(...Object.keys(file.metadata), "more"),
    fc.oneof(fc.constantFrom("0", "1", "2", "4294967295", "4294967296", "-1", "1e3", ""), fc.string({ maxLength: 12 })),
    { maxKeys: 2 },
  );
  const input = fc.oneof(
    anyBytes,
    edited(bare, full),
    edited(bare, full).map(sealed),
    patched(data).map((other) => sealed(withHeader(header, other))),
    respelled(header).map((text) => withHeader(text, data)),
    editedJson(JSON.parse(header)).map((text) => sealed(withHeader(text, data))),
    fc.tuple(editedJson(JSON.parse(header)), edited(data)).map(([text, changed]) => sealed(withHeader(text, changed))),
    // whole files, digest and all, of tensors and metadata that need not fit
    fc
      .tuple(fc.oneof(fc.constant(all), fc.subarray(all)), anyTensors, anyMetadata)
      .map(([kept, tensors, metadata]) =>
        sealed(writeTensors(new Map([...kept, ...Object.entries(tensors)]), { ...file.metadata, ...metadata })),
      ),
  );
  return target("statistics", 0.26, input, async (bytes) => {
    const learned = await parseLearned(bytes, BASE, STATISTICS);
    const { observed, expected, tokens } = learned.statistics;
    check(observed.length === 64 && expected.length === 64, "the sums are not the shape's");
    check(Number.isInteger(tokens) && tokens >= 0 && tokens < 2 ** 32, "the count is none");
    check(
      learned.pieces.every(({ tokens, length }) => tokens.length <= length && tokens.every((token) => token < 8)),
      "a piece of the memory is none",
    );
    for (const { data } of learned.correction?.values() ?? []) {
      check(
        Array.from(data as Float32Array).every((value) => Math.abs(value) <= 2 ** 64),
        "a correction is out of bounds",
      );
    }
    const again = await formatLearned(learned, BASE);
    check(same(await formatLearned(await parseLearned(again, BASE, STATISTICS), BASE), again), "not written again");
    const { metadata } = readTensors(bytes, STATISTICS);
    if (Object.keys(metadata).length === 6) check(same(again, bytes), "other bytes would be written");
  });
}

function tensorsTarget(weights: Uint8Array): Target {
  const small = writeTensors(
    new Map<string, Tensor>([
      ["a", { dtype: "F64", shape: [2, 2], data: new Float64Array(4) }],
      ["b", { dtype: "U16", shape: [3], data: new Uint16Array(3) }],
      ["c", { dtype: "U8", shape: [0, 5], data: new Uint8Array(0) }],
    ]),
    { k: "v" },
  );
  const { header, data } = partsOf(small);
  const size = fc.oneof(fc.nat(40), fc.constantFrom(2 ** 16, 2 ** 32, 2 ** 52, 2 ** 53 - 1, 1e300, -1, 0.5));
  const anyHeader = fc.dictionary(
    fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom("__metadata__", "__proto__")),
    fc.record({
      dtype: fc.constantFrom("U8", "I8", "U16", "F32", "I64", "BF16", "toString"),
      shape: fc.array(size, { maxLength: 4 }),
      data_offsets: fc.array(size, { maxLength: 3 }),
    }),
    { maxKeys: 4 },
  );
  const input = fc.oneof(
    anyBytes,
    edited(small, weights),
    patched(weights),
    respelled(header).map((text) => withHeader(text, data, 1)), // whatever its tensors want to be aligned to
    fc.dictionary(fc.string({ maxLength: 4 }), anyTensor, { maxKeys: 4 }).map((tensors) => {
      const { __metadata__: _, ...named } = tensors;
      return writeTensors(new Map(Object.entries(named)));
    }),
    editedJson(JSON.parse(header)).map((text) => withHeader(text, data)),
    fc
      .tuple(editedJson(JSON.parse(partsOf(weights).header)), fc.uint8Array({ maxLength: 64 }))
      .map(([text, more]) => withHeader(text, Buffer.concat([partsOf(weights).data, more]))),
    fc.tuple(anyHeader, fc.uint8Array({ maxLength: 64 })).map(([json, bytes]) => {
      return withHeader(JSON.stringify(json), bytes);
    }),
  );
  return target("safetensors", 0.15, input, (bytes) => {
    const { tensors, metadata } = readTensors(bytes, "t.safetensors");
    const held = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    check(held <= bytes.length, "the tensors are larger than the file");
    const again = readTensors(writeTensors(tensors, metadata), "t.safetensors");
    check(again.tensors.size === tensors.size, "not all of it is written again");
  });
}

function configTarget(bytes: Uint8Array): Target {
  const json = parseJson(bytes);
  const input = fc.oneof(
    anyBytes,
    edited(bytes),
    fc.json().map((text) => encoder.encode(text)),
    editedJson(json).map((text) => encoder.encode(text)),
  );
  return target("config", 0.15, input, (given) => {
    const config = parseConfig(given);
    check(
      same(encoder.encode(JSON.stringify(validateShape(config.shape))), encoder.encode(JSON.stringify(config.shape))),
      "its shape is none",
    );
    check(isRecord(config.recipe) && isRecord(config.files), "recipe and files are no objects");
    check(
      Object.keys(config.files).every((name) => /^[^./\\][^/\\]*$/.test(name)),
      "a file stands elsewhere",
    );
    const written = formatConfig(config);
    check(same(formatConfig(parseConfig(written)), written), "not written again");
  });
}

async function tokenizerTarget(): Promise<Target> {
  const trained = (await trainTokenizer([TEXT], { vocabulary: 272 })).toJSON() as {
    model: { merges: [string, string][] };
  };
  const legacy = {
    ...trained,
    model: { ...trained.model, merges: trained.model.merges.map((pair) => pair.join(" ")) },
  };
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  const input = fc.oneof(
    fc.json(),
    ...[byteTokenizer().toJSON(), trained, trained, legacy].map(editedJson),
    // what stands beside the vocabulary, which otherwise takes most of the edits
    fc
      .tuple(editedJson({ ...trained, model: { ...trained.model, vocab: {} } }), fc.constant(trained))
      .map(([text, { model }]) =>
        text.replace(/"vocab":\{\}/, () => `"vocab":${JSON.stringify((model as unknown as { vocab: object }).vocab)}`),
      ),
  );
  return target("tokenizer", 0.12, input, (text) => {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      throw new SaffuError("TOKENIZER_INVALID", "not JSON", { cause });
    }
    const tokenizer = tokenizerFromJSON(json);
    for (const bytes of [every, encoder.encode(TEXT)]) {
      const tokens = tokenizer.encode(bytes);
      check(
        tokens.every((token) => token < tokenizer.vocabularySize),
        "a token is none",
      );
      check(same(tokenizer.decode(tokens), bytes), "it decodes to something else");
    }
  });
}

/** A file map, and whether what it loads to may be run: the code of an edited kernel may well run for ever. */
interface Drawn {
  readonly files: ModelFiles;
  readonly run: boolean;
}

async function modelTarget(files: ModelFiles): Promise<Target> {
  const model = await load(files);
  await model.observe(TEXT.repeat(4));
  await model.refit();
  const whole = new Map([...files, [STATISTICS, (await model.learnedFile())!]]);
  const { shape, recipe } = model.config;
  const names = [...files.keys()];
  const kernels = names.filter((name) => name.startsWith("kernel."));
  const replaced = (name: string, bytes: Uint8Array) => new Map([...whole, [name, bytes]]);
  /** With a config.json that agrees, and without statistics where they would be another base's. */
  const agreed = async (name: string, bytes: Uint8Array): Promise<ModelFiles> => {
    const all = await withConfig(new Map([...files, [name, bytes]]), shape, recipe);
    return name === "model.safetensors" || name === "tokenizer.json" ? all : new Map([...whole, ...all]);
  };
  const change = (choice: string[], bytes: (name: string) => fc.Arbitrary<Uint8Array>) =>
    fc.constantFrom(...choice).chain((name) => bytes(name).map((changed) => ({ name, changed })));
  const text = (name: string) => editedJson(parseJson(files.get(name)!)).map((json) => encoder.encode(json));
  const statistics = partsOf(whole.get(STATISTICS)!);
  const weights = partsOf(files.get("model.safetensors")!);
  const header = ({ header, data }: typeof weights) =>
    editedJson(JSON.parse(header)).map((json) => withHeader(json, data));
  const drawn = (arbitrary: fc.Arbitrary<{ name: string; changed: Uint8Array }>, agree: boolean, run = true) =>
    arbitrary.map(
      ({ name, changed }) =>
        async (): Promise<Drawn> => ({
          files: agree ? await agreed(name, changed) : replaced(name, changed),
          run,
        }),
    );
  const input = fc.oneof(
    drawn(
      change([...whole.keys()], (name) => edited(whole.get(name)!)),
      false,
    ),
    drawn(
      change(["model.safetensors", "tokenizer.json", "README.md"], (name) => edited(files.get(name)!)),
      true,
    ),
    drawn(change(["tokenizer.json"], text), true),
    drawn(
      change(["model.safetensors"], () => header(weights)),
      true,
    ),
    drawn(change(["config.json"], text), false),
    drawn(
      change(["model.safetensors"], () => patched(weights.data).map((data) => withHeader(weights.header, data))),
      true,
    ),
    drawn(
      change([STATISTICS], () => edited(whole.get(STATISTICS)!).map(sealed)),
      false,
    ),
    drawn(
      change([STATISTICS], () => header(statistics).map(sealed)),
      false,
    ),
    drawn(
      change(kernels, (name) => edited(files.get(name)!)),
      true,
      false,
    ),
    fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names, undefined)).map(([name, other]) => async () => {
      const exchanged = new Map(whole);
      if (other === undefined) exchanged.delete(name);
      else exchanged.set(name, whole.get(other)!);
      return { files: exchanged, run: true };
    }),
  );
  return target("model", 0.08, fc.tuple(input, fc.constantFrom(undefined, "scalar", "simd")), async ([make, build]) => {
    const { files: given, run } = await make();
    const loaded = await load(given, { build: build as "scalar" | undefined });
    if (!run) return;
    const { surprisal } = loaded.score(TEXT);
    await loaded.observe(TEXT);
    check(surprisal.length > 0, "it scores nothing");
    const { observedTokens, bytes } = await loaded.statistics();
    check(observedTokens >= 0 && bytes > 0, "its statistics are none");
  });
}

/** Frames of messages: whatever they unpack to is bounded, and packs to what unpacks to it again. */
async function frameTarget(files: ModelFiles): Promise<Target> {
  const model = await load(files);
  const maxBytes = 200;
  const frames = [TEXT, "the pump is off", "\u{1f642}\n\n", "", "e".repeat(150)].map((text) => model.pack(text));
  const input = fc.oneof(anyBytes, fc.uint8Array({ maxLength: 20 }), edited(...frames));
  return target("frames of messages", 0.1, input, (frame) => {
    const message = model.unpack(frame, { maxBytes });
    check(message.length <= maxBytes, "the message is longer than it may be");
    check(same(model.unpack(model.pack(message)), message), "it does not come back");
  });
}

/** Archives: what they unpack to packs to what unpacks to it again. */
async function archiveTarget(files: ModelFiles): Promise<Target> {
  const model = await load(files);
  const all = async (parts: AsyncIterable<Uint8Array>) => {
    const found: Uint8Array[] = [];
    for await (const part of parts) found.push(part);
    return Uint8Array.from(Buffer.concat(found));
  };
  const archives = await Promise.all([TEXT, "", "e".repeat(150)].map((text) => all(model.packStream([text]))));
  const head = archives[0]!.subarray(0, 8);
  const headed = fc.uint8Array({ maxLength: 20 }).map((tail) => Uint8Array.from([...head, ...tail]));
  const lengthened = fc.tuple(fc.constantFrom(...archives), fc.uint8Array({ minLength: 1, maxLength: 3 }));
  const longer = lengthened.map(([archive, tail]) => Uint8Array.from([...archive, ...tail]));
  return target("archives", 0.02, fc.oneof(anyBytes, headed, longer, edited(...archives)), async (archive) => {
    const text = await all(model.unpackStream([archive]));
    check(same(await all(model.unpackStream(model.packStream([text]))), text), "it does not come back");
  });
}

/** Packets of a channel: each is a message of bounded length, or refused, and the channel goes on. */
async function packetTarget(files: ModelFiles): Promise<Target> {
  const model = await load(files);
  const maxBytes = 100;
  const [here, there] = [await model.channel({ maxBytes }), await model.channel({ maxBytes })];
  const packets: Uint8Array[] = [];
  for (const text of [TEXT.slice(0, 80), "the pump is off", "", "\u{1f642}\n\n"]) {
    const packet = await here.send(text);
    await there.receive(packet);
    packets.push(packet, await there.send(text));
    await here.receive(packets.at(-1)!);
  }
  return target("packets of a channel", 0.02, fc.oneof(anyBytes, edited(...packets)), async (packet) => {
    const { message } = await there.receive(packet);
    check(message.length <= maxBytes, "the message is longer than it may be");
    const other = await model.channel({ maxBytes });
    const { text } = await there.receive(await other.send("still here"));
    other.close();
    check(text === "still here", "it does not go on");
  });
}
