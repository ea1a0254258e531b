/** How an error leaves the command: one line on standard error, and an exit code. */
import { type ErrorCode, SaffuError } from "../errors.ts";

const EXIT_CODES: Record<ErrorCode, number> = {
  INVALID_SHAPE: 2,
  INVALID_OPTION: 2,
  MODEL_MISSING_FILE: 3,
  MODEL_CORRUPT: 3,
  MODEL_VERSION: 3,
  MODEL_DIGEST: 3,
  TOKENIZER_INVALID: 3,
  INVALID_TEXT: 4,
  TOKEN_OUT_OF_RANGE: 4,
  UNWRITABLE: 5,
  OUT_OF_MEMORY: 2,
  UNSUPPORTED: 1,
  ABORTED: 130,
};

export function exitCodeOf(error: unknown): number {
  return error instanceof SaffuError ? EXIT_CODES[error.code] : 1;
}

export function report(error: unknown, json: boolean): void {
  const code = error instanceof SaffuError ? error.code : "UNEXPECTED";
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(json ? `${JSON.stringify({ error: { code, message } })}\n` : `saffu: ${code}: ${message}\n`);
}
