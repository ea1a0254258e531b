/** The long-term memory of a model: the end of its training text, as a module wants it. */
import { SaffuError } from "../errors.ts";
import { aligned, LONG_LENGTHS, memoryBytes, memorySpec, type Shape } from "../shape.ts";
import { readTensors } from "./safetensors.ts";
import { tensorOf } from "./weights.ts";

/** Tokens that places are compared by at the most. */
const LONGEST = LONG_LENGTHS.at(-1)!;

/** Ids of a memory, oldest first. */
export type MemoryTokens = Uint8Array | Uint16Array;

/**
 * The memory in model.safetensors; nothing where the shape has none.
 *
 * @throws SaffuError MODEL_CORRUPT, naming what is wrong
 */
export function readMemory(bytes: Uint8Array, shape: Shape, file: string): MemoryTokens | undefined {
  const spec = memorySpec(shape);
  if (spec === undefined) return undefined;
  const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${file}: ${what}`);
  const tokens = tensorOf(readTensors(bytes, file).tensors, spec, corrupt).data as MemoryTokens;
  const wrong = tokens.findIndex((token) => token >= shape.vocabulary);
  if (wrong < 0) return tokens;
  throw corrupt(`${spec.name} holds token ${tokens[wrong]}, the vocabulary has ${shape.vocabulary}`);
}

/** The bytes that a module finds a memory by: its tokens and, where it is indexed, the order of its places. */
export function memoryImage(tokens: MemoryTokens, shape: Shape): Uint8Array {
  const image = new Uint8Array(memoryBytes(shape));
  image.set(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
  if (!shape.memoryIndexed) return image;
  const order = orderOf(tokens);
  image.set(new Uint8Array(order.buffer), aligned(tokens.byteLength));
  return image;
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
