/**
 * What every system is fitted and scored on: the first words of train that come to a number of tokens, and dev and test, under a BPE
 * tokenizer of 1024 tokens that was trained on those words. Made once a budget, under tools/lab/build/, and read by every job.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Tokenizer, tokenizerFromJSON } from "../../../host/tokenizer/index.ts";
import { trainTokenizer } from "../../../host/tokenizer/train.ts";
import { type BenchCorpus, type Book, benchCorpus, firstWords } from "../corpora/gutenberg.ts";
import { inLab } from "../paths.ts";
import { codeDigest } from "./job.ts";

export const VOCABULARY = 1024;
/** The sources that decide the data. */
export const DATA_SOURCES = ["host/tokenizer", "tools/lab/corpora/gutenberg.ts", "tools/lab/evidence/data.ts"];
const TRIES = 3;
const WORDS_A_TOKEN = 0.48; // where the search begins

/** A text group, tokenised, and its bytes. */
export interface Group {
  readonly files: readonly string[];
  readonly bytes: number;
}

export interface Data {
  readonly folder: string;
  readonly train: string;
  readonly trainTokens: number;
  readonly dev: Group;
  readonly test: Group;
}

export interface LoadedData extends Data {
  readonly corpus: BenchCorpus;
  readonly tokenizer: Tokenizer;
  readonly text: Uint8Array;
  readonly tokens: Uint16Array;
}

/** The data of a budget, made if they are not there. */
export async function prepare(budget: number): Promise<Data> {
  const folder = inLab("build", "data", `${budget}-${codeDigest(DATA_SOURCES)}`);
  const read = (): Data => JSON.parse(readFileSync(join(folder, "data.json"), "utf8"));
  try {
    return read();
  } catch {
    // not there yet
  }
  const making = `${folder}.${process.pid}.tmp`;
  mkdirSync(making, { recursive: true });
  const corpus = benchCorpus();
  const { text, tokenizer, tokens } = await firstTokens(corpus.train, budget);
  const write = (name: string, data: Uint8Array | string) => {
    writeFileSync(join(making, name), data);
    return join(folder, name);
  };
  const group = (name: string, books: readonly Book[]): Group => ({
    files: books.map(({ text }, i) => write(`${name}-${i}.u16`, littleEndian(tokenizer.encode(text)))),
    bytes: books.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
  });
  write("train.txt", text);
  write("tokenizer.json", JSON.stringify(tokenizer.toJSON()));
  const data: Data = {
    folder,
    train: write("train.u16", littleEndian(tokens)),
    trainTokens: tokens.length,
    dev: group("dev", corpus.dev),
    test: group("test", corpus.test),
  };
  write("data.json", JSON.stringify(data));
  try {
    renameSync(making, folder);
  } catch {
    rmSync(making, { recursive: true }); // another process was first: the same to the byte
  }
  return read();
}

export async function loadData(budget: number): Promise<LoadedData> {
  const data = await prepare(budget);
  const text = readFileSync(join(data.folder, "train.txt"));
  const tokenizer = tokenizerFromJSON(JSON.parse(readFileSync(join(data.folder, "tokenizer.json"), "utf8")));
  return { ...data, corpus: benchCorpus(), tokenizer, text, tokens: readTokens(data.train) };
}

export function readTokens(path: string): Uint16Array {
  const bytes = readFileSync(path);
  return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
}

/** A prefix of `train`, its tokenizer, and its tokens: nearly `budget` of them. */
async function firstTokens(train: string, budget: number) {
  let words = Math.max(1, Math.round(budget * WORDS_A_TOKEN));
  for (let attempt = 1; ; ++attempt) {
    const text = new TextEncoder().encode(firstWords(train, words));
    const tokenizer = await trainTokenizer([text], { vocabulary: VOCABULARY });
    const tokens = tokenizer.encode(text);
    if (attempt === TRIES) return { text, tokenizer, tokens };
    words = Math.max(1, Math.round((words * budget) / tokens.length));
  }
}

function littleEndian(tokens: Uint16Array): Uint8Array {
  const out = Buffer.alloc(2 * tokens.length);
  tokens.forEach((token, i) => {
    out.writeUInt16LE(token, 2 * i);
  });
  return out;
}
