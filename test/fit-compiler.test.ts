/** A fit that would end without its modules is refused at its start, where that can be known: nothing is built ahead, and no compiler is there. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { BYTES, SMALL, TEXT } from "./fit-fixture.ts";

/** A resolver of imports to which the compiler is not installed, as to a user of the package who has not asked for it. */
const HOOKS = `export async function resolve(name, context, next) {
  if (!name.startsWith("assemblyscript")) return next(name, context);
  throw Object.assign(new Error("not installed"), { code: "ERR_MODULE_NOT_FOUND" });
}`;

/** Fits in a process without the compiler: the error, and the phases that were reported before it. */
function withoutCompiler(options: object): { code?: string; message?: string; phases: string[]; reads: number } {
  const script = `
    import Module, { register } from "node:module";
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (!name.startsWith("assemblyscript")) return resolve(name, ...rest);
      throw Object.assign(new Error("not installed"), { code: "MODULE_NOT_FOUND" });
    };
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(HOOKS)}));
    const { fit } = await import(${JSON.stringify(new URL("../host/fit/fit.ts", import.meta.url).href)});
    const { byteTokenizer } = await import(${JSON.stringify(new URL("../host/tokenizer/index.ts", import.meta.url).href)});
    const { given, ...options } = JSON.parse(process.argv[2]);
    const phases = new Set();
    let reads = 0;
    const text = () => (++reads, [Buffer.from(process.argv[1], "base64")]);
    const onProgress = ({ phase }) => phases.add(phase);
    const tokenizer = given ? byteTokenizer() : undefined;
    const { code, message } = await fit(text, { ...options, tokenizer, onProgress }).catch((error) => error);
    console.log(JSON.stringify({ code, message, phases: [...phases], reads }));`;
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const parameters = ["--import", tsx, "--input-type=module", "-e", script, Buffer.from(TEXT).toString("base64")];
  const { stdout, stderr } = spawnSync(process.execPath, [...parameters, JSON.stringify(options)], {
    encoding: "utf8",
    env: { ...process.env, SAFFU_MODULES: "" },
  });
  expect(stdout, stderr).not.toBe("");
  return JSON.parse(stdout);
}

test.each([
  ["bytes", BYTES],
  ["a tokenizer that is given", { ...SMALL, given: true }],
])("of %s: before the text is asked for", (_what, options) => {
  const { code, message, phases, reads } = withoutCompiler(options);
  expect([code, phases, reads]).toEqual(["UNSUPPORTED", [], 0]);
  expect(message).toContain("npm install assemblyscript@");
  expect(message).toContain("vocabulary 256");
});

test("of a tokenizer that is yet to be trained: when the text has said how many tokens there are", () => {
  const { code, phases, reads } = withoutCompiler(SMALL);
  expect([code, phases, reads]).toEqual(["UNSUPPORTED", ["tokenizer", "tokens"], 2]);
});
