/** What the forms of examples/firmware take of a runtime: nothing is measured, the bytes are laid out and the stacks are bounds. */
import { compileDevice } from "../host/compile/compile.ts";
import { bytesNeeded } from "../host/compile/layout.ts";
import type { ModuleOptions } from "../host/compile/options.ts";
import { type Profile, wholeShapeOf } from "../host/fit/recipe.ts";
import { validateShape } from "../host/shape.ts";
import { table } from "./markdown.ts";
import { inspect } from "./module/inspect.ts";

interface Form {
  readonly profile: Profile;
  readonly history?: { readonly history: number; readonly adapts?: false };
  readonly options: ModuleOptions;
}

const FLASH = { recall: 0, flash: true };
const FROZEN = { ...FLASH, learning: false };
/** Those of its Makefile, and the least that a frozen potato takes there. */
const FORMS: Record<string, Form> = {
  nano: { profile: "nano", options: {} },
  "potato-flash": { profile: "potato", history: { history: 1024 }, options: FLASH },
  "potato-flash-frozen": { profile: "potato", history: { history: 1024 }, options: FROZEN },
  "the same, `--history 256 --no-adapts`": {
    profile: "potato",
    history: { history: 256, adapts: false },
    options: FROZEN,
  },
};

/** The table of its page, in bytes; slots are those of the largest frame where wasm3 is built for Arduino. */
export async function firmwareForms(): Promise<string> {
  const rows = Object.entries(FORMS).map(async ([name, { profile, history, options }]) => {
    const shape = validateShape({ ...wholeShapeOf({ profile }), ...(history && { indexed: false, ...history }) });
    const { stack, functions } = await inspect(await compileDevice(shape, "scalar", options));
    const slots = Math.max(...functions.map(({ arduinoSlots }) => arduinoSlots));
    return [name, ...[bytesNeeded(shape, options), stack.bytes, slots].map((figure) => figure.toLocaleString("en"))];
  });
  return table(
    ["form", "linear memory", "wasm3's operand stack, at most", "slots of a function"],
    await Promise.all(rows),
  );
}
