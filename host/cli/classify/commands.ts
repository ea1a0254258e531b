/** The commands below `saffu classify`. What they do is loaded when one is called. */
import type { Command } from "commander";
import * as parse from "../options.ts";

const DATA = "CSV with a header, NDJSON or IDX; - is standard input";
const ON_BAD = "what becomes of a row that is none: stop, or skip and count it (default: stop)";

export function addClassify(classify: Command): void {
  const rows = (command: Command): Command =>
    command
      .option("--format <name>", "csv, ndjson or idx (default: by the name, or csv)")
      .option("--labels <file>", "with IDX: the file of labels", parse.path)
      .option("--on-bad <what>", ON_BAD)
      .option("--json", "print the report as JSON");
  const run = () => import("./run.ts");

  rows(
    classify
      .command("fit")
      .description("fit a classifier to DATA and write it to a directory")
      .argument("<data>", DATA)
      .requiredOption(
        "--out <dir>",
        "directory to write; a classifier there is replaced, with all that it has learned",
        parse.path,
      )
      .option("--label <column>", "the column with the label (of IDX: --labels)")
      .option("--kind <name>", "table, lines, series, image or features (default: table, of IDX image)")
      .option("--text <column>", "of lines: the column with the text")
      .option("--size <WxH>", "of images in rows: their size (default: a square)")
      .option("--channels <n>", "of series: channels, one behind the other (default: 1)", parse.integer)
      .option(
        "--categorical <columns>",
        "of tables: columns that are categories, separated by commas (default: those with words, where no cell is a number)",
      )
      .option("--features <n>", "of features: how many there are", parse.integer)
      .option("--hidden <GxU>", "a hidden layer: groups x units of a group, a multiple of 4, as 8x16 (default: none)")
      .option("--exact <form>", "learn and forget exactly: counts, base or ridge (default: none)")
      .option("--bytes <n>", "most bytes; of the sizes that fit, the best on held-out rows is taken", parse.bytes)
      .option("--weight-bits <n>", "bits of a weight, 8 or 4 (default: 4; of counts and ridge 8)", parse.integer)
      .option("--passes <n>", "passes over the rows, 1 to 1000 (default: 4, of at most 5000 rows 10)", parse.integer)
      .option("--seed <n>", "same seed and rows, same files (default: 1)", parse.integer),
  )
    .addHelpText(
      "after",
      "\nExample:\n  saffu classify fit sensors.csv --label state --bytes 20k --exact base --out models/state",
    )
    .action(async (data, options) => (await run()).fit(data, options));

  rows(
    classify
      .command("eval")
      .description("classify DATA that has labels: how many are right, bits, recall and precision of each label")
      .argument("<dir>", "directory of a classifier")
      .argument("<data>", DATA),
  )
    .addHelpText("after", "\nExample:\n  saffu classify eval models/state test.csv --json")
    .action(async (directory, data, options) => (await run()).evaluate(directory, data, options));

  rows(
    classify
      .command("predict")
      .description("classify DATA: a line of JSON a row, with label, probability and surprisal")
      .argument("<dir>", "directory of a classifier")
      .argument("<data>", DATA),
  )
    .addHelpText("after", "\nExample:\n  saffu classify predict models/state new.csv")
    .action(async (directory, data, options) => (await run()).predict(directory, data, options));

  for (const [verb, what] of [
    ["observe", "add DATA to the sums of DIR, which changes in place"],
    ["forget", "take DATA, observed before, out of the sums of DIR again, to the last bit"],
  ] as const) {
    rows(
      classify
        .command(verb)
        .description(what)
        .argument("<dir>", "directory of a classifier that was fitted with --exact")
        .argument("<data>", DATA),
    )
      .addHelpText(
        "after",
        `\nPredictions change with the next refit.\n\nExample:\n  saffu classify ${verb} models/state monday.csv`,
      )
      .action(async (directory, data, options) => (await run()).learn(verb, directory, data, options));
  }

  for (const [verb, what] of [
    ["merge", "add what other devices observed to the sums of DIR"],
    ["unmerge", "take sums that were merged out of those of DIR again, to the last bit"],
  ] as const) {
    classify
      .command(verb)
      .description(what)
      .argument("<dir>", "directory of a classifier that was fitted with --exact")
      .argument("<statistics...>", "statistics files, or directories that hold one, of the same fit")
      .requiredOption("--out <dir>", "directory to write; may be DIR", parse.path)
      .option("--json", "print the report as JSON")
      .addHelpText("after", `\nExample:\n  saffu classify ${verb} models/state kitchen cellar --out models/all`)
      .action(async (directory, statistics, options) => (await run()).merge(verb, directory, statistics, options));
  }

  classify
    .command("refit")
    .description("solve DIR's classifier from its sums")
    .argument("<dir>", "directory of a classifier that was fitted with --exact")
    .requiredOption("--out <dir>", "directory to write; may be DIR", parse.path)
    .option("--pseudo-counts <n>", "what the solution is smoothed by (default: as at the fit)", parse.number)
    .option(
      "--step <n>",
      "step of scaling over active features, or what scores are multiplied by (default: as at the fit)",
      parse.number,
    )
    .option("--json", "print the report as JSON")
    .addHelpText("after", "\nExample:\n  saffu classify refit models/state --out models/state")
    .action(async (directory, options) => (await run()).refit(directory, options));

  classify
    .command("compile")
    .description("make DIR one WebAssembly module without imports, for boards and other hosts")
    .argument("<dir>", "directory of a classifier")
    .requiredOption("--out <file>", "file to write or replace", parse.path)
    .option("--target <name>", "wasm, or c-header: as a C array, with labels (default: wasm)")
    .option("--build <name>", "scalar (WebAssembly MVP) or simd (default: scalar)")
    .option("--learning", "with observe, forget, merge and refit, and the sums that are there")
    .option("--json", "print sizes as JSON")
    .addHelpText("after", "\nExample:\n  saffu classify compile models/state --target c-header --out state.h")
    .action(async (directory, options) => (await run()).compile(directory, options));
}
