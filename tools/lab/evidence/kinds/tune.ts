/** Back-propagation and Adam from a start: the explicit one (warm), or a random one (cold). */
import { type TuneRecipeOptions, tune } from "../../../../host/index.ts";
import type { LoadedData } from "../data.ts";
import type { Job, Result } from "../job.ts";
import { fitted } from "./explicit.ts";
import { modelResult, peakMemory } from "./measure.ts";

export const TUNE_SOURCES = ["host/tune", "tools/lab/evidence/kinds/tune.ts"];
/** Tokens of dev that decide which epoch is kept, the same share of every book: as for the networks. */
const SLICE = 20_000;

/** `init`, `groups`, `units`, `rate`, `epochs`, `batch`, `soften`. */
export async function tuned(job: Job, data: LoadedData): Promise<Result> {
  const { base, files, report } = await tunedModel(job, data);
  const peakMemoryBytes = peakMemory();
  const zero = { groups: 0, scaling: 0, mixture: 0, files: 0, compile: 0 };
  const start = job.options.init === "warm" ? base.report.seconds : zero;
  return {
    ...(await modelResult(files, data)),
    trainTokens: report.trainTokens,
    seconds: start.groups + start.scaling + start.mixture + start.files + report.seconds.tune + report.seconds.files,
    // the mixture is solved anew by the module that has tuned
    compileSeconds: start.compile + report.seconds.compile + report.seconds.mixture,
    peakMemoryBytes,
  };
}

export async function tunedModel({ seed, options }: Job, data: LoadedData) {
  const [groups, units] = [Number(options.groups), Number(options.units)];
  const init = options.init as NonNullable<TuneRecipeOptions["init"]>;
  // a random start needs the explicit model for its shape alone, and so no pass over the text
  const base = await fitted({ seed, groups, units, ...(init === "warm" ? {} : { passes: 0 }) }, data);
  const result = await tune(base.files, () => [data.text], {
    init,
    seed,
    lr: Number(options.rate),
    epochs: Number(options.epochs),
    batch: Number(options.batch),
    ...(options.soften !== undefined && { soften: Number(options.soften) }),
    dev: stoppingTexts(data),
  });
  return { base, ...result };
}

/** The first share of each book of dev. */
function stoppingTexts({ corpus, tokenizer }: LoadedData): Uint8Array[] {
  const texts = corpus.dev.map(({ text }) => text);
  const share = Math.min(1, SLICE / texts.reduce((sum, text) => sum + tokenizer.encode(text).length, 0));
  return texts.map((text) => new TextEncoder().encode(text.slice(0, Math.ceil(text.length * share))));
}
