/**
 * A channel: two ends that pack messages in the context of those before. Either end has a model in the same state. A message is packed behind
 * one that both have, its **reference**, and behind all that one was packed behind. So a message that is lost costs no other one, and whoever answers
 * says what has arrived.
 *
 * ```ts
 * const here = await model.channel();
 * const packet = await here.send("on my way");
 * // at the other end, over any link that keeps packets whole
 * const { text } = await there.receive(packet);
 * ```
 *
 * A packet is two bytes and a frame (ours). The first byte: the number of the message among this end's, modulo 16, times 16; and the number of its
 * reference, modulo 16. The second: 128 where the reference is one of the receiver's messages; and seven bits of a digest of the reference's state. A message
 * that is its own reference is packed behind none. Either end keeps the 16 last states of each way.
 */
import { joined } from "../bytes.ts";
import { checkBytes, invalidOption, SaffuError } from "../errors.ts";
import { sha256Of } from "../files/sha256.ts";
import { bytesOfText } from "../tokenizer/bytes.ts";
import { type Lesson, type LessonModel, Lessons, NO_LESSON } from "./lessons.ts";
import {
  checkMessageOptions,
  isLiteral,
  type Language,
  type MessageOptions,
  type MessagePredictor,
  type MessageSettings,
  packMessage,
  tokensOf,
  unpackMessage,
} from "./message.ts";

export interface ChannelOptions extends MessageOptions {
  /**
   * Whether the link keeps the order and loses nothing, or an error says so. A message is then packed behind this end's last one; otherwise behind
   * the last that the other end is known to have. Default false.
   */
  readonly ordered?: boolean | undefined;
  /**
   * Learns: each time so many messages, 1..1024, have become known to both ends, both observe them and refit, from sums that are the same to the bit.
   * Both ends need the same. Nothing else may learn in the model meanwhile. Default: not at all.
   */
  readonly learn?: number | undefined;
}

/** A message that has arrived. */
export interface Received {
  readonly message: Uint8Array;
  /** The same as text; bytes that are no character stand as U+FFFD. */
  readonly text: string;
  /** Whether this very packet has come before. Nothing changes then. */
  readonly duplicate: boolean;
  /** Messages since the newest one before that have not arrived. They may still come. */
  readonly missing: number;
}

/** A predictor whose state can be gone back to. */
interface ChannelPredictor extends MessagePredictor {
  save(): Uint8Array;
  restore(saved: Uint8Array): void;
  forgetPrediction(): void;
}

/** Where predictors come from. */
export interface Predictors<P extends ChannelPredictor = ChannelPredictor> {
  /** One at the begin of a text, to be given back. */
  take(): P;
  /** Brings what was learned since to one. */
  renew(predictor: P): void;
  give(predictor: P): void;
}

/** What a channel needs of its model. */
export interface ChannelModel extends Language {
  /** The token that messages are told apart by in the context. */
  readonly end: number | undefined;
  readonly predictors: Predictors;
  /** Digest of what predictions are made from. */
  readonly digest: Uint8Array;
  readonly lessons: LessonModel;
  /** Another value for each state of what the model has learned. */
  version(): unknown;
}

/** Messages of each way that are kept: numbers are modulo this. */
const SLOTS = 16;
/** A number is newer up to so many beyond the newest, else it is late. */
const AHEAD = SLOTS / 2;
const HEADER_BYTES = 2;
const OTHERS = 128;
const DIGEST_BITS = 127;
const MOST_LESSON = 1024;
/** So many packets that cannot be read, one after the other, say that the ends have nothing in common. */
const MOST_LOSSES = 4;

/** Where a message leaves the context. */
interface State {
  readonly predictor: Uint8Array;
  readonly digest: Uint8Array;
  /** What is learned at this place of the channel, and messages since. */
  readonly lesson: Lesson;
  readonly since: readonly Uint8Array[];
}

/** A message that was sent, or has arrived. */
interface Kept {
  readonly packet: Uint8Array;
  readonly message: Uint8Array;
  readonly state: State;
}

/** A message of one of the two ways. */
interface Reference {
  readonly own: boolean;
  readonly number: number;
}

