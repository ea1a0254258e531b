/**
 * A session: a stream that is read on and on. Its context is kept from call to call, and through refits of the model; it can be saved,
 * restored and forked, so that a continuation can be tried and taken back.
 *
 * ```ts
 * const session = model.session({ learn: true });
 * for await (const line of lines) {
 *   const { bits } = session.push(line); // how surprising the line was, in this stream
 *   if (bits < 200) await session.observe(); // learns it, as a piece of its own
 * }
 * ```
 *
 * The tokens of a text depend on what follows it, so the last bytes of a push may be held back until the next one, or until `flush`.
 */
import { joined } from "../bytes.ts";
import { checkOptions, invalidOption, SaffuError } from "../errors.ts";
import { readTensors, type Tensor, writeTensors } from "../files/safetensors.ts";
import { hexadecimal, sha256Of } from "../files/sha256.ts";
import type { Observation, ObserveOptions } from "../learning/options.ts";
import { bytesOfText } from "../tokenizer/bytes.ts";
import { isIds, settledPrefix, type Text, type Tokenizer } from "../tokenizer/index.ts";
import { type Candidate, type CandidateOptions, candidatesOf, checkTop, healed } from "./healing.ts";
import type { Predictor } from "./kernel.ts";
import type { Kernels } from "./kernels.ts";
import { assertSuggests, checkSuggestOptions, type Suggestion, type SuggestOptions, suggestions } from "./suggest.ts";
import type { Vocabulary } from "./vocabulary.ts";
import { MOST_TAIL } from "./words.ts";

export interface SessionOptions {
  /** Whether what is pushed is kept for `observe`. Default false. */
  readonly learn?: boolean | undefined;
}

/** A token of the stream. */
export interface SessionToken {
  readonly id: number;
  /** −log2 p(token | all that was pushed before). */
  readonly bits: number;
  /** Its bytes in the stream: [start, end). */
  readonly start: number;
  readonly end: number;
}

/** What a push came to: of the tokens that are certain, those that were held back before included. */
export interface Pushed {
  readonly bits: number;
  /** How many tokens, and the bytes that they spell. */
  readonly tokens: number;
  readonly bytes: number;
  readonly pieces: readonly SessionToken[];
}

/** What a session needs of its model. */
export interface SessionModel {
  readonly kernels: Kernels;
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  /** Digest of the base, which a saved session names. */
  readonly base: string;
  observe(piece: Uint16Array, options: ObserveOptions): Promise<Observation>;
}

const FORMAT = "saffu-session";
const VERSION = "1";
const FILE = "the session";
const NO_DIGEST = "0".repeat(64);
/** Tokens that are kept for one `observe`, at the most. */
const MOST_PIECE = 2 ** 22;

/** Where a stream is, beside the predictor. */
interface Place {
  /** Bytes of all tokens so far. */
  bytes: number;
  /** Bytes held back. */
  held: Uint8Array;
  /** A high surrogate whose other half the next string may begin with. */
  high: string;
  /** Last bytes of all tokens so far, as many as suggestions look at: a word may have begun there. */
  tail: Uint8Array;
}

const START: Place = { bytes: 0, held: new Uint8Array(0), high: "", tail: new Uint8Array(0) };

export class Session {
  private predictor: Predictor | undefined;
  private place: Place = START;
  /** Tokens since the last `observe`, where the session learns. */
  private piece: number[] = [];
  /** Times that another piece was begun: one that could not be learned is kept within its own alone. */
  private seat = 0;
  /** Whether the state came from outside: such an instance is used for nothing else. */
  private foreign = false;
  private readonly learns: boolean;

  /** `model.session()` is the way to call it. @throws SaffuError INVALID_OPTION, OUT_OF_MEMORY */
  constructor(
    private readonly model: SessionModel,
    options: SessionOptions,
  ) {
    const { learn = false } = options;
    if (typeof learn !== "boolean") throw invalidOption("learn", "true or false", learn);
    this.learns = learn;
    this.predictor = model.kernels.take();
  }

