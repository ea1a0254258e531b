/** What a device module has beside the model itself. */
import { checkOptions, invalidOption } from "../errors.ts";
import { MEMORY } from "../files/statistics.ts";
import type { Shape } from "../shape.ts";

/** Choices of a device module; none changes what it predicts. */
export interface ModuleOptions {
  /** It observes, forgets and refits. Default true. */
  readonly learning?: boolean | undefined;
  /**
   * Tokens that it can recall, a multiple of 8. Default 32768 with learning, a history and a vocabulary over 256; with long matches and one of
   * bytes 8: a host gives it more behind its own memory.
   */
  readonly recall?: number | undefined;
  /** Bytes of the longest frame that it packs and unpacks, a multiple of 16 up to 65536. Default 0: it has no coder. */
  readonly pack?: number | undefined;
  /** Its weights stay in flash, and are fetched row by row. Default false. */
  readonly flash?: boolean | undefined;
}

/** The options as a package has them: without room for what is recalled, but where bytes have hardly any anyway. */
export function packageOptions({ vocabulary }: Shape, options: ModuleOptions): ModuleOptions {
  return { ...options, recall: options.recall ?? (vocabulary > 256 ? 0 : undefined) };
}

/** The options with defaults. Models of bytes have hardly a place of their own for what is recalled: nano's page is full. @throws SaffuError INVALID_OPTION */
export function moduleOptions({ vocabulary, history, longMatches }: Shape, options: ModuleOptions = {}) {
  checkOptions(options, []);
  const { learning = true, recall, pack = 0, flash = false } = options;
  if (recall !== undefined && !(Number.isInteger(recall) && recall >= 0 && recall <= 32768 && recall % 8 === 0)) {
    throw invalidOption("recall", "a multiple of 8 in 0..32768", recall);
  }
  if (!(Number.isInteger(pack) && pack >= 0 && pack <= 65536 && pack % 16 === 0)) {
    throw invalidOption("pack", "a multiple of 16 in 0..65536", pack);
  }
  const most = !learning || history === 0 ? 0 : vocabulary > 256 ? MEMORY : longMatches ? 8 : 0;
  return { learning, recall: history > 0 ? (recall ?? most) : 0, pack, flash };
}
