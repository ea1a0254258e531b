/**
 * What labels teach: lines that were called an alarm or fine, learned by a classifier where it was not sure of that already, so that what comes often does
 * not drown the rest. Its sums are exact, so a lesson that is taken back leaves nothing.
 *
 * A line is an alarm where the classifier has seen both labels and finds it nine times likelier than not; it is fine where a line of the same template was
 * called so, and the classifier does not find it likelier an alarm.
 */
import { invalidOption } from "../errors.ts";
import type { LabelClassifier } from "./options.ts";

export const LABELS = ["alarm", "fine"] as const;
export type Label = (typeof LABELS)[number];
export const isLabel = (label: unknown): label is Label => LABELS.includes(label as Label);

/** A line that was labelled. */
export interface Lesson {
  readonly text: string;
  readonly label: Label;
  readonly template: number;
}

interface Learned extends Lesson {
  /** Whether the classifier had to learn it. */
  readonly observed: boolean;
}

/** Probability of an alarm from which a line is one; of a label, from which it is not learned; and lessons of each label that are learned in any case. */
const [SURE, KNOWN, FEW] = [0.9, 0.95, 3];

export class Lessons {
  private readonly all: Learned[] = [];
  private readonly seen = { alarm: 0, fine: 0 };
  private readonly fine = new Map<number, number>();
  private readonly alarm: number;

  /** @throws SaffuError INVALID_OPTION */
  constructor(private readonly classifier: LabelClassifier) {
    this.alarm = classifier.labels?.indexOf?.("alarm") ?? -1;
    if (this.alarm < 0 || !classifier.labels.includes("fine")) {
      throw invalidOption("classifier", 'one with the labels "alarm" and "fine"', classifier.labels);
    }
  }

  get length(): number {
    return this.all.length;
  }

  /** All since lesson `from`, to be learned anew in this order. */
  since(from: number): readonly Lesson[] {
    return this.all.slice(from).map(({ text, label, template }) => ({ text, label, template }));
  }

  /** @throws SaffuError of the classifier; then nothing is learned */
  async learn(lesson: Lesson): Promise<void> {
    const { text, label, template } = lesson;
    const alarm = this.classifier.predict(text).probabilities[this.alarm]!;
    const observed = this.seen[label] < FEW || (label === "alarm" ? alarm : 1 - alarm) < KNOWN;
    if (observed) await this.classifier.observe([{ input: text, label }]);
    this.all.push({ text, label, template, observed });
    this.seen[label] += 1;
    if (label === "fine") this.fine.set(template, (this.fine.get(template) ?? 0) + 1);
    if (observed) this.classifier.refit();
  }

  /** Takes back all lessons but the first `count`. */
  async cut(count: number): Promise<void> {
    while (this.all.length > count) {
      const { text, label, template, observed } = this.all.at(-1)!;
      if (observed) await this.classifier.forget([{ input: text, label }]);
      this.all.pop();
      this.seen[label] -= 1;
      if (label === "fine") this.fine.set(template, this.fine.get(template)! - 1);
    }
    this.classifier.refit();
  }

  /** What labels say of a line. @param templateOf its template, where it is asked for */
  verdict(text: () => string, templateOf: () => number): { verdict: number; probability: number } | undefined {
    if (this.all.length === 0) return undefined;
    const probability = this.classifier.predict(text()).probabilities[this.alarm]!;
    if (this.seen.alarm > 0 && this.seen.fine > 0 && probability >= SURE) return { verdict: 1, probability };
    const isFine = probability < 0.5 && (this.fine.get(templateOf()) ?? 0) > 0;
    return { verdict: isFine ? 2 : 0, probability };
  }
}
