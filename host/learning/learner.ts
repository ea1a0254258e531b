/**
 * Learning from a stream, over a frozen base: sums are added to, taken from and merged, and a correction is solved from them. The
 * instance of the kernel that does it belongs to nothing else. One call runs at a time; those that come meanwhile wait.
 *
 * A call that fails, or is aborted, leaves everything as it was.
 */
import { SaffuError, shown, throwIfAborted } from "../errors.ts";
import type { Tensor } from "../files/safetensors.ts";
import type { Correction } from "../files/statistics.ts";
import { type Base, CAPACITY, type Learned, type Statistics } from "../files/statistics.ts";
import type { Kernel } from "../model/kernel.ts";
import { Pace } from "../pace.ts";
import { hiddenWidth, type Shape } from "../shape.ts";
import { type Chunks, encodeStream, type Tokenizer } from "../tokenizer/index.ts";
import { newestPiece, remember } from "./recent.ts";

/** What observing, forgetting and merging take. */
export interface LearnOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with what has been done so far: tokens of a text, or sums of statistics. */
  readonly onProgress?: ((done: { readonly tokens: number }) => void) | undefined;
}

/** What a piece of text came to. */
export interface Observation {
  readonly tokens: number;
  readonly bytes: number;
  /** Σ −log2 p under the base, each token before it was learned. */
  readonly bits: number;
  /** Tokens in the sums afterwards. */
  readonly observedTokens: number;
}

export interface RefitOptions {
  /** "decoder" (default) solves from the sums; "all" solves lower layers, too, from the recent tokens. */
  readonly scope?: "decoder" | "all" | undefined;
  /** α, pseudo-tokens that the base's expectation counts for: > 0. Default 3000. */
  readonly mass?: number | undefined;
  /** s of the residual solve, in 0..4. Default 1. */
  readonly step?: number | undefined;
  /** Tries steps on the tail of the newest piece, held out of the sums, in place of taking `step`. */
  readonly search?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** What a refit did. */
export interface RefitReport {
  readonly scope: "decoder" | "all";
  readonly mass: number;
  readonly step: number;
  /** Tokens it was solved from; where there are none, the model is the base again. */
  readonly tokens: number;
}

/** What a refit comes to: a correction, none where it is the base, and how it was solved. */
export interface Refit {
  readonly correction: Correction | undefined;
  readonly report: RefitReport;
}

/**
 * α (ours): with it one step of 1 made no text worse from 100 words on, on four domains and an earlier base; a rule, not a search (docs/learning.md).
 */
export const MASS = 3000;
/** Rows solved between two looks at the signal. */
const ROWS = 256;
/** Share of the newest piece that a search holds out, and the fewest tokens that can tell. */
const HELD_OUT = 0.2;
const LEAST_HELD_OUT = 32;
const STEPS = [0, 0.25, 0.5, 0.75, 1, 1.5];

/** What the device module answers in place of a surprisal. */
const REFUSALS: Record<number, (token: number) => SaffuError> = {
  [-1]: (token) => new SaffuError("TOKEN_OUT_OF_RANGE", `token ${token} is not in the vocabulary`),
  [-2]: () => new SaffuError("STATISTICS_FULL", `a sum would pass its capacity of ${CAPACITY}: nothing was added`),
  [-3]: () =>
    new SaffuError("NOT_OBSERVED", "the text was never observed, as a piece of its own: nothing was taken away"),
  [-4]: () => new SaffuError("UNSUPPORTED", "the kernel of this model was compiled without learning"),
};

export class Learner {
  private turn: Promise<unknown> = Promise.resolve();
  /** While a call changes the sums: what they were before it. */
  private before: Statistics | undefined;
  private recent: Uint16Array;
  private solved: Correction | undefined;

  /** @param kernel an instance of the base, the learner's own from now on */
  constructor(
    private readonly kernel: Kernel,
    private readonly base: Base,
    private readonly tokenizer: Tokenizer,
    learned: Learned | undefined,
  ) {
    this.recent = learned?.recent ?? new Uint16Array(0);
    this.solved = learned?.correction;
    if (learned !== undefined) this.restore(learned.statistics);
  }

  /** Everything learned so far, without what a call that is not done has changed. The sums are copied when they are looked at. */
  get learned(): Learned {
    const sums = () => this.before ?? this.snapshot();
    return {
      get statistics() {
        return sums();
      },
      recent: this.recent,
      correction: this.solved,
    };
  }

  get shape(): Shape {
    return this.base.shape;
  }

  /** Adds a text, as a piece of its own. @throws SaffuError INVALID_TEXT, STATISTICS_FULL, ABORTED */
  observe(text: string | Uint8Array | Chunks, options: LearnOptions = {}): Promise<Observation> {
    return this.changing(async () => {
      const { piece, observation } = await this.pass(text, options, (token) => this.kernel.observe(token));
      this.recent = remember(this.recent, piece);
      return observation;
    });
  }

