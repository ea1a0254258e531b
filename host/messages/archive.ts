/**
 * A text of any length as the fewest bytes that a model makes of it, and back, in memory that does not grow with it: an archive.
 *
 * An archive (ours) is four bytes "sfp" and 1, four of the digest of what the model predicts from, then blocks: the length of a frame as LEB128, and the
 * frame, whose predictor has read all blocks before, but begins anew behind one that stands as it is; then 0, and the text's CRC-32, the lowest byte first.
 */
import { joined, leb128 } from "../bytes.ts";
import { SaffuError } from "../errors.ts";
import { abortable, inTurns, Pace } from "../pace.ts";
import { bytesOfChunks, type Chunks, settledPrefix, type Tokenizer } from "../tokenizer/index.ts";
import { crc32, lowBytes } from "./checksum.ts";
import { frameInSteps, isLiteral, type Language, type MessagePredictor, messageInSteps } from "./message.ts";

export interface ArchiveOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each block with the bytes of text so far. */
  readonly onProgress?: ((done: { readonly bytes: number }) => void) | undefined;
}

/** A predictor that can begin anew. */
interface ArchivePredictor extends MessagePredictor {
  reset(): number;
}

/** What an archive is of. */
export interface ArchiveModel {
  readonly tokenizer: Tokenizer;
  /** Digest of what predictions are made from. */
  readonly digest: Uint8Array;
}

const MAGIC = Uint8Array.of(0x73, 0x66, 0x70, 1);
const DIGEST_BYTES = 4;
const CHECKSUM_BYTES = 4;
/** Bytes of text in a block, less its last token or two; and at the most, where there is no place to cut it. */
const BLOCK = 1 << 14;
const MOST_BLOCK = 1 << 16;
/** A frame is at most a byte longer than its text; its length takes three bytes. */
const MOST_FRAME = MOST_BLOCK + 1;
const LENGTH_BYTES = 3;

/** Whether bytes begin as an archive does. */
export function isArchive(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => byte === bytes[i]);
}

/** The archive of a text, in pieces. @throws SaffuError INVALID_TEXT, ABORTED */
export async function* packArchive(
  chunks: Chunks,
  { tokenizer, digest }: ArchiveModel,
  predictor: ArchivePredictor,
  { signal, onProgress }: ArchiveOptions,
): AsyncGenerator<Uint8Array, void> {
  const language: Language = { tokenizer, newline: undefined };
  const pace = new Pace();
  let checksum = 0;
  let bytes = 0;
  const block = async (text: Uint8Array): Promise<Uint8Array> => {
    const frame = await inTurns(frameInSteps(text, language, predictor), pace, signal);
    if (isLiteral(frame)) predictor.reset();
    checksum = crc32(text, checksum);
    bytes += text.length;
    onProgress?.({ bytes });
    return joined(Uint8Array.from(leb128(frame.length)), frame);
  };
  yield joined(MAGIC, digest.subarray(0, DIGEST_BYTES));
  let rest: Uint8Array = new Uint8Array(0);
  // where a block ends depends on the text alone, not on its chunks
  const cut = (): Uint8Array => {
    const most = rest.subarray(0, MOST_BLOCK);
    const end = settledPrefix(tokenizer, most.subarray(0, BLOCK)) || settledPrefix(tokenizer, most) || most.length;
    const text = rest.subarray(0, end);
    rest = rest.subarray(end);
    return text;
  };
  for await (const text of bytesOfChunks(abortable(chunks, signal))) {
    rest = joined(rest, text);
    while (rest.length >= MOST_BLOCK) yield await block(cut());
  }
  while (rest.length > BLOCK) yield await block(cut());
  if (rest.length > 0) yield await block(rest);
  yield joined(Uint8Array.of(0), lowBytes(checksum, CHECKSUM_BYTES));
}

/** The text of an archive, in pieces. @throws SaffuError INVALID_MESSAGE where it is none, of another model, or damaged; ABORTED */
export async function* unpackArchive(
  chunks: Chunks,
  { tokenizer, digest }: ArchiveModel,
  predictor: ArchivePredictor,
  { signal, onProgress }: ArchiveOptions,
): AsyncGenerator<Uint8Array, void> {
  const source = bytesOfChunks(abortable(chunks, signal));
  try {
    yield* unpacked(new Input(source), { tokenizer, digest }, predictor, { signal, onProgress });
  } finally {
    await source.return(undefined); // closes what is read from, however it ends
  }
}

async function* unpacked(
  input: Input,
  { tokenizer, digest }: ArchiveModel,
  predictor: ArchivePredictor,
  { signal, onProgress }: ArchiveOptions,
): AsyncGenerator<Uint8Array, void> {
  const language: Language = { tokenizer, newline: undefined };
  const pace = new Pace();
  const head = await input.take(MAGIC.length + DIGEST_BYTES);
  if (!isArchive(head)) throw damaged("it does not begin as one");
  if (digest.subarray(0, DIGEST_BYTES).some((byte, i) => byte !== head[MAGIC.length + i])) {
    throw damaged("it is of another model, or of another state of it");
  }
  let checksum = 0;
  let bytes = 0;
  for (;;) {
    const length = await lengthIn(input);
    if (length === 0) break;
    const frame = await input.take(length);
    const text = await inTurns(messageInSteps(frame, language, predictor, MOST_BLOCK), pace, signal);
    if (isLiteral(frame)) predictor.reset();
    checksum = crc32(text, checksum);
    bytes += text.length;
    onProgress?.({ bytes });
    yield text;
  }
  const found = await input.take(CHECKSUM_BYTES);
  if (lowBytes(checksum, CHECKSUM_BYTES).some((byte, i) => byte !== found[i])) {
    throw damaged("the text does not have the checksum that it records");
  }
  if (!(await input.ended())) throw damaged("it goes on behind its end");
}

/** Bytes that arrive in chunks, taken as they are wanted. */
class Input {
  private rest: Uint8Array = new Uint8Array(0);

  constructor(private readonly chunks: AsyncGenerator<Uint8Array>) {}

  /** @throws SaffuError INVALID_MESSAGE where there are fewer */
  async take(count: number): Promise<Uint8Array> {
    const parts = [this.rest];
    let length = this.rest.length;
    while (length < count) {
      const { done, value } = await this.chunks.next();
      if (done) throw damaged("it is cut");
      parts.push(new Uint8Array(value)); // a copy: whoever gives chunks may write to them again
      length += value.length;
    }
    const all = parts.length === 1 ? parts[0]! : joined(...parts);
    this.rest = all.subarray(count);
    return all.subarray(0, count);
  }

  async ended(): Promise<boolean> {
    while (this.rest.length === 0) {
      const { done, value } = await this.chunks.next();
      if (done) return true;
      this.rest = value;
    }
    return false;
  }
}

async function lengthIn(input: Input): Promise<number> {
  let length = 0;
  for (let i = 0; i < LENGTH_BYTES; ++i) {
    const [byte] = await input.take(1);
    length |= (byte! & 127) << (7 * i);
    if (byte! < 128) {
      if (length > MOST_FRAME || (byte === 0 && i > 0)) break;
      return length;
    }
  }
  throw damaged(`a block of more than ${MOST_FRAME} bytes`);
}

function damaged(what: string): SaffuError {
  return new SaffuError("INVALID_MESSAGE", `the archive is damaged, or none: ${what}`);
}
