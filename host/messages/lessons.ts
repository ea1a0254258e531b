/**
 * What a channel learns: lists of messages, each behind the one before it. Where a channel goes on from an earlier place, as when the other end has
 * started anew, what was learned since is forgotten, to the last bit.
 */
import { SaffuError } from "../errors.ts";

/** Messages that are learned together, behind all those before. */
export interface Lesson {
  readonly before: Lesson | undefined;
  readonly pieces: readonly Uint8Array[];
}

export const NO_LESSON: Lesson = { before: undefined, pieces: [] };

/** What lessons are learned in. */
export interface LessonModel {
  observe(piece: Uint8Array): Promise<{ readonly evictedTokens: number }>;
  forget(piece: Uint8Array): Promise<unknown>;
  refit(): Promise<unknown>;
}

export class Lessons {
  private at = NO_LESSON;
  /** Whether the memory has let go of texts for want of room: they do not come back where others are forgotten. */
  private evicted = false;

  constructor(private readonly model: LessonModel) {}

  /** Learns and forgets until what is learned is one lesson and all before it. Where that fails, what was learned stays. */
  async go(to: Lesson): Promise<void> {
    if (to === this.at) return;
    const learned = listOf(this.at);
    const wanted = listOf(to);
    let common = 0;
    while (common < learned.length && learned[common] === wanted[common]) ++common;
    const { model } = this;
    const forgotten = learned.slice(common).flatMap(({ pieces }) => pieces);
    if (forgotten.length > 0 && this.evicted) {
      const what =
        "the other end goes on from before texts were learned that the memory had room for in place of others";
      throw new SaffuError("CHANNEL_LOST", `${what}: load both models anew, or with more memory`);
    }
    const undo: (() => Promise<unknown>)[] = [];
    try {
      for (const piece of forgotten.reverse()) {
        await model.forget(piece);
        undo.push(() => model.observe(piece));
      }
      for (const piece of wanted.slice(common).flatMap(({ pieces }) => pieces)) {
        const { evictedTokens } = await model.observe(piece);
        this.evicted ||= evictedTokens > 0;
        undo.push(() => model.forget(piece));
      }
      await model.refit();
    } catch (cause) {
      for (const step of undo.reverse()) await step();
      throw cause;
    }
    this.at = to;
  }
}

/** A lesson and those before, the first one first. */
function listOf(lesson: Lesson): Lesson[] {
  const all: Lesson[] = [];
  for (let each: Lesson | undefined = lesson; each?.before !== undefined; each = each.before) all.push(each);
  return all.reverse();
}
