/** The subcommand watch. */
import type { Command } from "commander";
import * as parse from "../options.ts";

/** @param model what the help says of a model */
export function addWatch(program: Command, model: string): void {
  program
    .command("watch")
    .description("score each line as it comes, rank it among the last, and say when alarms begin and end")
    .argument("[model|file...]", `first, if it is to count as well, a ${model}; then files, or - for standard input`)
    .option(
      "--field <name>",
      "lines are JSON, and this field of them is watched: a name, or a path a.b; or several, with commas between them",
    )
    .option(
      "--keep <names>",
      "fields of the JSON that rows have as they are: names with commas between them",
      parse.list,
    )
    .option(
      "--numbers <names>",
      "lines are JSON or columns, and these fields, or columns from 1 on, are watched: names with commas between them",
      parse.list,
    )
    .option("--symbols", "lines are symbols: alike or not, and nothing else")
    .option("--alarms", "print lines alone where an alarm begins, goes on or ends")
    .option("--no-follow", "read files to their end, and end")
    .option("--from-end", "begin at the files' ends")
    .option("--until <what>", "end with the first alarm (alarm; exit code 10), or after so many lines")
    .option("--window <n>", "lines that one is ranked among, 1 to 65535 (default: 10000)", parse.integer)
    .option("--one-in <n>", "one line in so many is an alarm, 1 to 65535 (default: 200)", parse.integer)
    .option("--warm-up <n>", "lines before the first may be an alarm (default: 100)", parse.integer)
    .option(
      "--guard <share>",
      "of lines, the most surprising, that are learned later, 0 to 1 (default: 0.05)",
      parse.number,
    )
    .option(
      "--delay <n>",
      "lines until they are learned; 0 to learn all at once (default: 64; of numbers 1000)",
      parse.integer,
    )
    .option("--gap <n>", "lines without an alarm that end an episode (default: 20)", parse.integer)
    .option("--count-bytes <n>", "memory of the counts, 4096 to 134217728 (default: 524288)", parse.integer)
    .option("--line-bytes <n>", "bytes of a line that are looked at, 1 to 65536 (default: 4096)", parse.integer)
    .option("--words <n>", "words of a line that are looked at, 1 to 256 (default: 64)", parse.integer)
    .option("--reach <n>", "lines back that can be labelled and forgotten (default: 10000)", parse.integer)
    .option("--model-weight <x>", "what the model's bits are multiplied by, 0 to 1000 (default: 1)", parse.number)
    .option("--labels <file>", "file or named pipe of what is said of lines: label and forget, as JSON", parse.path)
    .option("--state <file>", "go on from this file, and save to it", parse.path)
    .option("--save-every <minutes>", "how often it is saved, and at the end (default: 60)", parse.number)
    .option(
      "--compile <file>",
      "watch nothing: write the watch for a device, a C header (FILE.h) or a module",
      parse.path,
    )
    .option("--no-live", "no table, though standard output is a terminal")
    .option("--build <name>", "the model's kernel: scalar or simd")
    .option("--json", "print JSON, also on a terminal, and errors as JSON")
    .addHelpText(
      "after",
      "\nPrints an object a line: line, bits, score, rank, of, ready, template, id, why, alarm (begin, on, end), episode, learned, known, text.\n\nExample:\n  tail -F /var/log/syslog | saffu watch --alarms",
    )
    .action(async (given, options) => (await import("./run.ts")).run(given, options));
}
