/**
 * Short English messages of people who chat: the Chit-Chats set of Brigham Young University (2018), 7,168 conversations of 258,145 messages, from
 * chitchat-dataset 0.9.0 of PyPI, under MIT. The package is downloaded once, by pip, below build/pypi; nothing of it is committed.
 *
 * ```ts
 * const { fit, dev, held } = chats(); // lists of messages, each without line breaks, of different conversations
 * ```
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pypiPackage } from "./pypi.ts";

const PACKAGE = "chitchat-dataset==0.9.0";

/** Of ten conversations eight are to fit to, one is to choose settings on, and one is for figures. */
export interface Chats {
  readonly fit: readonly string[];
  readonly dev: readonly string[];
  readonly held: readonly string[];
  /** The same by conversation, in order. */
  readonly conversations: {
    readonly dev: readonly (readonly string[])[];
    readonly held: readonly (readonly string[])[];
  };
}

/** The messages. Throws where pip or the package is missing. */
export function chats(): Chats {
  const conversations = Object.values(
    JSON.parse(readFileSync(join(pypiPackage(PACKAGE), "chitchat_dataset", "dataset.json"), "utf8")) as Record<
      string,
      { messages: { text: string }[][] }
    >,
  );
  const of = (wanted: (tenth: number) => boolean) =>
    conversations
      .filter((_, i) => wanted(i % 10))
      .map(({ messages }) => messages.flat().map(({ text }) => text.trim().replace(/\s+/g, " ")))
      .map((texts) => texts.filter((text) => text !== ""));
  const [fit, dev, held] = [of((tenth) => tenth < 8), of((tenth) => tenth === 8), of((tenth) => tenth === 9)];
  return { fit: fit.flat(), dev: dev.flat(), held: held.flat(), conversations: { dev, held } };
}

/** As many of the first messages as `bytes` bytes hold, each a line. */
export function linesOf(messages: readonly string[], bytes: number): string {
  let text = "";
  let size = 0;
  for (const message of messages) {
    size += Buffer.byteLength(message) + 1;
    if (size > bytes) break;
    text += `${message}\n`;
  }
  return text;
}
