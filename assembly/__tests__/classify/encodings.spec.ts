import { beginImage, encodeImage } from "../../classify/image";
import { encodeLine } from "../../classify/lines";
import { NONE, NOT_FINITE, Plan } from "../../classify/plan";
import { beginSeries, encodeSeries } from "../../classify/series";
import { encodeTable } from "../../classify/table";
import { classifier } from "./plan";
import { put } from "../support";

function code(p: Plan, i: i32): i32 {
  return <i32>load<u16>(<usize>p.codes + 2 * i);
}

describe("an image", () => {
  test("has a feature for each patch that is not blank: its region, and where its product is above the threshold", () => {
    const p = classifier(64, 2, 1, 8, NONE);
    p.a = 6; // width
    p.b = 5; // height
    p.c = 2; // patch
    p.d = 2; // directions
    p.e = 2 | (1 << 8); // regions down, across
    p.f = 100;
    // (LANES) i16 thresholds, then directions: all four pixels, above 50; the left ones less the right ones, above 0
    store<i16>(<usize>p.parameters, 50);
    const weights: i8[] = [20, 20, 20, 20, 60, -60, 60, -60];
    for (let i = 0; i < 8; ++i) store<i8>(<usize>p.parameters + 16 + i, weights[i]);
    beginImage(p);
    expect(encodeImage(p)).toBe(0);
    store<u8>(<usize>p.input + 1 * 6 + 3, 101); // a pixel that is set, and one that just is not
    store<u8>(<usize>p.input + 4 * 6 + 0, 100);
    expect(encodeImage(p)).toBe(4);
    // patches at (2, 0), (3, 0): the pixel is their lower right, lower left; then (2, 1), (3, 1)
    const wanted: i32[] = [0, 2, 0, 2];
    for (let i = 0; i < 4; ++i) expect(code(p, i)).toBe(wanted[i], `${i}`);
    store<u8>(<usize>p.input + 3 * 6 + 0, 255); // in the lower region's rows 2 and 3 of 4
    store<u8>(<usize>p.input + 3 * 6 + 1, 255);
    store<u8>(<usize>p.input + 4 * 6 + 0, 255);
    const count = encodeImage(p);
    expect(count).toBe(8);
    // the patch at (0, 3): three pixels, two left and one right
    expect(code(p, count - 2)).toBe(4 + 3);
  });
});

describe("a series", () => {
  test("has a feature for each window that is not flat, and none of its level or scale", () => {
    const p = classifier(64, 2, 1, 8, NONE);
    p.a = 12; // values
    p.b = 1; // channels
    p.c = 3; // taps
    p.d = 2; // directions
    p.e = 1; // segments
    p.f = 2; // dilations
    put(p.parameters, 1, 100); // gain
    const weights: i8[] = [-1, 0, 1, -1, 2, -1];
    for (let i = 0; i < 6; ++i) store<i8>(<usize>p.parameters + 8 + i, weights[i]);
    beginSeries(p);
    for (let t = 0; t < 12; ++t) put(p.input, t, 7);
    expect(encodeSeries(p)).toBe(0);
    for (let t = 0; t < 12; ++t) put(p.input, t, t);
    expect(encodeSeries(p)).toBe(10 + 8);
    for (let i = 0; i < 18; ++i) expect(code(p, i)).toBe((i < 10 ? 0 : 4) + 1); // rising, not bent
    for (let t = 0; t < 12; ++t) put(p.input, t, 50 - 3 * (t == 6 ? 1 : 0));
    expect(encodeSeries(p)).toBe(3 + 3);
    expect(code(p, 0)).toBe(2); // it falls at the end: bent, not rising
    expect(code(p, 1)).toBe(0); // its middle is low
    expect(code(p, 2)).toBe(3); // it rises from the begin
    put(p.input, 11, NaN);
    expect(encodeSeries(p)).toBe(NOT_FINITE);
    put(p.input, 11, -Infinity);
    expect(encodeSeries(p)).toBe(NOT_FINITE);
  });
});

describe("a row of a table", () => {
  test("has a bin a binning, one of its own where it is missing, and a code a fern", () => {
    const p = classifier(64, 2, 1, 8, NONE);
    p.a = 2; // columns
    p.b = 2; // binnings
    p.c = 1; // ferns
    p.d = 2; // tests
    p.e = 6;
    p.f = 9;
    const words: u32[] = [0, 0, 2, 1, 2, 1]; // column, first threshold, thresholds
    for (let i = 0; i < 6; ++i) store<u32>(<usize>p.parameters + 4 * i, words[i]);
    put(p.parameters, 6, 1);
    put(p.parameters, 7, 5);
    put(p.parameters, 8, -2);
    store<u32>(<usize>p.parameters + 36, 0);
    put(p.parameters, 10, 3);
    store<u32>(<usize>p.parameters + 44, 1);
    put(p.parameters, 12, 0);
    const rows: f64[] = [0.5, -2.5, 1, -2, 4.9, 1, 5, NaN, NaN, 9];
    const wanted: i32[] = [0, 4, 7, 1, 5, 7, 1, 5, 10, 2, 6, 8, 3, 5, 9];
    for (let row = 0; row < 5; ++row) {
      put(p.input, 0, rows[2 * row]);
      put(p.input, 1, rows[2 * row + 1]);
      expect(encodeTable(p)).toBe(3);
      for (let i = 0; i < 3; ++i) expect(code(p, i)).toBe(wanted[3 * row + i], `row ${row}, ${i}`);
    }
    put(p.input, 1, Infinity);
    expect(encodeTable(p)).toBe(NOT_FINITE);
  });
});

describe("a line", () => {
  test("has its words and pairs; neither digits nor capital letters make it another", () => {
    const p = classifier((1 << 8) + 16, 2, 1, 8, NONE);
    p.a = 64;
    p.b = 8;
    p.c = 5;
    const first = write(p, "Disk sd7: 120 ms");
    expect(first).toBe(2 * 4 + 1);
    const ids = new StaticArray<i32>(first);
    for (let i = 0; i < first; ++i) ids[i] = code(p, i);
    expect(ids[first - 1]).toBe((1 << 8) + 4);
    expect(write(p, "disk SD12, 9 ms")).toBe(first);
    for (let i = 0; i < first; ++i) expect(code(p, i)).toBe(ids[i]);
    expect(write(p, "disc SD12, 9 ms")).toBe(first);
    expect(code(p, 0)).not.toBe(ids[0]);
    expect(write(p, "")).toBe(1);
    expect(code(p, 0)).toBe(1 << 8);
    expect(write(p, "a b c d e f g")).toBe(2 * 5 + 1); // no more than five words
    store<u32>(<usize>p.input, u32.MAX_VALUE); // no more bytes than a line has
    expect(encodeLine(p)).toBeGreaterThan(0);
  });
});

function write(p: Plan, text: string): i32 {
  const bytes = String.UTF8.encode(text);
  store<u32>(<usize>p.input, bytes.byteLength);
  memory.copy(<usize>p.input + 4, changetype<usize>(bytes), bytes.byteLength);
  return <i32>encodeLine(p);
}
