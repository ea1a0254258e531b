/** Watching streams: what rows come to, what is learned when, and that what is forgotten was never there. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { labelClassifier, openWatch, watch } from "../host/index.ts";
import type { WatchOptions } from "../host/watch/options.ts";
import type { Watch } from "../host/watch/watch.ts";
import { generator } from "../tools/generator.ts";

/** Lines of a gateway: a few kinds, with numbers and names that change. */
function gatewayLines(count: number, seed: number): string[] {
  const next = generator(seed);
  const draw = (below: number) => Math.floor(next() * below);
  const rooms = ["attic", "kitchen", "cellar", "hall"];
  return Array.from({ length: count }, (_, i) => {
    const time = `2026-03-0${1 + (i % 9)}T0${draw(10)}:${10 + draw(50)}:0${draw(10)}`;
    const room = rooms[draw(4)]!;
    return [
      `${time} gateway mosquitto[${draw(900)}]: home/${room}/hygro temp=${15 + draw(9)}.${draw(10)} rh=${40 + draw(20)}`,
      `${time} gateway dhcpd[412]: lease 10.0.0.${draw(255)} renewed by ${room}-hygro for 3600 s`,
      `${time} gateway ntpd[77]: offset ${draw(900)} us`,
    ][draw(10) < 7 ? 0 : draw(2) + 1]!;
  });
}
const ALIEN =
  "2026-03-02T00:00:32 gateway sshd[388]: Failed password for invalid user admin from 203.0.113.9 port 4711";

const told = (opened: Watch, lines: readonly string[]) => lines.map((line) => JSON.stringify(opened.push(line)));

test("a line of a kind that never came is an alarm, says why, and ends as an episode", async () => {
  const opened = await openWatch({ gap: 5 });
  const rows = [...gatewayLines(600, 1), ALIEN, ...gatewayLines(20, 2)].map((line) => opened.push(line));
  const alien = rows[600]!;
  expect(alien.of).toBeGreaterThan(500);
  expect(alien).toMatchObject({ line: 601, rank: 1, ready: true, alarm: "begin", learned: false });
  expect(alien.why.map(({ text }) => text)).toEqual(expect.arrayContaining(["sshd"]));
  expect(alien.template).toContain("gateway sshd[<*>]");
  const end = rows.slice(601).find(({ alarm }) => alarm === "end")!;
  expect(end.episode).toBe(alien.episode);
  expect(end.line).toBeGreaterThanOrEqual(alien.line + 5);
  expect(rows[50]!.ready).toBe(false);
  expect(rows.slice(0, 100).every(({ alarm }) => alarm === undefined)).toBe(true);
});

test("ranks are 1 + how many of the last W scores were as high", async () => {
  const window = 64;
  const opened = await openWatch({ window });
  const levels: number[] = [];
  for (const line of gatewayLines(300, 3)) {
    const { score, rank, of } = opened.push(line);
    const level = Math.floor(score * 8);
    const last = levels.slice(-window);
    expect([rank, of]).toEqual([1 + last.filter((other) => other >= level).length, last.length]);
    levels.push(level);
  }
});

test("what is held back is learned `delay` rows later, and no sooner", async () => {
  const opened = await openWatch({ delay: 50 });
  told(opened, gatewayLines(300, 4));
  const first = opened.push(ALIEN);
  expect(first.learned).toBe(false);
  const bits: number[] = [];
  for (const line of gatewayLines(60, 5)) {
    const copy = await openWatch({ delay: 50, state: await opened.save() });
    bits.push(copy.push(ALIEN).bits);
    opened.push(line);
  }
  expect(Math.min(...bits.slice(0, 49))).toBeGreaterThan(0.8 * first.bits);
  expect(Math.max(...bits.slice(50))).toBeLessThan(0.5 * first.bits);
});

