/** saffu pack and unpack: a message; or one a line, whose bytes are then a line of base64; or an archive. */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { isArchive } from "../messages/archive.ts";
import type { MessageOptions } from "../messages/message.ts";
import type { Model } from "../model/model.ts";
import { Pace } from "../pace.ts";
import { openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { linesOf } from "./lines.ts";
import { loadModel } from "./load.ts";
import { write } from "./output.ts";

interface Options extends MessageOptions {
  readonly archive?: boolean;
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
  if (options.archive) return archive(directory, file, options, "packStream");
  const frames: string[] = [];
  await each(directory, file, options, {
    pair: async (model, text, turns) => ({
      text,
      frame: await model.messageInTurns("pack", text, bounds(options), turns),
    }),
    write: ({ frame }) => {
      const line = Buffer.from(frame).toString("base64");
      if (options.json) frames.push(line);
      else process.stdout.write(options.lines ? `${line}\n` : frame);
    },
    report: { frames },
  });
}

export async function unpack(directory: string, file: string, options: Options): Promise<void> {
  if (options.archive) return archive(directory, file, options, "unpackStream");
  const texts: string[] = [];
  await each(directory, file, options, {
    pair: async (model, bytes, turns) => {
      const frame = options.lines ? fromBase64(bytes) : bytes;
      if (!options.lines && isArchive(frame)) {
        throw new SaffuError("INVALID_MESSAGE", "this is an archive, not one message's frame: unpack --archive");
      }
      return { frame, text: await model.messageInTurns("unpack", frame, bounds(options), turns) };
    },
    write: ({ text }) => {
      if (options.json) texts.push(new TextDecoder("utf-8", { ignoreBOM: true }).decode(text));
      else process.stdout.write(options.lines ? Buffer.concat([text, Uint8Array.of(NEWLINE)]) : text);
    },
    report: { texts },
  });
}

/** A text of any length, piece by piece. */
async function archive(
  directory: string,
  file: string,
  { build, json, lines, maxBytes, checksum }: Options,
  way: "packStream" | "unpackStream",
): Promise<void> {
  for (const [name, value] of Object.entries({ lines, maxBytes, checksum })) {
    if (value === undefined) continue;
    throw new SaffuError(
      "INVALID_OPTION",
      `${name} must be left out with an archive, which is of any length and has a checksum`,
    );
  }
  const signal = interruptSignal();
  const input = await openTexts([file], signal);
  const model = await loadModel(directory, build, signal);
  const counts = { given: 0, made: 0 };
  const counted = async function* () {
    for await (const chunk of input.chunks()) {
      counts.given += chunk.length;
      yield chunk;
    }
  };
  for await (const part of model[way](counted(), { signal })) {
    counts.made += part.length;
    if (!json) await write(part, signal);
  }
  const [bytes, packedBytes] = way === "packStream" ? [counts.given, counts.made] : [counts.made, counts.given];
  if (json) process.stdout.write(`${JSON.stringify({ bytes, packedBytes })}\n`);
}

interface Turns {
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

interface Work {
  pair(model: Model, given: Uint8Array, turns: Turns): Promise<Pair>;
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
  const pace = new Pace();
  for await (const given of lines ? linesOf(input.chunks()) : wholeOf(input.chunks())) {
    if (pace.due()) await pace.rest();
    throwIfAborted(signal);
    const pair = await named(lines ? counts.messages + 1 : 0, () => work.pair(model, given, { pace, signal }));
    ++counts.messages;
    counts.bytes += pair.text.length;
    counts.packedBytes += pair.frame.length;
    work.write(pair);
  }
  if (json) process.stdout.write(`${JSON.stringify({ ...counts, ...work.report })}\n`);
}

function bounds({ maxBytes, checksum }: Options): MessageOptions {
  return { maxBytes, checksum };
}

/** Errors of a line name it. */
async function named<T>(line: number, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (line === 0 || !(error instanceof SaffuError) || error.code === "INVALID_OPTION" || error.code === "ABORTED")
      throw error;
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
