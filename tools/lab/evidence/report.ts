/** results/evidence.md and its plots, from the results alone. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { table } from "../../markdown.ts";
import { ablationText } from "./ablation.ts";
import { codesOf, stands } from "./code.ts";
import { type Finding, Findings, meanOf, number, secondsOf, secondsWithSearch, shown } from "./findings.ts";
import type { Entry } from "./job.ts";
import { SHAPE } from "./kinds/explicit.ts";
import type { Cell } from "./plan.ts";
import { MOST_TOKENS, STEADY } from "./plan.ts";
import { curves, pointsOf, scatter, sizes } from "./plots.ts";
import { estimate } from "./statistics.ts";
import { Store } from "./store.ts";
import { SYSTEMS, type System } from "./systems.ts";
import { boundTable, gapTable, timeTable, verdictTable } from "./verdicts.ts";

/** Where the ablation's results stand, beside the matrix's. */
export function ablationPath(out: string): string {
  return join(out, "ablation.jsonl");
}

/** Writes evidence.md and the plots under `out`. */
export async function writeReport(out: string, cells: readonly Cell[], store: Store): Promise<void> {
  mkdirSync(out, { recursive: true });
  const findings = new Findings(cells, store);
  const ablation = new Store(ablationPath(out)).all();
  const points = pointsOf(findings.all);
  const plots: [string, string, Promise<string>][] = [];
  if (points.length > 0) {
    plots.push(
      ["tokens.svg", "Bits per byte on dev against training tokens", curves(points)],
      ["seconds.svg", "Bits per byte on dev against seconds", scatter(points, "seconds", "seconds of training")],
      ["bytes.svg", "Bits per byte on dev against bytes of the model", scatter(points, "bytes", "bytes")],
    );
  }
  if (ablation.length > 0) plots.push(["ablation.svg", "Bits per byte on dev against parameters", sizes(ablation)]);
  for (const [name, , drawn] of plots) writeFileSync(join(out, name), `${await drawn}\n`);
  const image = (name: string) =>
    plots
      .filter(([file]) => file === name)
      .map(([file, title]) => `![${title}](${file})`)
      .join("");
  writeFileSync(join(out, "evidence.md"), page(findings, ablation, await staleOf(findings, ablation), image));
}

/** Names of systems that other code than this checkout's has measured. */
async function staleOf(findings: Findings, ablation: readonly Entry[]): Promise<string[]> {
  const entries = [...findings.all.flatMap(({ entries, searched }) => [...entries, ...searched]), ...ablation];
  const codes = await codesOf(entries.map(({ job }) => job.system));
  return [...new Set(entries.filter((entry) => !stands(entry, codes(entry.job))).map(({ job }) => job.system))];
}

