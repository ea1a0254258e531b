/** saffu compile */
import { cHeader, packageModel } from "../compile/package.ts";
import { SaffuError, throwIfAborted } from "../errors.ts";
import { replaceFile } from "../files/directory-node.ts";
import type { Build } from "../model/kernel.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { done } from "./output.ts";
import { assertWritable } from "./writable.ts";

interface Options {
  readonly out: string;
  readonly target: string;
  readonly flash?: boolean;
  readonly build?: string;
  readonly learning: boolean;
  readonly history?: number;
  readonly indexed: boolean;
  readonly adapts: boolean;
  readonly recall?: number;
  readonly pack?: number;
  readonly corrected?: boolean;
  readonly json?: boolean;
}

export async function run(directory: string, options: Options): Promise<void> {
  const { out, target, flash, build, learning, history, indexed, adapts, recall, pack, corrected, json } = options;
  const invalid = (message: string) => new SaffuError("INVALID_OPTION", message);
  if (!["wasm", "flash", "c-header"].includes(target)) {
    throw invalid(`target must be wasm, flash or c-header, got ${target}`);
  }
  if (flash && target === "wasm") throw invalid("flash goes with the target c-header; alone it is the target flash");
  const signal = interruptSignal();
  const model = await loadModel(directory, undefined, signal);
  if (corrected && !model.correction)
    throw invalid(`--corrected: ${directory} has no correction: saffu refit solves one`);
  await assertWritable(out);
  if (target === "flash") await assertWritable(`${out}.weights`);
  const made = await packageModel(model, {
    target: target === "flash" || flash ? "flash" : "wasm",
    build: build as Build | undefined,
    learning,
    history,
    indexed: indexed ? undefined : false,
    adapts: adapts ? undefined : false,
    recall,
    pack,
    correction: corrected ? model.correction : undefined,
    signal,
  });
  throwIfAborted(signal);
  if (target === "c-header") {
    const { tokenizer, begin } = model;
    const header = cHeader(made, tokenizer, begin);
    await replaceFile([out, new TextEncoder().encode(header)]);
  } else {
    await replaceFile(...(made.weights ? [[`${out}.weights`, made.weights] as const] : []), [out, made.module]);
  }
  done(`${out} is written`);
  const { memoryBytes, digest } = made;
  const report = { moduleBytes: made.module.length, weightBytes: made.weights?.length ?? 0, memoryBytes, digest };
  process.stdout.write(
    json
      ? `${JSON.stringify(report)}\n`
      : `${out}: module of ${report.moduleBytes} bytes${made.weights ? `, weights of ${report.weightBytes}` : ""}, runs in ${memoryBytes} bytes of memory\n`,
  );
}
