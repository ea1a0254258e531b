// Writes watch.h to standard output: node header.mjs ../../dist/index.js '{"countBytes": 4096}'. The options are those of `compileWatch`.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [file, options = "{}"] = process.argv.slice(2);
const { watchHeader } = await import(pathToFileURL(resolve(file)));
process.stdout.write(await watchHeader(JSON.parse(options)));
