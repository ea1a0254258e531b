/**
 * The device module with the golden script inside: a module without imports, each of whose exports runs a step, in order, and answers
 * its digest. For runtimes that call exports without arguments alone, such as wabt's interpreter.
 */
import { readFileSync } from "node:fs";
import { BASE, bytesNeeded, deviceAddresses, weightBytes } from "../../host/compile/layout.ts";
import type { Package } from "../../host/compile/package.ts";
import { memoryRecord } from "../../host/files/memory.ts";
import type { Build } from "../../host/model/kernel.ts";
import { compileEntry } from "./assembly.ts";
import type { Answer, Step } from "./script.ts";

export interface Driver {
  readonly module: Uint8Array;
  /** Names of its exports, one a step. */
  readonly exports: readonly string[];
}

/**
 * @param weights as they stand from BASE on: those of a package in flash form, of the same model
 * @param form of the model whose driver is wanted
 */
export async function driverModule(
  { shape, weights }: Package,
  form: { readonly build: Build; readonly learning: boolean; readonly pack: number; readonly flash: boolean },
  steps: readonly Step[],
): Promise<Driver> {
  const { build, learning, pack, flash } = form;
  const options = { learning, recall: 0, pack, flash };
  const end = bytesNeeded(shape, options);
  const { at, end: own } = deviceAddresses(shape, options);
  const text = textOf(steps);
  const weightsAt = flash ? end : BASE;
  // in memory the long-term memory stands behind all else; in flash it stays behind the weights
  const image = weights!.subarray(0, weightBytes(shape));
  const remembered = weights!.subarray(image.length);
  const memoryAt = flash ? weightsAt + image.length : own;
  const record = memoryRecord(shape, flash ? BASE + image.length : own);
  const textAt = flash ? end + weights!.length : end;
  const module = await compileEntry({
    model: { shape, options },
    build,
    sources: { "entry.ts": entryOf(steps), ...(flash ? { "device/flash.ts": flashWithin() } : {}) },
    constants: { DRIVER_TEXT: textAt, DRIVER_WEIGHTS: weightsAt },
    memoryBytes: textAt + text.length * 2,
  });
  const tokens = new Uint8Array(Uint16Array.from(text).buffer);
  return {
    module: withData(module, [
      [weightsAt, image],
      ...(remembered.length > 0
        ? ([
            [memoryAt, remembered],
            [at.MEMORY_RECORD!, new Uint8Array(record.buffer)],
          ] as const)
        : []),
      [textAt, tokens],
    ]),
    exports: steps.map((_, i) => stepExport(i)),
  };
}

/** A module of steps that are calls alone, and what the oracle answers. */
export interface ModuleCase {
  readonly module: Uint8Array;
  readonly steps: readonly Step[];
  readonly wanted: readonly Answer[];
  /** The module with the script inside. */
  driver(): Promise<Driver>;
}

/**
 * The same of another device, whose steps are calls alone.
 *
 * @param device its file in assembly/
 * @param segments of its data: a plan, weights and sums
 */
export async function moduleDriver(
  device: "classify/device" | "watch/device",
  build: Build,
  segments: readonly (readonly [address: number, bytes: Uint8Array])[],
  memoryBytes: number,
  steps: readonly Step[],
): Promise<Driver> {
  const body = (step: Step) => {
    if (step.do !== "call") throw new Error(`a script of ${device} has no step ${step.do}`);
    return `return one(device.${step.function}(${step.arguments.join()}));`;
  };
  const entry = [
    `import * as device from "./${device}"; import { one } from "./driver-digest";`,
    ...steps.map((step, i) => `export function ${stepExport(i)}(): u64 { ${body(step)} }`),
  ].join("\n");
  const module = await compileEntry({ build, sources: { "entry.ts": entry }, memoryBytes });
  return { module: withData(module, segments), exports: steps.map((_, i) => stepExport(i)) };
}

const stepExport = (i: number) => `step${String(i).padStart(2, "0")}`;

/** The tokens that every such step reads. */
function textOf(steps: readonly Step[]): readonly number[] {
  const texts = steps.flatMap((step) => (step.do === "each" ? [step.tokens] : []));
  const [text = []] = texts;
  if (texts.some((other) => other.join() !== text.join())) throw new Error("the driver has one text");
  return text;
}

/** The script as AssemblyScript. */
function entryOf(steps: readonly Step[]): string {
  const body = (step: Step): string => {
    switch (step.do) {
      case "call": {
        const call = `${fileOf(step.function)}.${step.function}(${step.arguments.join()})`;
        return step.function === "seed" ? `${call}; return driver.NOTHING;` : `return driver.one(${call});`;
      }
      case "generate":
        return `return driver.generate(${step.count}, ${step.temperature}, ${step.topK}, ${step.topP}, ${step.every ?? 1});`;
      case "each":
        return `return driver.each${step.function[0]!.toUpperCase()}${step.function.slice(1)}(${step.tokens.length});`;
      case "refit":
        return `return driver.one(device.refit(${step.from}, ${step.to}, ${step.pseudoCounts}, ${step.step}));`;
      case "region":
        return `return driver.region(${fileOf(step.from)}.${step.from}, ${fileOf(step.to)}.${step.to} + ${step.beyond});`;
    }
  };
  return [
    `import * as device from "./device"; import * as driver from "./driver";`,
    ...(steps.some((step) => step.do === "call" && isOfPacking(step.function))
      ? [`import * as packing from "./device/packing";`]
      : []),
    ...steps.map((step, i) => `export function ${stepExport(i)}(): u64 { ${body(step)} }`),
  ].join("\n");
}

/** What assembly/device/packing.ts exports, all with a stem in common. */
const isOfPacking = (name: string) => /^(un)?pack/i.test(name);
const fileOf = (name: string) => (isOfPacking(name) ? "packing" : "device");

/** assembly/device/flash.ts with its import satisfied inside the module. */
function flashWithin(): string {
  const source = readFileSync("assembly/device/flash.ts", "utf8");
  const within = source.replace(
    /@external\("saffu", "read"\)\s*declare function read\([^;]*;/,
    `import { read } from "../driver-flash";`,
  );
  if (within === source) throw new Error("assembly/device/flash.ts imports no saffu.read");
  return within;
}

const DATA_SECTION = 11;

/** A module, which has no data section yet, with active segments. */
function withData(
  module: Uint8Array,
  segments: readonly (readonly [address: number, bytes: Uint8Array])[],
): Uint8Array {
  const I32_CONST = 0x41;
  const END = 0x0b;
  const content = [
    Buffer.from(leb128(segments.length)),
    ...segments.flatMap(([address, bytes]) => [
      Buffer.from([0, I32_CONST, ...signedLeb128(address), END, ...leb128(bytes.length)]),
      bytes,
    ]),
  ];
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([module, Buffer.from([DATA_SECTION, ...leb128(length)]), ...content]);
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...leb128(Math.floor(value / 0x80))];
}

/** Of a number ≥ 0: the last byte's bit 6 is its sign. */
function signedLeb128(value: number): number[] {
  return value < 0x40 ? [value] : [(value % 0x80) | 0x80, ...signedLeb128(Math.floor(value / 0x80))];
}
