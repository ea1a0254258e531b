// @ts-nocheck: AssemblyScript
// What a runtime can do at best: y = O h as a bare loop over int8, of the decoder's size, without softmax and sampling.
import { M, V } from "./shape";

const H: usize = 16; // (M) i8
const O: usize = (H + M + 15) & ~15; // (V, M) i8
const Y: usize = (O + V * M + 15) & ~15; // (V) i32

/** Any numbers. */
export function fill(): void {
  let state: u32 = 1;
  for (let at: usize = H; at < Y; ++at) {
    state = state * 1664525 + 1013904223;
    store<u8>(at, <u8>(state >> 24));
  }
}

/** As one writes it. Answers a sum, so that no part of it can be left out. */
export function plain(times: i32): i32 {
  let all = 0;
  for (let i = 0; i < times; ++i) {
    for (let v: usize = 0; v < <usize>V; ++v) {
      let sum = 0;
      for (let c: usize = 0; c < <usize>M; ++c) sum += <i32>load<i8>(H + c) * <i32>load<i8>(O + v * M + c);
      store<i32>(Y + (v << 2), sum);
    }
    all += load<i32>(Y + ((<usize>i % V) << 2));
  }
  return all;
}

/** Eight products a turn, as the decoder has them; M is a multiple of 8. */
export function unrolled(times: i32): i32 {
  let all = 0;
  for (let i = 0; i < times; ++i) {
    for (let v: usize = 0; v < <usize>V; ++v) {
      let sum = 0;
      let h = H;
      let o = O + v * M;
      for (const end = o + M; o < end; o += 8, h += 8) {
        sum +=
          <i32>load<i8>(h) * <i32>load<i8>(o) +
          <i32>load<i8>(h, 1) * <i32>load<i8>(o, 1) +
          <i32>load<i8>(h, 2) * <i32>load<i8>(o, 2) +
          <i32>load<i8>(h, 3) * <i32>load<i8>(o, 3) +
          <i32>load<i8>(h, 4) * <i32>load<i8>(o, 4) +
          <i32>load<i8>(h, 5) * <i32>load<i8>(o, 5) +
          <i32>load<i8>(h, 6) * <i32>load<i8>(o, 6) +
          <i32>load<i8>(h, 7) * <i32>load<i8>(o, 7);
      }
      store<i32>(Y + (v << 2), sum);
    }
    all += load<i32>(Y + ((<usize>i % V) << 2));
  }
  return all;
}
