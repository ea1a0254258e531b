#!/usr/bin/env node
/** The `saffu` command. Each subcommand is a file of its own, loaded when it is called. */
import { Command, CommanderError } from "commander";
import { SaffuError, WARNING } from "../errors.ts";
import { reasonOf } from "../files/directory-node.ts";
import { addClassify } from "./classify/commands.ts";
import { EXIT_HELP, report } from "./exit.ts";
import { goneOption } from "./gone.ts";
import { interruptedBy, leaveBy } from "./interrupt.ts";
import * as parse from "./options.ts";
import { goesOnUnread } from "./output.ts";
import { addWatch } from "./watch/command.ts";

/** Set by the build, from package.json. */
declare const SAFFU_VERSION: string | undefined;

const json = process.argv.includes("--json");

const MODEL = "model directory, or the name of a model of the package";

const program = new Command("saffu")
  .description("Language models fitted in closed form, without back-propagation.")
  .version(typeof SAFFU_VERSION === "string" ? SAFFU_VERSION : "unbuilt")
  .exitOverride()
  .helpCommand(false) // below, as an unknown name is one line, too
  .configureOutput({ outputError: () => {} }) // errors are printed below
  .addHelpText("afterAll", EXIT_HELP);

program
  .command("fit")
  .description("fit a model to TEXT and write it to a directory")
  .argument("<text...>", "files to read, in order; - is standard input")
  .requiredOption(
    "--out <dir>",
    "directory to write; a model there is replaced, with all that it has learned",
    parse.path,
  )
  .option("--profile <name>", "shape to start from: nano, micro, potato or base", "potato")
  .option(
    "--vocab <n>",
    "vocabulary size, 256 to 65528, a multiple of 8; 256 means bytes (default: the profile's; potato's by TEXT, as far as pairs occur 20 times)",
    parse.integer,
  )
  .option(
    "--symbols <n>",
    "TEXT is of decimal numbers below n with white space between them: symbols, 1 to 65528",
    parse.integer,
  )
  .option("--bits <n>", "bits of the input cipher (default: as many as the vocabulary, one-hot)", parse.integer)
  .option("--window <n>", "tokens of the context window, 1 to 16 (default: the profile's)", parse.integer)
  .option("--groups <n>", "groups of hidden units, 1 to 4096 (default: the profile's)", parse.integer)
  .option("--units <n>", "units of a group, 4 to 4096, a multiple of 4 (default: the profile's)", parse.integer)
  .option(
    "--history <n>",
    "tokens of the stream that history attention sees, a power of two, 16 to 65536; 0 for none (default: the profile's)",
    parse.integer,
  )
  .option("--match-length <n>", "longest match of history attention, 1 to 4 (default: the profile's)", parse.integer)
  .option("--adapts", "adapt predictions to the text's own tokens (default: the profile's)")
  .option("--no-adapts", "no such adaptation, where the profile has it")
  .option("--indexed", "index the history (default: the profile's)")
  .option("--no-indexed", "compare all its places, where the profile has an index")
  .option("--long-matches", "weigh long matches, in the history and in the memory (default: the profile's)")
  .option("--no-long-matches", "no such weighing, and no memory, where the profile has it")
  .option(
    "--remember <bytes>",
    "long-term memory: TEXT's end, or n-grams of TEXT where they save more, in so many bytes at the most; 0 for none (default: the profile's, where it saves a hundredth of the bits)",
    parse.integer,
  )
  .option("--memory-indexed", "sort the memory (default: the profile's; a vocabulary over 256 needs it)")
  .option("--no-memory-indexed", "look through all of it, where the profile has it sorted")
  .option("--weight-bits <n>", "bits of a hidden layer's weight, 8 or 4 (default: the profile's)", parse.integer)
  .option("--window-attention", "attention over the window's positions (default: the profile's)")
  .option("--no-window-attention", "no such attention, where the profile has it")
  .option(
    "--document-groups <n>",
    "groups that read the document, a decayed bag of the stream (default: the profile's, or 0)",
    parse.integer,
  )
  .option(
    "--document-span <n>",
    "tokens in which a share of the document falls to 1/e (default: the profile's, or 64)",
    parse.integer,
  )
  .option("--second-groups <n>", "groups of a second layer, which reads hidden states (default: 0)", parse.integer)
  .option("--second-window <n>", "hidden states that the second layer sees, 1 to 16 (default: 2)", parse.integer)
  .option(
    "--passes <n>",
    "passes of iterative scaling, 0 to 100; 0: the plain explicit decoder (default: by the length of the text)",
    parse.integer,
  )
  .option("--exact", "compute all predictions (default: estimated on candidates from 50,000 tokens on)")
  .option("--targets <name>", "hidden targets: responsibility or cipher (default: responsibility)")
  .option(
    "--boundary <name>",
    "newline: each line is a message, which starts behind a newline alone; none: TEXT is one (default: none)",
  )
  .option("--seed <n>", "same seed and text, same files (default: 1)", parse.integer)
  .option("--threads <n>", "worker threads, 0 to 16; the result does not depend on it (default: 2)", parse.integer)
  .option("--json", "print the report as JSON")
  .addHelpText("after", "\nExample:\n  saffu fit book.txt --out models/book --profile potato")
  .action(async (texts, options) => (await import("./fit.ts")).run(texts, options));

