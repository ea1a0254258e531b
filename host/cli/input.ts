/** The TEXT arguments: files in order, `-` for standard input, as one text. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { SaffuError } from "../errors.ts";

const STANDARD_INPUT = "-";

/** Chunks of the texts, in order. @throws SaffuError INVALID_TEXT, naming a file that cannot be read */
export async function* readTexts(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text === STANDARD_INPUT) yield* process.stdin;
    else {
      try {
        yield* createReadStream(text, { highWaterMark: 1 << 18 });
      } catch (cause) {
        throw new SaffuError("INVALID_TEXT", `${text} cannot be read: ${(cause as Error).message}`, { cause });
      }
    }
  }
}

/** The same texts as often as asked for. Standard input comes once, so it is kept in memory. */
export function repeatable(texts: readonly string[]): () => AsyncGenerator<Uint8Array> {
  let kept: Uint8Array[] | undefined;
  return async function* () {
    for (const text of texts) {
      if (text !== STANDARD_INPUT) {
        yield* readTexts([text]);
        continue;
      }
      if (kept === undefined) {
        kept = [];
        for await (const chunk of readTexts([text])) kept.push(chunk);
      }
      yield* kept;
    }
  };
}

/** Bytes of the texts together; 0 where one is standard input or cannot be told. */
export async function totalBytes(texts: readonly string[]): Promise<number> {
  let total = 0;
  for (const text of texts) {
    const size = text === STANDARD_INPUT ? 0 : ((await stat(text).catch(() => undefined))?.size ?? 0);
    if (size === 0) return 0;
    total += size;
  }
  return total;
}
