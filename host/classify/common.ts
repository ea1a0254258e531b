/** Everything of classifiers that both entries have: of Node (../index.ts) and of browsers (browser.ts). */
export type { Encoding } from "./encoding.ts";
export type { Example, Examples, Tally } from "./examples.ts";
export { type Features, type FeaturesOptions, features } from "./features.ts";
export type { ClassifierModules, CompileOptions, Prediction } from "./feed-forward.ts";
export type {
  FitOptions as ClassifierOptions,
  FitReport as ClassifierReport,
  HiddenOptions,
} from "./fit.ts";
export { type ImageOptions, image } from "./image.ts";
export { type LinesOptions, lines } from "./lines.ts";
export { type SeriesOptions, series } from "./series.ts";
export { type Cell, type Row, type TableOptions, table } from "./table.ts";