program
  .command("tune")
  .description("tune DIR on TEXT by back-propagation, and write the result to a directory")
  .argument("<dir>", `${MODEL}; it stays as it is`)
  .argument("<text...>", "files to read, in order; - is standard input")
  .requiredOption(
    "--out <dir>",
    "directory to write; a model there is replaced, with all that it has learned",
    parse.path,
  )
  .option("--epochs <n>", "passes over the text, 1 to 1000 (default: 1)", parse.integer)
  .option("--lr <x>", "learning rate at its peak (default: 0.01 from a warm start, 0.03 from a cold one)", parse.number)
  .option("--batch <n>", "tokens a step, 1 to 2048 (default: 256)", parse.integer)
  .option("--soften <factor>", "a warm start has U times this, above 0, at most 1 (default: 1)", parse.number)
  .option("--init <name>", "warm: from DIR's weights; cold, xavier: random ones of its shape (default: warm)")
  .option("--seed <n>", "order of the text, and random weights (default: 1)", parse.integer)
  .option("--threads <n>", "worker threads, 0 to 16; the result does not depend on it (default: 2)", parse.integer)
  .option("--dev <file>", "held-out text: scored after each epoch, and the best epoch is kept", parse.path)
  .option(
    "--checkpoint <file>",
    "written after each epoch and at an interrupt; gone on from where it is there",
    parse.path,
  )
  .option("--json", "print the report as JSON")
  .addHelpText("after", "\nExample:\n  saffu tune models/potato-en book.txt --out models/book --epochs 2")
  .action(async (directory, texts, options) => (await import("./tune.ts")).run(directory, texts, options));

program
  .command("eval")
  .description("score TEXT: bits per byte, perplexity")
  .argument("<dir>", MODEL)
  .argument("<text...>", "files to read, in order, as one text; - is standard input")
  .option("--boundary <name>", "newline: each line by itself; none: TEXT as one (default: what DIR was fitted with)")
  .option("--build <name>", "kernel to run: scalar or simd")
  .option("--json", "print the figures as JSON")
  .addHelpText("after", "\nExample:\n  saffu eval models/potato-en chapter.txt --json")
  .action(async (directory, texts, options) => (await import("./eval.ts")).run(directory, texts, options));

program
  .command("generate")
  .description("continue a prompt, streaming")
  .argument("<dir>", MODEL)
  .option("--prompt <text>", "text to continue", "")
  .option("--max-tokens <n>", "most tokens to generate, 1 to 1000000 (default: 256)", parse.integer)
  .option("--temperature <t>", "0 takes the likeliest token (default: 0.8)", parse.number)
  .option("--top-k <k>", "keep the k likeliest tokens; 0 keeps all (default: 0)", parse.integer)
  .option("--top-p <p>", "keep the likeliest tokens that reach this probability (default: 1)", parse.number)
  .option("--seed <n>", "same seed, same text (default: 1)", parse.integer)
  .option("--stop <text>", "end before this text; may be given again", parse.collect)
  .option("--no-heal", "go on after the prompt's own tokens, even inside a word")
  .option("--no-well-formed", "draw tokens that are no UTF-8, too")
  .option("--build <name>", "kernel to run: scalar or simd")
  .option("--json", "print {text, tokens, tokensPerSecond, loadMs, firstTokenMs} at the end in place of streaming")
  .addHelpText("after", '\nExample:\n  saffu generate models/potato-en --prompt "It was" --max-tokens 60 --seed 7')
  .action(async (directory, options) => (await import("./generate.ts")).run(directory, options));

