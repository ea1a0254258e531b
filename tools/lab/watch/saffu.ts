/**
 * Saffu's scorers: counts that begin with nothing; with a nano beside them that was fitted to the first fifth of the stream, which has no anomaly; and
 * labels as they come. A row that comes before ranks mean something scores nothing.
 */
import { fit, labelClassifier, load, openWatch } from "../../../host/index.ts";
import { Lessons } from "../../../host/watch/lessons.ts";
import type { Scorer, Stream } from "./scorer.ts";

const SHARE = 0.2;

export const SAFFU: readonly Scorer[] = [
  {
    name: "saffu watch",
    async scores({ kind, rows }: Stream) {
      if (kind === "labelled") return undefined;
      const columns = kind === "numbers" ? (rows[0] as readonly number[]).map((_, i) => `${i}`) : undefined;
      const watch = await openWatch({ kind, columns, reach: 0 });
      return rows.map((row) => {
        const { ready, score } = watch.push(row);
        return ready ? score : 0;
      });
    },
  },
  {
    name: "saffu watch with nano",
    async scores({ kind, rows }: Stream) {
      if (kind !== "lines") return undefined;
      const first = rows.slice(0, Math.floor(SHARE * rows.length)).map((line) => `${line}\n`);
      const { files } = await fit(() => [Buffer.from(first.join(""))], { profile: "nano" });
      const watch = await openWatch({ model: await load(files), reach: 0 });
      return rows.map((row) => {
        const { ready, score } = watch.push(row);
        return ready ? score : 0;
      });
    },
  },
  {
    name: "saffu, labels as they come",
    async scores({ kind, rows, labels }: Stream) {
      if (kind !== "labelled") return undefined;
      const classifier = await labelClassifier();
      const lessons = new Lessons(classifier);
      const alarm = classifier.labels.indexOf("alarm");
      const found: number[] = [];
      for (const [i, text] of (rows as readonly string[]).entries()) {
        found.push(classifier.predict(text).probabilities[alarm]!);
        await lessons.learn({ text, label: labels[i] ? "alarm" : "fine", template: 0 });
      }
      return found;
    },
  },
];
