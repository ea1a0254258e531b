/** saffu watch --compile: the watch as one file for a runtime without files. */
import { compileWatch, type WatchCompileOptions, watchHeader } from "../../compile/watch.ts";
import { throwIfAborted } from "../../errors.ts";
import { replaceFile } from "../../files/directory-node.ts";
import { done } from "../output.ts";
import { assertWritable } from "../writable.ts";

/** Writes a C header where the file's name ends so, else the module. */
export async function compileTo(
  out: string,
  options: WatchCompileOptions,
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  await assertWritable(out);
  const header = out.endsWith(".h");
  const bytes = header
    ? new TextEncoder().encode(await watchHeader(options, signal))
    : await compileWatch(options, signal);
  throwIfAborted(signal);
  await replaceFile([out, bytes]);
  done(`${out} is written`);
  const what = header ? "a C header" : "a module";
  process.stdout.write(
    json ? `${JSON.stringify({ bytes: bytes.length })}\n` : `${out}: ${what} of ${bytes.length} bytes\n`,
  );
}
