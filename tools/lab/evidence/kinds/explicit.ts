/** Models fitted in closed form. */

import { type Tensor, writeTensors } from "../../../../host/files/safetensors.ts";
import { type Recipe, recipeOf, shapeOf } from "../../../../host/fit/recipe.ts";
import { type FitOptions, fit, parameters, type Shape } from "../../../../host/index.ts";
import { tensorSpecs } from "../../../../host/shape.ts";
import { type LoadedData, VOCABULARY } from "../data.ts";
import type { Job, Options, Result } from "../job.ts";
import { modelResult, peakMemory } from "./measure.ts";

/** What a system has unless it says otherwise: the window alone, so that a start and what is learnt from it are told apart, and no memory. */
const PLAIN = { window: 3, windowAttention: false, documentGroups: 0, longMatches: false } as const;
/** The shape of the systems that others are compared with at equal parameters or equal bytes: as large as a potato. */
export const SHAPE = shapeOf({ profile: "potato", vocabulary: VOCABULARY, groups: 13, ...PLAIN });
/** The profile's own. */
export const POTATO = shapeOf({ profile: "potato", vocabulary: VOCABULARY });
/** Parameters of the former. */
export const PARAMETERS = parameters(SHAPE);
/** The sources that decide how a saffu model comes out. */
export const EXPLICIT_SOURCES = [
  "assembly",
  "host/compile",
  "host/files",
  "host/fit",
  "host/model",
  "host/shape.ts",
  "tools/variants.ts",
  "tools/lab/figures/quality.ts",
  "tools/lab/evidence/code.ts",
  "tools/lab/evidence/kinds/explicit.ts",
];

/** A fit whose options are those of the job. */
export async function explicit(job: Job, data: LoadedData): Promise<Result> {
  const { files, report } = await explicitModel(job, data);
  const peakMemoryBytes = peakMemory();
  const { groups, scaling, mixture, files: writing, compile } = report.seconds;
  return {
    ...(await modelResult(files, data)),
    trainTokens: report.trainTokens,
    seconds: groups + scaling + mixture + writing,
    compileSeconds: compile,
    peakMemoryBytes,
  };
}

export function explicitModel({ seed, options }: Job, data: LoadedData): ReturnType<typeof fit> {
  return fitted({ seed, ...fitOptions(options) }, data);
}

/** Settings of a job's fit: they follow from its options and its amount of text. */
export function recipeOfJob({ seed, budget, options }: Job): Recipe {
  return recipeOf({ seed, ...PLAIN, ...fitOptions(options) }, budget);
}

/** `fit` over the data's text and tokenizer. */
export function fitted(options: FitOptions, data: LoadedData): ReturnType<typeof fit> {
  return fit(() => [data.text], { ...PLAIN, ...options, tokenizer: data.tokenizer });
}

/** Options of a job as those of a fit: they are named alike. */
function fitOptions(options: Options): FitOptions {
  return options as FitOptions;
}

/** Bytes of model.safetensors for a shape: they do not depend on the weights. */
export function weightBytes(shape: Shape): number {
  const types = { I8: Int8Array, U8: Uint8Array, U16: Uint16Array, F32: Float32Array };
  const zeros = tensorSpecs(shape).map(({ name, dtype, shape: sizes }): [string, Tensor] => {
    const data = new types[dtype as keyof typeof types](sizes.reduce((product, size) => product * size, 1));
    return [name, { dtype, shape: sizes, data } as Tensor];
  });
  return writeTensors(new Map(zeros)).length;
}
