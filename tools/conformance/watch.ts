/**
 * Watches on every runtime: rows are put into the module word by word, and pushed; flags, scores, ranks, templates and checksums of all memory are those of
 * the oracle (test/oracle-watch.ts). Tables are so small that counts are evicted, windows pass and queues go round.
 */
import { sized, watchModule } from "../../host/compile/watch.ts";
import { PLAN_AT, PLAN_FIELDS, planBytes, planOf, type WatchShape } from "../../host/watch/layout.ts";
import { fnv32 } from "../../test/oracle-classify.ts";
import { WatchOracle } from "../../test/oracle-watch.ts";
import { generator } from "../generator.ts";
import { type ModuleCase, moduleDriver } from "./driver-module.ts";
import type { Answer, Step } from "./script.ts";

interface Given {
  readonly row: Uint8Array | readonly number[];
  readonly model?: number;
  readonly verdict?: 0 | 1 | 2;
}

/** Rows of a case, and after how many of them its checksum is asked for. */
const [ROWS, CHECKED] = [64, 16];

const SMALL: WatchShape = {
  ...{
    kind: "lines",
    columns: 0,
    most: 48,
    words: 8,
    cellBits: 6,
    window: 24,
    one: 8,
    warmUp: 12,
    guard: 200,
    delay: 4,
  },
  ...{ gap: 3, kept: 0, period: 40, weight: 1000 },
};

/** Lines of a few kinds, with bytes of any other among them. */
function lines(seed: number): Uint8Array[] {
  const next = generator(seed);
  const draw = (below: number) => Math.floor(next() * below);
  const texts = [
    () => `Mar ${draw(30)} sshd[${draw(9999)}]: session opened for gateway${draw(4)}`,
    () => `kernel: eth${draw(2)} link up, 0x${draw(2 ** 30).toString(16)} ${draw(1000)} Mbps`,
    () => `été ${draw(90)} °C in the cellar`,
    () => Array.from({ length: draw(50) }, () => String.fromCharCode(draw(256))).join(""),
  ];
  return Array.from({ length: ROWS }, (_, i) => {
    const text = texts[i > 20 && draw(9) === 0 ? 3 : draw(3)]!();
    return Uint8Array.from(text, (sign) => sign.charCodeAt(0)).subarray(0, SMALL.most);
  });
}

const EDGES = [Number.NaN, Number.POSITIVE_INFINITY, -3.4028234e38, 3.4028234e38, 1e-45, -1e-40];

function numbers(seed: number): number[][] {
  const next = generator(seed);
  return Array.from({ length: ROWS }, (_, i) => [
    Math.fround(20 + Math.sin(i / 4) + next()),
    i === 40 ? 3.4e38 : i > 50 ? [2e38, -2e38][i % 2]! : Math.floor(3 * next()) + 0.5,
    i % 11 === 10 ? EDGES[Math.floor(next() * EDGES.length)]! : 7,
  ]);
}

const MADE: Readonly<Record<string, () => { shape: WatchShape; rows: readonly Given[] }>> = {
  lines: () => ({ shape: SMALL, rows: lines(1).map((row) => ({ row })) }),
  "lines, with labels and bits of a model": () => ({
    shape: { ...SMALL, cellBits: 3, delay: 0, weight: 750, words: 4 },
    rows: lines(2).map((row, i) => ({ row, model: (i * 577) % 1000, verdict: i % 9 === 8 ? 1 : i % 7 === 6 ? 2 : 0 })),
  }),
  numbers: () => ({
    shape: { ...SMALL, kind: "numbers", columns: 3, most: 0, words: 0, cellBits: 3, kept: 16 },
    rows: numbers(3).map((row) => ({ row })),
  }),
  symbols: () => {
    const next = generator(4);
    const symbol = (i: number) =>
      next() < 0.1 ? `other${Math.floor(next() * 30)}` : ["open", "read", "close"][i % 3]!;
    return {
      shape: { ...SMALL, kind: "symbols", words: 0, most: 8 },
      rows: Array.from({ length: ROWS }, (_, i) => ({ row: new TextEncoder().encode(symbol(i)).subarray(0, 8) })),
    };
  },
};

export const WATCHES = Object.keys(MADE);

/** The sized module, the steps, and what the oracle answers. */
export async function watchCase(name: string): Promise<ModuleCase> {
  const { shape, rows } = MADE[name]!();
  const module = sized(await watchModule(), shape);
  const plan = planOf(shape);
  const settings = planBytes(plan);
  const oracle = new WatchOracle(shape);
  const steps: Step[] = [];
  const wanted: Answer[] = [];
  const call = (answer: number, name: string, ...values: number[]) => {
    steps.push({ do: "call", function: name, arguments: values });
    wanted.push({ values: [answer], seconds: 0 });
  };
  const bytesOf = (row: Given["row"]) =>
    row instanceof Uint8Array ? row : new Uint8Array(Float32Array.from(row).buffer);
  call(-1, "push", 0, 0, 0); // before it has begun
  call(0, "begin");
  call(plan.input, "input");
  for (const [i, { row, model = 0, verdict = 0 }] of rows.entries()) {
    const bytes = bytesOf(row);
    for (let at = 0; at < bytes.length; at += 4) {
      const word = new Uint8Array(4);
      word.set(bytes.subarray(at, at + 4));
      call(0, "put", at, new DataView(word.buffer).getInt32(0, true));
    }
    const { flags, total, score, rank, ranked, template, episodes } = oracle.push(row, model, verdict);
    call(flags, "push", row instanceof Uint8Array ? bytes.length : 0, model, verdict);
    for (const [part, value] of [total, score, rank, ranked, template | 0, episodes].entries())
      call(value, "result", part);
    if (i % CHECKED !== CHECKED - 1) continue;
    call(fnv32(oracle.image(settings.subarray(0, 4 * PLAN_FIELDS.indexOf("begun")), plan)), "checksum");
    call(0, "resume");
  }
  call(-3, "push", shape.most + 1, 0, 0);
  call(-4, "result", 6);
  const driver = () => moduleDriver("watch/device", "scalar", [[PLAN_AT, settings]], plan.end, steps);
  return { module, steps, wanted, driver };
}
