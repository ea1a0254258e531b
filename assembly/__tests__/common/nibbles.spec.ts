import { codeAt } from "../../common/nibbles";

const CODES = memory.data(8, 8);

describe("codes of four bits", () => {
  test("stand two in a byte, the even column's in the low bits", () => {
    for (let i: usize = 0; i < 8; ++i) store<u8>(CODES + i, <u8>(i * 16 + (15 - i)));
    for (let c: usize = 0; c < 16; ++c) expect(codeAt(CODES, c)).toBe(c & 1 ? c >> 1 : 15 - (c >> 1), c.toString());
  });
});
