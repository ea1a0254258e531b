/**
 * What a fit costs, and what it is worth: `npm run fitting --prefix tools/lab -- [--tokens 100000,300000] [--shape 13x8] [--seeds 1,2,3] [--adam]`.
 * CPU seconds of the solving phases (groups and iterative scaling, one thread), with predictions estimated and with all of them computed
 * (`exact`), and of one run of Adam from random weights; bits per byte of the network in f32 on dev and test of the bench corpus, and on a
 * third text that no setting was chosen on. `--threads` compares one thread with two instead. The runs of a row are made in turn.
 */
import { parseArgs } from "node:util";
import { compileSolver } from "../../host/compile/compile.ts";
import { fitGroups } from "../../host/fit/groups.ts";
import { type RecipeOptions, recipeOf, shapeOf } from "../../host/fit/recipe.ts";
import { fitScaling } from "../../host/fit/scaling.ts";
import { settingsOf } from "../../host/fit/settings.ts";
import { Solver } from "../../host/fit/solver.ts";
import { runSteps } from "../../host/fit/steps.ts";
import { evaluated, separated } from "../../host/fit/text.ts";
import type { Shape } from "../../host/shape.ts";
import { byteTokenizer, type Tokenizer } from "../../host/tokenizer/index.ts";
import { trainTokenizer } from "../../host/tokenizer/train.ts";
import { domains } from "./corpora/domains.ts";
import { benchCorpus } from "./corpora/gutenberg.ts";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "100000" },
    shape: { type: "string", default: "potato" },
    vocabulary: { type: "string" },
    seeds: { type: "string", default: "1,2,3" },
    passes: { type: "string" },
    adam: { type: "boolean", default: false },
    threads: { type: "boolean", default: false },
    exact: { type: "boolean", default: true },
  },
  allowNegative: true,
});

/** Networks alone: shapes of profiles, or so many groups of so many units over the last two tokens. */
function shapeNamed(name: string): RecipeOptions {
  const plain = /^(\d+)x(\d+)$/.exec(name);
  if (plain === null) return { profile: name as "potato" };
  const [groups, units] = [Number(plain[1]), Number(plain[2])];
  return { profile: "potato", groups, units, windowAttention: false, documentGroups: 0, weightBits: 8 };
}

interface HeldOut {
  readonly name: string;
  readonly tokens: Uint16Array;
  readonly bytes: number;
}

interface Run {
  readonly cpu: number;
  readonly seconds: number;
  readonly bits: readonly number[];
  readonly passes: number;
}

const numbers = (list: string) => list.split(",").map(Number);
const encoder = new TextEncoder();
const corpus = benchCorpus();
const train = encoder.encode(corpus.train);
const options: RecipeOptions = {
  ...shapeNamed(values.shape),
  history: 0,
  ...(values.vocabulary !== undefined && { vocabulary: Number(values.vocabulary) }),
  ...(values.passes !== undefined && { passes: Number(values.passes) }),
};
const { vocabulary } = shapeOf(options);
const tokenizer = vocabulary === 256 ? byteTokenizer() : await trainTokenizer([train], { vocabulary });
const shape = shapeOf({ ...options, vocabulary: tokenizer.vocabularySize });
const heldOut = await Promise.all(
  Object.entries({ dev: corpus.dev, test: corpus.test, third: domains() }).map(([name, books]) =>
    held(
      name,
      // a quarter of each is enough to tell thousandths
      books.map(({ text }) => encoder.encode(text.slice(0, Math.ceil(text.length / 4)))),
      tokenizer,
      shape,
    ),
  ),
);