  /** Takes a text away that was observed as a piece. @throws SaffuError INVALID_TEXT, NOT_OBSERVED, ABORTED */
  forget(text: string | Uint8Array | Chunks, options: LearnOptions = {}): Promise<Observation> {
    return this.changing(async () => {
      const { observation } = await this.pass(text, options, (token) => this.kernel.forget(token));
      this.recent = new Uint16Array(0);
      return observation;
    });
  }

  /** Adds sums of another device. @throws SaffuError STATISTICS_FULL, ABORTED */
  merge({ tokens, observed, expected }: Statistics, { signal, onProgress }: LearnOptions = {}): Promise<void> {
    return this.changing(async () => {
      const { kernel } = this;
      throwIfAborted(signal);
      if (kernel.observedTokens[0]! + tokens > CAPACITY) throw REFUSALS[-2]!(0);
      const { vocabulary } = this.shape;
      const width = hiddenWidth(this.shape);
      for (const commit of [0, 1]) {
        for (let row = 0; row < 2 * width; ++row) {
          const from = (row % width) * vocabulary;
          kernel.staging.set((row < width ? observed : expected).subarray(from, from + vocabulary));
          const result = kernel.merge(row, commit);
          if (result < 0) throw REFUSALS[result]!(0);
        }
      }
      kernel.observedTokens[0]! += tokens;
      onProgress?.({ tokens });
      throwIfAborted(signal);
    });
  }

  /** Forgets the recent tokens. Sums and correction stay. */
  reset(): Promise<void> {
    return this.alone(async () => {
      this.recent = new Uint16Array(0);
    });
  }

  /** Solves the decoder's correction from the sums: none where they are empty. @throws SaffuError INVALID_OPTION, UNSUPPORTED, ABORTED */
  refitDecoder(options: RefitOptions): Promise<Refit> {
    const { mass, step, search } = checkRefitOptions(options);
    return this.alone(async () => {
      this.checkSolvable();
      if (this.kernel.observedTokens[0] === 0) return theBase({ scope: "decoder", mass, step });
      const best = search ? await this.searchStep(mass, options) : step;
      await this.solve(mass, best, options);
      const tokens = this.kernel.observedTokens[0]!;
      return { correction: this.correction(), report: { scope: "decoder", mass, step: best, tokens } };
    });
  }

  /**
   * Solves all layers on the recent tokens by `solve`, while nothing else changes them.
   *
   * @throws as refitDecoder does; INVALID_TEXT where something is in the sums, but no token is kept
   */
  refitAll(
    options: RefitOptions,
    solve: (recent: Uint16Array, settings: Pick<RefitReport, "mass" | "step">) => Promise<Refit>,
  ): Promise<Refit> {
    const { mass, step } = checkRefitOptions(options);
    return this.alone(async () => {
      this.checkSolvable();
      if (this.kernel.observedTokens[0] === 0) return theBase({ scope: "all", mass, step });
      if (this.recent.length === 0) {
        throw new SaffuError("INVALID_TEXT", "no recent tokens are kept: there is nothing to refit to");
      }
      return solve(this.recent, { mass, step });
    });
  }

  /** Keeps a correction, or none: what `learned` holds from now on. */
  keep(correction: Correction | undefined): void {
    this.solved = correction;
  }

  /** One call after another. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
  }

  /** One call after another, of those that change the sums: where one fails, they are what they were. */
  private changing<T>(work: () => Promise<T>): Promise<T> {
    return this.alone(async () => {
      this.before = this.snapshot();
      try {
        return await work();
      } catch (cause) {
        this.restore(this.before);
        throw cause;
      } finally {
        this.before = undefined;
      }
    });
  }

  /** Runs a piece through the kernel, token by token. */
  private async pass(
    text: string | Uint8Array | Chunks,
    { signal, onProgress }: LearnOptions,
    learn: (token: number) => number,
  ): Promise<{ piece: Uint16Array; observation: Observation }> {
    throwIfAborted(signal);
    const { kernel, tokenizer } = this;
    let piece = new Uint16Array(1024);
    let tokens = 0;
    let bytes = 0;
    let bits = 0;
    const pace = new Pace();
    kernel.reset();
    const chunks = typeof text === "string" || text instanceof Uint8Array ? [text] : text;
    for await (const batch of encodeStream(tokenizer, chunks)) {
      bytes += tokenizer.decode(batch).length;
      while (tokens + batch.length > piece.length) piece = grown(piece);
      piece.set(batch, tokens);
      for (const token of batch) {
        const surprisal = learn(token);
        if (surprisal < 0) throw REFUSALS[surprisal]!(token);
        bits += surprisal;
        ++tokens;
        if (pace.due()) {
          await pace.rest();
          throwIfAborted(signal);
          onProgress?.({ tokens });
        }
      }
    }
    throwIfAborted(signal);
    if (tokens === 0) throw new SaffuError("INVALID_TEXT", "the text is empty: there is nothing to learn");
    onProgress?.({ tokens });
    throwIfAborted(signal); // the last look may be the one that aborts
    const observation = { tokens, bytes, bits, observedTokens: kernel.observedTokens[0]! };
    return { piece: piece.slice(0, tokens), observation };
  }

