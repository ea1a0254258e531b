/** Options of saffu watch. */
import type { WatchStreamOptions } from "../../watch/stream.ts";

/** Options of the command, as commander has them. */
export interface Options extends Omit<WatchStreamOptions, "model" | "classifier" | "state" | "signal"> {
  readonly symbols?: boolean;
  readonly alarms?: boolean;
  readonly follow: boolean;
  readonly fromEnd?: boolean;
  readonly until?: string;
  readonly state?: string;
  readonly saveEvery?: number;
  readonly labels?: string;
  readonly compile?: string;
  readonly live?: boolean;
  readonly json?: boolean;
  readonly build?: string;
}
