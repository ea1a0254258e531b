/**
 * Learning from a stream, over a frozen base: sums are added to, taken from and merged, and a correction is solved from them. The
 * instance of the kernel that does it belongs to nothing else. One call runs at a time; those that come meanwhile wait.
 *
 * A call that fails, or is aborted, leaves everything as it was.
 */
import { invalidOption, SaffuError, throwIfAborted } from "../errors.ts";
import { type Piece, PieceReader } from "../files/pieces.ts";
import { type Base, CAPACITY, type Correction, type Learned, type Statistics } from "../files/statistics.ts";
import { greatest } from "../files/sums.ts";
import type { LearningKernel } from "../model/kernel.ts";
import { unlessAborted } from "../pace.ts";
import { hiddenWidth } from "../shape.ts";
import type { Chunks, Text, Tokenizer } from "../tokenizer/index.ts";
import { Memory, type Room } from "./memory.ts";
import {
  checkRefitOptions,
  type ForgetOptions,
  type LearnOptions,
  type Merged,
  type Observation,
  type ObserveOptions,
  type RefitOptions,
  type RefitReport,
} from "./options.ts";
import { learnText, type Read, readAhead } from "./pass.ts";
import { accepted, aged, busy, full, unmerged } from "./refusals.ts";
import { solveDecoder } from "./solve.ts";
import { Sums } from "./sums.ts";

/** Sums are halved before a text is added where the fullest is above this, half of what it holds. */
const HALF_FULL = 2 ** 31;
/** What a token adds to a sum at the most: below so many tokens no sum is half full. */
const MOST_A_TOKEN = 64 * 256;

export class Learner {
  private readonly sums: Sums;
  private turn: Promise<unknown> = Promise.resolve();
  /** Whether a text is read in its turn that was too long to be read ahead. */
  private streaming = false;
  /** While a call changes the sums: what they were before it. */
  private before: Statistics | undefined;
  private memory: Memory;
  /** Tokens of the file that there was no room for: said with the first call. */
  private evictedAtLoad: number;
  private correction: Correction | undefined;

  /**
   * @param start starts an instance of the base, the learner's own from then on; called once there is something to learn
   * @param learned what a file holds; undefined for nothing
   * @param room tokens that the memory has room for, and the token that every text begins behind, if any
   */
  constructor(
    start: () => Promise<LearningKernel>,
    private readonly base: Base,
    private readonly tokenizer: Tokenizer,
    learned: Learned | undefined,
    { capacity, begin }: Room,
  ) {
    this.sums = new Sums(start, base.shape, learned?.statistics);
    const pieces = learned?.pieces ?? [];
    this.memory = Memory.of({ capacity, begin }, pieces);
    this.evictedAtLoad = new Memory({ capacity: Number.POSITIVE_INFINITY }, pieces).tokens - this.memory.tokens;
    this.correction = learned?.correction;
  }

  /** Everything learned so far, without what a call that is not done has changed. The sums are copied when they are looked at. */
  get learned(): Learned {
    const { correction } = this;
    const { pieces } = this.memory;
    const statistics = () => this.before ?? this.sums.copy();
    return {
      get statistics() {
        return statistics();
      },
      pieces,
      correction,
    };
  }

  /** What history attention sees beside the text at hand. */
  get recalled(): Uint16Array {
    return this.memory.laid;
  }

  /** Whether there is nothing to keep: no token in the sums, none in mind, and no correction. */
  get empty(): boolean {
    const tokens = this.before?.tokens ?? this.sums.tokens;
    return (
      tokens === 0 && this.memory.pieces.length === 0 && this.sums.generation === 0 && this.correction === undefined
    );
  }

  /** Adds a text, as a piece of its own. @throws SaffuError INVALID_TEXT, STATISTICS_FULL, ABORTED */
  observe(text: Text | Chunks, options: ObserveOptions = {}): Promise<Observation> {
    const { age = false } = options;
    if (typeof age !== "boolean") return Promise.reject(invalidOption("age", "true or false", age));
    return this.changingBy(text, options, async (kernel, read) => {
      if (age && fullest(kernel) > HALF_FULL) accepted(kernel.age());
      kernel.reset();
      const reader = this.reader();
      const passed = await learnText(read, (token) => kernel.observe(token), reader, options);
      const { memory, evicted } = this.memory.with(reader.piece(this.sums.generation));
      this.memory = memory;
      return { ...passed, ...this.figures(evicted) };
    });
  }

