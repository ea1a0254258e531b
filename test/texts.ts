/** Real text for tests, the same to the byte wherever the lock file is. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** 11 kB of English that does not change. */
export const LICENCE = readFileSync("LICENSE", "utf8");

const compiler = dirname(createRequire(import.meta.url).resolve("typescript"));

/** What the TypeScript compiler says, in one of `LANGUAGES`: some 300 kB, each message after its key, which is English. */
export function messages(language: (typeof LANGUAGES)[number]): string {
  return readFileSync(join(compiler, language, "diagnosticMessages.generated.json"), "utf8");
}

/** 4.5 MB in all: Latin, Cyrillic, Chinese, Japanese and Korean script. */
export const LANGUAGES = [
  "cs",
  "de",
  "es",
  "fr",
  "it",
  "ja",
  "ko",
  "pl",
  "pt-br",
  "ru",
  "tr",
  "zh-cn",
  "zh-tw",
] as const;
