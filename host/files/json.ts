/** What the readers of JSON files share. */

/** Deepest nesting that is read: model files nest to 5, and what walks a value (JSON.stringify, for a message) recurses into it. */
const DEEPEST = 64;

/** Parses bytes that must be UTF-8 and JSON, nested to DEEPEST at most; throws TypeError or SyntaxError where they are not. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  checkNesting(text);
  return JSON.parse(text);
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
