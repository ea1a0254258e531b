/** saffu suggest: words for each line of standard input, or for each key where a terminal is there. */
import { throwIfAborted } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { checkSuggestOptions, type Suggestion, type SuggestOptions } from "../model/suggest.ts";
import { Pace } from "../pace.ts";
import { openTexts } from "./input.ts";
import { interruptSignal } from "./interrupt.ts";
import { linesOf } from "./lines.ts";
import { loadModel } from "./load.ts";
import { write } from "./output.ts";

interface Options extends SuggestOptions {
  readonly learn?: string[];
  readonly build?: string;
  readonly json?: boolean;
}

/** Bytes of a line that are read between two looks at the signal. */
const PART = 1 << 12;
const CARRIAGE_RETURN = 0x0d;

export async function run(directory: string, { learn = [], build, json, ...options }: Options): Promise<void> {
  const bounds = checkSuggestOptions(options);
  const signal = interruptSignal();
  await openTexts([...learn, "-"], signal); // all of them, before any work: standard input is what is typed
  const model = await loadModel(directory, build, signal);
  for (const file of learn) await model.observe((await openTexts([file], signal)).chunks(), { signal });
  if (process.stdin.isTTY && process.stdout.isTTY && !json) {
    const { Keyboard } = await import("./keyboard.ts");
    await new Keyboard(model, bounds).run(signal);
    return;
  }
  const input = await openTexts(["-"], signal);
  const pace = new Pace();
  for await (const line of linesOf(input.chunks())) {
    const found = await suggested(model, line, bounds, { pace, signal });
    const words = found.map(({ word }) => word).join("\t");
    await write(`${json ? JSON.stringify({ suggestions: found }) : words}\n`, signal);
    throwIfAborted(signal);
  }
}

/** As the model's `suggest`, in turns. */
async function suggested(
  model: Model,
  line: Uint8Array,
  bounds: SuggestOptions,
  { pace, signal }: { readonly pace: Pace; readonly signal: AbortSignal },
): Promise<Suggestion[]> {
  const text = line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
  const session = model.session();
  try {
    for (let from = 0; from < text.length; from += PART) {
      session.push(text.subarray(from, from + PART));
      if (pace.due()) await pace.rest();
      throwIfAborted(signal);
    }
    return session.suggest(bounds);
  } finally {
    session.close();
  }
}
