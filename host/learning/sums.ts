/**
 * The sums F and F̂ of a model. They are in the memory of a learning kernel, which is started by the first call that needs one:
 * until then they are as they were read, and a model that only predicts never pays for it.
 */
import { faultOfSums, nothingObserved, type Statistics } from "../files/sums.ts";
import type { LearningKernel } from "../model/kernel.ts";
import type { Shape } from "../shape.ts";

export class Sums {
  private kernel: LearningKernel | undefined;

  /**
   * @param start starts an instance of the base, which belongs to these sums from then on
   * @param read sums of a file; undefined for none
   */
  constructor(
    private readonly start: () => Promise<LearningKernel>,
    private readonly shape: Shape,
    private read: Statistics | undefined,
  ) {}

  /** The kernel with the sums in its memory. One call after another. @throws SaffuError OUT_OF_MEMORY, MODEL_CORRUPT */
  async open(): Promise<LearningKernel> {
    if (this.kernel !== undefined) return this.kernel;
    const kernel = await this.start();
    if (this.read !== undefined) write(kernel, this.read);
    this.read = undefined;
    this.kernel = kernel;
    return kernel;
  }

  /** Tokens in the sums. */
  get tokens(): number {
    return this.kernel?.observedTokens[0] ?? this.read?.tokens ?? 0;
  }

  /** How often the sums were halved. */
  get generation(): number {
    return this.kernel?.generation[0] ?? this.read?.generation ?? 0;
  }

  /** What is impossible about the sums as they are now, as a sentence; undefined where nothing is. */
  get fault(): string | undefined {
    const { kernel, shape } = this;
    if (kernel === undefined) return this.read && faultOfSums(this.read, shape);
    const { observed, expected } = kernel;
    return faultOfSums({ observed, expected, tokens: this.tokens, generation: this.generation }, shape);
  }

  /** The sums as they are now, copied where they can change. */
  copy(): Statistics {
    if (this.kernel === undefined) return this.read ?? nothingObserved(this.shape);
    const { observed, expected, observedTokens, generation } = this.kernel;
    return {
      observed: observed.slice(),
      expected: expected.slice(),
      tokens: observedTokens[0]!,
      generation: generation[0]!,
    };
  }

  /** Puts sums back that were copied. */
  restore(statistics: Statistics): void {
    if (this.kernel !== undefined) write(this.kernel, statistics);
  }
}

function write(kernel: LearningKernel, { observed, expected, tokens, generation }: Statistics): void {
  kernel.observed.set(observed);
  kernel.expected.set(expected);
  kernel.observedTokens[0] = tokens;
  kernel.generation[0] = generation;
}