  /** Bytes of the stream that its tokens spell; those held back come after. */
  get bytes(): number {
    return this.place.bytes;
  }

  /** Bytes that are held back: with what follows they may be other tokens. */
  get heldBack(): number {
    return this.heldBytes().length;
  }

  /**
   * Goes on with a text or with ids, before which what was held back is settled. It does not return before it is done.
   *
   * @throws SaffuError INVALID_TEXT, TOKEN_OUT_OF_RANGE; then nothing has changed. INVALID_OPTION where the session is closed, or learns
   * and has kept more tokens than one piece can have
   */
  push(text: Text): Pushed {
    const { tokenizer } = this.model;
    const { held, high } = this.place;
    if (isIds(text)) {
      const ids = tokenizer.encode(text);
      return this.read([...tokenizer.encode(this.heldBytes()), ...ids], { held: START.held, high: "" });
    }
    let next = "";
    let given: string | Uint8Array = text;
    if (typeof text === "string") {
      const all = high + text;
      const whole = all.length - ((all.charCodeAt(all.length - 1) & 0xfc00) === 0xd800 ? 1 : 0);
      next = all.slice(whole);
      given = all.slice(0, whole);
    }
    const before = typeof text === "string" || high === "" ? held : this.heldBytes();
    const bytes = joined(before, bytesOfText(given));
    const settled = settledPrefix(tokenizer, bytes);
    const tokens = tokenizer.encode(bytes.subarray(0, settled));
    return this.read(tokens, { held: bytes.slice(settled), high: next });
  }

  /** Settles what is held back, as if the text ended here. */
  flush(): Pushed {
    return this.read(this.model.tokenizer.encode(this.heldBytes()), { held: START.held, high: "" });
  }

  /**
   * What a text would come to if it were pushed now, and the stream ended with it. The session stays where it is: each of many texts can be read behind the
   * same ones.
   *
   * @throws SaffuError INVALID_TEXT, TOKEN_OUT_OF_RANGE; INVALID_OPTION where the session is closed
   */
  peek(text: Text): Pushed {
    return this.atEnd((_, held) => {
      const { tokenizer } = this.model;
      const tokens = isIds(text)
        ? [...tokenizer.encode(held), ...tokenizer.encode(text)]
        : tokenizer.encode(joined(held, bytesOfText(text)));
      return this.feed(tokens);
    });
  }

  /** The distribution of the token after those that are settled, (V) f32 of unit sum. What is held back has no part in it. */
  predict(): Float32Array {
    const predictor = this.open();
    predictor.predict();
    return predictor.probabilities.slice();
  }

  /**
   * What may follow, as bytes, the likeliest first: the rest of a token that began in what is held back, or the token after it. No two
   * are alike, and together their probabilities are 1.
   *
   * @throws SaffuError INVALID_OPTION
   */
  candidates(options: CandidateOptions = {}): Candidate[] {
    const top = checkTop(options);
    return this.atEnd((predictor, held) => candidatesOf(healed(predictor, held, this.model), top));
  }

  /**
   * The likeliest words that the stream may go on with, the likeliest first: for each key of a keyboard, in some milliseconds. As the model's
   * `suggest` of the whole stream.
   *
   * @throws SaffuError INVALID_OPTION; UNSUPPORTED as there
   */
  suggest(options: SuggestOptions = {}): Suggestion[] {
    const bounds = checkSuggestOptions(options);
    assertSuggests(this.model);
    return this.atEnd((predictor, held) => {
      const tail = joined(this.place.tail, held).slice(-MOST_TAIL);
      return suggestions(predictor, healed(predictor, held, this.model), this.model.vocabulary, tail, bounds);
    });
  }

  /** Looks beyond what is held back, and goes back to where the stream is. */
  private atEnd<T>(look: (predictor: Predictor, held: Uint8Array) => T): T {
    const predictor = this.open();
    const start = predictor.save();
    try {
      return look(predictor, this.heldBytes());
    } finally {
      predictor.restore(start);
    }
  }

