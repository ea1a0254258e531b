/** SHA-256 where the runtime has no WebCrypto: the digests that Node's own has, for texts of any length. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { sha256, sha256Of } from "../host/files/sha256.ts";

const expected = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const found = (bytes: Uint8Array) => Buffer.from(sha256Of(bytes)).toString("hex");

test("the standard's own examples", () => {
  const of = (text: string) => found(new TextEncoder().encode(text));
  expect(of("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(of("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("every length up to some blocks, where the padding falls differently, and any bytes", () => {
  for (let length = 0; length <= 300; ++length) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 151 + length) & 0xff);
    expect(found(bytes), `${length} bytes`).toBe(expected(bytes));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(7), (bytes, from) => {
      const part = bytes.subarray(from); // not at the beginning of its buffer
      expect(found(part)).toBe(expected(part));
    }),
    { numRuns: 500 },
  );
});

test("is what sha256 falls back to, and WebCrypto says the same", async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff);
  expect(await sha256(bytes)).toBe(expected(bytes));
  vi.stubGlobal("crypto", {}); // as on a page of plain http
  try {
    expect(await sha256(bytes)).toBe(expected(bytes));
  } finally {
    vi.unstubAllGlobals();
  }
});