program
  .command("suggest")
  .description(
    "the likeliest words that a text goes on with: of each line of standard input, or key by key at a terminal",
  )
  .argument("<dir>", MODEL)
  .option("-n <n>", "words at the most, 1 to 20 (default: 3)", parse.integer)
  .option("--max-bytes <n>", "most bytes that a word adds to the text, 1 to 256 (default: 64)", parse.integer)
  .option("--learn <file>", "learn a text first, for this run alone; may be given again", parse.collect)
  .option("--build <name>", "kernel to run: scalar or simd")
  .option("--json", "print an object for each line, with its suggestions: rest, word, probability")
  .addHelpText(
    "after",
    "\nAt a terminal, Tab takes the first word, a number another; Ctrl-V types the next key as it is; Ctrl-D ends.\n\nExample:\n  echo 'It was a dark nig' | saffu suggest models/potato-en",
  )
  .action(async (directory, options) => (await import("./suggest.ts")).run(directory, options));

program
  .command("info")
  .description("shape, parameters, bytes and digests of a model")
  .argument("<dir>", MODEL)
  .option("--json", "print as JSON")
  .addHelpText("after", "\nExample:\n  saffu info models/potato-en --json")
  .action(async (directory, options) => (await import("./info.ts")).run(directory, options));

program
  .command("pack")
  .description("say a message in the fewest bytes, to whoever has the same model in the same state")
  .argument("<dir>", MODEL)
  .argument("[file]", "the message; - is standard input", "-")
  .option("--lines", "each line is a message; its bytes are a line of base64")
  .option("--archive", "a text of any length, with a checksum")
  .option("--checksum <n>", "bytes of a checksum behind each message, 0 to 4 (default: 0)", parse.integer)
  .option("--max-bytes <n>", "most bytes of a message, 0 to 16777216 (default: 65536)", parse.integer)
  .option("--build <name>", "kernel to run: scalar or simd")
  .option(
    "--json",
    "print {messages, bytes, packedBytes, frames} in place of the bytes, frames in base64; of an archive {bytes, packedBytes}",
  )
  .addHelpText("after", "\nExample:\n  saffu pack models/mine messages.txt --lines > messages.packed")
  .action(async (directory, file, options) => (await import("./messages.ts")).pack(directory, file, options));

program
  .command("unpack")
  .description("the message that saffu pack has said")
  .argument("<dir>", MODEL)
  .argument("[file]", "what pack has written; - is standard input", "-")
  .option("--lines", "each line is a message's bytes in base64, and the message becomes a line")
  .option("--archive", "what pack --archive has written")
  .option(
    "--checksum <n>",
    "bytes of the checksum behind each message, as they were packed (default: 0)",
    parse.integer,
  )
  .option("--max-bytes <n>", "most bytes of a message, 0 to 16777216 (default: 65536)", parse.integer)
  .option("--build <name>", "kernel to run: scalar or simd")
  .option(
    "--json",
    "print {messages, bytes, packedBytes, texts} in place of the texts; of an archive {bytes, packedBytes}",
  )
  .addHelpText("after", "\nExample:\n  saffu unpack models/mine messages.packed --lines")
  .action(async (directory, file, options) => (await import("./messages.ts")).unpack(directory, file, options));

addWatch(program, MODEL);

const pieces = "files, each a piece of its own; - is standard input";

