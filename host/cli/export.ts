/** saffu export */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { replaceFile } from "../files/directory-node.ts";
import { sha256 } from "../files/sha256.ts";
import { onnxModel } from "../onnx/network.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";
import { done } from "./output.ts";
import { assertWritable } from "./writable.ts";

interface Options {
  readonly onnx: string;
  readonly corrected?: boolean;
  readonly json?: boolean;
}

export async function run(directory: string, { onnx: out, corrected, json }: Options): Promise<void> {
  const signal = interruptSignal();
  const model = await loadModel(directory, undefined, signal);
  const { correction } = model;
  if (corrected && !correction) {
    throw new SaffuError("INVALID_OPTION", `--corrected: ${directory} has no correction: saffu refit solves one`);
  }
  await assertWritable(out);
  const bytes = onnxModel(model, { correction: corrected ? correction : undefined });
  throwIfAborted(signal);
  await replaceFile([out, bytes]);
  done(`${out} is written`);
  const report = { bytes: bytes.length, sha256: await sha256(bytes) };
  process.stdout.write(
    json ? `${JSON.stringify(report)}\n` : `${out}: ${report.bytes} bytes, SHA-256 ${report.sha256}\n`,
  );
}
