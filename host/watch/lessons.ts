/**
 * What labels teach: lines that were called an alarm or fine, learned by a classifier where it was not sure of that already, so that what comes often does
 * not drown the rest. Its sums are exact, so a lesson that is taken back leaves nothing.
 *
 * A line whose template was labelled gets that label. Where lines of it got both, their words decide, which the classifier knows; it also turns what was
 * only called fine into an alarm where it is sure. A line of a template that was not labelled is an alarm where the classifier has learned many lines of each label,
 * and is sure: from few it would take every line that is unlike the others for one.
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

/** Probability of an alarm from which the classifier is sure; of a label, from which a line is not learned. */
const [SURE, KNOWN] = [0.95, 0.95];
/** Lessons of each label that are learned in any case, and from which the classifier speaks of templates without a label. */
const [FEW, MANY] = [3, 20];

export class Lessons {
  private readonly all: Learned[] = [];
  private readonly seen = { alarm: 0, fine: 0 };
  /** Lessons of each template. */
  private readonly told = new Map<number, Record<Label, number>>();
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
    this.count(label, template, 1);
    if (observed) this.classifier.refit();
  }

  /** Takes back all lessons but the first `count`. */
  async cut(count: number): Promise<void> {
    while (this.all.length > count) {
      const { text, label, template, observed } = this.all.at(-1)!;
      if (observed) await this.classifier.forget([{ input: text, label }]);
      this.all.pop();
      this.count(label, template, -1);
    }
    this.classifier.refit();
  }

  private count(label: Label, template: number, by: 1 | -1): void {
    this.seen[label] += by;
    const told = this.told.get(template) ?? { alarm: 0, fine: 0 };
    told[label] += by;
    this.told.set(template, told);
  }

  /**
   * What labels say of a line: nothing (0), that it is an alarm (1), or fine (2). The probability is of an alarm, where both labels were learned.
   *
   * @param text the line
   * @param templateOf its template
   */
  verdict(text: () => string, templateOf: () => number): { verdict: number; probability?: number } | undefined {
    if (this.all.length === 0) return undefined;
    const { alarm, fine } = this.seen;
    const probability = alarm > 0 && fine > 0 ? this.classifier.predict(text()).probabilities[this.alarm]! : undefined;
    const said = probability === undefined ? {} : { probability };
    const told = this.told.get(templateOf()) ?? { alarm: 0, fine: 0 };
    if (told.alarm > 0 && told.fine > 0) return { verdict: probability! >= 0.5 ? 1 : 2, ...said };
    if (told.alarm > 0) return { verdict: 1, ...said };
    const sure = probability !== undefined && probability >= SURE;
    if (told.fine > 0) return { verdict: sure ? 1 : 2, ...said };
    return { verdict: sure && Math.min(alarm, fine) >= MANY ? 1 : 0, ...said };
  }
}
