/** Options and fields that calls once took. Who still gives one is told in one line what replaces it, in place of its being ignored. */
import { SaffuError } from "./errors.ts";

/** What has become of an option, as it reads after its name. */
export type Gone = Readonly<Record<string, string>>;

/** @throws SaffuError INVALID_OPTION where an option is given that is gone */
export function refuseGone(options: object, gone: Gone): void {
  for (const [name, became] of Object.entries(gone)) {
    if ((options as Record<string, unknown>)[name] !== undefined) {
      throw new SaffuError("INVALID_OPTION", `${name} ${became}`);
    }
  }
}