export class Channel {
  private predictor: ChannelPredictor | undefined;
  private readonly start: State;
  private readonly sent: (Kept | undefined)[] = new Array(SLOTS);
  private readonly received: (Kept | undefined)[] = new Array(SLOTS);
  /** The number of the next message, and of the newest that has arrived. */
  private next = Math.floor(SLOTS * Math.random()); // so that one that starts anew hardly repeats its packets
  private newest: number | undefined;
  /** What the next message is packed behind, and what the other end is known to have; undefined for nothing. */
  private reference: Reference | undefined;
  private known: Reference | undefined;
  /** Packets that could not be read since the last one that could. */
  private losses = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly lessons: Lessons;
  /** What the model had learned when the channel last saw it. */
  private version: unknown;
  private readonly settings: MessageSettings;
  private readonly ordered: boolean;
  private readonly lesson: number;

  /** `model.channel()` is the way to call it. @throws SaffuError INVALID_OPTION, OUT_OF_MEMORY */
  constructor(
    private readonly model: ChannelModel,
    options: ChannelOptions,
  ) {
    const { ordered = false, learn } = options;
    this.settings = checkMessageOptions(options);
    if (typeof ordered !== "boolean") throw invalidOption("ordered", "true or false", ordered);
    if (learn !== undefined && (!Number.isInteger(learn) || learn < 1 || learn > MOST_LESSON)) {
      throw invalidOption("learn", `an integer in 1..${MOST_LESSON}`, learn);
    }
    this.ordered = ordered;
    this.lesson = learn ?? Number.POSITIVE_INFINITY;
    this.lessons = new Lessons(model.lessons);
    this.version = model.version();
    this.predictor = model.predictors.take();
    // both ends need the same of these: else not even the first packet is read
    const agreed = Uint8Array.of(this.settings.checksum, (learn ?? 0) & 255, (learn ?? 0) >> 8);
    const digest = sha256Of(joined(model.digest, agreed));
    this.start = { predictor: this.predictor.save(), digest, lesson: NO_LESSON, since: [] };
  }

  /**
   * The packet of a message. That of an empty one is two bytes: it acknowledges what has arrived.
   *
   * @throws SaffuError INVALID_TEXT; STATISTICS_MISMATCH where the model has learned meanwhile; then nothing has changed. What `observe` and `refit` throw, where the channel learns
   */
  async send(message: string | Uint8Array): Promise<Uint8Array> {
    const bytes = new Uint8Array(bytesOfText(message)); // the caller's own may change meanwhile
    return this.alone(async () => {
      const number = this.next;
      const { own = true, number: to = number } = this.reference ?? {};
      const before = this.reference === undefined ? this.start : this.stateOf(this.reference)!;
      const predictor = await this.at(before);
      const frame = packMessage(bytes, this.model, predictor, this.settings);
      const packet = joined(Uint8Array.of((number << 4) | to, (own ? 0 : OTHERS) | checkOf(before)), frame);
      this.sent[number] = { packet, message: bytes, state: this.after(before, bytes, isLiteral(frame)) };
      this.next = (number + 1) % SLOTS;
      if (this.ordered) this.reference = { own: true, number };
      return packet;
    });
  }

