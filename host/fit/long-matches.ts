/**
 * The last step of a fit: weights of the long matches, and the long-term memory. Both are found by running the model as it will run: its own device
 * module reads the end of the training text, which the network has not seen, with the text before it as memory, with n-grams of that, or with
 * neither.
 */
import { type MemoryTokens, memoryImage, type Remembered } from "../files/memory.ts";
import type { Tensor } from "../files/safetensors.ts";
import { Instance } from "../model/kernel.ts";
import { compileModule } from "../model/webassembly.ts";
import { LONG_BUCKETS, LONG_LENGTHS, memorySpecs, type Shape, tensorSpecs } from "../shape.ts";
import { type Hooks, inCalls } from "./steps.ts";

/** w and b of every bucket where nothing is known of a text: found on logs, messages and prose. */
const FIRST_WEIGHT = 0.15;
/** Tokens that the weights are found on at the most: the last ones. */
const MOST_TOKENS = 16384;
/** Tokens of one call. */
const CALL = [64, 16384] as const;
/** Least part of the bits that a memory saves; one that saves less is left out. */
const LEAST_GAIN = 0.01;

/** What a fit has when it comes to the long matches. */
export interface Fitted {
  /** Without a memory. */
  readonly shape: Shape;
  /** The device module of the shape with room for any memory, of any build. */
  readonly module: Uint8Array;
  /** All tensors but those of the long matches. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The end of the training text, as long as memory and unseen tokens together where there is so much. The network has not seen the last ones. */
  readonly tokens: Uint16Array;
  readonly unseen: number;
  /** Most tokens of a memory. */
  readonly memory: number;
  /** N-grams of what the network has seen, where there are some. */
  readonly ngrams: Uint8Array | undefined;
  /** Whether there is a memory whatever it saves. */
  readonly asked: boolean;
  /** The token that ends a piece of the text, where it has some. */
  readonly newline: number | undefined;
}

/** The tensors with those of the long matches, and the shape with the memory that saves the most. @throws SaffuError ABORTED */
export async function fitLongMatches(
  { shape, module, tensors, tokens, unseen, memory, ngrams, asked, newline }: Fitted,
  hooks: Hooks<"memory">,
): Promise<{ shape: Shape; tensors: Map<string, Tensor> }> {
  const cells = LONG_LENGTHS.length * LONG_BUCKETS;
  const first = new Float32Array(2 * cells).fill(FIRST_WEIGHT, 0, cells);
  const table = (data: Float32Array<ArrayBuffer>): Tensor => ({
    dtype: "F32",
    shape: [2, LONG_LENGTHS.length, LONG_BUCKETS],
    data,
  });
  const all = new Map(tensors).set("attention.long", table(first));
  const compiled = await compileModule(module);
  const instance = new Instance(await WebAssembly.instantiate(compiled), shape, "the device module");
  for (const { name, address } of tensorSpecs(shape)) instance.write(address, all.get(name)!);
  const held = tokens.subarray(Math.max(0, tokens.length - Math.min(unseen, MOST_TOKENS)));
  const before = tokens.subarray(0, tokens.length - held.length);
  const room = Math.min(memory, before.length);
  const verbatim = { tokens: memoryOf(before.subarray(before.length - room), shape) };
  const choices: Remembered[] = [
    ...(asked && memory > 0 ? [] : [{}]),
    ...(memory > 0 ? [verbatim] : []),
    ...(ngrams ? [{ ngrams }] : []),
  ];
  const total = held.length * choices.length;
  let done = 0;
  const read = async (remembered: Remembered) => {
    const kept = withMemory(shape, remembered);
    instance.remember(memoryImage(remembered, kept), kept);
    const predictor = instance.predictor(newline);
    predictor.reset();
    let bits = 0;
    await inCalls([0, held.length], CALL, hooks.signal, async (from, to) => {
      for (let i = from; i < to; ++i) {
        bits += predictor.feed(held[i]!);
        if (held[i] !== newline) continue;
        // each piece begins behind the newline, but what is solved for goes on
        const data = instance.longWeights(4 * cells);
        predictor.reset();
        instance.write("LONG_SUMS", { dtype: "F32", shape: [data.length], data });
      }
      hooks.onProgress?.({ phase: "memory", done: done + to, total });
    });
    done += held.length;
    return { remembered, bits, weights: instance.longWeights(2 * cells) };
  };
  let best = await read(choices[0]!);
  for (const choice of choices.slice(1)) {
    const next = await read(choice);
    // a memory saves what its bytes are worth; of two the one that saves more
    const most = isNone(best.remembered) ? best.bits * (1 - LEAST_GAIN) : best.bits;
    if (next.bits < most) best = next;
  }
  all.set("attention.long", table(best.weights));
  // the end of all of the text, what the network has not seen included
  const end = { tokens: memoryOf(tokens.subarray(tokens.length - memory), shape) };
  const remembered: Remembered = best.remembered === verbatim ? end : best.remembered;
  const made = withMemory(shape, remembered);
  for (const { name, dtype, shape: dimensions } of memorySpecs(made)) {
    const data = name === "memory.ngrams" ? remembered.ngrams : remembered.tokens;
    all.set(name, { dtype, shape: dimensions, data } as Tensor);
  }
  return { shape: made, tensors: all };
}

/** The shape of a model that remembers so much. */
function withMemory(shape: Shape, { tokens, ngrams }: Remembered): Shape {
  return { ...shape, ...(tokens && { memory: tokens.length }), ...(ngrams && { ngrams: ngrams.length }) };
}

function isNone({ tokens, ngrams }: Remembered): boolean {
  return tokens === undefined && ngrams === undefined;
}

function memoryOf(tokens: Uint16Array, shape: Shape): MemoryTokens {
  return shape.vocabulary <= 256 ? Uint8Array.from(tokens) : Uint16Array.from(tokens);
}
