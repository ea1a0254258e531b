/**
 * SHA-256 (FIPS 180-4). WebCrypto does it where it is there; browsers have it on pages served over https or from localhost only, and
 * elsewhere it is computed here.
 */

/** SHA-256 in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return hexadecimal(sha256Of(bytes));
  return hexadecimal(new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

/** Bytes as hexadecimal digits. */
export function hexadecimal(digest: Uint8Array): string {
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const BLOCK = 64;

/** SHA-256, 32 bytes. */
export function sha256Of(bytes: Uint8Array): Uint8Array {
  known ??= constants();
  const { first, rounds } = known;
  const state = Int32Array.from(first);
  const schedule = new Int32Array(64);
  const whole = bytes.length - (bytes.length % BLOCK);
  for (let at = 0; at < whole; at += BLOCK) compress(state, schedule, rounds, bytes, at);
  // what is left, a bit 1, zeros, and the length in bits as a u64
  const rest = bytes.length - whole;
  const end = new Uint8Array(rest + 9 > BLOCK ? 2 * BLOCK : BLOCK);
  end.set(bytes.subarray(whole));
  end[rest] = 0x80;
  const view = new DataView(end.buffer);
  view.setUint32(end.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(end.length - 4, bytes.length << 3);
  for (let at = 0; at < end.length; at += BLOCK) compress(state, schedule, rounds, end, at);
  const digest = new DataView(new ArrayBuffer(32));
  for (const [i, word] of state.entries()) digest.setInt32(4 * i, word);
  return new Uint8Array(digest.buffer);
}

function compress(state: Int32Array, w: Int32Array, rounds: Int32Array, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; ++i, at += 4) {
    w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
  for (let i = 16; i < 64; ++i) {
    const [x, y] = [w[i - 15]!, w[i - 2]!];
    const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3);
    const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10);
    w[i] = w[i - 16]! + s0 + w[i - 7]! + s1;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; ++i) {
    const t1 = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + rounds[i]! + w[i]!;
    const t2 = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i]! += word;
}

/** Turned right by `by` bits. */
function turned(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

let known: ReturnType<typeof constants> | undefined;

/** The first 32 bits behind the point of the roots of the first primes: square roots of 8, cube roots of 64. */
function constants(): { first: Int32Array; rounds: Int32Array } {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; ++n) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return {
    first: Int32Array.from(primes.slice(0, 8), (prime) => fraction(BigInt(prime) << 64n, 2)),
    rounds: Int32Array.from(primes, (prime) => fraction(BigInt(prime) << 96n, 3)),
  };
}

/** The low 32 bits of the integer root of `value`, found bit by bit: exact, whatever the engine's roots are. */
function fraction(value: bigint, power: 2 | 3): number {
  let root = 0n;
  for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((root | bit) ** BigInt(power) <= value) root |= bit;
  return Number(BigInt.asIntN(32, root));
}
