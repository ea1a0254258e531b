/** What of watches is given bytes from elsewhere: states, lines with fields, and the module itself. */
import fc from "fast-check";
import { sized, watchModule } from "../../host/compile/watch.ts";
import { readTensors, type Tensor, writeTensors } from "../../host/files/safetensors.ts";
import { labelClassifier, openWatch } from "../../host/index.ts";
import { type ReaderOptions, reader } from "../../host/watch/fields.ts";
import { PLAN_AT, PLAN_FIELDS, planBytes, planOf, type WatchShape } from "../../host/watch/layout.ts";
import type { WatchOptions } from "../../host/watch/options.ts";
import type { Row, Watch } from "../../host/watch/watch.ts";
import { anyBytes, edited, editedJson, partsOf, patched, sealed, withHeader } from "./mutations.ts";
import { check, same, type Target, target } from "./target.ts";

const encoder = new TextEncoder();

/** Small, so that windows pass, copies are made, and an edit is likely to hit what matters. */
const SMALL: WatchOptions = {
  window: 20,
  delay: 3,
  warmUp: 6,
  oneIn: 4,
  guard: 0.3,
  gap: 2,
  reach: 10,
  countBytes: 4096,
};
const LINES: WatchOptions = { ...SMALL, words: 6, lineBytes: 40 };
const NUMBERS: WatchOptions = { ...SMALL, kind: "numbers", columns: ["a", "b"], kept: 16 };
const line = (i: number) => `sshd[${i}]: ${["session opened", "session closed", "failed for root", ""][(i * i) % 4]}`;
const numbers = (i: number) => [i % 5, i === 17 ? Number.NaN : 20 + ((i * 7) % 3)];

/** States of watches, with events, labels and episodes: whatever is read goes on, forgets, and is written as it was. */
export async function stateTarget(): Promise<Target> {
  const grown = async (options: WatchOptions, row: (i: number) => Row, labels: boolean) => {
    const watch = await openWatch(options);
    for (let i = 0; i < 33; ++i) {
      if (i === 25) watch.skip();
      watch.push(row(i));
      if (labels && i % 9 === 8) await watch.label(watch.lines, i % 2 === 0 ? "alarm" : "fine");
    }
    return watch.save();
  };
  const taught = async () => ({ ...LINES, classifier: await labelClassifier() });
  const made: { state: Uint8Array; options: () => Promise<WatchOptions>; row: (i: number) => Row }[] = [
    { state: await grown(LINES, line, false), options: async () => LINES, row: line },
    { state: await grown(NUMBERS, numbers, false), options: async () => NUMBERS, row: numbers },
    { state: await grown(await taught(), line, true), options: taught, row: line },
  ];
  const input = fc.integer({ min: 0, max: 8 }).chain((which) => {
    const { state, options, row } = made[which === 8 ? 2 : which % 2]!;
    const { tensors, metadata } = readTensors(state, "state");
    const { header, data } = partsOf(state);
    const exchanged = (name: string, bytes: Uint8Array) => {
      const shape = [bytes.length];
      const other: [string, Tensor][] =
        bytes.length === 0 ? [] : [[name, { dtype: "U8", shape, data: bytes } as Tensor]];
      return sealed(writeTensors(new Map([...[...tensors].filter(([own]) => own !== name), ...other]), metadata));
    };
    const bytesOf = (name: string) => tensors.get(name)!.data as Uint8Array;
    const json = (name: string) =>
      editedJson(JSON.parse(new TextDecoder().decode(bytesOf(name)))).map((text) =>
        exchanged(name, encoder.encode(text)),
      );
    const names = [...tensors.keys()];
    const changed = fc
      .constantFrom(...names)
      .chain((name) => fc.oneof(edited(bytesOf(name)), patched(bytesOf(name))).map((bytes) => exchanged(name, bytes)));
    // of memory what a watch remembers, which comes first, and is little
    const remembered = fc
      .tuple(
        fc.constantFrom(...names.filter((name) => /now|past/.test(name))),
        fc.nat(4 * PLAN_FIELDS.length - 1),
        fc.nat(255),
      )
      .map(([name, at, value]) =>
        exchanged(
          name,
          bytesOf(name).map((byte, i) => (i === at ? value : byte)),
        ),
      );
    // an event of another kind, row, model or length
    const heads = names
      .filter((name) => name.startsWith("events"))
      .flatMap((name) => headsOf(bytesOf(name)).map((at) => ({ name, at })));
    const event = fc
      .tuple(fc.constantFrom(...heads), fc.constantFrom(0, 0, 1, 9, 13), fc.oneof(fc.nat(4), fc.double(), fc.nat(40)))
      .map(([{ name, at }, field, value]) => {
        const bytes = bytesOf(name).slice();
        const view = new DataView(bytes.buffer);
        if (field === 0) view.setUint8(at, value);
        else if (field === 1) view.setFloat64(at + 1, value, true);
        else view.setUint32(at + field, value, true);
        return exchanged(name, bytes);
      });
    const other = fc
      .tuple(fc.constantFrom(...names), fc.constantFrom(...names))
      .map(([name, from]) => exchanged(name, bytesOf(from)));
    const bytes = fc.oneof(
      ...[
        anyBytes,
        edited(state),
        edited(state).map(sealed),
        json("about"),
        json("about"),
        json("lessons"),
        changed,
        changed,
      ],
      ...[
        remembered,
        remembered,
        event,
        event,
        other,
        editedJson(JSON.parse(header)).map((text) => sealed(withHeader(text, data))),
      ],
      fc.constantFrom(...made.map(({ state }) => state)),
    );
    return bytes.map((bytes) => ({ bytes, options, row }));
  });
  return target("states of watches", 0.04, input, async ({ bytes, options, row }) => {
    const watch = await openWatch({ ...(await options()), state: bytes });
    await goOn(watch, row);
    const state = await watch.save();
    const other = await openWatch({ ...(await options()), state });
    check(same(state, await other.save()), "what it saves is another");
    for (const each of [watch, other]) each.close();
  });
}

