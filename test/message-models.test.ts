/** The shipped models of messages: what radios carry costs no more than it does raw, and frames are those that they have always been. */
import { describe, expect, test } from "vitest";
import { load } from "../host/index.ts";

/** Frames in hexadecimal. They change with the weights: put the new ones here in the same change. */
const GOLDEN: Record<string, Record<string, string>> = {
  "messages-en": {
    "on my way": "868f6a4c",
    "sounds good, see you tomorrow at the station!": "7cceb169ccf43c3066efd2",
    "47.3769N 8.5417E": "03cef4a7529c50744a",
    "🙂🙂 great 🎉": "c056dad21252dea497",
    Привет: "ffd09fd180d0b8d0b2d0b5d182",
    "": "",
  },
  "messages-nano": {
    "on my way": "d856d531",
    "sounds good, see you tomorrow at the station!": "e24c44fd08ff95b0539aaf9478c1",
    "47.3769N 8.5417E": "051c0989b812c41bb471",
    "🙂🙂 great 🎉": "fe76277bf668e6164df5",
    Привет: "ffd09fd180d0b8d0b2d0b5d182",
    "": "",
  },
};

/** Not in the text that the models were fitted to. */
const RADIO = [
  ...[
    "47.3769N 8.5417E",
    "52.520008, 13.404954",
    "-33.8688, 151.2093",
    "21:30",
    "2026-11-30 07:45",
    "DL1ABC de HB9XYZ 73",
  ],
  ...[
    "cq cq de OE3ABC k",
    "qth JN47pl",
    "call +41 44 123 45 67",
    "temp=21.5 hum=40 bat=3.71V",
    "1234567890",
    "🙂🙂 great 🎉",
    "ok 👍",
  ],
  ...["line one\nline two\n", "at the hut, 2 people, all fine\n47.05N 8.30E"],
];

describe.each(Object.keys(GOLDEN))("%s", (name) => {
  test("positions, times, call signs, numbers, newlines and emoji cost no more than raw", async () => {
    const model = await load(`models/${name}`);
    const sizes = RADIO.map((text) => [text, Buffer.byteLength(text), model.pack(text).length] as const);
    expect(sizes.filter(([, raw, packed]) => packed > raw)).toEqual([]);
    for (const text of RADIO) expect(new TextDecoder().decode(model.unpack(model.pack(text)))).toBe(text);
  });

  test.each(["scalar", "simd"] as const)("frames are golden, %s", async (build) => {
    const model = await load(`models/${name}`, { build });
    const frames = Object.keys(GOLDEN[name]!).map((text) => [text, Buffer.from(model.pack(text)).toString("hex")]);
    expect(Object.fromEntries(frames)).toEqual(GOLDEN[name]);
  });
});
