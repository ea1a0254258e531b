/**
 * Watching streams in a browser: a bundle of its own, with the module inside.
 *
 * ```ts
 * import { watch } from "saffu/watch";
 * for await (const { alarm, why } of watch(response.body)) …
 * ```
 */
import { checkOptions, SaffuError } from "../errors.ts";
import type { WatchOptions } from "./options.ts";
import { type Source, type StreamRow, type WatchStreamOptions, watchWith } from "./stream.ts";
import { Watch } from "./watch.ts";

export { type ErrorCode, SaffuError } from "../errors.ts";
export * from "./common.ts";

/** The module in base64; the build puts it in. */
declare const SAFFU_WATCH: string | undefined;

/**
 * A watch that is given rows one by one.
 *
 * @throws SaffuError INVALID_OPTION, OUT_OF_MEMORY, UNSUPPORTED, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH
 */
export async function openWatch(options: WatchOptions = {}): Promise<Watch> {
  checkOptions(options, []);
  return Watch.start(options.module ?? ownModule(), options);
}

/**
 * Watches a stream: what each line came to, as it comes.
 *
 * @throws SaffuError INVALID_OPTION, INVALID_TEXT, OUT_OF_MEMORY, UNSUPPORTED, MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST,
 * STATISTICS_MISMATCH, ABORTED
 */
export function watch(source: Source, options: WatchStreamOptions = {}): AsyncGenerator<StreamRow> {
  return watchWith(openWatch, source, options);
}

function ownModule(): Uint8Array {
  if (typeof SAFFU_WATCH === "undefined") {
    throw new SaffuError("UNSUPPORTED", "this bundle has no module of watches: give the option module");
  }
  return Uint8Array.from(atob(SAFFU_WATCH), (character) => character.charCodeAt(0));
}