console.log(
  `${values.shape}, V ${shape.vocabulary}; CPU seconds of solving, bits per byte of dev, test and a third text\n`,
);
console.log(
  values.threads
    ? "| tokens | one thread, s | two threads, s | × |\n| ---: | ---: | ---: | ---: |"
    : "| tokens | system | passes | CPU s | × | dev | test | third |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
);
for (const tokens of numbers(values.tokens)) {
  const text = tokenizer.encode(train.subarray(0, tokens * 8)).slice(0, tokens);
  const runs: Record<string, Run[]> = {};
  const add = (name: string, run: Run) => {
    runs[name] = [...(runs[name] ?? []), run];
  };
  for (const seed of numbers(values.seeds)) {
    if (values.threads) {
      for (const threads of [1, 2]) add(`${threads}`, await explicit(text, { ...options, seed }, threads));
      continue;
    }
    add("default", await explicit(text, { ...options, seed }));
    if (values.exact) add("exact", await explicit(text, { ...options, seed, exact: true }));
    if (values.adam) add("Adam, cold", await cold(text, seed));
  }
  const seconds = (name: string, which: "cpu" | "seconds") => median(runs[name]!.map((run) => run[which]));
  if (values.threads) {
    const [one, two] = [seconds("1", "seconds"), seconds("2", "seconds")];
    console.log(`| ${text.length} | ${one.toFixed(1)} | ${two.toFixed(1)} | ${(one / two).toFixed(2)} |`);
    continue;
  }
  for (const [name, list] of Object.entries(runs)) {
    const means = heldOut.map((_, i) => list.reduce((sum, { bits }) => sum + bits[i]!, 0) / list.length);
    const cpu = seconds(name, "cpu");
    const ratio = (cpu / seconds("default", "cpu")).toFixed(1);
    console.log(
      `| ${text.length} | ${name} | ${list[0]!.passes} | ${cpu.toFixed(1)} | ${ratio} | ${means.map((bits) => bits.toFixed(4)).join(" | ")} |`,
    );
  }
}

async function held(name: string, texts: readonly Uint8Array[], by: Tokenizer, of: Shape): Promise<HeldOut> {
  const tokens = await separated(texts, by, of.window);
  return { name, tokens, bytes: texts.reduce((sum, text) => sum + text.length, 0) };
}

function median(all: readonly number[]): number {
  return [...all].sort((a, b) => a - b)[all.length >> 1]!;
}

async function start(text: Uint16Array, threads: number): Promise<Solver> {
  const wasm = await compileSolver(shape, "simd", threads > 0);
  const length = text.length + heldOut.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const solver = await Solver.start(wasm, shape, length, threads);
  const places = solver.view(Uint16Array, "TOKENS", length);
  let at = 0;
  for (const part of [text, ...heldOut.map(({ tokens }) => tokens)]) {
    places.set(part, at);
    at += part.length;
  }
  return solver;
}

/** Runs `solve`, then scores the held-out texts, which stand behind the text. */
async function measured(
  text: Uint16Array,
  passes: number,
  threads: number,
  solve: (solver: Solver) => Promise<void>,
): Promise<Run> {
  const solver = await start(text, threads);
  try {
    const before = process.cpuUsage();
    const from = performance.now();
    await solve(solver);
    const seconds = (performance.now() - from) / 1000;
    const { user, system } = process.cpuUsage(before);
    let at = text.length;
    const bits: number[] = [];
    for (const { tokens, bytes } of heldOut) {
      let sum = 0;
      for await (const count of evaluated(solver, tokens, at, undefined)) {
        for (const p of solver.view(Float32Array, "LIKELIHOOD", count)) sum -= Math.log2(p);
      }
      bits.push(sum / bytes);
      at += tokens.length;
    }
    return { cpu: (user + system) / 1e6, seconds, bits, passes };
  } finally {
    await solver.stop();
  }
}

function explicit(text: Uint16Array, asked: RecipeOptions, threads = 0): Promise<Run> {
  const recipe = recipeOf(asked, text.length, shape);
  const settings = settingsOf(recipe, text.length);
  return measured(text, recipe.scaling.passes, threads, async (solver) => {
    await solver.configure(settings);
    await fitGroups(solver, shape, recipe, settings, {});
    await fitScaling(solver, shape, recipe, settings, {});
  });
}

/** Epochs and rate as the evidence chose them for these budgets: the more text, the fewer. */
function cold(text: Uint16Array, seed: number): Promise<Run> {
  const epochs = text.length < 300_000 ? 10 : 3;
  const steps = Math.ceil(text.length / 256) * epochs;
  return measured(text, epochs, 0, async (solver) => {
    await solver.configure({ places: text.length });
    await solver.once("count");
    await solver.configure({ places: text.length, seed, batch: 256, steps, learningRate: 0.003, warmUp: 100 });
    await solver.once("initialise", seed, 0);
    await solver.once("begin");
    await runSteps(solver, "tuneSteps", "tune", [0, steps], steps, {});
  });
}
