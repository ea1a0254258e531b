/**
 * Web streams: what connects a model to fetch responses, files and sockets.
 *
 * ```ts
 * return new Response(textStream(model.generate(prompt)));
 * ```
 */
import { checkOptions, invalidOption } from "../errors.ts";
import type { Model } from "./model.ts";

/** A byte stream of the UTF-8 of some pieces of text. Cancelling it ends the generation. */
export function textStream(pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  if (typeof pieces?.[Symbol.asyncIterator] !== "function") throw invalidOption("pieces", "an async iterable", pieces);
  const encoder = new TextEncoder();
  return streamOf(pieces, (piece) => encoder.encode(piece));
}

/**
 * A transform from the bytes of a text to the surprisal of its tokens, in bits, in batches.
 *
 * ```ts
 * for await (const bits of response.body.pipeThrough(surprisalStream(model))) …
 * ```
 */
export function surprisalStream(
  model: Pick<Model, "surprisals">,
  options: { signal?: AbortSignal | undefined } = {},
): ReadableWritablePair<Float32Array, Uint8Array> {
  if (typeof model?.surprisals !== "function") throw invalidOption("model", "a model that is loaded", model);
  checkOptions(options);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  return { readable: streamOf(model.surprisals(chunksOf(readable), options), (batch) => batch), writable };
}

/** The chunks of a byte stream, for scoring or fitting. Leaving the loop cancels the stream, also while it is silent. */
export function chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (typeof stream?.getReader !== "function") throw invalidOption("stream", "a ReadableStream", stream);
  const reader = stream.getReader();
  const cancel = async (): Promise<IteratorResult<Uint8Array>> => {
    await reader.cancel();
    return { done: true, value: undefined };
  };
  async function* chunks() {
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
    } finally {
      await reader.cancel();
    }
  }
  // the generator's own `return` would wait for the chunk that is being waited for
  return Object.assign(chunks(), { return: cancel });
}

function streamOf<From, To>(items: AsyncIterable<From>, convert: (item: From) => To): ReadableStream<To> {
  const iterator = items[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(convert(value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
