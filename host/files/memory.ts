/** The long-term memory of a model: the end of its training text, or n-grams of it, as a module wants them. */
import { SaffuError } from "../errors.ts";
import { LONG_LENGTHS, memoryLayout, memorySpecs, type Shape } from "../shape.ts";
import { faultOfNgrams } from "./ngrams.ts";
import { readTensors } from "./safetensors.ts";
import { tensorOf } from "./weights.ts";

/** Tokens that places are compared by at the most. */
const LONGEST = LONG_LENGTHS.at(-1)!;

/** Ids of a memory, oldest first. */
export type MemoryTokens = Uint8Array | Uint16Array;

/** What a model remembers. */
export interface Remembered {
  readonly tokens?: MemoryTokens | undefined;
  /** As ngrams.ts writes them. */
  readonly ngrams?: Uint8Array | undefined;
}

/**
 * The memory in model.safetensors.
 *
 * @throws SaffuError MODEL_CORRUPT, naming what is wrong
 */
export function readMemory(bytes: Uint8Array, shape: Shape, file: string): Remembered {
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const specs = memorySpecs(shape);
  if (specs.length === 0) return {};
  const { tensors } = readTensors(bytes, file);
  const found: Remembered = Object.fromEntries(
    specs.map((spec) => [spec.name.split(".")[1], tensorOf(tensors, spec, corrupt).data]),
  );
  const { tokens, ngrams } = found;
  const wrong = tokens?.findIndex((token) => token >= shape.vocabulary) ?? -1;
  if (wrong >= 0) throw corrupt(`memory.tokens holds token ${tokens![wrong]}, the vocabulary has ${shape.vocabulary}`);
  const fault = ngrams && faultOfNgrams(ngrams, shape.vocabulary);
  if (fault !== undefined) throw corrupt(`memory.ngrams ${fault}`);
  return found;
}

/** The bytes that a module finds a memory by: its tokens, where it is indexed the order of its places, and its n-grams. */
export function memoryImage({ tokens, ngrams }: Remembered, shape: Shape): Uint8Array {
  const at = memoryLayout(shape);
  const image = new Uint8Array(at.end);
  if (tokens) image.set(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
  if (tokens && shape.memoryIndexed) image.set(new Uint8Array(orderOf(tokens).buffer), at.order);
  if (ngrams) image.set(ngrams, at.ngrams);
  return image;
}

/** What stands at MEMORY_RECORD where the image of a memory is at `place`: of its tokens and of its n-grams address and length. */
export function memoryRecord(shape: Shape, place: number): Uint32Array<ArrayBuffer> {
  const { memory = 0, ngrams = 0 } = shape;
  return Uint32Array.of(place, memory, place + memoryLayout(shape).ngrams, ngrams);
}

/**
 * The places of a memory in the order of what stands before them, read backwards: the tokens before a place, the last first, LONGEST at the most;
 * the text's begin is less than every token. Of equal places the newest is first.
 */
export function orderOf(tokens: MemoryTokens): Uint16Array {
  const order = Uint16Array.from(tokens, (_, place) => place);
  return order.sort((a, b) => {
    const most = Math.min(LONGEST, a, b);
    for (let back = 1; back <= most; ++back) {
      const difference = tokens[a - back]! - tokens[b - back]!;
      if (difference !== 0) return difference;
    }
    // one may have begun where the other goes on
    return most < LONGEST && a !== b ? a - b : b - a;
  });
}
