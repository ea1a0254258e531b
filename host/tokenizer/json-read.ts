/** Reading tokenizer.json: byte-level BPE in the Hugging Face format, or a refusal that names what is wrong or not supported. */
import { SaffuError } from "../errors.ts";
import type { Merge } from "./bpe.ts";
import { unspell } from "./bytes.ts";
import { PairTable } from "./pair-table.ts";
import { GPT2, PATTERNS, type Split } from "./pretokenize.ts";
import { SYMBOLS, symbolTokenizer } from "./symbols.ts";
import { BytePairTokenizer, type Tokenizer } from "./tokenizer.ts";

type Json = Record<string, unknown>;

/** Ids are 16 bits wide with 0xffff left to mean "none", and a model's V is a multiple of 8. */
const MOST_TOKENS = 65528;
const MOST_MERGES = 1 << 22;

/**
 * The tokenizer that a parsed tokenizer.json describes: symbols, or any byte-level BPE with one of the two splits of pretokenize.ts, whatever
 * the order of its ids, without special tokens.
 *
 * @throws SaffuError TOKENIZER_INVALID
 */
export function tokenizerFromJSON(json: unknown): Tokenizer {
  const file = record(json, "the file");
  if (isThere(file.version) && file.version !== "1.0") throw invalid(`version ${show(file.version)} is not "1.0"`);
  for (const part of ["normalizer", "truncation", "padding"]) {
    if (isThere(file[part])) throw invalid(`a ${part} is not supported`);
  }
  const added = file.added_tokens;
  if (isThere(added) && !(Array.isArray(added) && added.length === 0)) throw invalid("added_tokens are not supported");
  if (isOf(file.model, SYMBOLS)) return readSymbols(file.model);
  const split = readSplit(file.pre_tokenizer);
  // as a post-processor, ByteLevel moves offsets and leaves the tokens alone
  if (isThere(file.post_processor) && !isOf(file.post_processor, "ByteLevel")) {
    throw invalid("a post_processor other than ByteLevel is not supported");
  }
  if (!isOf(file.decoder, "ByteLevel")) throw invalid("decoder must be ByteLevel");
  const model = record(file.model, "model");
  if (model.type !== "BPE") throw invalid(`model.type ${show(model.type)} is not "BPE"`);
  for (const part of ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (isThere(model[part]) && model[part] !== "") throw invalid(`model.${part} is not supported`);
  }
  for (const part of ["byte_fallback", "ignore_merges"]) {
    if ((model[part] ?? false) !== false) throw invalid(`model.${part} is not supported`);
  }
  const ids = record(model.vocab, "model.vocab");
  return new BytePairTokenizer(readVocabulary(ids), readMerges(model.merges, ids), split);
}

function readSymbols({ size }: Json): Tokenizer {
  if (!Number.isInteger(size) || !((size as number) >= 1 && (size as number) <= MOST_TOKENS)) {
    throw invalid(`model.size must be a number of symbols in 1..${MOST_TOKENS}, got ${show(size)}`);
  }
  return symbolTokenizer(size as number);
}

/** The split that a pre_tokenizer names. */
function readSplit(named: unknown): Split {
  const isSplit = (value: unknown, regex: boolean) =>
    isOf(value, "ByteLevel") && value.add_prefix_space === false && (value.use_regex ?? true) === regex;
  if (isSplit(named, true)) return GPT2;
  const parts = isOf(named, "Sequence") ? named.pretokenizers : undefined;
  if (Array.isArray(parts) && parts.length === 2 && isSplit(parts[1], false)) {
    const [first] = parts as unknown[];
    const pattern = isOf(first, "Split") && first.behavior === "Isolated" && !first.invert ? first.pattern : undefined;
    for (const [split, regex] of PATTERNS) {
      if (typeof pattern === "object" && (pattern as Json | null)?.Regex === regex) return split;
    }
  }
  throw invalid(
    "pre_tokenizer must be ByteLevel with add_prefix_space false and use_regex true, or a Sequence of a Split that saffu writes and ByteLevel",
  );
}

/** Bytes of each token, by id. */
function readVocabulary(ids: Json): Uint8Array[] {
  const entries = Object.entries(ids);
  const size = entries.length;
  if (size < 256 || size > MOST_TOKENS) {
    throw invalid(`model.vocab has ${size} tokens, 256 to ${MOST_TOKENS} are supported`);
  }
  const bytes = new Array<Uint8Array | undefined>(size).fill(undefined);
  let single = 0; // entries differ, and so do the bytes they spell
  for (const [entry, id] of entries) {
    if (!isId(id, size)) throw invalid(`token ${show(entry)} has id ${show(id)}, ids must be 0 to ${size - 1}`);
    if (bytes[id] !== undefined) throw invalid(`id ${id} belongs to two tokens`);
    const spelled = unspell(entry);
    if (spelled === undefined) throw invalid(`token ${show(entry)} does not spell bytes`);
    if (spelled.length === 1) ++single;
    bytes[id] = spelled;
  }
  if (single !== 256) throw invalid(`model.vocab has ${single} of the 256 single bytes`);
  return bytes as Uint8Array[];
}

function readMerges(merges: unknown, ids: Json): Merge[] {
  if (!Array.isArray(merges) || merges.length > MOST_MERGES) {
    throw invalid(`model.merges must be an array of at most ${MOST_MERGES}`);
  }
  const idOf = (entry: string, rank: number) => {
    if (!Object.hasOwn(ids, entry)) throw invalid(`merge ${rank} names ${show(entry)}, which is not in the vocabulary`);
    return ids[entry] as number;
  };
  const seen = new PairTable();
  const legacy = typeof merges[0] === "string"; // "left right"
  return Array.from(merges, (merge: unknown, rank) => {
    const pair = legacy && typeof merge === "string" ? merge.split(" ", 3) : legacy ? undefined : merge;
    if (!isPair(pair)) throw invalid(`merge ${rank} is not a ${legacy ? "string" : "pair"} of two tokens`);
    const [left, right] = [idOf(pair[0], rank), idOf(pair[1], rank)];
    if (seen.get(left, right) >= 0) throw invalid(`merge ${rank} stands twice`);
    seen.add(left, right, rank);
    return [left, right, idOf(pair[0] + pair[1], rank)] as const;
  });
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "string";
}

function isId(value: unknown, size: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < size;
}

function isThere(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function isOf(value: unknown, type: string): value is Json {
  return typeof value === "object" && value !== null && (value as Json).type === type;
}

function record(value: unknown, name: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${name} must be an object`);
  return value as Json;
}

/** A value for a message: never more than a line, never more than one level deep. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : `of type ${typeof value}`;
}

function invalid(what: string): SaffuError {
  return new SaffuError("TOKENIZER_INVALID", `tokenizer.json: ${what}`);
}