  /**
   * Learns what was pushed since the last `observe`, as a piece of its own; what is held back is settled first, as by `flush`. To take it away again,
   * forget the same text, or the same ids.
   *
   * @throws SaffuError as the model's `observe`; then the piece is kept, and can be observed again. INVALID_OPTION without `learn`
   */
  async observe(options: ObserveOptions = {}): Promise<Observation> {
    checkOptions(options);
    if (!this.learns)
      throw new SaffuError("INVALID_OPTION", "this session keeps nothing to observe: open it with learn: true");
    this.flush();
    const { piece, seat } = this;
    this.piece = []; // taken at once: what is pushed, skipped, restored or observed meanwhile is of the next piece
    try {
      return await this.model.observe(Uint16Array.from(piece), options);
    } catch (cause) {
      if (this.seat === seat) this.piece = [...piece, ...this.piece];
      throw cause;
    }
  }

  /** Drops what was pushed since the last `observe`: it is not learned, and stays in the context. */
  skip(): void {
    this.open();
    this.flush();
    this.piece = [];
    ++this.seat;
  }

  /** Another session at this place, which goes its own way; what waits for `observe` stays here. @throws SaffuError OUT_OF_MEMORY */
  fork(): Session {
    const predictor = this.open();
    const other = new Session(this.model, { learn: this.learns });
    other.predictor!.restore(predictor.save());
    other.place = this.place;
    other.foreign = this.foreign;
    return other;
  }

  /** This place as bytes, for `restore`, of this session or another of the same model, in any process. */
  save(): Uint8Array {
    const state = this.open().save();
    const { bytes, held, high, tail } = this.place;
    const { piece } = this;
    const tensors = new Map<string, Tensor>([
      ["held", { dtype: "U8", shape: [held.length], data: held } as Tensor],
      ["piece", { dtype: "U16", shape: [piece.length], data: Uint16Array.from(piece) } as Tensor],
      ["state", { dtype: "U8", shape: [state.length], data: state } as Tensor],
      ["tail", { dtype: "U8", shape: [tail.length], data: tail } as Tensor],
    ]);
    for (const [name, { data }] of [...tensors]) if (data.length === 0) tensors.delete(name);
    const metadata = { format: FORMAT, version: VERSION, base: this.model.base, bytes: String(bytes), high };
    const sha256 = hexadecimal(sha256Of(writeTensors(tensors, { ...metadata, sha256: NO_DIGEST })));
    return writeTensors(tensors, { ...metadata, sha256 });
  }