/** Where events begin. */
function headsOf(events: Uint8Array): number[] {
  const view = new DataView(events.buffer, events.byteOffset, events.byteLength);
  const heads: number[] = [];
  for (let at = 0; at < events.length; at += 17 + view.getUint32(at + 13, true)) heads.push(at);
  return heads;
}

/** Rows, and all that can be forgotten. */
async function goOn(watch: Watch, row: (i: number) => Row): Promise<void> {
  const few = (count: number) => {
    const { lines } = watch;
    for (let i = 0; i < count; ++i) {
      const { rank, of, score } = watch.push(row(i));
      check(rank >= 1 && rank <= of + 1 && score >= 0, "a row has no rank");
    }
    check(watch.lines === lines + count, "rows are not counted");
  };
  few(2);
  // the rows behind are read again, those of the file among them
  await watch.forget({ from: watch.reaches, to: watch.reaches });
  few(12);
  await watch.forget({ from: Math.max(watch.reaches, watch.lines - 5), to: watch.lines });
  few(1);
}

const PATHS = ["a", "a.b", "m", "1", "2", "x.y.z", "__proto__", "constructor", "length", "0", ""];
const SOUND = PATHS.filter(Boolean);
const READERS: fc.Arbitrary<ReaderOptions> = fc.oneof(
  fc.constant({}),
  fc.record(
    {
      field: fc.constantFrom(...SOUND),
      numbers: fc.array(fc.constantFrom(...SOUND), { minLength: 1, maxLength: 4 }),
    },
    { requiredKeys: [] },
  ),
  fc.record(
    {
      field: fc.constantFrom(...PATHS),
      numbers: fc.array(fc.constantFrom(...PATHS), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  ),
);
const TEXTS = [
  '{"a":{"b":"text"},"m":"sshd: \\u00e9","1":2.5,"x":{"y":{"z":[1,2]}}}',
  '{"m":[104,105],"a.b":3,"a":"7 8 9","2":"1e3"}',
  '1.5,"a ""b""",;-3e2\t9',
  "1\t2\t\t-.5e3",
  "[1,2,null,4]",
  "12 7 200",
];

/** Lines with fields: nothing is thrown, and what is found is what was asked for. */
export function fieldTarget(): Target {
  const text = fc.oneof(
    anyBytes,
    edited(...TEXTS.map((each) => encoder.encode(each))),
    fc
      .constantFrom(...TEXTS.slice(0, 2))
      .chain((each) => editedJson(JSON.parse(each)).map((json) => encoder.encode(json))),
    fc.constantFrom(...TEXTS).map((each) => encoder.encode(each)),
  );
  const problems = [undefined, "INVALID_JSON", "MISSING_FIELD", "NOT_A_NUMBER"];
  return target("fields of lines", 0.05, fc.tuple(READERS, text), ([options, bytes]) => {
    const read = reader(options);
    const found = read(bytes);
    const { text, numbers, problem } = found;
    check(problems.includes(problem), "its problem is none");
    check((numbers?.length ?? 0) === (options.numbers?.length ?? 0), "it has other numbers");
    check(
      numbers?.every((each) => Number.isFinite(each) || (Number.isNaN(each) && problem !== undefined)) ?? true,
      "a number is none",
    );
    const asked = options.field !== undefined || options.numbers === undefined;
    check(text !== undefined || problem !== undefined || !asked, "it has no text");
    check(JSON.stringify(read(bytes)) === JSON.stringify(found), "it is another, read again");
  });
}

const SHAPE: WatchShape = {
  ...{ kind: "lines", columns: 0, most: 24, words: 5, cellBits: 5, window: 9, one: 4, warmUp: 3, guard: 300, delay: 3 },
  ...{ gap: 2, kept: 0, period: 11, weight: 1000 },
};
const SHAPES: readonly WatchShape[] = [
  SHAPE,
  { ...SHAPE, kind: "symbols", words: 0 },
  { ...SHAPE, kind: "numbers", columns: 2, most: 0, words: 0, kept: 16, cellBits: 3 },
];
const NUMBERS_TO_TRY = [
  0,
  1,
  2,
  3,
  15,
  16,
  24,
  25,
  63,
  64,
  65,
  128,
  256,
  257,
  1000,
  1001,
  4095,
  4096,
  65535,
  65536,
  2 ** 20,
  2 ** 31 - 64,
  2 ** 31,
  2 ** 32 - 64,
  2 ** 32 - 1,
];

interface Exports {
  readonly memory: WebAssembly.Memory;
  begin(): number;
  resume(): number;
  look(length: number): number;
  put(at: number, word: number): number;
  push(length: number, model: number, verdict: number): number;
  result(part: number): number;
  checksum(): number;
}

/** The module: any plan, any memory, any rows; it answers, and writes nowhere beyond its plan's end. */
export async function watchModuleTarget(): Promise<Target> {
  const built = await watchModule();
  const compiled = SHAPES.map((shape) => new WebAssembly.Module(sized(built, shape) as BufferSource));
  const word = fc.oneof(fc.constantFrom(...NUMBERS_TO_TRY), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
  const small = fc.oneof({ arbitrary: fc.integer({ min: -1, max: 26 }), weight: 8 }, fc.integer());
  const call = fc.oneof(
    {
      arbitrary: fc.tuple(
        fc.constant("push" as const),
        small,
        fc.oneof({ arbitrary: fc.nat(999), weight: 9 }, fc.integer()),
        fc.integer({ min: 0, max: 3 }),
      ),
      weight: 6,
    },
    {
      arbitrary: fc.tuple(fc.constant("put" as const), fc.integer({ min: -4, max: 30 }), fc.oneof(word, fc.integer())),
      weight: 4,
    },
    fc.tuple(fc.constant("result" as const), fc.integer({ min: -1, max: 7 })),
    fc.tuple(fc.constant("look" as const), small),
  );
  const calls = fc.array(call, { maxLength: 60, size: "max" });
  const place = fc.oneof(fc.nat(255), fc.nat(2 ** 20));
  const input = fc.record({
    which: fc.nat(2),
    plan: fc.array(fc.tuple(fc.nat(PLAN_FIELDS.indexOf("end")), word), { maxLength: 2 }),
    calls,
    memory: fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 6 }),
    more: calls,
  });
  return target("a watch's module", 0.01, input, ({ which, plan: changes, calls, memory, more }) => {
    const exports = new WebAssembly.Instance(compiled[which]!).exports as unknown as Exports;
    const plan = planOf(SHAPES[which]!);
    const bytes = new Uint8Array(exports.memory.buffer);
    const run = (list: typeof calls) => {
      for (const [name, ...values] of list) {
        const answer = (exports[name] as (...values: number[]) => number)(...(values as number[]));
        check(answer >= -4 || name === "result", `${name} answers ${answer}`);
      }
    };
    for (const [field, value] of changes) new DataView(bytes.buffer).setUint32(PLAN_AT + 4 * field, value, true);
    bytes.fill(0x5a, plan.end);
    const kept = () => bytes.subarray(plan.end).every((byte) => byte === 0x5a);
    check([0, -4].includes(exports.begin()), "begin answers otherwise");
    run(calls);
    const end = new DataView(bytes.buffer).getUint32(PLAN_AT + 4 * PLAN_FIELDS.indexOf("end"), true);
    check(end > plan.end || kept(), "it writes beyond its end");
    bytes.set(planBytes(plan), PLAN_AT);
    check(exports.begin() === 0, "it does not begin");
    run(calls);
    const from = PLAN_AT + 4 * PLAN_FIELDS.indexOf("begun");
    for (const [at, value] of memory) bytes[from + (at % (plan.stateEnd - from))] = value;
    bytes.fill(0x5a, plan.end);
    if (exports.resume() === 0) run(more);
    else check(exports.push(0, 0, 0) === -1, "it goes on where it does not");
    check(kept(), "it writes beyond its end");
    exports.checksum();
  });
}
