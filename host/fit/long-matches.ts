/**
 * The last step of a fit: weights of the long matches, and the long-term memory. Both are found by running the model as it will run: its own device
 * module reads the end of the training text, which the network has not seen, with the text before it as memory.
 */
import { type MemoryTokens, memoryImage } from "../files/memory.ts";
import type { Tensor } from "../files/safetensors.ts";
import { Instance } from "../model/kernel.ts";
import { compileModule } from "../model/webassembly.ts";
import { LONG_BUCKETS, LONG_LENGTHS, memorySpec, type Shape, tensorSpecs, withoutMemory } from "../shape.ts";
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
  /** With the memory that there is room for. */
  readonly shape: Shape;
  /** The device module of the shape, of any build. */
  readonly module: Uint8Array;
  /** All tensors but those of the long matches. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The end of the training text, as long as memory and unseen tokens together where there is so much. The network has not seen the last ones. */
  readonly tokens: Uint16Array;
  readonly unseen: number;
  /** Whether the memory stays whatever it saves. */
  readonly asked: boolean;
  /** The token that ends a piece of the text, where it has some. */
  readonly newline: number | undefined;
}

/** The tensors with those of the long matches, and the shape with the memory that is worth its bytes. @throws SaffuError ABORTED */
export async function fitLongMatches(
  { shape, module, tensors, tokens, unseen, asked, newline }: Fitted,
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
  const instance = new Instance(await WebAssembly.instantiate(compiled), withoutMemory(shape), "the device module");
  for (const { name, address } of tensorSpecs(shape)) instance.write(address, all.get(name)!);
  const held = tokens.subarray(Math.max(0, tokens.length - Math.min(unseen, MOST_TOKENS)));
  const before = tokens.subarray(0, tokens.length - held.length);
  const { memory = 0 } = shape;
  const room = Math.min(memory, before.length);
  const weighed = !asked && room > 0; // against what it saves
  const total = held.length * (weighed ? 2 : 1);
  const read = async (remembered: number, done: number) => {
    const kept = { ...shape, memory: remembered };
    const image =
      remembered > 0 ? memoryImage(memoryOf(before.subarray(before.length - remembered), shape), kept) : NONE;
    instance.remember(image, remembered);
    const predictor = instance.predictor();
    predictor.reset();
    let bits = 0;
    await inCalls([0, held.length], CALL, hooks.signal, async (from, to) => {
      for (let i = from; i < to; ++i) {
        bits += predictor.feed(held[i]!);
        if (held[i] !== newline) continue;
        // each piece starts from an empty context, but what is solved for goes on
        const data = instance.longWeights(4 * cells);
        predictor.reset();
        instance.write("LONG_SUMS", { dtype: "F32", shape: [data.length], data });
      }
      hooks.onProgress?.({ phase: "memory", done: done + to, total });
    });
    return { bits, weights: instance.longWeights(2 * cells) };
  };
  const withMemory = await read(room, 0);
  const without = weighed ? await read(0, held.length) : undefined;
  const drops = without !== undefined && withMemory.bits > without.bits * (1 - LEAST_GAIN);
  all.set("attention.long", table((drops ? without : withMemory).weights));
  if (drops || memory === 0) return { shape: withoutMemory(shape), tensors: all };
  const { name, dtype, shape: dimensions } = memorySpec(shape)!;
  const data = memoryOf(tokens.subarray(tokens.length - memory), shape);
  all.set(name, { dtype, shape: dimensions, data } as Tensor);
  return { shape, tensors: all };
}

const NONE = new Uint8Array(0);

function memoryOf(tokens: Uint16Array, shape: Shape): MemoryTokens {
  return shape.vocabulary <= 256 ? Uint8Array.from(tokens) : Uint16Array.from(tokens);
}
