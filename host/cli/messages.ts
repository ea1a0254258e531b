/** saffu pack and unpack: a message, or one a line, whose bytes are then a line of base64. */
import { SaffuError, throwIfAborted } from "../errors.ts";
import type { MessageOptions } from "../messages/message.ts";
import type { Model } from "../model/model.ts";
import { openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { linesOf } from "./lines.ts";
import { loadModel } from "./load.ts";

interface Options extends MessageOptions {
  readonly build?: string;
  readonly json?: boolean;
  readonly lines?: boolean;
}

/** A message, and its bytes once packed. */
interface Pair {
  readonly text: Uint8Array;
  readonly frame: Uint8Array;
}

const NEWLINE = 0x0a;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\r?$/;

export async function pack(directory: string, file: string, options: Options): Promise<void> {
  const frames: string[] = [];
  await each(directory, file, options, {
    pair: (model, text) => ({ text, frame: model.pack(text, bounds(options)) }),
    write: ({ frame }) => {
      const line = Buffer.from(frame).toString("base64");
      if (options.json) frames.push(line);
      else process.stdout.write(options.lines ? `${line}\n` : frame);
    },
    report: { frames },
  });
}

export async function unpack(directory: string, file: string, options: Options): Promise<void> {
  const texts: string[] = [];
  await each(directory, file, options, {
    pair: (model, bytes) => {
      const frame = options.lines ? fromBase64(bytes) : bytes;
      return { frame, text: model.unpack(frame, bounds(options)) };
    },
    write: ({ text }) => {
      if (options.json) texts.push(new TextDecoder("utf-8", { ignoreBOM: true }).decode(text));
      else process.stdout.write(options.lines ? Buffer.concat([text, Uint8Array.of(NEWLINE)]) : text);
    },
    report: { texts },
  });
}

interface Work {
  pair(model: Model, given: Uint8Array): Pair;
  write(pair: Pair): void;
  /** What is printed beside the counts. */
  readonly report: object;
}

async function each(directory: string, file: string, options: Options, work: Work): Promise<void> {
  const { build, json, lines = false } = options;
  const signal = interruptSignal();
  const input = await openTexts([file], signal);
  const model = await loadModel(directory, build, signal);
  const counts = { messages: 0, bytes: 0, packedBytes: 0 };
  for await (const given of lines ? linesOf(input.chunks()) : wholeOf(input.chunks())) {
    throwIfAborted(signal);
    const pair = named(lines ? counts.messages + 1 : 0, () => work.pair(model, given));
    ++counts.messages;
    counts.bytes += pair.text.length;
    counts.packedBytes += pair.frame.length;
    work.write(pair);
  }
  if (json) process.stdout.write(`${JSON.stringify({ ...counts, ...work.report })}\n`);
}

function bounds({ maxBytes }: Options): MessageOptions {
  return { maxBytes };
}

/** Errors of a line name it. */
function named<T>(line: number, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (line === 0 || !(error instanceof SaffuError) || error.code === "INVALID_OPTION") throw error;
    throw new SaffuError(error.code, `line ${line}: ${error.message}`, { cause: error });
  }
}

/** @throws SaffuError INVALID_MESSAGE */
function fromBase64(line: Uint8Array): Uint8Array {
  const text = Buffer.from(line).toString("latin1");
  if (!BASE64.test(text)) throw new SaffuError("INVALID_MESSAGE", "it is not base64, as saffu pack --lines writes it");
  return Uint8Array.from(Buffer.from(text, "base64"));
}

async function* wholeOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  yield Uint8Array.from(Buffer.concat(all));
}
