// Weights that stay in flash: the flash form of a module imports one function, and fetches the rows it needs into a small tile. In
// every other module a tensor is where its address says, and nothing here is compiled.
import { BASE } from "./layout";
import { FLASH } from "../shape";

/**
 * Copies bytes of the weights, which lie in flash as they would in memory, to `dst`.
 *
 * @param offset of the weights' first byte
 * @returns bytes copied; fewer than asked for is a failure
 */
@external("saffu", "read")
declare function read(offset: u32, dst: usize, bytes: u32): i32;

let failed: bool = false;

/** Where `bytes` of the tensor at `address` can be read: there, or in `tile`, which they have been copied to. */
// @ts-ignore: decorator
@inline
export function fetch(address: usize, bytes: usize, tile: usize): usize {
  if (FLASH == 0) return address;
  return fetchInto(address, bytes, tile);
}

function fetchInto(address: usize, bytes: usize, tile: usize): usize {
  if (read(<u32>(address - BASE), tile, <u32>bytes) != <i32>bytes) failed = true;
  return tile;
}

/** Whether a read has failed since forgiveReads; what was computed from it must not be used, not even looked at as a number. */
// @ts-ignore: decorator
@inline
export function readFailed(): bool {
  return FLASH > 0 && failed;
}

/** Before a call that fetches. */
// @ts-ignore: decorator
@inline
export function forgiveReads(): void {
  if (FLASH > 0) failed = false;
}
