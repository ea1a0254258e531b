// @ts-nocheck: AssemblyScript
// Steps of the golden script inside the module, for a runtime that calls exports without arguments and shows their results. Each
// answers the digest that script.ts makes of the same values. It has no data of its own: what it reads is put into memory beyond the
// device's END (driver-module.ts).
import { append, feed, forget, observe, PROBABILITIES, predict, sample } from "./device";
import { NOTHING, word } from "./driver-digest";
import { V } from "./shape";

export { NOTHING, one, region } from "./driver-digest";

/** Address of the text's tokens, u16. */
const TEXT: usize = DRIVER_TEXT;
export function generate(count: i32, temperature: f32, topK: u32, topP: f32, every: i32): u64 {
  let digest = NOTHING;
  for (let i = 0; i < count; ++i) {
    if (every > 1) {
      predict();
      for (let v = 0; v < V; ++v) if (v % every > 0) store<f32>(PROBABILITIES + (v << 2), -1);
    }
    const token = sample(temperature, topK, topP);
    append(token);
    digest = word(digest, token);
  }
  return digest;
}

export function eachFeed(count: i32): u64 {
  let digest = NOTHING;
  for (let i = 0; i < count; ++i) digest = word(digest, reinterpret<u32>(feed(token(i))));
  return digest;
}

export function eachObserve(count: i32): u64 {
  let digest = NOTHING;
  for (let i = 0; i < count; ++i) digest = word(digest, reinterpret<u32>(observe(token(i))));
  return digest;
}

export function eachForget(count: i32): u64 {
  let digest = NOTHING;
  for (let i = 0; i < count; ++i) digest = word(digest, reinterpret<u32>(forget(token(i))));
  return digest;
}

function token(i: i32): u32 {
  return load<u16>(TEXT + ((<usize>i) << 1));
}
