/** What both entries have, Node's (index.ts) and the browser's (browser.ts). */
export type { Encoding } from "./classify/encoding.ts";
export type { Example, Examples, Tally } from "./classify/examples.ts";
export { type Features, type FeaturesOptions, features } from "./classify/features.ts";
export type { ClassifierModules, Prediction } from "./classify/feed-forward.ts";
export type { FitOptions as ClassifierOptions, FitReport as ClassifierReport } from "./classify/fit.ts";
export { type ImageOptions, image } from "./classify/image.ts";
export { type LinesOptions, lines } from "./classify/lines.ts";
export { type SeriesOptions, series } from "./classify/series.ts";
export { type Cell, type Row, type TableOptions, table } from "./classify/table.ts";
export { type ErrorCode, SaffuError } from "./errors.ts";
export type { FileDigest, ModelConfig, ModelFiles } from "./files/config.ts";
export type {
  ForgetOptions,
  LearnOptions,
  Merged,
  Observation,
  ObserveOptions,
  RefitOptions,
  RefitReport,
} from "./learning/options.ts";
export type { Candidate, CandidateOptions } from "./model/healing.ts";
export type { Build } from "./model/kernel.ts";
export type {
  LoadOptions,
  ModelInfo,
  Score,
  StatisticsInfo,
  StreamOptions,
  Totals,
} from "./model/model.ts";
export type { GenerateOptions } from "./model/sampling.ts";
export type { Pushed, Session, SessionOptions, SessionToken } from "./model/session.ts";
export { chunksOf, surprisalStream, textStream } from "./model/web-streams.ts";
export type { Shape } from "./shape.ts";
export {
  byteTokenizer,
  type Chunks,
  encodeStream,
  symbolTokenizer,
  type Text,
  type Tokenizer,
  tokenizerFromJSON,
} from "./tokenizer/index.ts";