function page(
  findings: Findings,
  ablation: readonly Entry[],
  stale: readonly string[],
  image: (name: string) => string,
): string {
  const steady = Object.entries(STEADY).map(([axis, budget]) => `${axis} from ${number(budget)}`);
  return `# Evidence

What closed-form fits come to beside back-propagation and beside counting, on the same tokens. This page is written by
\`npm run evidence\` of [the lab](../README.md) from [results.jsonl](results.jsonl) and [ablation.jsonl](ablation.jsonl);
no number in it is typed by hand. What is not measured yet says so.

${stateOf(findings, stale)}

## Verdicts

Claims of the papers ([method](../../../docs/method.md), sources). A difference is explicit, or warm, less the other, in bits per
byte; below zero the claim holds. A claim is reproduced where the 95 % interval is clear of zero at every budget that is measured, in part where it is so
at some; budgets that a verdict does not name are not measured yet. Where it holds against the best of the networks that are measured, and
one is not, it is open.

${verdictTable(findings, ablation)}

Differences, below zero where the first is better, with 95 % intervals (Welch's; where one side has one seed, Student's, which takes its spread for the other's):

${gapTable(findings)}

Ratios of bits per byte, by tokens of training text, and what this project wants to reach at the largest:

${boundTable(findings)}

## Results

Mean and 95 % interval (Student's t) over seeds; what has no seed ran once. Lowest dev figure of a column in bold. "Recency": with
history attention, or for what counts a cache of the same ${number(SHAPE.history)} tokens, whose weights follow the text as the mixture does; networks have none beside their own context. "With search" adds
the training time of everything that the search on dev tried.

${findings.budgets.map((budget) => `### ${number(budget)} tokens\n\n${budgetTable(findings.all.filter(({ cell }) => cell.budget === budget))}`).join("\n\n")}

${image("tokens.svg")}

### Quality and time

The closed form, and back-propagation from it or from a random start: seconds of one training with the chosen options, and with all
that the search for them ran at that budget.

${timeTable(findings)}

${image("seconds.svg")}

### Quality and size

${image("bytes.svg")}

## What the search chose

The options with the fewest bits per byte on dev, at seed 1. An asterisk: a number at an end of its grid, so a wider one might find
better.

${choiceTable(findings.all)}

## Ablation

\`npm run ablation\` of the lab: networks alone, without history attention, over window × groups and units × bits × passes.

${ablationText(ablation)}

${image("ablation.svg")}

## How it is measured

| | |
| --- | --- |
| text | the first words of train of the bench corpus (\`tools/lab/corpora/gutenberg.ts\`) that come to the budget; dev: ends of the same books; test: two unseen books |
| tokens | BPE, V 1024, trained on the budget's own words; every system reads the same tokens |
| bits per byte | Σ −log2 p of all tokens of a split, over the bytes of its text; each book from an empty context |
| explicit, warm, cold | scored by the device kernel: O in int8, U in 4 bits |
| Kneser-Ney | interpolated, modified; a trie of 16-bit probabilities, 4 bytes an n-gram of the highest order and 10 of the others |
| pruned Kneser-Ney | relative entropy, history probabilities from raw counts; bit-packed trie, 8-bit probabilities and back-off weights, scored as quantised (\`tools/lab/baselines/pruned.ts\`) |
| naive Bayes | one layer of the plain formula, one-hot, smoothed; mass and block chosen on dev (\`tools/lab/baselines/naive-bayes.ts\`) |
| plain formula | \`saffu fit --targets cipher --passes 0\`: the paper's label-cipher targets, no passes of iterative scaling |
| networks | JAX, AdamW, parameters equal to the network's within 5 %, early stopping on a 20,000-token share of dev, rate cut twice (\`tools/lab/baselines/neural.py\`) |
| contexts | feed-forward 4 tokens; transformer 64 to 128 (windows overlap by half); LSTM everything since the book's start |
| bytes of a network | one a weight: what int8 would cost it is granted, not measured |
| seconds | training alone, on 2 cores shared with other work, without compiling kernels or jitting; they are of that machine and moment |
| peak memory | of the whole process at the end of training, with its runtime (Node, or Python and JAX) |
| search | at the smallest budget one axis after the other over its whole grid, each from the best so far; at a larger one every axis from what the next smaller budget chose: that and, of numbers, its two neighbours in the grid, and on from there for as long as the best is at an end; ${steady.join(", ")} tokens on stay as they were chosen, all options of ${settledTexts()}, but for ${lessTexts()}; ${chosenTexts()} have what was found beside the matrix ([tuning](../../../docs/tuning.md); no time with search counts it), as the smaller budgets, where tuning gains nothing, tell nothing of them; of epochs, those that come to at most ${number(MOST_TOKENS)} tokens read |
| seeds | 5; of what takes long ${seedTexts()} |
| stale results | results of a saffu model stand for as long as a probe of its options on 3,000 tokens comes to the same weights and scores (those without history attention and those with it each for themselves), and the settings that follow from the amount of text stay; of the others, as long as their sources stay as they are (\`tools/lab/evidence/code.ts\`) |
| selection | options are chosen on dev with seed 1, so dev flatters what was searched; test was not looked at |

## Doing it again

\`\`\`sh
cd tools/lab
npm run baselines                              # Python environment of the networks; without it they are skipped by name
npm run evidence                               # what is missing of the matrix; can be killed, goes on where it was
npm run evidence -- --budget 10000 --only kneser
npm run evidence -- --stale                    # again what other code than today's has measured
npm run evidence -- --quick                    # two minutes, under tools/lab/build/
npm run ablation -- --tokens 100000 --limit 40   # --stale: again what other code has measured
\`\`\`
`;
}

/** Which systems have fewer seeds, how many, and from which budget on. */
function seedTexts(): string {
  const counts = [...new Set(SYSTEMS.flatMap(({ seedsFrom = {} }) => Object.values(seedsFrom)))].sort((a, b) => b - a);
  const texts = counts.map((count) => {
    const from = ({ seedsFrom = {} }: System) =>
      Object.keys(seedsFrom)
        .map(Number)
        .find((tokens) => seedsFrom[tokens] === count);
    return `${count}: ${fromTexts(from).join("; ")}`;
  });
  return texts.join("; of some ");
}

/** Which systems are not searched any more, and from which budget on. */
function settledTexts(): string {
  return fromTexts(({ settledFrom }) => settledFrom).join(" and of ");
}

