/**
 * `npm run sizes`: what the shipped shapes take in bytes; on a microcontroller, by form, in the table of docs/device.md, and in a host,
 * by instance, in that of docs/learning.md; the figures most asked for in README's; the forms of examples/firmware in its page. Nothing is measured: code is
 * compiled, memory is laid out, and the stack is the static bound of tools/module/inspect.ts. With `--cortex-m4` the example is run on the
 * emulated board as well, and what it took is written there.
 */
import { spawnSync } from "node:child_process";
import { compileDevice } from "../host/compile/compile.ts";
import { bytesNeeded, PAGE, predictorBytes, weightBytes } from "../host/compile/layout.ts";
import { type ModuleOptions, packageOptions } from "../host/compile/options.ts";
import { type Profile, wholeShapeOf } from "../host/fit/recipe.ts";
import { hiddenWidth, memoryBytes, memorySpecs, type Shape, tensorBytes, validateShape } from "../host/shape.ts";
import { firmwareForms } from "./forms.ts";
import { table as tableOf, writeBlock } from "./markdown.ts";
import { inspect } from "./module/inspect.ts";

const PROFILES: Profile[] = ["nano", "micro", "potato", "base"];
/** As `saffu compile` makes them. */
const FORMS: Record<string, ModuleOptions> = {
  "in memory": {},
  "in memory, frozen": { learning: false },
  "in flash": { flash: true },
  "in flash, frozen": { flash: true, learning: false },
};
/** In flash, `--history --no-indexed`: what a microcontroller has room for. */
const FLASH_HISTORY = 1024;

function forFlash(shape: Shape): Shape {
  return validateShape({ ...shape, history: Math.min(shape.history, FLASH_HISTORY), indexed: false });
}

const rows: string[][] = [
  ["shape", "form", "code", "simd", "weights", "memory", "statistics", "stack, values", "wasm3, slots", "bytes"],
];
for (const profile of PROFILES) {
  for (const [form, given] of Object.entries(FORMS)) {
    const own = wholeShapeOf({ profile });
    const shape = given.flash ? forFlash(own) : own;
    const options = packageOptions(shape, given);
    const scalar = await compileDevice(shape, "scalar", options);
    const simd = await compileDevice(shape, "simd", options);
    const { stack } = await inspect(scalar);
    const learns = options.learning !== false;
    const statistics = learns ? 2 * shape.vocabulary * hiddenWidth(shape) * 4 + 8 : 0;
    const memory = bytesNeeded(shape, options);
    const { values, slots, bytes } = stack;
    const figures = [
      scalar.length,
      simd.length,
      weightBytes(shape) + memoryBytes(shape),
      memory,
      statistics,
      values,
      slots,
      bytes,
    ];
    const name = options.flash ? form.replace("flash", `flash, R ${shape.history}`) : form;
    rows.push([profile, name, ...figures.map((figure) => figure.toLocaleString("en"))]);
  }
}
rows.splice(
  1,
  0,
  rows[0]!.map((_, i) => (i < 2 ? "---" : "---:")),
);
const table = rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
writeBlock("docs/device.md", "sizes", table);
console.log(table);

/** A host's instances are of the kernels in model directories, which recall; memory is whole pages. */
const pages = (bytes: number) => Math.ceil(bytes / PAGE) * PAGE;
const instances = tableOf(
  ["shape", "a predictor", "the learner", "in use by a predictor", "in use by the learner"],
  PROFILES.map((profile) => {
    const shape = wholeShapeOf({ profile });
    const used = [predictorBytes(shape), bytesNeeded(shape)];
    return [profile, ...[...used.map(pages), ...used].map((figure) => figure.toLocaleString("en"))];
  }),
);
writeBlock("docs/learning.md", "instances", instances);
console.log(instances);

/** Weights and the memory's tokens, as they are in a model's file. */
function fileBytes(shape: Shape): number {
  return memorySpecs(shape).reduce((sum, spec) => sum + tensorBytes(spec), weightBytes(shape));
}

/** What a newcomer asks first, in whole KiB. */
const kib = (bytes: number) => `${Math.ceil(bytes / 1024).toLocaleString("en")} KiB`;
const overview = tableOf(
  ["profile", "model", "predicting", "learning", "RAM of a microcontroller"],
  PROFILES.map((profile) => {
    const shape = wholeShapeOf({ profile });
    const inFlash = bytesNeeded(forFlash(shape), packageOptions(shape, FORMS["in flash, frozen"]!));
    return [profile, ...[fileBytes(shape), pages(predictorBytes(shape)), pages(bytesNeeded(shape)), inFlash].map(kib)];
  }),
);
writeBlock("README.md", "sizes", overview);
console.log(overview);

const FIRMWARE = "examples/firmware/README.md";
const forms = await firmwareForms();
writeBlock(FIRMWARE, "forms", forms);
console.log(forms);

if (process.argv.includes("--cortex-m4")) {
  const names = {
    nano: "nano, learning",
    "potato-flash": "potato in flash, learning",
    "potato-flash-frozen": "potato in flash, frozen",
  };
  const rows = Object.entries(names).map(([form, name]) => {
    const target = `build/cortex-m4/${form}`;
    const words = ["--silent", "-C", "examples/firmware", "--always-make", `${target}.checked`];
    const { status, stdout, stderr } = spawnSync("make", words, { encoding: "utf8" });
    const [, ...ram] = /static (\d+), heap (\d+), stack (\d+)/.exec(stderr) ?? [];
    const [, flash] = /^\s*(\d+)\s.*\.elf$/m.exec(stdout) ?? [];
    if (status !== 0 || ram.length !== 3 || flash === undefined) throw new Error(`make ${target}: ${stdout}${stderr}`);
    return [name, ...[...ram, flash].map((figure) => Number(figure).toLocaleString("en"))];
  });
  const headers = [
    "form",
    "static",
    "heap: linear memory, wasm3's code, its stack",
    "C stack",
    "flash: code and weights",
  ];
  writeBlock(FIRMWARE, "cortex-m4", tableOf(headers, rows));
}