  /**
   * Takes a text away that was observed as a piece, from sums and memory.
   *
   * @throws SaffuError INVALID_TEXT, NOT_OBSERVED, ABORTED; STATISTICS_AGED where the sums were halved since, or may have been
   */
  forget(text: Text | Chunks, options: ForgetOptions = {}): Promise<Observation> {
    const { generation: said = 0 } = options;
    if (!Number.isInteger(said) || said < 0) return Promise.reject(invalidOption("generation", "a whole number", said));
    return this.changingBy(text, options, async (kernel, read) => {
      const now = this.sums.generation;
      if (options.memoryOnly) return this.forgetKept(read);
      const { generation = now === 0 ? 0 : this.generationOf(read) } = options;
      if (generation !== now) throw aged(now, generation);
      // where the memory has every piece that is in the sums, what it does not have was never observed
      const knowsAll = now === 0 && read.rest === undefined && this.memory.tokens === this.sums.tokens;
      if (knowsAll && read.tokens.length > 0 && this.generationOf(read) === undefined) accepted(-3);
      kernel.reset();
      const reader = this.reader();
      const passed = await learnText(read, (token) => kernel.forget(token), reader, options);
      // what is left must be what some text can have given
      if (this.sums.fault !== undefined) accepted(-3);
      this.memory = this.memory.without(reader.piece(now));
      return { ...passed, ...this.figures(0) };
    });
  }

  /** Takes a text out of the memory alone. @throws SaffuError NOT_OBSERVED */
  private forgetKept(read: Read): Observation {
    const generation = this.generationOf(read);
    if (generation === undefined) {
      throw new SaffuError(
        "NOT_OBSERVED",
        "the memory does not have the text, as a piece of its own: nothing was taken away",
      );
    }
    this.memory = this.memory.without(this.pieceOf(read, generation));
    return { tokens: read.tokens.length, bytes: read.bytes, bits: 0, ...this.figures(0) };
  }

  /** The generation of a text that the memory knows. */
  private generationOf(read: Read): number | undefined {
    return read.rest === undefined ? this.memory.generationOf(this.pieceOf(read, this.sums.generation)) : undefined;
  }

  /** A text that was read to its end, as the memory has it. */
  private pieceOf({ tokens }: Read, generation: number): Piece {
    const reader = this.reader();
    reader.add(tokens);
    return reader.piece(generation);
  }

  private reader(): PieceReader {
    return new PieceReader(Math.max(0, this.memory.capacity - 1));
  }

  /** Halves the sums: there is room again, and what was observed before can no longer be forgotten. @throws SaffuError UNSUPPORTED */
  age(): Promise<Merged> {
    return this.changing(async (kernel) => {
      if (this.sums.generation === CAPACITY) throw full();
      accepted(kernel.age());
      return this.figures(0);
    });
  }

  /** Adds what another device learned. @throws SaffuError STATISTICS_FULL, STATISTICS_AGED, ABORTED */
  merge({ statistics, pieces }: Learned, options: LearnOptions = {}): Promise<Merged> {
    return this.changing(async (kernel) => {
      const empty = this.sums.tokens === 0 && this.memory.pieces.length === 0;
      if (empty) kernel.generation[0] = statistics.generation;
      if (pieces.length > 0) this.checkGeneration(statistics);
      await this.addSums(kernel, statistics, 1, options);
      const { memory, evicted } = this.memory.withAll(pieces);
      this.memory = memory;
      return this.figures(evicted);
    }, options.signal);
  }

  /** Takes away what was merged. @throws SaffuError NOT_OBSERVED, STATISTICS_AGED, ABORTED */
  unmerge({ statistics, pieces }: Learned, options: LearnOptions = {}): Promise<Merged> {
    return this.changing(async (kernel) => {
      await this.addSums(kernel, statistics, -1, options);
      if (this.sums.fault !== undefined) throw unmerged();
      this.memory = this.memory.withoutAll(pieces);
      return this.figures(0);
    }, options.signal);
  }

