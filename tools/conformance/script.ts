/**
 * The golden script: what every runtime is asked to do with a compiled module, and what it answers. It is plain JSON, so that a runner
 * can be written in any language in a page.
 *
 * A runner reads one script from its standard input, and writes JSON lines: `{"version": …}`, then one `Answer` a step.
 */

/** Copied from the model's exported memory between two of its exported addresses. */
export interface Region {
  readonly do: "region";
  /** Name of an exported i32 global: address of the first byte. */
  readonly from: string;
  /** Name of another: the last byte is `beyond` bytes after it. */
  readonly to: string;
  readonly beyond: number;
}

export type Step =
  /** Calls an export whose arguments are all i32, such as reset, seed or correct. Answers its result, if it has one. */
  | { readonly do: "call"; readonly function: string; readonly arguments: readonly number[] }
  /**
   * sample(temperature: f32, topK: i32, topP: f32), then append, `count` times. Answers the tokens. With `every`, only tokens that are
   * multiples of it may be drawn: predict() goes before, and −1, an f32, is written to PROBABILITIES for each of the other of
   * `vocabulary` tokens.
   */
  | {
      readonly do: "generate";
      readonly count: number;
      readonly temperature: number;
      readonly topK: number;
      readonly topP: number;
      readonly every?: number;
      readonly vocabulary?: number;
    }
  /** Calls feed, observe or forget with each token. Answers the bits of each f32 result, as u32. */
  | { readonly do: "each"; readonly function: "feed" | "observe" | "forget"; readonly tokens: readonly number[] }
  /** refit(from: i32, to: i32, pseudoCounts: f32, step: f32). Answers its result. */
  | {
      readonly do: "refit";
      readonly from: number;
      readonly to: number;
      readonly pseudoCounts: number;
      readonly step: number;
    }
  /** Answers the digest of its bytes. */
  | Region;

export interface Script {
  /** Path of the module. */
  readonly module: string;
  /** Path of what `saffu.read` reads; null where the module imports nothing. */
  readonly weights: string | null;
  readonly steps: readonly Step[];
}

/** Seconds are what the step took. */
export type Answer =
  | { readonly values: readonly number[]; readonly seconds: number }
  /** FNV-1a of 64 bits, 16 hexadecimal digits. */
  | { readonly digest: string; readonly seconds: number };

/** What a runtime made of a script. */
export interface Played {
  readonly version: string;
  readonly answers: readonly Answer[];
}

/** Tokens written in each generation. */
const WRITTEN = 200;
/** Cuts by both top-k and top-p, so that the sampler's bisections are run. */
const SAMPLING = { temperature: 0.8, topK: 40, topP: 0.95 };
const SEED = 2311;
/** Of the refit: pseudo-tokens α and step s. */
const PSEUDO_COUNTS = 3000;
const STEP = 1;

/** Read by every model, or its first tokens: characters of one to four bytes, and words that recur within nano's history of 256. */
export const TEXT = `The ferry leaves at seven, and the ferryman leaves nothing to chance: he counts the ropes, he counts the lamps, \
he counts the passengers, and then he counts the ropes again. “Déjà compté,” says the boy who sells the tickets – but the ferryman \
counts them all the same. On the other side of the river stands a house with a green door, and behind the green door somebody is \
counting, too: the days until the ice comes, the days until the ice goes, 31 of them, 28 of them, 31 of them. ⛴️ When the ferry comes \
the green door opens; when the ferry leaves the green door closes. Nobody has ever seen the ferryman and the man behind the door in \
one room, the boy says, and nobody has ever asked why there should be two of them. The river does not count. It goes where it went \
yesterday, past the ropes and the lamps and the passengers, past the house and the green door, and in the winter it stands still.`;
/** Tokens of it that are scored, observed and forgotten. */
const READ = 300;

/** Of the tokens drawn with a restriction: how many, and multiples of what. */
const RESTRICTED = 60;
const RESTRICTED_SEED = 3;
const EVERY = 3;

/**
 * The steps for a model of `vocabulary` tokens that reads `text`; one that learns also observes it, writes with what it has learned,
 * forgets, and writes as before.
 */
