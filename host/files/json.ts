/** What the readers of JSON files share. */

/** Deepest nesting that is read: model files nest to 5, and what walks a value (JSON.stringify, for a message) recurses into it. */
const DEEPEST = 64;

/** Parses bytes that must be UTF-8 and JSON, nested to DEEPEST at most; throws TypeError or SyntaxError where they are not. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  checkNesting(text);
  return JSON.parse(text);
}

/** A key that an object has twice: readers differ in which value they take. */
export class TwiceError extends SyntaxError {}

/** The same, and no object may have a key twice. @throws TwiceError, naming the key */
export function parseUniqueJson(bytes: Uint8Array): unknown {
  const value = parseJson(bytes);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const keys: (Set<string> | undefined)[] = []; // of the objects around the place; undefined for a list
  // it is JSON: a string is a key where a colon follows
  for (const [sign] of text.matchAll(/[{}[\]]|"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/gs)) {
    if (sign === "{") keys.push(new Set());
    else if (sign === "[") keys.push(undefined);
    else if (sign === "}" || sign === "]") keys.pop();
    else if (sign.endsWith(":")) {
      const key: string = JSON.parse(sign.slice(0, sign.lastIndexOf('"') + 1));
      const own = keys.at(-1)!;
      if (own.has(key)) throw new TwiceError(`the key ${JSON.stringify(key)} is there twice`);
      own.add(key);
    }
  }
  return value;
}

function checkNesting(text: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; ++at) {
    const sign = text[at];
    if (inString && sign === "\\") ++at;
    else if (sign === '"') inString = !inString;
    else if (inString) continue;
    else if (sign === "]" || sign === "}") --depth;
    else if ((sign === "[" || sign === "{") && ++depth > DEEPEST)
      throw new SyntaxError(`nested deeper than ${DEEPEST}`);
  }
}

/** Whether `value` is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