/** Which axes of settled systems are searched for less, and at which budget. */
function lessTexts(): string {
  const axes = [...new Set(SYSTEMS.flatMap(({ lessAt = {} }) => Object.keys(lessAt)))];
  const texts = axes.flatMap((axis) => fromTexts(({ lessAt }) => lessAt?.[axis], "at").map((of) => `${axis} of ${of}`));
  return `${texts.join(", ")}, where less is tried, and less again for as long as it is better`;
}

/** Which systems have options that no search of the matrix chose, and from which budget on. */
function chosenTexts(): string {
  return fromTexts(({ chosenFrom = {} }) => Object.keys(chosenFrom).map(Number).at(0)).join(" and those of ");
}

/** Systems by a budget that they name, the smallest first. */
function fromTexts(budgetOf: (system: System) => number | undefined, how: "from" | "at" = "from"): string[] {
  const budgets = [...new Set(SYSTEMS.flatMap((system) => budgetOf(system) ?? []))].sort((a, b) => a - b);
  const names = (budget: number) => SYSTEMS.filter((system) => budgetOf(system) === budget).map(({ name }) => name);
  return budgets.map(
    (budget) => `${names(budget).join(", ")} ${how} ${number(budget)} tokens${how === "from" ? " on" : ""}`,
  );
}

/** How much of the matrix is there, by budget. */
function stateOf(findings: Findings, stale: readonly string[]): string {
  const budgets = [...new Set(findings.all.map(({ cell }) => cell.budget))];
  const rows = budgets.map((budget) => {
    const cells = findings.all.filter(({ cell }) => cell.budget === budget);
    const missing = cells.filter(({ next }) => next.length > 0).map(({ cell }) => cell.system.name);
    const names = missing.length === cells.length ? "all" : missing.join(", ");
    return [number(budget), `${cells.length - missing.length} of ${cells.length}`, names];
  });
  return `${table(["tokens", "systems measured in full", "not yet"], rows, true)}${
    stale.length > 0 ? `\n\nMeasured by other code than this checkout's: ${stale.join(", ")}.` : ""
  }`;
}

function budgetTable(all: readonly Finding[]): string {
  const known = all.filter(({ entries }) => entries.length > 0);
  const dev = ({ entries }: Finding, form: "alone" | "recency") =>
    entries.some(({ result }) => result[form] === undefined)
      ? Number.NaN
      : meanOf(entries, ({ result }) => result[form]!.dev);
  const least = {
    alone: Math.min(...known.map((finding) => dev(finding, "alone"))),
    recency: Math.min(...known.map((finding) => dev(finding, "recency")).filter((value) => !Number.isNaN(value))),
  };
  const cell = (finding: Finding, form: "alone" | "recency", split: "dev" | "test") => {
    if (Number.isNaN(dev(finding, form))) return "–";
    const text = shown(estimate(finding.entries.map(({ result }) => result[form]![split])));
    return split === "dev" && dev(finding, form) === least[form] ? `**${text}**` : text;
  };
  const rows = known.map((finding) => {
    const { cell: of, entries } = finding;
    return [
      of.system.title,
      String(entries.length),
      cell(finding, "alone", "dev"),
      cell(finding, "alone", "test"),
      cell(finding, "recency", "dev"),
      cell(finding, "recency", "test"),
      shown(secondsOf(finding), 2),
      secondsWithSearch(finding).toFixed(2),
      number(meanOf(entries, ({ result }) => result.peakMemoryBytes) / 1e6),
      number(meanOf(entries, ({ result }) => result.bytes)),
      number(meanOf(entries, ({ result }) => result.parameters)),
    ];
  });
  const headers = ["", "seeds", "dev", "test", "dev, recency", "test, recency"];
  return table([...headers, "seconds", "with search", "peak MB", "bytes", "parameters or n-grams"], rows);
}

/** What each searched system came to at each budget. */
function choiceTable(all: readonly Finding[]): string {
  const rows = all.flatMap(({ cell: { system, budget }, chosen }) => {
    const axes = Object.entries(system.axes).filter(([, values]) => values.length > 1);
    if (chosen === undefined || axes.length === 0) return [];
    const options = axes.map(([axis, values]) => {
      const numbers = values.filter((value) => typeof value === "number");
      const value = chosen[axis]!;
      const end = numbers.length > 2 && (value === Math.min(...numbers) || value === Math.max(...numbers));
      return `${axis} ${value}${end ? "*" : ""}`;
    });
    return [[system.title, number(budget), options.join(", ")]];
  });
  return table(["", "tokens", "chosen"], rows, true);
}