program
  .command("observe")
  .description(
    "learn TEXT: add it to the statistics of DIR, which changes in place; of a model of the package ./NAME is made",
  )
  .argument("<dir>", MODEL)
  .argument("<text...>", pieces)
  .option(
    "--age",
    "halve sums that are more than half full first: learning never ends, and what is older cannot be forgotten",
  )
  .option(
    "--memory <n>",
    "tokens of observed texts that are kept verbatim, 0 to 1048576 (default: 32768)",
    parse.integer,
  )
  .option("--json", "print what was added as JSON")
  .addHelpText(
    "after",
    "\nThe weights change with the next refit; models with a history recall what they observed at once.\n\nExample:\n  saffu observe models/mine notes.txt",
  )
  .action(async (directory, texts, options) => (await import("./learn.ts")).run("observe", directory, texts, options));

program
  .command("forget")
  .description("take TEXT, observed before, out of the statistics of DIR again, to the last bit")
  .argument("<dir>", MODEL)
  .argument("<text...>", pieces)
  .option("--generation <n>", "generation that TEXT was observed in, where the sums were halved since", parse.integer)
  .option("--memory-only", "take TEXT out of the observed texts that are kept verbatim alone; the sums stay")
  .option("--json", "print what was taken away as JSON")
  .addHelpText("after", "\nExample:\n  saffu forget models/mine notes.txt")
  .action(async (directory, texts, options) => (await import("./learn.ts")).run("forget", directory, texts, options));

program
  .command("merge")
  .description("add the statistics of other devices to those of DIR")
  .argument("<dir>", MODEL)
  .argument("<statistics...>", "statistics files, or model directories that hold one, over the same base")
  .requiredOption("--out <dir>", "directory to write; may be DIR", parse.path)
  .option("--json", "print the sums' count and digest as JSON")
  .addHelpText("after", "\nExample:\n  saffu merge models/mine kitchen.safetensors cellar.safetensors --out models/all")
  .action(async (directory, files, options) => (await import("./merge.ts")).run("merge", directory, files, options));

program
  .command("unmerge")
  .description("take statistics that were merged out of those of DIR again, to the last bit")
  .argument("<dir>", MODEL)
  .argument("<statistics...>", "statistics files, or model directories that hold one, as they were merged")
  .requiredOption("--out <dir>", "directory to write; may be DIR", parse.path)
  .option("--json", "print the sums' count and digest as JSON")
  .addHelpText("after", "\nExample:\n  saffu unmerge models/all cellar.safetensors --out models/all")
  .action(async (directory, files, options) => (await import("./merge.ts")).run("unmerge", directory, files, options));

program
  .command("refit")
  .description("solve a correction of DIR from what it has observed; the base stays as it is")
  .argument("<dir>", MODEL)
  .requiredOption("--out <dir>", "directory to write; may be DIR", parse.path)
  .option("--pseudo-counts <n>", "tokens that the base counts for (default: 3000)", parse.number)
  .option("--step <n>", "step of iterative scaling, 0 to 4 (default: 1)", parse.number)
  .option("--json", "print the report as JSON")
  .addHelpText("after", "\nExample:\n  saffu refit models/mine --out models/mine")
  .action(async (directory, options) => (await import("./refit.ts")).run(directory, options));

program
  .command("stats")
  .description("what DIR has observed: digests, tokens, bytes")
  .argument("<dir>", MODEL)
  .option("--export <file>", "write the statistics to a new file, to be merged elsewhere", parse.path)
  .option("--with-memory", "with --export: observed texts as well, which are verbatim")
  .option("--json", "print as JSON")
  .addHelpText("after", "\nExample:\n  saffu stats models/mine --json")
  .action(async (directory, options) => (await import("./stats.ts")).run(directory, options));

