import { cipherBit, cipherLength } from "../../common/cipher";
import { BITS, CIPHER_WIDTH, CIPHERED, V } from "../../shape";

const CIPHER = memory.data(V * CIPHER_WIDTH * 2, 16);

describe("a token's cipher", () => {
  if (CIPHERED == 0) {
    test("is the token itself where inputs are one-hot: the table is not read", () => {
      for (let token = 0; token < V; ++token) {
        expect(cipherBit(0xfffffff0, token, 0)).toBe(token);
        expect(cipherLength(0xfffffff0, token)).toBe(1);
      }
    });
  } else {
    test("is read from its row, up to the first bit out of range or to the row's end", () => {
      memory.fill(CIPHER, 0, V * CIPHER_WIDTH * 2); // bits of other tokens are in range
      for (let length = 1; length <= CIPHER_WIDTH; ++length) {
        const token = V - length;
        for (let i = 0; i < CIPHER_WIDTH; ++i) {
          store<u16>(CIPHER + ((token * CIPHER_WIDTH + i) << 1), i < length ? <u16>(i + 2) : <u16>BITS);
        }
      }
      for (let length = 1; length <= CIPHER_WIDTH; ++length) {
        expect(cipherLength(CIPHER, V - length)).toBe(length);
        for (let i = 0; i < length; ++i) expect(cipherBit(CIPHER, V - length, i)).toBe(i + 2);
      }
    });
  }
});
