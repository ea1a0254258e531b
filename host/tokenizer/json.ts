/** Reading tokenizer.json: byte-level BPE in the Hugging Face format, or a refusal that names what is not supported. */
import { SaffuError } from "../errors.ts";
import { pairKey } from "./bpe.ts";
import { unspell } from "./bytes.ts";
import { BytePairTokenizer, type Tokenizer } from "./tokenizer.ts";

type Json = Record<string, unknown>;
const MOST_TOKENS = 65528;

/**
 * The tokenizer that a parsed tokenizer.json describes.
 *
 * @throws SaffuError TOKENIZER_INVALID, naming what is wrong or not supported
 */
export function tokenizerFromJSON(json: unknown): Tokenizer {
  const file = record(json, "tokenizer.json");
  for (const part of ["normalizer", "post_processor", "truncation", "padding"]) {
    const value = file[part];
    // a byte-level post-processor trims offsets and leaves tokens alone
    if (value === null || value === undefined || (part === "post_processor" && isByteLevel(value))) continue;
    throw invalid(`a ${part} is not supported`);
  }
  if (Array.isArray(file.added_tokens) && file.added_tokens.length > 0) throw invalid("added tokens are not supported");
  const before = record(file.pre_tokenizer, "pre_tokenizer");
  if (!isByteLevel(before) || before.add_prefix_space !== false || before.use_regex === false) {
    throw invalid("pre_tokenizer must be ByteLevel without a prefix space and with its regular expression");
  }
  if (!isByteLevel(file.decoder)) throw invalid("decoder must be ByteLevel");
  const model = record(file.model, "model");
  if (model.type !== "BPE") throw invalid(`model.type must be "BPE"`);
  for (const part of ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model[part] !== null && model[part] !== undefined && model[part] !== "") {
      throw invalid(`model.${part} is not supported`);
    }
  }
  if (model.byte_fallback === true || model.ignore_merges === true) {
    throw invalid("model.byte_fallback and model.ignore_merges are not supported");
  }
  const ids = record(model.vocab, "model.vocab");
  return new BytePairTokenizer(readVocabulary(ids), readMerges(model.merges, ids));
}

function readVocabulary(ids: Json): Uint8Array[] {
  const entries = Object.entries(ids);
  if (entries.length < 256 || entries.length > MOST_TOKENS) {
    throw invalid(`the vocabulary has ${entries.length} tokens, 256 to ${MOST_TOKENS} are supported`);
  }
  const bytes = new Array<Uint8Array | undefined>(entries.length).fill(undefined);
  const single = new Set<number>();
  for (const [entry, id] of entries) {
    const name = JSON.stringify(entry.slice(0, 40));
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= entries.length) {
      throw invalid(`token ${name} has id ${String(id)}, ids must be 0 to ${entries.length - 1}`);
    }
    if (bytes[id as number] !== undefined) throw invalid(`id ${String(id)} belongs to two tokens`);
    const spelled = unspell(entry);
    if (spelled === undefined || spelled.length === 0) throw invalid(`token ${name} does not spell bytes`);
    if (spelled.length === 1) single.add(spelled[0]!);
    bytes[id as number] = spelled;
  }
  if (single.size !== 256) throw invalid(`the vocabulary has ${single.size} of the 256 single bytes`);
  return bytes as Uint8Array[];
}

function readMerges(merges: unknown, ids: Json): [number, number, number][] {
  if (!Array.isArray(merges)) throw invalid("model.merges must be an array");
  const seen = new Set<number>();
  return merges.map((merge: unknown, rank) => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((part) => typeof part !== "string")) {
      throw invalid(`merge ${rank} must be a pair of tokens`);
    }
    const [left, right] = pair as [string, string];
    const found = [left, right, left + right].map((entry) => {
      if (!Object.hasOwn(ids, entry))
        throw invalid(`merge ${rank} names ${JSON.stringify(entry.slice(0, 40))}, not in the vocabulary`);
      return ids[entry] as number;
    }) as [number, number, number];
    const key = pairKey(found[0], found[1]);
    if (seen.has(key)) throw invalid(`merge ${rank} stands twice`);
    seen.add(key);
    return found;
  });
}

function isByteLevel(value: unknown): boolean {
  return typeof value === "object" && value !== null && (value as Json).type === "ByteLevel";
}

function record(value: unknown, name: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${name} must be an object`);
  return value as Json;
}

function invalid(what: string): SaffuError {
  return new SaffuError("TOKENIZER_INVALID", `tokenizer.json: ${what}`);
}