test("with counts halved, windows passed and copies made, what is forgotten leaves nothing: rows, state and later rows are the same bytes", async () => {
  const options: WatchOptions = {
    reach: 150,
    window: 90,
    period: 128,
    delay: 30,
    countBytes: 4096,
    warmUp: 20,
    oneIn: 20,
  };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 130 }),
      async (seed, before, many, behind) => {
        const [a, b] = await Promise.all([openWatch(options), openWatch(options)]);
        const lines = gatewayLines(before + behind + 200, seed);
        for (const each of [a, b]) told(each, lines.slice(0, before));
        for (let i = 0; i < many; ++i) {
          a.push(`${ALIEN} ${"x".repeat(i % 7)}`);
          b.skip();
        }
        for (const each of [a, b]) told(each, lines.slice(before, before + behind));
        fc.pre(before + 1 >= a.reaches);
        await a.forget({ from: before + 1, to: before + many });
        expect(Buffer.compare(await a.save(), await b.save())).toBe(0);
        const later = lines.slice(before + behind);
        expect(told(a, later)).toEqual(told(b, later));
        expect(Buffer.compare(await a.save(), await b.save())).toBe(0);
      },
    ),
    { numRuns: 40 },
  );
});

test("an episode is forgotten by its number", async () => {
  const [a, b] = await Promise.all([openWatch({ gap: 3 }), openWatch({ gap: 3 })]);
  for (const each of [a, b]) told(each, gatewayLines(400, 6));
  const { episode, line, alarm } = a.push(ALIEN);
  expect(alarm).toBe("begin");
  b.skip();
  for (const each of [a, b]) told(each, gatewayLines(40, 7));
  const forgotten = await a.forget({ episode: episode! });
  expect(forgotten).toMatchObject({ from: line, to: line, rows: 1 });
  expect(told(a, gatewayLines(50, 8))).toEqual(told(b, gatewayLines(50, 8)));
});

test("a watch that was saved goes on as if it had not stopped, with its past", async () => {
  const options = { reach: 200, period: 256 };
  const a = await openWatch(options);
  told(a, gatewayLines(500, 9));
  a.push(ALIEN);
  const state = await a.save();
  const b = await openWatch({ ...options, state });
  expect(b.lines).toBe(a.lines);
  for (const each of [a, b]) await each.forget({ from: 501, to: 501 });
  expect(told(a, gatewayLines(300, 10))).toEqual(told(b, gatewayLines(300, 10)));
  expect(Buffer.compare(await a.save(), await b.save())).toBe(0);
});

test("a state that is cut, altered, or of other options is refused by its code", async () => {
  const a = await openWatch({ countBytes: 4096, window: 50, reach: 20 });
  told(a, gatewayLines(60, 11));
  const state = await a.save();
  const open = (bytes: Uint8Array, options: WatchOptions = {}) =>
    openWatch({ countBytes: 4096, window: 50, reach: 20, ...options, state: bytes });
  await expect(open(state, { window: 51 })).rejects.toMatchObject({ code: "STATISTICS_MISMATCH" });
  await expect(open(state, { delay: 7 })).rejects.toMatchObject({ code: "STATISTICS_MISMATCH" });
  await fc.assert(
    fc.asyncProperty(fc.nat(state.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, by, cut) => {
      const bytes = cut ? state.slice(0, at) : Uint8Array.from(state, (byte, i) => (i === at ? byte ^ by : byte));
      await expect(open(bytes)).rejects.toMatchObject({
        code: expect.stringMatching(/^MODEL_(CORRUPT|VERSION|DIGEST)$/),
      });
    }),
    { numRuns: 40 },
  );
});

test("labels: such a line is an alarm from then on and never learned, one that was fine is none; forgetting a labelled line takes the label back", async () => {
  const classifier = await labelClassifier();
  const opened = await openWatch({ classifier, gap: 3 });
  told(opened, gatewayLines(400, 12));
  const notice = (i: number) => `2026-03-02T00:00:32 gateway backup[${i}]: snapshot nightly-${i} written to vault`;
  const [bad, good] = [opened.push(ALIEN), opened.push(notice(1))];
  await opened.label(bad.line, "alarm");
  await opened.label(good.line, "fine");
  told(opened, gatewayLines(200, 13));
  const again = opened.push(ALIEN);
  expect(again).toMatchObject({ alarm: expect.stringMatching(/begin|on/), learned: false });
  expect(again.known).toBeGreaterThan(0.9);
  told(opened, gatewayLines(10, 14));
  const told2 = opened.push(notice(2));
  expect(["begin", "on"]).not.toContain(told2.alarm);
  expect(told2.learned).toBe(true);
  await opened.forget({ from: bad.line, to: bad.line });
  expect(opened.push(ALIEN).known).toBeUndefined(); // the label went with its line
});

