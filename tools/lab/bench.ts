/**
 * The project's figures, measured in one run and printed as ratios against a reference in the same run: `npm run bench --prefix tools/lab`.
 * `-- --words 100000` for a smaller one. Absolute times are of this machine and this moment.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import type { FitReport } from "../../host/fit/fit.ts";
import { fit, load } from "../../host/index.ts";
import { withoutAttention } from "../variants.ts";
import { benchCorpus, firstWords } from "./corpora/gutenberg.ts";
import { learningFigures } from "./figures/learning.ts";
import { baselineFigures, type Figure, figureTable, modelFigure, ORDERS } from "./figures/quality.ts";
import { inRoot, ROOT } from "./paths.ts";

const { values } = parseArgs({ options: { words: { type: "string", default: "1000000" } } });
const corpus = benchCorpus();
const words = Number(values.words);
const text = firstWords(corpus.train, words);
const folder = mkdtempSync(join(tmpdir(), "saffu-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

execFileSync(process.execPath, ["tools/build.mjs"], { cwd: ROOT });
console.log(`# saffu bench, the first ${words.toLocaleString("en")} words of train\n`);
await speed();
await quality();
await smallData();
sizes();
generation();
await learningFigures(corpus.test[0]!);
if (words >= 1_000_000) await import("./adaptation.ts"); // minutes

/** Tokens a second of each phase, threads, time against tokens, the whole command. */
async function speed(): Promise<void> {
  console.log("## Fitting\n");
  const path = join(folder, "train.txt");
  writeFileSync(path, text);
  const command = JSON.parse(
    cli("fit", path, "--out", join(folder, "potato"), "--profile", "potato", "--threads", "2", "--json"),
  );
  console.log(
    `whole command: ${command.seconds.toFixed(1)} s (bound 180), peak memory ${(command.peakMemoryBytes / 1e6).toFixed(0)} MB (bound 200), ${command.tokens} tokens`,
  );
  const sample = new TextEncoder().encode(firstWords(corpus.train, Math.min(words, 100_000)));
  const rate = async (threads: number, build: "simd" | "scalar" = "simd") => {
    const { report } = await fit(() => [sample], { profile: "potato", threads, build, passes: 2 });
    return rates(report);
  };
  const one = await rate(1);
  const two = await rate(2);
  console.log("\n| 100,000 words | groups, tokens/s | iterative scaling, tokens/s |\n| --- | ---: | ---: |");
  console.log(`| one thread | ${round(one.groups)} | ${round(one.scaling)} |`);
  console.log(`| two threads | ${round(two.groups)} | ${round(two.scaling)} |`);
  console.log(`| bound, a thread | 150000 | 20000 |`);
  console.log(
    `\ntwo threads over one: groups ${(two.groups / one.groups).toFixed(2)}, scaling ${(two.scaling / one.scaling).toFixed(2)} (bound 1.7)`,
  );
  console.log("\n| words | tokens | groups and scaling, µs a token and pass |\n| ---: | ---: | ---: |");
  for (const n of [4500, 45_000, 450_000].filter((n) => n <= words)) {
    const bytes = new TextEncoder().encode(firstWords(corpus.train, n));
    const { report } = await fit(() => [bytes], { profile: "potato", threads: 2, passes: 2 });
    const seconds = report.seconds.groups / report.recipe.groups.passes + report.seconds.scaling / 2;
    console.log(`| ${n} | ${report.trainTokens} | ${((seconds / report.trainTokens) * 1e6).toFixed(1)} |`);
  }
}

function rates({ recipe, trainTokens, seconds, shape }: FitReport): { groups: number; scaling: number } {
  const fitted = trainTokens - recipe.mixture.tokens;
  return {
    // one head's pass over the text, as every head makes its own
    groups: (fitted * recipe.groups.passes * shape.groups) / seconds.groups,
    scaling: (fitted * recipe.scaling.passes) / seconds.scaling,
  };
}

