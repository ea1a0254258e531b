/** What both entries have, Node's (index.ts) and the browser's (browser.ts). */
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
export type { ArchiveOptions } from "./messages/archive.ts";
export type { Channel, ChannelOptions, Received } from "./messages/channel.ts";
export type { MessageOptions } from "./messages/message.ts";
export type { Candidate, CandidateOptions } from "./model/healing.ts";
export type { Build } from "./model/kernel.ts";
export type {
  LoadOptions,
  ModelInfo,
  Score,
  ScoreOptions,
  StatisticsInfo,
  StreamOptions,
  Totals,
} from "./model/model.ts";
export type { GenerateOptions } from "./model/sampling.ts";
export type { Pushed, Session, SessionOptions, SessionToken } from "./model/session.ts";
export type { Suggestion, SuggestOptions } from "./model/suggest.ts";
export { chunksOf, surprisalStream, textStream } from "./model/web-streams.ts";
export type { Shape } from "./shape.ts";
export {
  type Boundary,
  byteTokenizer,
  type Chunks,
  encodeStream,
  symbolTokenizer,
  type Text,
  type Tokenizer,
  tokenizerFromJSON,
} from "./tokenizer/index.ts";
