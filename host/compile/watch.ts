/** The module of watches (assembly/watch/). Its sizes are data, so there is one for every watch: built ahead, or kept, or compiled once. */
import { checkOptions, invalidOption } from "../errors.ts";
import { withData } from "../model/data-section.ts";
import { withPages } from "../model/predictor-module.ts";
import { KINDS, PLAN_AT, planBytes, planOf, type WatchShape } from "../watch/layout.ts";
import { type WatchOptions, watchSettings } from "../watch/options.ts";
import type { ModuleRequest } from "./ahead.ts";
import { readOrCompile } from "./compile.ts";
import { array } from "./package.ts";
import { sizedByData } from "./sized-by-data.ts";

/** What a watch on a device is told. `modelWeight` is of the bits that its host gives to `push`. */
export type WatchCompileOptions = Omit<WatchOptions, "reach" | "model" | "classifier" | "state" | "module">;

const PAGE = 65536;

export function watchRequest(): ModuleRequest {
  return sizedByData("watch", "watch/device.ts", "scalar");
}

/** @throws SaffuError UNSUPPORTED where it is not built ahead, and there is no compiler; ABORTED */
export async function watchModule(signal?: AbortSignal | undefined): Promise<Uint8Array> {
  const [module] = await readOrCompile([watchRequest()], undefined, signal);
  return module!;
}

/**
 * A watch for a device: its module, with the plan inside and memory of its sizes. It imports nothing; its host calls `begin` before all else. One that is
 * compiled takes a row from what is written at `input`, or given to `put`, and `push`.
 *
 * @throws SaffuError INVALID_OPTION; UNSUPPORTED, ABORTED as of watchModule
 */
export async function compileWatch(
  options: WatchCompileOptions = {},
  signal?: AbortSignal | undefined,
): Promise<Uint8Array> {
  const shape = shapeOf(options);
  return sized(await watchModule(signal), shape);
}

/** The module with the plan of these sizes. */
export function sized(module: Uint8Array, shape: WatchShape): Uint8Array {
  const plan = planOf(shape);
  return withData(withPages(module, Math.ceil(plan.end / PAGE)), [[PLAN_AT, planBytes(plan)]]);
}

/**
 * The same as a C header: the module, what a row of it is, and how many bytes of memory it uses.
 *
 * @throws SaffuError INVALID_OPTION; UNSUPPORTED, ABORTED as of watchModule
 */
export async function watchHeader(
  options: WatchCompileOptions = {},
  signal?: AbortSignal | undefined,
): Promise<string> {
  const shape = shapeOf(options);
  const { end, stateEnd } = planOf(shape);
  const module = await compileWatch(options, signal);
  return `/* A saffu watch: WebAssembly module with its settings. */
#ifndef SAFFU_WATCH_H
#define SAFFU_WATCH_H
#include <stdint.h>

/* What a row is: lines 0, numbers 1, symbols 2. */
#define SAFFU_WATCH_KIND ${KINDS.indexOf(shape.kind)}
/* f32 of a row of numbers. */
#define SAFFU_WATCH_COLUMNS ${shape.columns}
/* Bytes of a line or symbol that are looked at. */
#define SAFFU_WATCH_LINE_BYTES ${shape.most}
/* Bytes of linear memory that are used; all that the watch is, from the first address on, so many of them. */
#define SAFFU_WATCH_MEMORY_BYTES ${end}
#define SAFFU_WATCH_STATE_AT ${PLAN_AT}
#define SAFFU_WATCH_STATE_BYTES ${stateEnd - PLAN_AT}
#define SAFFU_WATCH_MODULE_BYTES ${module.length}

${array("uint8_t", "saffu_watch_module", module)}
#endif
`;
}

function shapeOf(options: WatchCompileOptions): WatchShape {
  checkOptions(options, []);
  for (const name of ["reach", "model", "classifier", "state", "module"] as const) {
    const value = (options as WatchOptions)[name];
    if (value !== undefined) throw invalidOption(name, "left out where a watch is compiled", value);
  }
  return watchSettings(options).shape;
}
