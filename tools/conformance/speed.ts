/**
 * Speed on wasm3, the interpreter that small boards run: tokens a second, instructions a token, and the model's multiply-adds a second
 * beside those of a bare int8 loop of the same size in the same run.
 *   npm run conformance -- --speed
 *
 * Multiply-adds of a token are (r + V) · M: a row of U for each of the r tokens of the window, and the V rows of the decoder. What else
 * a token costs (softmax, attention, the draw) counts as time, and not as work.
 *
 * pywasm3 builds wasm3 with records for backtraces; the same sources without them (examples/firmware) are about a fifth faster.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hiddenWidth, type Shape } from "../../host/shape.ts";
import { onPath } from "../hosts.ts";
import { compileEntry } from "./assembly.ts";
import { Cases, FORMS, type FormName } from "./cases.ts";
import { RUNTIMES, runner } from "./runtimes.ts";
import { type Step, TEXT } from "./script.ts";

const PYTHON = [".venv/bin/python", "tools/conformance/golden.py", "wasm3"] as const;
const MODELS: readonly FormName[] = ["nano", "potato, no learning"];
/** Runs of each: the model's and the loop's take turns, so that both see the same machine. */
const ROUNDS = 5;
/** Tokens before the clock starts: wasm3 compiles a function when it is first called. */
const WARM = 20;
const TIMED = 250;
/** Tokens that instructions are counted over. */
const COUNTED = 60;
/** Goals: tokens a second of nano, and the share of the bare loop's rate. */
const GOAL_TOKENS = 300;
const GOAL_SHARE = 0.5;

type Work = (tokens: number) => Step[];

const wasm3 = RUNTIMES.find(({ name }) => name === "wasm3")!;
if (!wasm3.found()) throw new Error(`needs ${wasm3.needs}`);
const valgrind = onPath("valgrind");
const cases = new Cases();
const folder = mkdtempSync(join(tmpdir(), "saffu-speed-"));

/** Seconds of each step. */
async function seconds(module: string, steps: readonly Step[]): Promise<number[]> {
  const [python, ...words] = PYTHON;
  const { answers } = await runner(python, words, JSON.stringify({ module, weights: null, steps }));
  return answers.map((answer) => answer.seconds);
}

/** Instructions of the whole process. */
async function instructions(module: string, steps: readonly Step[]): Promise<number> {
  const out = join(folder, "callgrind.out");
  const words = ["--quiet", "--tool=callgrind", `--callgrind-out-file=${out}`, ...PYTHON];
  await runner(valgrind!, words, JSON.stringify({ module, weights: null, steps }));
  return Number(readFileSync(out, "utf8").match(/^(?:summary|totals): (\d+)/m)![1]);
}

/** Instructions that `more` times of the work take, once wasm3 has compiled it: the rest of the process cancels out. */
async function instructionsOf(module: string, before: readonly Step[], work: Work, more: number): Promise<number> {
  const once = await instructions(module, [...before, ...work(WARM)]);
  const twice = await instructions(module, [...before, ...work(WARM), ...work(more)]);
  return (twice - once) / more;
}

const call = (name: string, ...values: number[]): Step => ({ do: "call", function: name, arguments: values });

