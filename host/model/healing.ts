/**
 * The end of a prompt, healed. A text's tokens depend on what follows: "nigh" is two tokens, "night" may be one, and a model that
 * has read the two has never seen them before a "t". So the prompt's last bytes, as far as no border of pieces is certain behind
 * them, are taken back, and one token is drawn that covers the prompt's last byte: it ends there, or goes on beyond.
 *
 * That is exact. Every text that begins with the prompt has one sequence of tokens, in which one token covers the prompt's last
 * byte, and what stands before that token is the encoding of its bytes. So p(cover | prompt) is in proportion to p(tokens before it) ·
 * p(cover | tokens before it). Ours; the idea is that of token healing (Lundberg 2023), which draws from the tokens that begin with
 * the bytes taken back, whatever the shorter ones before them would cost.
 */
import { checkOptions, invalidOption } from "../errors.ts";
import { SymbolTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import type { Predictor } from "./kernel.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Bytes that may follow a text, and how likely it is. */
export interface Candidate {
  readonly bytes: Uint8Array;
  readonly probability: number;
}

export interface CandidateOptions {
  /** Most candidates. Default: all. */
  readonly top?: number | undefined;
}

/** Most candidates. @throws SaffuError INVALID_OPTION */
export function checkTop(options: CandidateOptions): number {
  checkOptions(options, []);
  const { top = Number.POSITIVE_INFINITY } = options;
  if (typeof top !== "number" || !(top >= 1)) throw invalidOption("top", "a number of candidates, 1 or more", top);
  return top;
}

/** Longest end that is taken back whole, in bytes; pieces of older files can be longer. */
const MOST_TAKEN = 512;

/** A token that covers the last byte of what was taken back. */
export interface Cover {
  /** The bytes taken back that stand before it, as tokens. */
  readonly before: Uint16Array;
  readonly token: number;
  /** What it adds to the prompt; nothing where it ends with it. */
  readonly added: Uint8Array;
}

/** The end of a prompt that is taken back. */
export interface Taken {
  /** Tokens that are not taken back after all, as the end is longer than can be. */
  readonly kept: Uint16Array;
  /** All covers, the prompt's own last token first: it ends where the prompt does. None where nothing is taken back. */
  readonly covers: readonly Cover[];
}

/**
 * What can cover the end of a prompt.
 *
 * @param end the prompt's bytes that are not settled
 */
export function takeBack(end: Uint8Array, tokenizer: Tokenizer, vocabulary: Vocabulary): Taken {
  if (tokenizer instanceof SymbolTokenizer) return { kept: tokenizer.encode(end), covers: [] }; // a number at the end is whole
  const { spelled, longest } = vocabulary;
  let own = tokenizer.encode(end);
  let kept = own.subarray(0, 0);
  if (end.length > MOST_TAKEN) {
    let from = own.length;
    let bytes = 0;
    while (from > 0 && bytes < longest) bytes += spelled[own[--from]!]!.length;
    kept = own.subarray(0, from);
    own = own.subarray(from);
    end = end.subarray(end.length - bytes);
  }
  if (own.length === 0) return { kept, covers: [] };
  const last = own.length - 1;
  const covers: Cover[] = [{ before: own.subarray(0, last), token: own[last]!, added: new Uint8Array(0) }];
  const prefixes = new Map<number, Uint16Array>();
  for (const [token, bytes] of spelled.entries()) {
    for (let at = Math.max(0, end.length + 1 - bytes.length); at < end.length; ++at) {
      const inside = end.length - at;
      if (!startsWith(bytes, end, at)) continue;
      if (at === 0) {
        if (vocabulary.isEncoding(token)) covers.push({ before: NO_TOKENS, token, added: bytes.subarray(inside) });
        continue;
      }
      let before = prefixes.get(at);
      if (before === undefined) {
        before = tokenizer.encode(end.subarray(0, at));
        prefixes.set(at, before);
      }
      if (isEncoding(tokenizer, end.subarray(0, at), before, bytes, token)) {
        covers.push({ before, token, added: bytes.subarray(inside) });
      }
    }
  }
  return { kept, covers };
}

const NO_TOKENS = new Uint16Array(0);

/** Whether `bytes` begin with end[at..). */
function startsWith(bytes: Uint8Array, end: Uint8Array, at: number): boolean {
  for (let i = at; i < end.length; ++i) if (bytes[i - at] !== end[i]) return false;
  return true;
}

/** Whether the text of `prefix` and `bytes` is encoded as `before` and then `token`. */
function isEncoding(tokenizer: Tokenizer, prefix: Uint8Array, before: Uint16Array, bytes: Uint8Array, token: number) {
  const text = new Uint8Array(prefix.length + bytes.length);
  text.set(prefix);
  text.set(bytes, prefix.length);
  const tokens = tokenizer.encode(text);
  return (
    tokens.length === before.length + 1 &&
    tokens[before.length] === token &&
    before.every((each, i) => each === tokens[i])
  );
}

/** What a prompt's end is healed with. */
export interface Healer {
  readonly kernels: { readonly restores: boolean };
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
}

/** What can cover a prompt's end. A module that cannot go back to a state has the prompt's own tokens alone. */
export function coversOf(end: Uint8Array, { kernels, tokenizer, vocabulary }: Healer): Taken {
  const { kept, covers } = takeBack(end, tokenizer, vocabulary);
  return { kept, covers: kernels.restores ? covers : covers.slice(0, 1) };
}

/** Everything that one token can add to a prompt, whose end the predictor has not read: it reads what of it is kept. */
export function healed(predictor: Predictor, end: Uint8Array, healer: Healer): Continuation[] {
  const { kept, covers } = coversOf(end, healer);
  for (const token of kept) predictor.feed(token);
  return continuations(predictor, covers, healer.vocabulary);
}

/** The likeliest continuations as bytes. */
export function candidatesOf(found: readonly Continuation[], top: number): Candidate[] {
  return found.slice(0, top).map(({ added, probability }) => ({ bytes: added.slice(), probability }));
}

/** What may follow a prompt: tokens in place of its end that was taken back, and how likely they are. */
export interface Continuation {
  /** The tokens up to the last, which stand for bytes of the prompt alone. */
  readonly before: Uint16Array;
  readonly token: number;
  /** What `token` adds to the prompt, at least a byte. */
  readonly added: Uint8Array;
  /** Of unit sum. */
  readonly probability: number;
}

/**
 * Everything that one token can add to a prompt, the likeliest first: covers that go on beyond its end, and the tokens that follow
 * where one ends there. No two add the same. The predictor has read what stands before the end that was taken back, and is as it was
 * afterwards.
 */
export function continuations(predictor: Predictor, covers: readonly Cover[], vocabulary: Vocabulary): Continuation[] {
  const { probabilities } = predictor;
  const start = predictor.save();
  const weights = covers.map(() => 1);
  // covers that stand behind the same tokens are read off one prediction
  const behind = new Map<string, number[]>();
  for (const [i, { before }] of covers.entries()) {
    const key = before.join();
    const those = behind.get(key);
    if (those === undefined) behind.set(key, [i]);
    else those.push(i);
  }
  for (const those of behind.values()) {
    let p = 1;
    for (const token of covers[those[0]!]!.before) {
      predictor.predict();
      p *= probabilities[token]!;
      predictor.feed(token);
    }
    predictor.predict();
    for (const i of those) weights[i] = p * probabilities[covers[i]!.token]!;
    predictor.restore(start);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const shares = weights.map((weight, i) => (sum > 0 ? weight / sum : i === 0 ? 1 : 0));

  const [own, ...beyond] = covers;
  const prompt = own === undefined ? new Uint16Array(0) : Uint16Array.of(...own.before, own.token);
  for (const token of prompt) predictor.feed(token);
  predictor.predict();
  const share = shares[0] ?? 1;
  const found = beyond.map((cover, i) => ({ ...cover, probability: shares[i + 1]! }));
  const { spelled, keys, count } = vocabulary;
  let all = 1;
  for (let token = count; token < spelled.length; ++token) all -= probabilities[token]!;
  const byBytes = new Map(found.map((each) => [keys[each.token]!.slice(-each.added.length), each]));
  for (const [token, added] of spelled.slice(0, count).entries()) {
    const probability = (share * probabilities[token]!) / all;
    const same = byBytes.get(keys[token]!);
    if (same !== undefined) same.probability += probability;
    else found.push({ before: prompt, token, added, probability });
  }
  predictor.restore(start);
  return found.sort((a, b) => b.probability - a.probability);
}

/**
 * Draws a continuation with the module's own sampler, so that it is the same on every runtime: probabilities of continuations stand
 * where those of tokens do. Of more than V they are the V likeliest. The context stays.
 *
 * @param found the likeliest first; at least one
 */
export function drawContinuation(
  predictor: Predictor,
  found: readonly Continuation[],
  [temperature, topK, topP]: readonly [temperature: number, topK: number, topP: number],
): Continuation {
  predictor.predict();
  const { probabilities } = predictor;
  const own = probabilities.slice();
  const most = found[0]!.probability || 1;
  for (const slot of probabilities.keys()) {
    const each = found[slot];
    probabilities[slot] = each === undefined ? -1 : each.probability / most;
  }
  const drawn = predictor.sample(temperature, topK, topP);
  probabilities.set(own); // what comes next predicts with them
  return found[drawn]!;
}
