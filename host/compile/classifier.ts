/**
 * The modules of classifiers. Their sizes are data, so there is one of each program and build, for every classifier: built ahead, or kept, or compiled
 * once.
 */
import type { ClassifierModules, FeedForward } from "../classify/feed-forward.ts";
import type { Build } from "../model/kernel.ts";
import type { ModuleRequest } from "./ahead.ts";
import { readOrCompile } from "./compile.ts";
import { array } from "./package.ts";
import { sizedByData } from "./sized-by-data.ts";

/** The programs of assembly/classify/. */
export const CLASSIFIER_PROGRAMS = ["device", "solver"] as const;
export type ClassifierProgram = (typeof CLASSIFIER_PROGRAMS)[number];

export function classifierRequest(program: ClassifierProgram, build: Build): ModuleRequest {
  return sizedByData("classify", `classify/${program}.ts`, build);
}

/**
 * A compiled classifier as a C header: the module, how many bytes its input has, how many ids `classify` is given (of features; 0 of other encodings),
 * and the labels, in the order of the classes that it answers.
 *
 * @param module of FeedForward.compile
 */
export function classifierHeader({ labels, parts }: FeedForward, module: Uint8Array): string {
  const { inputBytes, kind, most } = parts.encoder.plan;
  const features = kind === "features" ? most : 0;
  const quoted = labels.map((label) => {
    const bytes = [...new TextEncoder().encode(label)];
    // octal: a hexadecimal escape would go on with the digits behind it
    return `"${bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}"`;
  });
  return `/* A saffu classifier: WebAssembly module with its weights, and labels. */
#ifndef SAFFU_CLASSIFIER_H
#define SAFFU_CLASSIFIER_H
#include <stdint.h>

#define SAFFU_CLASSES ${labels.length}
#define SAFFU_INPUT_BYTES ${features * 2 || inputBytes}
#define SAFFU_FEATURES ${features}
#define SAFFU_MODULE_BYTES ${module.length}

${array("uint8_t", "saffu_module", module)}

static const char *const saffu_labels[SAFFU_CLASSES] = {${quoted.join(", ")}};
#endif
`;
}

/** @throws SaffuError UNSUPPORTED where they are not built ahead, and there is no compiler; ABORTED */
export async function classifierModules(signal?: AbortSignal | undefined): Promise<ClassifierModules> {
  const builds = ["scalar", "simd"] as const;
  const requests = builds.flatMap((build) => CLASSIFIER_PROGRAMS.map((program) => classifierRequest(program, build)));
  const [device, solver, deviceSimd, solverSimd] = await readOrCompile(requests, undefined, signal);
  return {
    scalar: { device: device!, solver: solver! },
    simd: { device: deviceSimd!, solver: solverSimd! },
  };
}
