// @ts-nocheck: AssemblyScript
// Digests that script.ts makes of the same values, inside a module.
/** FNV-1a of 64 bits over nothing. */
// biome-ignore lint/correctness/noPrecisionLoss: u64
export const NOTHING: u64 = 0xcbf29ce484222325;

export function region(from: usize, to: usize): u64 {
  let digest = NOTHING;
  for (let at = from; at < to; ++at) digest = (digest ^ load<u8>(at)) * 0x100000001b3;
  return digest;
}

export function one(value: u32): u64 {
  return word(NOTHING, value);
}

export function word(digest: u64, value: u32): u64 {
  for (let i = 0; i < 4; ++i) {
    digest = (digest ^ (value & 0xff)) * 0x100000001b3;
    value >>= 8;
  }
  return digest;
}