export function goldenSteps(vocabulary: number, text: ArrayLike<number>, learning: boolean): Step[] {
  const tokens = Array.from(text).slice(0, READ);
  const call = (name: string, ...values: number[]): Step => ({ do: "call", function: name, arguments: values });
  const region = (from: string, to: string, beyond: number): Step => ({ do: "region", from, to, beyond });
  const probabilities = [call("predict"), region("PROBABILITIES", "PROBABILITIES", vocabulary * 4)];
  const read = (by: "feed" | "observe" | "forget"): Step[] => [call("reset"), { do: "each", function: by, tokens }];
  const write: Step[] = [
    call("reset"),
    call("seed", SEED),
    { do: "generate", count: WRITTEN, ...SAMPLING },
    ...probabilities,
  ];
  const statistics = region("OBSERVED", "OBSERVED_TOKENS", 4);
  const refit: Step[] = [
    { do: "refit", from: 0, to: vocabulary, pseudoCounts: PSEUDO_COUNTS, step: STEP },
    region("CORRECTED_O", "CORRECTED_O_SCALE", vocabulary * 4),
  ];
  const learn: Step[] = [
    ...read("observe"),
    statistics,
    ...refit,
    call("correct", 1),
    ...write,
    ...read("forget"),
    statistics,
    ...refit,
    ...write,
  ];
  const restricted: Step[] = [
    call("reset"),
    call("seed", RESTRICTED_SEED),
    { do: "generate", count: RESTRICTED, ...SAMPLING, every: EVERY, vocabulary },
  ];
  return [...write, ...restricted, ...read("feed"), ...probabilities, ...(learning ? learn : [])];
}

/** Tokens of a suggestion in its greedy form, and of the text before it. */
const SUGGESTED = 12;
const TYPED = 120;

/** The likeliest tokens behind a text, one after the other, as a suggestion's greedy form has them; then the text again, and among a third of the tokens. */
export function suggestSteps(vocabulary: number, text: ArrayLike<number>): Step[] {
  const tokens = Array.from(text).slice(0, TYPED);
  const call = (name: string, ...values: number[]): Step => ({ do: "call", function: name, arguments: values });
  const probabilities: Step = { do: "region", from: "PROBABILITIES", to: "PROBABILITIES", beyond: vocabulary * 4 };
  const greedy = { do: "generate", count: SUGGESTED, temperature: 0, topK: 0, topP: 1 } as const;
  const typed: Step[] = [call("reset"), { do: "each", function: "feed", tokens }];
  const likeliest = [...typed, greedy, call("predict"), probabilities];
  return [...likeliest, ...typed, { ...greedy, every: EVERY, vocabulary }, ...likeliest];
}

/** Packed and unpacked by a model of bytes: words, what it has never seen, and nothing. */
export const MESSAGES = ["It was a dark night.\nIt", "47.3769N \u{1f642}", ""] as const;
/** The newline stands for the end of a message. */
const BEGIN = 0x0a;
/** What `unpack` answers where the message has ended. */
export const ENDED = -8;

/** Packs each message, token by token, and unpacks what that has left, by the bytes of its frame, to its end and beyond. */
export function messageSteps(messages: readonly ArrayLike<number>[], lengths: readonly number[]): Step[] {
  const call = (name: string, ...values: number[]): Step => ({ do: "call", function: name, arguments: values });
  return messages.flatMap((tokens, i) => [
    call("reset"),
    call("packFrom", BEGIN),
    ...Array.from(tokens, (token) => call("pack", token)),
    call("packed"),
    { do: "region", from: "PACKED", to: "PACKED", beyond: lengths[i] ?? 0 },
    call("reset"),
    call("unpackFrom", BEGIN, lengths[i] ?? 0),
    ...Array.from({ length: tokens.length + 1 }, () => call("unpack")),
  ]);
}

/** What a step is called in a message. */
export function stepName(step: Step): string {
  if (step.do === "region") return `bytes of ${step.from}`;
  if (step.do === "call" || step.do === "each") return step.function;
  return step.do;
}

/** Tokens that go through the model in a script. */
export function tokensOf(steps: readonly Step[]): number {
  const tokens = (step: Step) => (step.do === "generate" ? step.count : step.do === "each" ? step.tokens.length : 0);
  return steps.reduce((sum, step) => sum + tokens(step), 0);
}

/** FNV-1a of 64 bits. */
export function fnv(bytes: Uint8Array): string {
  let digest = 0xcbf29ce484222325n;
  for (const byte of bytes) digest = BigInt.asUintN(64, (digest ^ BigInt(byte)) * 0x100000001b3n);
  return digest.toString(16).padStart(16, "0");
}

/** An answer as a digest: that of its values as u32, little endian. */
export function digestOf(answer: Answer): string {
  if ("digest" in answer) return answer.digest;
  const bytes = new DataView(new ArrayBuffer(answer.values.length * 4));
  for (const [i, value] of answer.values.entries()) bytes.setUint32(i * 4, value, true);
  return fnv(new Uint8Array(bytes.buffer));
}
