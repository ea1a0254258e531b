/** Everything of watches that both entries have: of Node (../index.ts) and of browsers (browser.ts). */
export type { Why } from "./explain.ts";
export type { Episode } from "./history.ts";
export type { Kind as RowKind } from "./layout.ts";
export type { Label } from "./lessons.ts";
export type { LabelClassifier, WatchModel, WatchOptions } from "./options.ts";
export type { BadLine, Source, StreamRow, WatchStreamOptions } from "./stream.ts";
export type { Forgotten, Row as WatchedRow, Watch, WatchRow } from "./watch.ts";
