/** A model directory behind a URL: the reader of browsers, and of Node for http(s) addresses. */
import { SaffuError, throwIfAborted } from "../errors.ts";
import { MAX_CONFIG } from "./config.ts";
import { checkLength, type ReadFile } from "./read.ts";

/** Milliseconds in which a body that is whole has to end. */
const END = 2000;

/**
 * Reads files below `directory`, with or without a slash at its end. A body is read no further than the recorded length.
 *
 * @throws SaffuError MODEL_MISSING_FILE where a file cannot be fetched, naming the address and the status, or a page comes in its place
 */
export function webReader(directory: URL): ReadFile {
  const base = new URL(directory);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return async (name, expected, signal) => {
    const url = new URL(name, base);
    url.search = base.search;
    const most = expected ?? MAX_CONFIG;
    try {
      const response = await fetch(url, signal ? { signal } : {});
      if (!response.ok || !response.body) {
        throw new SaffuError("MODEL_MISSING_FILE", `${url} cannot be fetched: status ${response.status}`);
      }
      const chunks: Uint8Array[] = [];
      let length = 0;
      const reader = response.body.getReader();
      for (;;) {
        // a body that goes on is too long; one that neither goes on nor ends has said all that is wanted of it
        const next = reader.read();
        const part = length === expected ? await within(END, next) : await next;
        if (part === undefined || part.done) break;
        length += part.value.length;
        chunks.push(part.value);
        if (length > most) break; // the length is wrong already
      }
      await reader.cancel();
      const bytes = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, at);
        at += chunk.length;
      }
      // servers of single-page applications answer every address that they do not know with their page, and with status 200
      if (isPage(bytes)) {
        const what = `${url} answers with a page, status ${response.status} (is this HTML?)`;
        throw new SaffuError(
          "MODEL_MISSING_FILE",
          `${what}: the server has no such file, or gives its fallback page for it`,
        );
      }
      checkLength(name, length, expected);
      return bytes;
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof SaffuError) throw cause;
      throw new SaffuError("MODEL_MISSING_FILE", `${url} cannot be fetched: ${(cause as Error).message}`, { cause });
    }
  };
}

/** Whether bytes are those of an HTML page: no file of a model that is fetched begins so. */
function isPage(bytes: Uint8Array): boolean {
  return /^\s*<(!doctype|html|head|body|!--|\?xml)/i.test(new TextDecoder().decode(bytes.subarray(0, 100)));
}

/** What is waited for, or undefined after so many milliseconds. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: unknown;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer as number));
}