program
  .command("compile")
  .description("make DIR one file for a WebAssembly runtime without files")
  .argument("<dir>", MODEL)
  .requiredOption("--target <name>", "wasm: weights inside; flash: fetched through saffu.read; c-header: as C arrays")
  .requiredOption("--out <file>", "file to write or replace; the flash form's weights go to FILE.weights", parse.path)
  .option("--flash", "with c-header: of the flash form")
  .option("--build <name>", "scalar (WebAssembly MVP) or simd (default: scalar)")
  .option("--no-learning", "without observe, forget and refit, and without the memory they need")
  .option("--history <n>", "tokens that history attention sees (default: the model's own)", parse.integer)
  .option("--no-indexed", "compare all places of the history, where the model has an index")
  .option("--no-adapts", "without adapting to the text, where the model does")
  .option("--recall <n>", "tokens of other texts that history attention can recall (default: 0)", parse.integer)
  .option("--pack <n>", "bytes of the longest frame of a message that it packs and unpacks (default: 0)", parse.integer)
  .option("--corrected", "with what the last refit solved in place of the base's rows")
  .option("--json", "print sizes and digest as JSON")
  .addHelpText("after", "\nExample:\n  saffu compile models/nano-en --target wasm --out nano.wasm")
  .action(async (directory, options) => (await import("./compile.ts")).run(directory, options));

program
  .command("export")
  .description("write the network of DIR, without its history, for other runtimes")
  .argument("<dir>", MODEL)
  .requiredOption("--onnx <file>", "ONNX file to write or replace, operators of opset 13, weights in f32", parse.path)
  .option("--corrected", "with what the last refit solved in place of the base's rows")
  .option("--json", "print size and digest as JSON")
  .addHelpText("after", "\nExample:\n  saffu export models/potato-en --onnx potato.onnx")
  .action(async (directory, options) => (await import("./export.ts")).run(directory, options));

const classify = program
  .command("classify")
  .description("classify rows, lines, series and images: fit, eval, predict, observe, forget, merge, unmerge, refit")
  .configureOutput({ outputError: () => {} })
  .exitOverride()
  .helpCommand(false)
  .addHelpText("after", "\nExample:\n  saffu classify fit sensors.csv --label state --out models/state");
addClassify(classify);

program
  .command("help")
  .description("the same as saffu COMMAND --help")
  .argument("[command]")
  .action((name?: string) => {
    const command = name === undefined ? program : commandOf(name);
    if (command === undefined) throw new SaffuError("INVALID_OPTION", `unknown command '${name}' (see saffu --help)`);
    command.outputHelp();
  });

leaveBy(() => process.exit(process.exitCode ?? report(undefined, json)));
process.stderr.on("error", () => {}); // the exit code is said all the same
sayWarnings();
// a reader that has seen enough (head, less) is not an error
process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  if (goesOnUnread()) return;
  if (cause.code === "EPIPE") process.exit(0);
  process.exit(report(new SaffuError("UNWRITABLE", `standard output cannot be written: ${reasonOf(cause)}`), json));
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.exitCode = report(error, json, flags());
  else if (error.exitCode !== 0) process.exitCode = report(usageError(error), json);
  if (interruptedBy() !== undefined) process.exit(); // what nobody reads is not waited for
}

/** The library's warnings as lines of the command's own, none with --json; what else warns does so as ever. */
function sayWarnings(): void {
  const usual = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== WARNING) for (const listener of usual) listener.call(process, warning);
    else if (!json) process.stderr.write(`saffu: ${warning.message}\n`);
  });
}

/** A command by its name; one of its own commands, where it has them. */
function commandOf(name: string | undefined, below?: string): Command | undefined {
  const found = program.commands.find((command) => command.name() === name);
  return found?.commands.find((command) => command.name() === below) ?? found;
}

/** Flags of the command that was given, by the names of the library's options. */
function flags(): Map<string, string> {
  const nameOf = (attribute: string) => (attribute === "vocab" ? "vocabulary" : attribute);
  return new Map(
    commandOf(program.args[0], program.args[1])?.options.map((option) => [
      nameOf(option.attributeName()),
      (option.long ?? option.short)!,
    ]),
  );
}

/** Commander's complaint in the form of every other error. `saffu` alone has printed its help already. */
function usageError({ code, message }: CommanderError): SaffuError {
  const command = program.args[0];
  const complaint = code === "commander.help" ? "no command given" : message.replace(/^error: /, "").replace(/\.$/, "");
  const what = goneOption(command, message) ?? complaint;
  const help = commandOf(command) === undefined ? "saffu --help" : `saffu ${command} --help`;
  return new SaffuError("INVALID_OPTION", `${what} (see ${help})`);
}