/** Bits per byte of the fitted potato, and of the baselines over the same tokens. */
async function quality(): Promise<void> {
  console.log("\n## Held-out bits per byte\n");
  const heldOut = corpus.dev.map(({ text }) => new TextEncoder().encode(text));
  const bytes = new TextEncoder().encode(text);
  const { files, report } = await fit(() => [bytes], { profile: "potato", heldOut });
  const model = await load(files);
  const config = readFileSync(join(folder, "potato", "config.json"));
  const same = config.equals(files.get("config.json")!);
  console.log(`fitted twice, by the command and by the library: ${same ? "the same digests" : "DIFFERENT digests"}\n`);
  const train = model.tokenizer.encode(text);
  const network = await modelFigure("potato, its network alone", await withoutAttention(files), corpus);
  const devBytes = heldOut.reduce((sum, book) => sum + book.length, 0);
  const floatDev = report.heldOutBits / devBytes;
  const whole = await modelFigure("potato", files, corpus);
  const baselines = baselineFigures(train, model.tokenizer, corpus, model.config.shape.history);
  console.log(figureTable([whole, ...baselines.cached, network, ...baselines.alone]));
  console.log(`\nthe network in f32 (U rounded), dev: ${floatDev.toFixed(4)}; as stored: ${network.dev.toFixed(4)}`);
  const of = (name: string) => [...baselines.cached, ...baselines.alone].find((figure) => figure.name === name)!;
  const bigram = of("Kneser-Ney 2");
  const trigram = of("Kneser-Ney 3");
  console.log("\n| ratio | is | bound |\n| --- | ---: | ---: |");
  ratio("network ÷ Kneser-Ney 2, dev", network.dev / bigram.dev, "0.95 (stretch 0.93)");
  ratio("as stored ÷ f32 after the rounding of U, dev", network.dev / floatDev, "1.005");
  ratio("potato ÷ Kneser-Ney 2, dev", whole.dev / bigram.dev, "0.96");
  ratio("potato ÷ Kneser-Ney 3, test", whole.test / trigram.test, "1.00");
  const fivegram = of("Kneser-Ney 5");
  ratio("potato ÷ Kneser-Ney 5, test", whole.test / fivegram.test, "1.00");
  ratio("potato ÷ Kneser-Ney 5, dev", whole.dev / fivegram.dev, "–");
  const { history } = model.config.shape;
  for (const order of ORDERS) {
    const cached = of(`Kneser-Ney ${order}, cache of ${history.toLocaleString("en")}`);
    ratio(`potato ÷ Kneser-Ney ${order} with that cache, test`, whole.test / cached.test, "–");
  }
}

/** 20,000 tokens: the explicit fit against the trigram of the same tokens. */
async function smallData(): Promise<void> {
  console.log("\n## 20,000 tokens of train\n");
  const bytes = new TextEncoder().encode(firstWords(corpus.train, 9500));
  const { files, tokenizer, report } = await fit(() => [bytes], { profile: "potato", groups: 8, units: 16 });
  const { cached, alone } = baselineFigures(tokenizer.encode(bytes), tokenizer, corpus, 1024);
  const figures: Figure[] = [
    await modelFigure("8 groups of 16, network alone", await withoutAttention(files), corpus),
    await modelFigure("with history attention", files, corpus),
    ...cached,
    ...alone,
  ];
  console.log(`${report.trainTokens} tokens\n\n${figureTable(figures)}\n`);
  const trigram = figures.find(({ name }) => name === "Kneser-Ney 3")!;
  console.log("| ratio | is | bound |\n| --- | ---: | ---: |");
  ratio("network ÷ Kneser-Ney 3, dev", figures[0]!.dev / trigram.dev, "1.00");
  ratio("potato ÷ Kneser-Ney 3, dev", figures[1]!.dev / trigram.dev, "–");
}

function sizes(): void {
  console.log("\n## Sizes\n\n| | bytes | bound |\n| --- | ---: | ---: |");
  for (const build of ["scalar", "simd"]) {
    const { size } = statSync(join(folder, "potato", `kernel.${build}.wasm`));
    console.log(`| potato kernel, ${build}, without weights | ${size} | ${build === "scalar" ? 12288 : "–"} |`);
  }
  console.log(`| potato weights | ${statSync(join(folder, "potato", "model.safetensors")).size} | 300000 |`);
  console.log(
    `| host for browsers, gzipped | ${gzipSync(readFileSync(inRoot("dist/browser.js")), { level: 9 }).length} | 20480 |`,
  );
}

/** A process from its start: how long to the first token after load begins, and tokens a second. */
function generation(): void {
  console.log("\n## Generating\n");
  const runs = Array.from({ length: 5 }, () =>
    JSON.parse(cli("generate", join(folder, "potato"), "--prompt", "It was", "--max-tokens", "2000", "--json")),
  );
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  console.log(
    `first token ${median(runs.map((run) => run.firstTokenMs)).toFixed(0)} ms after the load begins (bound 50), ${round(median(runs.map((run) => run.tokensPerSecond)))} tokens/s (medians of ${runs.length})`,
  );
}

function cli(...words: string[]): string {
  return execFileSync(process.execPath, [inRoot("dist/cli.js"), ...words], { encoding: "utf8" });
}

function ratio(name: string, value: number, bound: string): void {
  console.log(`| ${name} | ${value.toFixed(3)} | ${bound} |`);
}

function round(value: number): string {
  return String(Math.round(value));
}
