/** Back-propagation from a start: the explicit one (warm), or a random one (cold). */
import * as host from "../../../host/index.ts";
import type { LoadedData } from "../data.ts";
import type { Job, Result } from "../job.ts";

export const TUNE_SOURCES = ["tools/evidence/kinds/tune.ts"];

/** Whether this checkout can tune. */
export function tuneIsThere(): boolean {
  return "tune" in host;
}

export async function tuned(_job: Job, _data: LoadedData): Promise<Result> {
  throw new Error("not here yet");
}
