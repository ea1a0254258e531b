/** Lines that are looked at whole, and byte for byte. */
import { MOST_KEPT, linesOf as partsOf } from "../watch/lines.ts";

/** Lines without their newlines; what comes after the last newline is one, unless it is empty. Views of the chunks. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of partsOf(chunks, { most: MOST_KEPT, keepReturns: true })) yield bytes;
}