  /**
   * The message of a packet of the other end.
   *
   * @throws SaffuError CHANNEL_LOST where this end does not have what the packet's message was packed behind: `send("")` tells the other end what
   * this one has. INVALID_MESSAGE where no message has the packet. What both ends have stays as it was then. What `observe`, `forget` and `refit` throw, where the
   * channel learns
   */
  async receive(packet: Uint8Array): Promise<Received> {
    checkBytes("packet", packet);
    const given = new Uint8Array(packet); // not slice: a Buffer's is no copy
    return this.alone(async () => {
      this.assertOpen();
      if (given.length < HEADER_BYTES) {
        throw new SaffuError(
          "INVALID_MESSAGE",
          `a packet has ${HEADER_BYTES} bytes at least, this has ${given.length}`,
        );
      }
      const number = given[0]! >> 4;
      const reference = { own: (given[1]! & OTHERS) !== 0, number: given[0]! & (SLOTS - 1) };
      const fresh = !reference.own && reference.number === number;
      const ahead = this.newest === undefined ? 1 : (number - this.newest + SLOTS) % SLOTS;
      const newer = ahead >= 1 && ahead <= AHEAD;
      const kept = newer ? undefined : this.received[number];
      if (kept !== undefined && sameBytes(kept.packet, given)) {
        if (fresh) this.reference = this.known = { own: false, number };
        return { ...messageOf(kept.message), duplicate: true, missing: 0 };
      }
      const before = fresh ? this.start : this.stateOf(reference);
      if (before === undefined || checkOf(before) !== (given[1]! & DIGEST_BITS)) {
        this.stepBack();
        throw lost(number, reference, before);
      }
      const predictor = await this.at(before);
      const frame = given.subarray(HEADER_BYTES);
      const message = unpackMessage(frame, this.model, predictor, this.settings);
      this.received[number] = { packet: given, message, state: this.after(before, message, isLiteral(frame)) };
      if (newer) this.newest = number;
      // one that begins anew has nothing else
      if (newer || fresh) this.reference = this.known = { own: false, number };
      this.losses = 0;
      return { ...messageOf(message), duplicate: false, missing: newer ? ahead - 1 : 0 };
    });
  }

  /** Gives back what the channel holds; no other call may follow. What it learned stays in the model. */
  close(): void {
    if (this.predictor !== undefined) this.model.predictors.give(this.predictor);
    this.predictor = undefined;
  }

  /** The ends are out of step: goes on from what the other one is known to have, and where that does not help for long, from nothing. */
  private stepBack(): void {
    if (++this.losses >= MOST_LOSSES) this.known = undefined;
    this.reference = this.known;
  }

  /** One call after another. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  private stateOf({ own, number }: Reference): State | undefined {
    return (own ? this.sent : this.received)[number]?.state;
  }

  /** The predictor in a state, and the model with what is learned there. */
  private async at({ predictor: saved, lesson }: State): Promise<ChannelPredictor> {
    this.assertOpen();
    if (this.version !== this.model.version()) {
      const what = "the model has learned, or forgotten, since the channel began, and not by the channel";
      throw new SaffuError("STATISTICS_MISMATCH", `${what}: open another`);
    }
    try {
      await this.lessons.go(lesson);
    } finally {
      this.version = this.model.version();
    }
    const predictor = this.assertOpen(); // it may have been closed meanwhile
    this.model.predictors.renew(predictor);
    predictor.restore(saved);
    predictor.forgetPrediction(); // it may be of what was learned then
    return predictor;
  }

  /** @throws SaffuError INVALID_OPTION */
  private assertOpen(): ChannelPredictor {
    if (this.predictor === undefined) throw new SaffuError("INVALID_OPTION", "the channel is closed");
    return this.predictor;
  }

  /** The state behind a message, which the predictor has read unless it was sent as it is. */
  private after(before: State, message: Uint8Array, unread: boolean): State {
    if (message.length === 0) return before;
    const predictor = this.predictor!;
    const { tokenizer, end } = this.model;
    if (unread) {
      predictor.restore(before.predictor);
      for (const token of tokensOf(message, tokenizer)) predictor.feed(token);
    }
    if (end !== undefined) predictor.feed(end);
    const since = [...before.since, message];
    const full = since.length >= this.lesson;
    return {
      predictor: predictor.save(),
      digest: sha256Of(joined(before.digest, message)),
      lesson: full ? { before: before.lesson, pieces: since } : before.lesson,
      since: full || this.lesson === Number.POSITIVE_INFINITY ? [] : since,
    };
  }
}

function checkOf({ digest }: State): number {
  return digest[0]! & DIGEST_BITS;
}

function messageOf(message: Uint8Array): Pick<Received, "message" | "text"> {
  return { message: message.slice(), text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(message) };
}

function lost(number: number, { own, number: to }: Reference, found: State | undefined): SaffuError {
  const reference = `${own ? "this" : "the other"} end's message ${to}`;
  const what =
    found === undefined
      ? `which this end does not have`
      : `whose state is another here: another model or other options, other learned texts, or a message that was damaged`;
  return new SaffuError("CHANNEL_LOST", `message ${number} (modulo ${SLOTS}) is packed behind ${reference}, ${what}`);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
