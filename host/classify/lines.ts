/**
 * Lines of text: their words, pairs of neighbouring words, and how many words there are, hashed into 2^bits features. Runs of digits inside a word
 * count as one 0, letters as small ones, so that what is counted in a line makes it no other. A text is UTF-8; what is beyond `length` bytes or
 * `words` words is not read. An empty line is one of no words.
 */
import { invalidOption, shown } from "../errors.ts";
import { type Encoder, type Encoding, invalidExample, type Whole } from "./encoding.ts";

export interface LinesOptions {
  /** Features, as a power of two: 4 to 15. Left out, it is chosen. */
  readonly bits?: number | undefined;
  /** Most bytes of a line that are read, 1 to 65,532. Default 1,024. */
  readonly length?: number | undefined;
  /** Most words, 1 to 4,096. Default 128. */
  readonly words?: number | undefined;
}

/** Features for the number of words. */
const LENGTHS = 16;

/** @throws SaffuError INVALID_OPTION */
export function lines(options: LinesOptions = {}): Encoding<string> {
  const { bits, length = 1024, words = 128 } = options;
  const encoder = (bits: number) => linesEncoder({ bits, length, words });
  const first = encoder(bits ?? 12);
  return {
    kind: "lines",
    packer: () => ({
      pack: first.pack,
      asked: bits === undefined ? undefined : { bits },
      settings: (bytes, rowBytes) =>
        [12, 11, 10, 13, 9, 8, 14]
          .filter((bits) => ((1 << bits) + LENGTHS) * rowBytes <= bytes)
          .map((bits) => ({ bits })),
      fit: (_, { bits }) => encoder(bits!),
    }),
  };
}

/** The encoder of a classifier's directory. @throws SaffuError INVALID_OPTION */
export function linesEncoder({ bits, length, words }: Whole<LinesOptions>): Encoder<string> {
  const whole = (name: string, value: number | undefined, least: number, most: number) => {
    if (!(Number.isInteger(value) && value! >= least && value! <= most)) {
      throw invalidOption(name, `an integer in ${least}..${most}`, value);
    }
  };
  whole("bits", bits, 4, 15);
  whole("length", length, 1, 65532);
  whole("words", words, 1, 4096);
  const text = new TextEncoder();
  return {
    kind: "lines",
    spec: { bits, length, words },
    plan: {
      ...{ kind: "lines", features: (1 << bits) + LENGTHS, most: 2 * words + 1, unit: 1 },
      ...{ numbers: [length, bits, words], parameters: new Uint8Array(0), inputBytes: length + 4, tableBytes: 0 },
    },
    pack(input, row) {
      if (typeof input !== "string") throw invalidExample(row, `must be a line of text, got ${shown(input)}`);
      const bytes = text.encode(input).subarray(0, length);
      const out = new Uint8Array(bytes.length + 4);
      new DataView(out.buffer).setUint32(0, bytes.length, true);
      out.set(bytes, 4);
      return out;
    },
  };
}
