#!/usr/bin/env node
/** The `saffu` command. Each subcommand is a file of its own, loaded when it is called. */
import { Command, CommanderError } from "commander";
import { SaffuError } from "../errors.ts";
import { EXIT_HELP, report } from "./exit.ts";
import * as parse from "./options.ts";

/** Set by the build, from package.json. */
declare const SAFFU_VERSION: string | undefined;

const json = process.argv.includes("--json");

const program = new Command("saffu")
  .description("Language models fitted in closed form, without back-propagation.")
  .version(typeof SAFFU_VERSION === "string" ? SAFFU_VERSION : "unbuilt")
  .exitOverride()
  .configureOutput({ outputError: () => {} }) // errors are printed below
  .addHelpText("afterAll", EXIT_HELP);

program
  .command("fit")
  .description("fit a model to TEXT and write it to a directory")
  .argument("<text...>", "files to read, in order; - is standard input")
  .requiredOption("--out <dir>", "directory to write; a model that stands there is replaced")
  .option("--profile <name>", "shape to start from: nano, potato or base", "potato")
  .option("--vocab <n>", "vocabulary size, a multiple of 8; 256 means bytes", parse.integer)
  .option("--bits <n>", "bits of the input cipher; as many as the vocabulary means one-hot", parse.integer)
  .option("--block <n>", "tokens the block context sees", parse.integer)
  .option("--heads <n>", "label heads", parse.integer)
  .option("--classes <n>", "classes a head", parse.integer)
  .option("--radial <n>", "tokens self-attention sees; 0 for none", parse.integer)
  .option("--orders <n>", "highest order of self-attention, 1 to 4", parse.integer)
  .option("--decoder <name>", "softmax or mixture")
  .option("--passes <n>", "residual passes; 0 leaves the plain explicit decoder", parse.integer)
  .option("--targets <name>", "hidden targets: responsibility or cipher")
  .option("--positions <name>", "weights of the block's positions: decay or newton")
  .option("--seed <n>", "same seed and text, same files (default: 1)", parse.integer)
  .option("--threads <n>", "worker threads; the result does not depend on it", parse.integer)
  .option("--json", "print the report as JSON")
  .addHelpText("after", "\nExample:\n  saffu fit book.txt --out models/book --profile potato")
  .action(async (texts, options) => (await import("./fit.ts")).run(texts, options));

program
  .command("eval")
  .description("score TEXT: bits per byte, perplexity")
  .argument("<dir>", "model directory")
  .argument("<text...>", "files to read, in order, as one text; - is standard input")
  .option("--flavour <name>", "kernel to run: scalar or simd")
  .option("--json", "print the figures as JSON")
  .addHelpText("after", "\nExample:\n  saffu eval models/potato-en chapter.txt --json")
  .action(async (directory, texts, options) => (await import("./eval.ts")).run(directory, texts, options));

program
  .command("generate")
  .description("continue a prompt, streaming")
  .argument("<dir>", "model directory")
  .option("--prompt <text>", "text to continue", "")
  .option("--max-tokens <n>", "most tokens to generate (default: 256)", parse.integer)
  .option("--temperature <t>", "0 takes the likeliest token (default: 0.8)", parse.number)
  .option("--top-k <k>", "keep the k likeliest tokens; 0 keeps all (default: 0)", parse.integer)
  .option("--top-p <p>", "keep the likeliest tokens that reach this probability (default: 1)", parse.number)
  .option("--seed <n>", "same seed, same text (default: 1)", parse.integer)
  .option("--stop <text>", "end before this text; may be given again", parse.collect)
  .option("--flavour <name>", "kernel to run: scalar or simd")
  .option("--json", "print {text, tokens, tokensPerSecond, loadMs, firstTokenMs} at the end in place of streaming")
  .addHelpText("after", '\nExample:\n  saffu generate models/potato-en --prompt "It was" --max-tokens 60 --seed 7')
  .action(async (directory, options) => (await import("./generate.ts")).run(directory, options));

program
  .command("info")
  .description("shape, parameters, bytes and digests of a model")
  .argument("<dir>", "model directory")
  .option("--json", "print as JSON")
  .addHelpText("after", "\nExample:\n  saffu info models/potato-en --json")
  .action(async (directory, options) => (await import("./info.ts")).run(directory, options));

// a reader that has seen enough (head, less) is not an error
process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  if (cause.code === "EPIPE") process.exit(0);
  process.exit(report(new SaffuError("UNWRITABLE", `standard output cannot be written: ${cause.message}`), json));
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.exitCode = report(error, json);
  else if (error.exitCode !== 0) process.exitCode = report(usageError(error), json);
}

/** Commander's complaint in the form of every other error. `saffu` alone has printed its help already. */
function usageError({ code, message }: CommanderError): SaffuError {
  const what = code === "commander.help" ? "no command given" : message.replace(/^error: /, "").replace(/\.$/, "");
  return new SaffuError("INVALID_OPTION", `${what} (see saffu --help)`);
}
