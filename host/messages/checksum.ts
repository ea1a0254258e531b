/** CRC-32 (ISO 3309; reflected polynomial 0xEDB88320): tells a damaged frame or archive, and no forged one. */

/** Of `bytes`, or of these behind what `before` is the checksum of: an integer in 0..2^32 − 1. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** The lowest `count` bytes of a checksum, the lowest first. */
export function lowBytes(checksum: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => checksum >>> (8 * i));
}