test("few labels decide of their own templates alone, one kind of label too", async () => {
  const opened = await openWatch({ classifier: await labelClassifier(), gap: 3 });
  told(opened, gatewayLines(400, 20));
  const before = gatewayLines(300, 21).map((line) => opened.push(line).alarm);
  const { line } = opened.push(ALIEN);
  await opened.label(line, "alarm");
  const alarms = gatewayLines(300, 22).filter((line) => ["begin", "on"].includes(opened.push(line).alarm ?? ""));
  expect(alarms.length).toBeLessThanOrEqual(2 + before.filter((alarm) => alarm !== undefined).length);
  expect(opened.push(ALIEN.replace("admin", "root")).alarm).toMatch(/begin|on/);
});

test("numbers: a value far out surprises, and its column is named; one that is missing does not", async () => {
  const opened = await openWatch({ kind: "numbers", columns: ["temp", "rh"] });
  const next = generator(5);
  const row = () => [20 + next(), 50 + 4 * next()];
  for (let i = 0; i < 400; ++i) opened.push(row());
  expect(opened.push([Number.NaN, 52]).score).toBeLessThan(20);
  const far = opened.push([20.4, 95]);
  expect(far).toMatchObject({ alarm: expect.stringMatching(/begin|on/), rank: 1 });
  expect(far.why[0]!.text).toBe("rh=95");
  for (const value of [Number.POSITIVE_INFINITY, -3e38, 3e38, 1e-45]) {
    const { score } = opened.push([value, value]);
    expect(Number.isFinite(score)).toBe(true);
  }
});

test("symbols surprise behind the two before them", async () => {
  const opened = await openWatch({ kind: "symbols" });
  for (let i = 0; i < 500; ++i) opened.push(["open", "read", "close"][i % 3]!);
  const usual = opened.push("close").bits - opened.push("open").bits;
  expect(opened.push("read").bits).toBeLessThan(1);
  expect(opened.push("read").bits).toBeGreaterThan(5);
  expect(Number.isFinite(usual)).toBe(true);
});

test("any bytes are a line: the same rows from a text, from bytes, and however a stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 30 }), fc.nat(40), async (raw, cut) => {
      const lines = raw.map((bytes) => bytes.filter((byte) => byte !== 10 && byte !== 13));
      const text = Buffer.concat(lines.flatMap((line) => [line, Uint8Array.of(10)]));
      const parts = Array.from({ length: Math.ceil(text.length / (cut + 1)) }, (_, i) =>
        Uint8Array.from(text.subarray(i * (cut + 1), (i + 1) * (cut + 1))),
      );
      const opened = await openWatch();
      const rows = lines.map((line) => opened.push(line).score);
      const streamed: number[] = [];
      for await (const { score } of watch(parts)) streamed.push(score);
      expect(streamed).toEqual(rows);
    }),
    { numRuns: 60 },
  );
});

test("lines that are no rows are counted, told of, and passed over", async () => {
  const bad: unknown[] = [];
  const rows = [];
  const source = ['{"m":"one"}\n', "no json\n", '{"n":1}\n', '{"m":"two"}\n'];
  for await (const row of watch(source, { field: "m", onBad: (each) => bad.push(each) })) rows.push(row);
  expect(rows.map(({ line, text }) => [line, text])).toEqual([
    [1, "one"],
    [4, "two"],
  ]);
  expect(bad).toEqual([
    { line: 2, problem: "INVALID_JSON" },
    { line: 3, problem: "MISSING_FIELD" },
  ]);
});

test("options out of their bounds are refused by name", async () => {
  const cases: [WatchOptions, RegExp][] = [
    [{ kind: "rows" as never }, /kind/],
    [{ kind: "numbers" }, /columns/],
    [{ columns: ["a"] }, /columns/],
    [{ window: 0 }, /window/],
    [{ window: 65536 }, /window/],
    [{ oneIn: 1.5 }, /oneIn/],
    [{ guard: 2 }, /guard/],
    [{ guard: Number.NaN }, /guard/],
    [{ reach: -1 }, /reach/],
    [{ countBytes: 100 }, /countBytes/],
    [{ classifier: {} as never }, /classifier/],
  ];
  for (const [options, named] of cases) {
    await expect(openWatch(options)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(named),
    });
  }
  const opened = await openWatch({ reach: 0 });
  opened.push("a");
  await expect(opened.forget({ from: 1, to: 1 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(opened.label(1, "alarm")).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(() => opened.push(5 as never)).toThrow(expect.objectContaining({ code: "INVALID_TEXT" }));
});
