/** What the device module answers in place of a result, as errors: nothing has changed then. */
import { SaffuError } from "../errors.ts";
import { CAPACITY } from "../files/statistics.ts";

/** Tokens of a text that are read before it is learned: 8 MiB. */
export const READ_AHEAD = 2 ** 22;

const MEANINGS: Record<number, (token: number) => SaffuError> = {
  [-1]: (token) => new SaffuError("TOKEN_OUT_OF_RANGE", `token ${token} is not in the vocabulary`),
  [-2]: () => full(),
  [-3]: () =>
    new SaffuError("NOT_OBSERVED", "the text was never observed, as a piece of its own: nothing was taken away"),
  [-4]: () => new SaffuError("UNSUPPORTED", "the kernel of this model was compiled without learning"),
};

/** A sum has no room for what would be added. */
export function full(): SaffuError {
  return new SaffuError(
    "STATISTICS_FULL",
    `a sum would pass its capacity of ${CAPACITY}: nothing was added; ageing halves the sums (the option age)`,
  );
}

/** Sums that were halved since, or may have been: what to forget is in them by half, or less. */
export function aged(generation: number, of: number | undefined): SaffuError {
  const what = `the sums are of generation ${generation}, halved ${generation} times`;
  const why =
    of === undefined
      ? "say in which one the text was observed, as the option generation"
      : of > generation
        ? `there is no generation ${of} yet`
        : `what was observed in generation ${of} can no longer be forgotten`;
  return new SaffuError("STATISTICS_AGED", `${what}: ${why}; nothing was taken away`);
}

/** Statistics to take out that are not in the sums. */
export function unmerged(): SaffuError {
  return new SaffuError("NOT_OBSERVED", "these statistics were never merged here: nothing was taken away");
}

/** Calls that come while a text is read that may not end. */
export function busy(): SaffuError {
  const what = `a text of more than ${READ_AHEAD} tokens is being read`;
  return new SaffuError("BUSY", `${what}: what learns meanwhile would wait for its end; cut the text into pieces`);
}

/** `answer`, where it is a result. @param token that the call was about, for messages @throws SaffuError where it is a refusal, < 0 */
export function accepted(answer: number, token = 0): number {
  if (answer < 0) throw MEANINGS[answer]!(token);
  return answer;
}