  private snapshot(): Statistics {
    const { observed, expected, observedTokens } = this.kernel;
    return { observed: observed.slice(), expected: expected.slice(), tokens: observedTokens[0]! };
  }

  private restore({ observed, expected, tokens }: Statistics): void {
    this.kernel.observed.set(observed);
    this.kernel.expected.set(expected);
    this.kernel.observedTokens[0] = tokens;
  }

  private checkSolvable(): void {
    if (this.shape.decoder !== "softmax") {
      throw new SaffuError("UNSUPPORTED", `the ${this.shape.decoder} decoder has no residual solve`);
    }
  }

  private async solve(mass: number, step: number, { signal, onProgress }: RefitOptions): Promise<void> {
    const { vocabulary } = this.shape;
    const pace = new Pace();
    for (let from = 0; from < vocabulary; from += ROWS) {
      if (pace.due()) await pace.rest();
      throwIfAborted(signal);
      const to = Math.min(vocabulary, from + ROWS);
      const result = this.kernel.refit(from, to, mass, step);
      if (result < 0) throw REFUSALS[result]!(from);
      onProgress?.({ done: to, total: vocabulary });
    }
  }

  /**
   * The step that predicts the tail of the newest piece best, where the sums do not hold that tail: the piece is forgotten and its
   * head observed again, which is exact. Without a piece that is long enough the default stands.
   */
  private async searchStep(mass: number, options: RefitOptions): Promise<number> {
    const piece = newestPiece(this.recent);
    const tail = Math.floor((piece?.length ?? 0) * HELD_OUT);
    if (piece === undefined || tail < LEAST_HELD_OUT) return 1;
    const { kernel } = this;
    const before = this.snapshot();
    this.before = before;
    const pace = new Pace();
    const each = async (tokens: Uint16Array, work: (token: number) => number): Promise<number> => {
      let sum = 0;
      for (const token of tokens) {
        const value = work(token);
        if (value < 0) throw REFUSALS[value]!(token);
        sum += value;
        if (pace.due()) await pace.rest();
        throwIfAborted(options.signal);
      }
      return sum;
    };
    try {
      const head = piece.subarray(0, piece.length - tail);
      kernel.reset();
      await each(piece, (token) => kernel.forget(token));
      kernel.reset();
      await each(head, (token) => kernel.observe(token));
      let best = 0;
      let least = Number.POSITIVE_INFINITY;
      for (const step of STEPS) {
        if (kernel.observedTokens[0] === 0) break;
        await this.solve(mass, step, { signal: options.signal });
        kernel.reset();
        kernel.correct(1);
        await each(head, (token) => kernel.feed(token)); // the tail is then scored as in its text
        const bits = await each(piece.subarray(head.length), (token) => kernel.feed(token));
        if (bits < least) [best, least] = [step, bits];
      }
      return best;
    } finally {
      kernel.correct(0);
      this.restore(before);
      this.before = undefined;
    }
  }

  /** What the kernel has solved, copied. */
  private correction(): Correction {
    const { vocabulary } = this.shape;
    const { correctedO, correctedScale } = this.kernel;
    return new Map<string, Tensor>([
      ["decoder.O", { dtype: "I8", shape: [vocabulary, hiddenWidth(this.shape)], data: correctedO.slice() }],
      ["decoder.O.scale", { dtype: "F32", shape: [vocabulary], data: correctedScale.slice() }],
    ]);
  }
}

/** `options` with defaults. @throws SaffuError INVALID_OPTION, naming the option and the bound */
export function checkRefitOptions(options: RefitOptions) {
  const { scope = "decoder", mass = MASS, step = 1, search = false } = options;
  const invalid = (name: string, bound: string, found: unknown) =>
    new SaffuError("INVALID_OPTION", `${name} must be ${bound}, got ${shown(found)}`);
  if (scope !== "decoder" && scope !== "all") throw invalid("scope", `"decoder" or "all"`, scope);
  if (typeof mass !== "number" || !(mass >= 2 ** -20 && mass <= 1e9))
    throw invalid("mass", "a number in 0.000001..1e9", mass);
  if (typeof step !== "number" || !(step >= 0 && step <= 4)) throw invalid("step", "a number in 0..4", step);
  if (typeof search !== "boolean") throw invalid("search", "true or false", search);
  return { scope, mass, step, search };
}

/** A refit to nothing, or to nothing any more. */
function theBase(settings: Omit<RefitReport, "tokens">): Refit {
  return { correction: undefined, report: { ...settings, tokens: 0 } };
}

function grown(tokens: Uint16Array): Uint16Array<ArrayBuffer> {
  const wider = new Uint16Array(tokens.length * 2);
  wider.set(tokens);
  return wider;
}
