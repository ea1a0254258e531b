/** saffu compile */
import { randomBytes } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { cHeader, packageModel } from "../compile/package.ts";
import { SaffuError } from "../errors.ts";
import { writeFlushed } from "../model/directory-node.ts";
import type { Flavour } from "../model/kernel.ts";
import { interruptSignal } from "./interrupt.ts";
import { loadModel } from "./load.ts";

interface Options {
  readonly out: string;
  readonly target: string;
  readonly flash?: boolean;
  readonly flavour?: string;
  readonly learning: boolean;
  readonly recall?: number;
  readonly corrected?: boolean;
  readonly json?: boolean;
}

export async function run(directory: string, options: Options): Promise<void> {
  const { out, target, flash, flavour, learning, recall, corrected, json } = options;
  if (!["wasm", "flash", "c-header"].includes(target)) {
    throw new SaffuError("INVALID_OPTION", `target must be wasm, flash or c-header, got ${target}`);
  }
  const model = await loadModel(directory, undefined, interruptSignal());
  const made = await packageModel(model, {
    target: target === "flash" || flash ? "flash" : "wasm",
    flavour: flavour as Flavour | undefined,
    learning,
    recall,
    correction: corrected ? model.correction : undefined,
  });
  if (target === "c-header") {
    await writeAtomic(out, new TextEncoder().encode(cHeader(made, (token) => model.tokenizer.bytesOf(token))));
  } else {
    if (made.weights) await writeAtomic(`${out}.weights`, made.weights);
    await writeAtomic(out, made.module);
  }
  const { memoryBytes, digest } = made;
  const report = { moduleBytes: made.module.length, weightBytes: made.weights?.length ?? 0, memoryBytes, digest };
  process.stdout.write(
    json
      ? `${JSON.stringify(report)}\n`
      : `${out}: module of ${report.moduleBytes} bytes${made.weights ? `, weights of ${report.weightBytes}` : ""}, runs in ${memoryBytes} bytes of memory\n`,
  );
}

async function writeAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFlushed(temporary, bytes);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new SaffuError("UNWRITABLE", `${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}
