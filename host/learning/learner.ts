/**
 * Learning from a stream, over a frozen base: sums are added to, taken from and merged, and a correction is solved from them. The
 * instance of the kernel that does it belongs to nothing else. One call runs at a time; those that come meanwhile wait.
 *
 * A call that fails, or is aborted, leaves everything as it was.
 */
import { throwIfAborted } from "../errors.ts";
import { type Base, CAPACITY, type Correction, type Learned, type Statistics } from "../files/statistics.ts";
import type { LearningKernel } from "../model/kernel.ts";
import { unlessAborted } from "../pace.ts";
import { hiddenWidth } from "../shape.ts";
import type { Chunks, Tokenizer } from "../tokenizer/index.ts";
import {
  checkRefitOptions,
  type LearnOptions,
  type Observation,
  type RefitOptions,
  type RefitReport,
} from "./options.ts";
import { learnPiece, type Piece, readPiece } from "./pass.ts";
import { remember } from "./recent.ts";
import { accepted, full } from "./refusals.ts";
import { solveDecoder } from "./solve.ts";
import { Sums } from "./sums.ts";

export class Learner {
  private readonly sums: Sums;
  private turn: Promise<unknown> = Promise.resolve();
  /** While a call changes the sums: what they were before it. */
  private before: Statistics | undefined;
  private recent: Uint16Array;
  private correction: Correction | undefined;

  /**
   * @param start starts an instance of the base, the learner's own from then on; called once there is something to learn
   * @param learned what a file holds; undefined for nothing
   */
  constructor(
    start: () => Promise<LearningKernel>,
    private readonly base: Base,
    private readonly tokenizer: Tokenizer,
    learned: Learned | undefined,
  ) {
    this.sums = new Sums(start, base.shape, learned?.statistics);
    this.recent = learned?.recent ?? new Uint16Array(0);
    this.correction = learned?.correction;
  }

  /** Everything learned so far, without what a call that is not done has changed. The sums are copied when they are looked at. */
  get learned(): Learned {
    const { recent, correction } = this;
    const statistics = () => this.before ?? this.sums.copy();
    return {
      get statistics() {
        return statistics();
      },
      recent,
      correction,
    };
  }

  /** Whether there is nothing to keep: no token in the sums, none in mind, and no correction. */
  get empty(): boolean {
    const tokens = this.before?.tokens ?? this.sums.tokens;
    return tokens === 0 && this.recent.length === 0 && this.correction === undefined;
  }

  /** Adds a text, as a piece of its own. @throws SaffuError INVALID_TEXT, STATISTICS_FULL, ABORTED */
  observe(text: string | Uint8Array | Chunks, options: LearnOptions = {}): Promise<Observation> {
    return this.changingBy(text, options, async (kernel, piece) => {
      kernel.reset();
      const passed = await learnPiece(piece, (token) => kernel.observe(token), options);
      this.recent = remember(this.recent, piece.tokens);
      return { ...passed, observedTokens: this.sums.tokens };
    });
  }

  /** Takes a text away that was observed as a piece. @throws SaffuError INVALID_TEXT, NOT_OBSERVED, ABORTED */
  forget(text: string | Uint8Array | Chunks, options: LearnOptions = {}): Promise<Observation> {
    return this.changingBy(text, options, async (kernel, piece) => {
      kernel.reset();
      const passed = await learnPiece(piece, (token) => kernel.forget(token), options);
      this.recent = new Uint16Array(0);
      return { ...passed, observedTokens: this.sums.tokens };
    });
  }

  /** Adds sums of another device. @throws SaffuError STATISTICS_FULL, ABORTED */
  merge({ tokens, observed, expected }: Statistics, { signal, onProgress }: LearnOptions = {}): Promise<void> {
    return this.changing(async (kernel) => {
      throwIfAborted(signal);
      if (this.sums.tokens + tokens > CAPACITY) throw full();
      const { vocabulary } = this.base.shape;
      const width = hiddenWidth(this.base.shape);
      for (const commit of [0, 1]) {
        for (let row = 0; row < 2 * width; ++row) {
          const from = (row % width) * vocabulary;
          kernel.staging.set((row < width ? observed : expected).subarray(from, from + vocabulary));
          accepted(kernel.merge(row, commit));
        }
      }
      kernel.observedTokens[0]! += tokens;
      onProgress?.({ tokens });
      throwIfAborted(signal);
    }, signal);
  }

  /** Forgets the recent tokens. Sums and correction stay. */
  reset(): Promise<void> {
    return this.alone(async () => {
      this.recent = new Uint16Array(0);
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

  /** The base predicts again. Sums and recent tokens stay. */
  dropCorrection(): void {
    this.correction = undefined;
  }

  /**
   * Changes the sums by a text. A stream is read before its turn comes: its source may take its time, and may itself learn, as it waits for
   * nothing here.
   */
  private async changingBy<T>(
    text: string | Uint8Array | Chunks,
    { signal }: LearnOptions,
    work: (kernel: LearningKernel, piece: Piece) => Promise<T>,
  ): Promise<T> {
    const read = () => readPiece(text, this.tokenizer, signal);
    if (typeof text === "string" || text instanceof Uint8Array) {
      return this.changing(async (kernel) => work(kernel, await read()), signal);
    }
    const piece = await read();
    return this.changing((kernel) => work(kernel, piece), signal);
  }

  /** One call after another. A signal ends the wait for its turn. */
  private alone<T>(work: () => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    const before = this.turn;
    const result = unlessAborted(before, signal).then(work);
    this.turn = Promise.allSettled([before, result]);
    return result;
  }

  /** One call after another, of those that change the sums: where one fails, they are what they were. */
  private changing<T>(work: (kernel: LearningKernel) => Promise<T>, signal?: AbortSignal | undefined): Promise<T> {
    return this.alone(async () => {
      const kernel = await this.sums.open();
      this.before = this.sums.copy();
      try {
        return await work(kernel);
      } catch (cause) {
        this.sums.restore(this.before);
        throw cause;
      } finally {
        this.before = undefined;
      }
    }, signal);
  }
}
