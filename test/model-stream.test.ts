/** Web streams: a model between a request and a response. */
import { beforeAll, describe, expect, test } from "vitest";
import { chunksOf, load, type Model, surprisalStream, textStream } from "../host/index.ts";
import { randomModel, refusal } from "./model-fixture.ts";

let model: Model;
const TEXT = new TextEncoder().encode("a text in several chunks");

beforeAll(async () => {
  model = await load(await randomModel());
});

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

describe("textStream", () => {
  test("is the body of a response", async () => {
    let wanted = "";
    for await (const piece of model.generate("a", { maxTokens: 50 })) wanted += piece;
    const found = await new Response(textStream(model.generate("a", { maxTokens: 50 }))).arrayBuffer();
    expect(new Uint8Array(found)).toEqual(new TextEncoder().encode(wanted));
  });

  test("ends the generation when it is cancelled, and hands its error on", async () => {
    let left = false;
    async function* endless() {
      try {
        for (;;) yield "more";
      } finally {
        left = true;
      }
    }
    const reader = textStream(endless()).getReader();
    await reader.read();
    await reader.cancel();
    expect(left).toBe(true);
    const failing = textStream(model.generate("", { topP: 7 })).getReader();
    await expect(failing.read()).rejects.toThrow(refusal("INVALID_OPTION", "topP"));
  });
});

describe("surprisalStream", () => {
  test("turns the bytes of a text into the surprisal of its tokens", async () => {
    const batches: number[] = [];
    const stream = streamOf(TEXT.subarray(0, 5), TEXT.subarray(5)).pipeThrough(surprisalStream(model));
    for await (const batch of stream) batches.push(...batch);
    expect(batches).toEqual([...model.score(TEXT).surprisal]);
  });

  test("fails when it is aborted", async () => {
    const stream = streamOf(TEXT).pipeThrough(surprisalStream(model, { signal: AbortSignal.abort() }));
    await expect(stream.getReader().read()).rejects.toThrow(refusal("ABORTED"));
  });
});

describe("chunksOf", () => {
  test("lets a stream be scored", async () => {
    const { surprisal, ...totals } = model.score(TEXT);
    expect(surprisal.length).toBe(TEXT.length);
    expect(await model.scoreStream(chunksOf(streamOf(TEXT.subarray(0, 3), TEXT.subarray(3))))).toEqual(totals);
  });

  test("cancels the stream when it is left", async () => {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(TEXT);
      },
      cancel() {
        cancelled = true;
      },
    });
    for await (const _ of chunksOf(stream)) break;
    expect(cancelled).toBe(true);
  });
});
