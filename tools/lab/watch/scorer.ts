/** What a scorer of streams is. */
import type { Labelled, Watched } from "../corpora/watch.ts";

/** A stream that has been read. */
export type Stream = Labelled & Pick<Watched, "name" | "kind" | "role" | "group">;

export interface Scorer {
  readonly name: string;
  /**
   * A score for each row, higher where it is more surprising. A row is scored before it, or anything after it, is known; its label only where the stream
   * is of the kind `labelled`, and then after it is scored. Nothing where the scorer is not for the kind.
   */
  scores(stream: Stream): readonly number[] | undefined | Promise<readonly number[] | undefined>;
}
