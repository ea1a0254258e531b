import { fit } from "../../host/index.ts";
import { benchCorpus } from "./corpora/gutenberg.ts";
import { modelFigure } from "./figures/quality.ts";

const corpus = benchCorpus();
const train = new TextEncoder().encode(corpus.train);
for (const text of process.argv.slice(2)) {
  const o = JSON.parse(text);
  const t = process.cpuUsage();
  const { files, report } = await fit(() => [train], o);
  const u = process.cpuUsage(t);
  const f = await modelFigure(text, files, corpus);
  console.log(
    text,
    report.shape.memory ?? 0,
    files.get("model.safetensors")!.length,
    JSON.stringify(f),
    "cpu",
    ((u.user + u.system) / 1e6).toFixed(0),
  );
}