  /**
   * Goes to a place that was saved. What the model has learned since stays learned.
   *
   * @throws SaffuError MODEL_CORRUPT, MODEL_VERSION, MODEL_DIGEST, STATISTICS_MISMATCH where the bytes are none, or of another model;
   * then nothing has changed
   */
  restore(saved: Uint8Array): void {
    const predictor = this.open();
    const corrupt = (what: string) => new SaffuError("MODEL_CORRUPT", `${FILE}: ${what}`);
    const { tensors, metadata } = readTensors(new Uint8Array(bytesOfText(saved)), FILE);
    if (metadata.format !== FORMAT) throw corrupt(`"format" is not "${FORMAT}"`);
    if (metadata.version !== VERSION) {
      const found = JSON.stringify(metadata.version);
      throw new SaffuError("MODEL_VERSION", `${FILE}: version ${found} found, only "${VERSION}" is supported`);
    }
    const digest = hexadecimal(sha256Of(writeTensors(tensors, { ...metadata, sha256: NO_DIGEST })));
    if (digest !== metadata.sha256) {
      throw new SaffuError(
        "MODEL_DIGEST",
        `${FILE}: sha256 is ${digest}, it records ${JSON.stringify(metadata.sha256)}`,
      );
    }
    if (metadata.base !== this.model.base) {
      const what = `saved under the base ${JSON.stringify(metadata.base)}, this model's is "${this.model.base}"`;
      throw new SaffuError("STATISTICS_MISMATCH", `${FILE}: ${what}`);
    }
    const take = (name: string, dtype: "U8" | "U16"): Uint8Array | Uint16Array => {
      const tensor = tensors.get(name) ?? { dtype, data: new Uint8Array(0) };
      if (tensor.dtype !== dtype) throw corrupt(`${name} is ${tensor.dtype}, not ${dtype}`);
      return tensor.data as Uint8Array | Uint16Array;
    };
    const unknown = [...tensors.keys()].find((name) => !["held", "piece", "state", "tail"].includes(name));
    if (unknown !== undefined) throw corrupt(`tensor ${JSON.stringify(unknown)} has no meaning here`);
    const state = take("state", "U8") as Uint8Array;
    const wanted = predictor.save().length;
    if (state.length !== wanted) throw corrupt(`the state has ${state.length} bytes, this model's has ${wanted}`);
    const { bytes = "", high = "" } = metadata;
    if (!/^\d{1,15}$/.test(bytes)) throw corrupt(`"bytes" is ${JSON.stringify(bytes)}`);
    if (high.length > 1 || (high !== "" && (high.charCodeAt(0) & 0xfc00) !== 0xd800)) {
      throw corrupt(`"high" is ${JSON.stringify(high)}, no half of a surrogate pair`);
    }
    const held = (take("held", "U8") as Uint8Array).slice();
    const tail = (take("tail", "U8") as Uint8Array).slice(-MOST_TAIL);
    const piece = Array.from(take("piece", "U16"));
    const { vocabularySize } = this.model.tokenizer;
    if (piece.length > MOST_PIECE || piece.some((id) => id >= vocabularySize)) {
      throw corrupt(
        `the piece has more than ${MOST_PIECE} tokens, or one beyond the ${vocabularySize} of the vocabulary`,
      );
    }
    predictor.restore(state);
    this.foreign = true;
    ++this.seat;
    predictor.forgetPrediction(); // it may be of what was learned then
    this.place = { bytes: Number(bytes), held, high, tail };
    this.piece = piece;
  }

  /** Gives back what the session holds; no other call may follow. */
  close(): void {
    if (this.predictor !== undefined && !this.foreign) this.model.kernels.give(this.predictor);
    this.predictor = undefined;
  }

  /** The predictor, with all that was learned meanwhile. */
  private open(): Predictor {
    if (this.predictor === undefined) throw new SaffuError("INVALID_OPTION", "the session is closed");
    this.model.kernels.renew(this.predictor);
    return this.predictor;
  }

  private heldBytes(): Uint8Array {
    const { held, high } = this.place;
    return joined(held, bytesOfText(high));
  }

  /** Reads tokens, behind which the stream goes on with what is held. */
  private read(tokens: ArrayLike<number>, { held, high }: Pick<Place, "held" | "high">): Pushed {
    this.open();
    const { spelled } = this.model.vocabulary;
    const ids = Array.from(tokens);
    if (this.learns && this.piece.length + ids.length > MOST_PIECE) {
      throw new SaffuError("INVALID_OPTION", `more than ${MOST_PIECE} tokens since the last observe or skip`);
    }
    const fed = this.feed(ids);
    const tail = joined(this.place.tail, ...ids.slice(-MOST_TAIL).map((id) => spelled[id]));
    this.place = { bytes: this.place.bytes + fed.bytes, held, high, tail: tail.slice(-MOST_TAIL) };
    if (this.learns) for (const id of ids) this.piece.push(id);
    return fed;
  }

  /** Feeds tokens to the predictor, and nothing else. */
  private feed(tokens: ArrayLike<number>): Pushed {
    const predictor = this.open();
    const { spelled } = this.model.vocabulary;
    const pieces: SessionToken[] = [];
    let at = this.place.bytes;
    let bits = 0;
    for (let i = 0; i < tokens.length; ++i) {
      const id = tokens[i]!;
      const end = at + spelled[id]!.length;
      const surprisal = predictor.feed(id);
      pieces.push({ id, bits: surprisal, start: at, end });
      bits += surprisal;
      at = end;
    }
    return { bits, tokens: tokens.length, bytes: at - this.place.bytes, pieces };
  }
}