async function loopModule(shape: Shape): Promise<string> {
  const path = join(folder, `matvec-${shape.vocabulary}.wasm`);
  const bytes = await compileEntry({
    model: { shape, options: { learning: false, recall: 0 } },
    build: "scalar",
    sources: { "entry.ts": `export { fill, plain, unrolled } from "./matvec";` },
    memoryBytes: 64 + (shape.vocabulary + 1) * hiddenWidth(shape) + shape.vocabulary * 4,
  });
  writeFileSync(path, bytes);
  return path;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const spread = (values: readonly number[], digits = 0) => {
  const shown = (value: number) => value.toLocaleString("en", { maximumFractionDigits: digits });
  return `${shown(median(values))} (${shown(Math.min(...values))} to ${shown(Math.max(...values))})`;
};

try {
  for (const form of MODELS) {
    const { shape } = (await cases.model(FORMS[form].model)).config;
    const { script } = await cases.case(form, "scalar");
    const text = [...(await cases.model(FORMS[form].model)).tokenizer.encode(TEXT)];
    const works: Record<string, Work> = {
      "scores (feed)": (n) => [{ do: "each", function: "feed", tokens: text.slice(0, n) }],
      "writes (sample, append)": (n) => [{ do: "generate", count: n, temperature: 0.8, topK: 0, topP: 1 }],
      "writes, top-k 40, top-p 0.95": (n) => [{ do: "generate", count: n, temperature: 0.8, topK: 40, topP: 0.95 }],
    };
    const names = Object.keys(works);
    const start = [call("reset"), call("seed", 1)];
    const loop = await loopModule(shape);
    const products = shape.vocabulary * hiddenWidth(shape);
    const macs = (shape.window + shape.vocabulary) * hiddenWidth(shape);
    const times = Math.ceil(2e7 / products);
    const loops: Record<string, Work> = {
      "bare loop": (n) => [call("plain", n)],
      "bare loop, eight products a turn": (n) => [call("unrolled", n)],
    };

    // of works: tokens a second; of loops: multiply-adds a second
    const rates: Record<string, number[]> = {};
    for (const name of [...names, ...Object.keys(loops)]) rates[name] = [];
    for (let round = 0; round < ROUNDS; ++round) {
      for (const name of names) {
        const took = (await seconds(script.module, [...start, ...works[name]!(WARM), ...works[name]!(TIMED)])).at(-1)!;
        rates[name]!.push(TIMED / took);
      }
      for (const [name, work] of Object.entries(loops)) {
        const took = (await seconds(loop, [call("fill"), ...work(1), ...work(times)])).at(-1)!;
        rates[name]!.push((times * products) / took);
      }
    }

    console.log(
      `\n${form}: V ${shape.vocabulary}, M ${hiddenWidth(shape)}, ${macs} multiply-adds a token; ${ROUNDS} rounds`,
    );
    for (const name of names) {
      const rate = rates[name]!;
      const share = (bare: string) => rate.map((value, i) => (100 * value * macs) / rates[bare]![i]!);
      const counted = valgrind
        ? `${Math.round(await instructionsOf(script.module, start, works[name]!, COUNTED)).toLocaleString("en")} instructions a token`
        : "instructions not counted: needs valgrind";
      console.log(`  ${name}: ${spread(rate)} tokens/s; ${counted}`);
      console.log(
        `    ${spread(
          rate.map((value) => (value * macs) / 1e6),
          1,
        )} M multiply-adds/s`,
      );
      for (const bare of Object.keys(loops)) console.log(`    ${spread(share(bare), 1)} % of the ${bare}`);
    }
    for (const [name, work] of Object.entries(loops)) {
      const counted = valgrind
        ? `; ${((await instructionsOf(loop, [call("fill")], work, 20)) / products).toFixed(1)} instructions each`
        : "";
      console.log(
        `  ${name}: ${spread(
          rates[name]!.map((value) => value / 1e6),
          1,
        )} M multiply-adds/s${counted}`,
      );
    }
    const written = median(rates[names[1]!]!);
    const share = median(rates[names[0]!]!.map((value, i) => (value * macs) / rates["bare loop"]![i]!));
    const verdict = (met: boolean) => (met ? "met" : "MISSED");
    if (form === "nano") console.log(`  goal of ${GOAL_TOKENS} tokens/s: ${verdict(written >= GOAL_TOKENS)}`);
    console.log(`  goal of ${100 * GOAL_SHARE} % of the bare loop, scoring: ${verdict(share >= GOAL_SHARE)}`);
  }
} finally {
  cases.remove();
  rmSync(folder, { recursive: true, force: true });
}
