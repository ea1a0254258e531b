/**
 * How many bytes a device module needs, from the shape alone: the sum that assembly/memory.ts lays out by hand. A test compiles
 * shapes and compares.
 */
import { cipherWidth, gateBuckets, hiddenWidth, type Shape } from "../model/shape.ts";

/** Bytes of a WebAssembly page. */
export const PAGE = 65536;

/** Linear memory of the device module in bytes: weights, state and scratch, each tensor on a 16-byte boundary. */
export function bytesNeeded(shape: Shape): number {
  const { vocabulary, bits, block, orders, radial } = shape;
  const hidden = hiddenWidth(shape);
  const weights = [
    bits === vocabulary ? 0 : vocabulary * cipherWidth(shape) * 2,
    block * bits * hidden,
    block * bits * 4,
    hidden * 4,
    vocabulary * hidden,
    vocabulary * 4,
    vocabulary * 4,
    gateBuckets(shape) * (1 + orders) * 4,
  ];
  const state = [block * 2, radial * 2, 16];
  const scratch = [hidden * 4 + hidden * 2, orders * 4, orders * 4, radial * 4, vocabulary * 4, vocabulary * 4];
  return [16, ...weights, ...state, ...scratch].reduce((sum, bytes) => sum + align(bytes), 0);
}

function align(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