  /** Adds sums to the kernel's, all of them or nothing, or takes them away. */
  private async addSums(
    kernel: LearningKernel,
    { tokens, observed, expected, generation }: Statistics,
    add: 1 | -1,
    { signal, onProgress }: LearnOptions,
  ): Promise<void> {
    throwIfAborted(signal);
    if (tokens === 0) return;
    this.checkGeneration({ generation });
    if (this.sums.tokens + add * tokens > CAPACITY) throw full();
    if (this.sums.tokens + add * tokens < 0) throw unmerged();
    const { vocabulary } = this.base.shape;
    const width = hiddenWidth(this.base.shape);
    for (const commit of [0, 1]) {
      for (let row = 0; row < 2 * width; ++row) {
        const from = (row % width) * vocabulary;
        kernel.staging.set((row < width ? observed : expected).subarray(from, from + vocabulary));
        const answer = add > 0 ? kernel.merge(row, commit) : kernel.unmerge(row, commit);
        if (answer === -3) throw unmerged();
        accepted(answer);
      }
    }
    kernel.observedTokens[0]! += add * tokens;
    onProgress?.({ tokens });
    throwIfAborted(signal);
  }

  /** @throws SaffuError STATISTICS_AGED */
  private checkGeneration({ generation }: Pick<Statistics, "generation">): void {
    if (generation === this.sums.generation) return;
    const what = `they are of generation ${generation}, this model's of ${this.sums.generation}`;
    throw new SaffuError("STATISTICS_AGED", `${what}: sums of one generation alone add up; age the younger ones first`);
  }

  private figures(evicted: number): Merged {
    const { tokens: observedTokens, generation } = this.sums;
    const evictedTokens = evicted + this.evictedAtLoad;
    this.evictedAtLoad = 0;
    return { observedTokens, generation, memoryTokens: this.memory.tokens, evictedTokens };
  }

  /** Forgets the memory. Sums and correction stay. */
  reset(): Promise<void> {
    return this.alone(async () => {
      this.memory = new Memory(this.memory.room);
    });
  }

  /** Solves a correction from the sums, in force from then on: none where they are empty. @throws SaffuError INVALID_OPTION, UNSUPPORTED, ABORTED */
  async refit(options: RefitOptions): Promise<RefitReport> {
    const settings = checkRefitOptions(options);
    return this.alone(async () => {
      const { tokens } = this.sums;
      throwIfAborted(options.signal);
      this.correction =
        tokens === 0 ? undefined : await solveDecoder(await this.sums.open(), this.base.shape, settings, options);
      return { ...settings, tokens };
    }, options.signal);
  }

  /** The base predicts again. Sums and memory stay. */
  dropCorrection(): void {
    this.correction = undefined;
  }

  /**
   * Changes the sums by a text. A stream is read before its turn comes, as far as readAhead goes: its source may take its time, and may
   * itself learn, as it waits for nothing here. While the rest of a longer one is read, other calls are refused, as they might be its own.
   */
  private async changingBy<T>(
    text: Text | Chunks,
    { signal }: LearnOptions,
    work: (kernel: LearningKernel, read: Read) => Promise<T>,
  ): Promise<T> {
    const reading = () => readAhead(text, this.tokenizer, signal);
    if (typeof text === "string" || ArrayBuffer.isView(text)) {
      return this.changing(async (kernel) => work(kernel, await reading()), signal);
    }
    const read = await reading();
    try {
      return await this.changing(async (kernel) => {
        this.streaming = read.rest !== undefined;
        return work(kernel, read).finally(() => {
          this.streaming = false;
        });
      }, signal);
    } finally {
      await read.rest?.return(undefined);
    }
  }

  /** One call after another. A signal ends the wait for its turn. @throws SaffuError BUSY while a text is read that may not end */
  private alone<T>(work: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    if (this.streaming) return Promise.reject(busy());
    const before = this.turn;
    const result = unlessAborted(before, signal).then(work);
    this.turn = Promise.allSettled([before, result]);
    return result;
  }

  /** One call after another, of those that change the sums: where one fails, they are what they were. */
  private changing<T>(work: (kernel: LearningKernel) => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    return this.alone(async () => {
      const kernel = await this.sums.open();
      const { memory } = this;
      this.before = this.sums.copy();
      try {
        return await work(kernel);
      } catch (cause) {
        this.sums.restore(this.before);
        this.memory = memory;
        throw cause;
      } finally {
        this.before = undefined;
      }
    }, signal);
  }
}

/** The greatest sum. Where so few tokens are in them that none can be half full, they are not looked at. */
function fullest({ observed, expected, observedTokens }: LearningKernel): number {
  const most = observedTokens[0]! * MOST_A_TOKEN;
  return most <= HALF_FULL ? most : greatest([observed, expected]);
}
