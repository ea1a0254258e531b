/** saffu classify, as its users run it; and the C host of examples/classifier. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { FeedForward } from "../host/index.ts";
import { logLines, rows, shapes, waves } from "./classify-fixture.ts";
import { commandIn, contentsOf, failure } from "./cli-fixture.ts";
import { needs, onPath } from "./needs.ts";

const home = mkdtempSync(join(tmpdir(), "saffu-classify-cli-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const { main, run } = commandIn("build/test-classify-cli");
const classify = (...words: string[]) => run(["classify", ...words]);
const at = (name: string) => join(home, name);
const write = (name: string, contents: string | Uint8Array) => {
  writeFileSync(at(name), contents);
  return at(name);
};

const csvOf = (header: string, lines: readonly unknown[][]) =>
  `${[header, ...lines.map((line) => line.join(","))].join("\n")}\n`;
const table = (count: number, seed: number) =>
  csvOf(
    "a,b,colour,state",
    rows(count, seed).map(({ input, label }) => [...input.map((cell) => cell ?? ""), label]),
  );

function idxOf(sizes: readonly number[], bytes: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * sizes.length));
  head.setUint32(0, 0x800 + sizes.length);
  for (const [i, size] of sizes.entries()) head.setUint32(4 + 4 * i, size);
  return Buffer.concat([new Uint8Array(head.buffer), bytes]);
}

describe("fit, predict, eval", () => {
  test("a table: fitted, scored, classified, from files and from standard input", async () => {
    const train = write("train.csv", table(400, 1));
    const dir = at("table");
    const fitted = await classify("fit", train, "--label", "state", "--bytes", "20k", "--out", dir, "--json");
    expect(fitted.err).toBe("");
    const report = JSON.parse(fitted.out);
    expect(report).toMatchObject({ examples: 400, skipped: 0, labels: ["other", "red", "same"], exact: "none" });
    expect(report.bytes).toBeLessThanOrEqual(20_000);
    const scored = JSON.parse((await classify("eval", dir, write("test.csv", table(200, 2)), "--json")).out);
    expect(scored.accuracy).toBeGreaterThan(0.85);
    expect(
      scored.labels.map(({ examples }: { examples: number }) => examples).reduce((a: number, b: number) => a + b),
    ).toBe(200);
    const { out } = await run(["classify", "predict", dir, "-"], "a,b,colour\n9,1.5,red\n,,\n");
    const [first, second] = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first).toMatchObject({ row: 1, label: "same" });
    expect(first.surprisal).toBeCloseTo(-Math.log2(first.probability), 5);
    expect(second.row).toBe(2); // all of it missing
    // columns in another order are the same columns
    expect((await run(["classify", "predict", dir, "-"], "colour,b,a\nred,1.5,9\n")).out).toBe(
      `${out.split("\n")[0]}\n`,
    );
  });

  test("lines and the caller's features in NDJSON, series in columns, images in IDX and gzipped", async () => {
    const ndjson = logLines(300, 1).map(({ input, label }) => JSON.stringify({ text: input, level: label }));
    await classify(
      "fit",
      write("log.ndjson", ndjson.join("\n")),
      "--kind",
      "lines",
      "--label",
      "level",
      "--out",
      at("lines"),
    );
    const line = await run(
      ["classify", "predict", at("lines"), "-", "--format", "ndjson"],
      '{"text":"ERROR disk sd7 failed after 3 ms"}',
    );
    expect(JSON.parse(line.out).label).toBe("alert");
    const columns = Array.from({ length: 40 }, (_, i) => `t${i}`).join();
    const series = csvOf(
      `${columns},kind`,
      waves(200, 1).map(({ input, label }) => [...input, label]),
    );
    await classify("fit", write("waves.csv", series), "--kind", "series", "--label", "kind", "--out", at("series"));
    const scored = await classify(
      "eval",
      at("series"),
      write(
        "more.csv",
        csvOf(
          `${columns},kind`,
          waves(100, 2).map(({ input, label }) => [...input, label]),
        ),
      ),
    );
    expect(scored.out).toMatch(/^(9\d|100)\.\d\d % of 100 examples are right/);
    const given = shapes(200, 1);
    const images = idxOf([200, 12, 12], Buffer.concat(given.map(({ input }) => input)));
    const labels = idxOf(
      [200],
      Uint8Array.from(given, ({ label }) => label.length),
    );
    write("images-ubyte.gz", gzipSync(images));
    const words = [
      "fit",
      at("images-ubyte.gz"),
      "--labels",
      write("labels.idx", labels),
      "--bytes",
      "3k",
      "--out",
      at("images"),
    ];
    expect((await classify(...words)).out).toContain("200 examples of 3 labels");
    expect(readFileSync(at("images/config.json"), "utf8")).toContain('"width": 12');
    const own = Array.from({ length: 60 }, (_, i) => JSON.stringify({ ids: [i % 3, 3 + (i % 7)], label: i % 3 }));
    await classify(
      "fit",
      write("own.ndjson", own.join("\n")),
      "--kind",
      "features",
      "--features",
      "10",
      "--label",
      "label",
      "--out",
      at("own"),
    );
    expect((await classify("eval", at("own"), at("own.ndjson"))).out).toContain("100.00 % of 60 examples are right");
  });
});

test("a hidden layer, told as GROUPSxUNITS", async () => {
  const dir = at("layered");
  const train = write("layered.csv", table(400, 1));
  const words = ["fit", train, "--label", "state", "--out", dir];
  for (const wrong of ["8", "8x", "8x16x4", "0x8", "4x6", "9999x8", "-1x8", "8X16"]) {
    expect(await classify(...words, "--hidden", wrong)).toEqual(failure(2, "INVALID_OPTION", "hidden"));
    expect(existsSync(dir)).toBe(false);
  }
  const fitted = await classify(...words, "--hidden", "4x8", "--exact", "base", "--json");
  expect(JSON.parse(fitted.out)).toMatchObject({ examples: 400, hidden: { groups: 4, units: 8 }, exact: "base" });
  const scored = JSON.parse((await classify("eval", dir, write("layered-test.csv", table(200, 2)), "--json")).out);
  expect(scored.accuracy).toBeGreaterThan(0.85);
  const before = await contentsOf(dir);
  await classify("observe", dir, train);
  await classify("refit", dir, "--out", dir);
  expect(await contentsOf(dir)).not.toEqual(before);
  expect((await classify("forget", dir, train)).out).toContain("0 are in the sums");
});

describe.each(["counts", "base", "ridge"])("observe, forget, merge, refit, %s", (exact) => {
  test("a day that is learned and forgotten leaves no byte", async () => {
    const dir = at(exact);
    const day = write(`${exact}-day.csv`, table(50, 5));
    await classify(
      "fit",
      write(`${exact}.csv`, table(200, 1)),
      "--label",
      "state",
      "--exact",
      exact,
      "--bytes",
      "4k",
      "--out",
      dir,
    );
    const before = await contentsOf(dir);
    expect((await classify("observe", dir, day, "--json")).out).toContain(`"examples":50`);
    expect(await contentsOf(dir)).not.toEqual(before);
    const other = at(`${exact}-other`);
    await classify("refit", dir, "--out", other);
    expect((await classify("merge", other, dir, "--out", other)).err).toBe("");
    expect((await classify("unmerge", other, dir, "--out", other)).err).toBe("");
    await classify("forget", dir, day);
    expect(await contentsOf(dir)).toEqual(before);
    expect(
      await classify(
        "forget",
        dir,
        write("never.csv", "a,b,colour,state\n1,1,red,same\n".repeat(300).replace(/(\n)a,b,colour,state\n/g, "$1")),
      ),
    ).toEqual(failure(7, "NOT_OBSERVED", "row"));
    expect(await contentsOf(dir)).toEqual(before);
  });
});

describe("what is wrong is one line, with the row and the column, and nothing is written", () => {
  const fit = (text: string, ...words: string[]) =>
    run(["classify", "fit", "-", "--label", "state", "--out", at("never"), ...words], text);
  const good = "1,2,yes\n3,4,no\n5,6,yes\n";

  test.each([
    ["no rows", "a,b,state\n", 4, "INVALID_EXAMPLE", ["there are no examples"]],
    ["nothing at all", "", 4, "INVALID_TEXT", ["is empty"]],
    ["no such column", "a,b,what\n1,2,yes\n", 4, "INVALID_EXAMPLE", [`no column "state"`, "a, b, what"]],
    ["a column twice", "a,a,state\n1,2,yes\n", 4, "INVALID_TEXT", [`column "a" twice`]],
    ["too few cells", `a,b,state\n${good}7,8\n`, 4, "INVALID_EXAMPLE", ["row 4", "2 cells", "3"]],
    ["an infinite number", `a,b,state\n${good}1e99,8,no\n`, 4, "INVALID_EXAMPLE", ["row 4", `column "a"`, "1e99"]],
    ["no label", `a,b,state\n${good}7,8,\n`, 4, "INVALID_EXAMPLE", ["row 4", "label"]],
    ["one label", "a,b,state\n1,2,yes\n3,4,yes\n", 4, "INVALID_EXAMPLE", [`every example has the label "yes"`]],
    ["an open quote", `a,b,state\n${good}"7,8,no\n`, 4, "INVALID_TEXT", ["cannot be read"]],
  ])("%s", async (_, text, code, name, named) => {
    expect(await fit(text)).toEqual(failure(code, name, ...named));
    expect(existsSync(at("never"))).toBe(false);
  });

  test("options, formats and files", async () => {
    expect(await fit(`a,b,state\n${good}`, "--kind", "sounds")).toEqual(failure(2, "INVALID_OPTION", "kind", "sounds"));
    expect(await fit(`a,b,state\n${good}`, "--exact", "so")).toEqual(failure(2, "INVALID_OPTION", "--exact", "so"));
    expect(await fit(`a,b,state\n${good}`, "--on-bad", "guess")).toEqual(
      failure(2, "INVALID_OPTION", "--on-bad", "guess"),
    );
    expect(await fit(`a,b,state\n${good}`, "--bytes", "many")).toEqual(failure(2, "INVALID_OPTION", "--bytes"));
    expect(await fit("[1]\n", "--format", "ndjson")).toEqual(failure(4, "INVALID_EXAMPLE", "no column"));
    expect(await classify("fit", at("nowhere.csv"), "--label", "x", "--out", at("never"))).toEqual(
      failure(4, "INVALID_TEXT", "nowhere.csv", "ENOENT"),
    );
    const images = write("cut.idx", idxOf([3, 2, 2], new Uint8Array(9)));
    const labels = write("cut-labels.idx", idxOf([3], Uint8Array.of(0, 1, 0)));
    expect(await classify("fit", images, "--labels", labels, "--out", at("never"))).toEqual(
      failure(4, "INVALID_TEXT", "cut.idx", "3 bytes are missing"),
    );
    const fewer = write("fewer.idx", idxOf([2], Uint8Array.of(0, 1)));
    expect(await classify("fit", images, "--labels", fewer, "--out", at("never"))).toEqual(
      failure(4, "INVALID_TEXT", "fewer.idx", "3 images"),
    );
    expect(await classify("predict", "models/nano-en", at("x.csv"))).toEqual(
      failure(3, "MODEL_CORRUPT", "language model"),
    );
    expect(await classify("sing")).toEqual(failure(2, "INVALID_OPTION", "sing"));
    expect(existsSync(at("never"))).toBe(false);
  });

  test("a file that is cut, a line without an end, a name as long as a book", async () => {
    const fit = (path: string, ...words: string[]) =>
      classify("fit", path, "--label", "state", "--out", at("never"), ...words);
    const zipped = gzipSync(table(300, 1));
    for (const [name, format] of [
      ["cut.csv.gz", "csv"],
      ["cut.ndjson.gz", "ndjson"],
      ["cut.idx.gz", "idx"],
    ] as const) {
      const path = write(name, zipped.subarray(0, zipped.length >> 1));
      const found = await fit(path, "--format", format);
      expect(found, name).toMatchObject({ code: 4, out: "" });
      expect(found.err, name).toMatch(/^saffu: INVALID_(TEXT|EXAMPLE): [^\n]*\n$/);
    }
    const long = "7".repeat(17_000_000);
    expect(await fit(write("long.csv", `a,state\n"${long}",x\n2,y\n`))).toEqual(failure(4, "INVALID_TEXT", "long.csv"));
    expect(await fit(write("long.ndjson", `{"a":1,"state":"x"}\n{"a":${long},"state":"y"}\n`))).toEqual(
      failure(4, "INVALID_TEXT", "long.ndjson", "16777216 bytes"),
    );
    expect(await fit(write("book.csv", `a,state\n${"word ".repeat(80)},x\nb,y\n`))).toEqual(
      failure(4, "INVALID_EXAMPLE", "row 1", "400 characters"),
    );
    const names = Array.from({ length: 1000 }, (_, i) => `${i}`.padStart(1300, "c"));
    const wide = `${names.join()},state\n${names.map(() => 1).join()},x\n${names.map(() => 2).join()},y\n`;
    expect(await fit(write("wide.csv", wide))).toEqual(failure(2, "INVALID_OPTION", "config.json"));
    expect(existsSync(at("never"))).toBe(false);
    expect(
      await fit(write("waves3.csv", `a,b,c,state\n1,2,3,x\n2,3,4,y\n`), "--kind", "series", "--channels", "2"),
    ).toEqual(failure(2, "INVALID_OPTION", "channels", "divides 3 values"));
  });

  test("a column of numbers with a word in it is not guessed at", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => [
      i % 7 ? 20 + i : "hot",
      i % 3 ? "hall" : "attic",
      i % 2 ? "on" : "off",
    ]);
    const path = write("mixed.csv", csvOf("temp,room,state", rows));
    const words = ["fit", path, "--label", "state", "--out", at("mixed")];
    expect(await classify(...words)).toEqual(
      failure(2, "INVALID_OPTION", "--categorical", '"temp"', 'row 1 has "hot"'),
    );
    expect(existsSync(at("mixed"))).toBe(false);
    expect((await classify(...words, "--categorical", "temp,room")).err).toBe("");
    const skipped = await classify(...words, "--on-bad", "skip");
    expect(skipped).toMatchObject({ code: 0, err: "" });
    expect(skipped.out).toContain("6 rows were skipped");
    const ndjson = rows.map(([temp, room, state]) => JSON.stringify({ temp, room, state })).join("\n");
    expect(await run(["classify", "fit", "-", "--label", "state", "--out", at("never")], ndjson)).toEqual(
      failure(4, "INVALID_TEXT", "standard input", "--format"),
    );
  });

  test("what is small or wide has a size of its own", async () => {
    const tiny = Array.from({ length: 40 }, (_, i) => (i % 2 ? [255, 0, 255, 0] : [0, 255, 0, 255])).flat();
    const images = write("tiny.idx", idxOf([40, 2, 2], Uint8Array.from(tiny)));
    const labels = write(
      "tiny-labels.idx",
      idxOf(
        [40],
        Uint8Array.from({ length: 40 }, (_, i) => i % 2),
      ),
    );
    expect((await classify("fit", images, "--labels", labels, "--out", at("tiny"))).err).toBe("");
    expect((await classify("eval", at("tiny"), images, "--labels", labels)).out).toContain("100.00 %");
    const columns = Array.from({ length: 1500 }, (_, i) => `c${i}`);
    const wide = csvOf(
      `${columns.join()},state`,
      Array.from({ length: 40 }, (_, i) => [...columns.map((_, c) => (c + i) % 9), i % 3]),
    );
    expect((await classify("fit", write("columns.csv", wide), "--label", "state", "--out", at("columns"))).err).toBe(
      "",
    );
  });

  test("rows that are skipped are counted, and told", async () => {
    const dir = at("skipped");
    const text = `a,b,state\n${good}x,8,no\n7,8\n9,10,no\n`;
    const { out } = await run(
      [
        "classify",
        "fit",
        "-",
        "--label",
        "state",
        "--categorical",
        "",
        "--on-bad",
        "skip",
        "--out",
        dir,
        "--exact",
        "counts",
      ],
      text,
    );
    expect(out).toContain(`4 examples of 2 labels`);
    expect(out).toContain(`2 rows were skipped, the first: row 4: column "a" must be a finite number, got "x"`);
    // a header that has changed is no row
    expect(await run(["classify", "observe", dir, "-"], "a,c,state\n1,2,yes\n")).toEqual(
      failure(4, "INVALID_EXAMPLE", "row 1", `no column "b"`, "header"),
    );
    expect(await run(["classify", "observe", dir, "-"], "a,b,state\n1,2,maybe\n")).toEqual(
      failure(4, "UNKNOWN_LABEL", "row 1", "maybe"),
    );
    const { out: said } = await run(["classify", "predict", dir, "-", "--on-bad", "skip"], "a,b\n1,2\n?,2\n");
    expect(
      said
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))[1],
    ).toMatchObject({ row: 2, error: { code: "INVALID_EXAMPLE" } });
  });
});

test("commands that learn at once wait for one another, and none is lost", async () => {
  const dir = at("together");
  const train = write("together.csv", table(100, 1));
  await classify("fit", train, "--label", "state", "--exact", "base", "--bytes", "4k", "--out", dir);
  const days = [1, 2, 3, 4].map((day) => write(`together-${day}.csv`, table(20 * day, 10 + day)));
  const all = await Promise.all([
    ...days.map((day) => classify("observe", dir, day, "--json")),
    classify("refit", dir, "--out", dir, "--json"),
    classify("predict", dir, train),
  ]);
  for (const { code, err } of all) expect([code, err]).toEqual([0, ""]);
  expect((await FeedForward.load(dir)).examples).toBe(200);
  // whoever fits anew at the same time ends with a whole directory: what is learned is of the one fit or of the other
  const [fitted, observed] = await Promise.all([
    classify("fit", train, "--label", "state", "--exact", "base", "--bytes", "4k", "--seed", "2", "--out", dir),
    classify("observe", dir, days[0]!),
  ]);
  expect(fitted.code).toBe(0);
  expect([0, 3, 5]).toContain(observed.code);
  expect([0, 20, 200, 220]).toContain((await FeedForward.load(dir)).examples);
});

test("compiled, it is the same classifier without a host", async () => {
  const given = shapes(200, 1);
  const dir = at("compiled");
  const images = write("c-images.idx", idxOf([200, 12, 12], Buffer.concat(given.map(({ input }) => input))));
  const labels = write(
    "c-labels.idx",
    idxOf(
      [200],
      Uint8Array.from(given, ({ label }) => label.length),
    ),
  );
  await classify("fit", images, "--labels", labels, "--exact", "base", "--bytes", "3k", "--out", dir);
  const classifier = await FeedForward.load(dir);
  for (const build of ["scalar", "simd"]) {
    for (const more of [[], ["--learning"]]) {
      expect((await classify("compile", dir, "--build", build, "--out", at("one.wasm"), ...more)).err).toBe("");
      const { instance } = await WebAssembly.instantiate(readFileSync(at("one.wasm")) as BufferSource);
      const { begin, input, classify: answer, probabilities, memory } = instance.exports as Record<string, never>;
      const call = (value: unknown, ...words: number[]) => (value as (...words: number[]) => number)(...words);
      expect(call(begin)).toBe(0);
      for (const { input: pixels } of shapes(20, 9)) {
        new Uint8Array((memory as WebAssembly.Memory).buffer).set(pixels, call(input));
        const wanted = classifier.predict(pixels);
        expect(classifier.labels[call(answer, 0)]).toBe(wanted.label);
        const found = new Float32Array((memory as WebAssembly.Memory).buffer, call(probabilities), 3);
        expect(Array.from(found)).toEqual(Array.from(wanted.probabilities));
      }
    }
  }
});

const WASM3 = "examples/firmware/build/wasm3";
const found = onPath("gcc") && onPath("make") && existsSync(join(WASM3, "wasm3.h"));
needs("gcc, make, and wasm3's C sources (examples/firmware/fetch-wasm3.sh)", found)("on wasm3, from C", () => {
  test("the example says what the library says", async () => {
    const dir = at("compiled");
    const build = at("firmware");
    execFileSync("mkdir", ["-p", build]);
    await classify("compile", dir, "--target", "c-header", "--out", join(build, "classifier.h"));
    const saffu = `SAFFU=${process.execPath} ${main}`;
    execFileSync("make", ["--silent", "-C", "examples/classifier", `BUILD=${build}`, saffu, join(build, "classify")], {
      stdio: "pipe",
    });
    const classifier = await FeedForward.load(dir);
    const given = shapes(10, 11);
    const out = execFileSync(join(build, "classify"), {
      input: Buffer.concat(given.map(({ input }) => input)),
      encoding: "utf8",
    });
    const wanted = given.map(({ input }) => {
      const { label, probabilities } = classifier.predict(input);
      return `${label} ${Math.max(...probabilities).toFixed(4)}\n`;
    });
    expect(out).toBe(wanted.join(""));
  });
});
