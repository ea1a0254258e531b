// −log2 p in whole units, so that sums of them have no order.
import { logOf } from "../common/math";

/** Units of a bit: what surprisals are counted in. */
export const UNIT: f32 = 16;
/** 16 / ln 2. */
const PER_LOG: f32 = 23.0831207;

/** −log2 p in sixteenths of a bit, rounded down; p above 1 is 1, and below 2^-64 that. */
export function bitsOf(p: f32): u32 {
  return <u32>(PER_LOG * -logOf(min<f32>(1, max<f32>(5.421011e-20, p))));
}
