/**
 * What a module is, read off its bytes by wabt, the WebAssembly Binary Toolkit, which had no part in compiling it.
 *
 * ```ts
 * const { imports, stack } = await inspect(wasm);
 * await problem(wasm, MVP); // undefined: it needs nothing beyond the MVP
 * ```
 */
import wabt from "wabt";

/** What came after the WebAssembly MVP, as wabt names it. */
export const FEATURES = [
  "annotations",
  "bulk_memory",
  "code_metadata",
  "exceptions",
  "extended_const",
  "function_references",
  "gc",
  "memory64",
  "multi_value",
  "mutable_globals",
  "reference_types",
  "relaxed_simd",
  "sat_float_to_int",
  "sign_extension",
  "simd",
  "tail_call",
  "threads",
] as const;
export type Feature = (typeof FEATURES)[number];
/** What inspect reads: none of them brings in another, as the newer ones do. */
const COMMON: readonly Feature[] = ["bulk_memory", "multi_value", "sat_float_to_int", "sign_extension", "simd"];
/** The features of the MVP: none. */
export const MVP: readonly Feature[] = [];

/** One function of a module. Values are counted whatever their type. */
export interface FunctionReport {
  /** As exported, or "#" and its index. */
  readonly name: string;
  readonly params: number;
  readonly results: number;
  /** Declared beside the parameters. */
  readonly locals: number;
  /** Most values that stand on the operand stack at once. */
  readonly operands: number;
  /** Bytes of its body. */
  readonly bytes: number;
  /** Slots of 4 bytes that wasm3 0.5 takes for a frame of it, at the most; and where it is built for Arduino boards. */
  readonly slots: number;
  readonly arduinoSlots: number;
  /** Indices of the functions it calls. */
  readonly calls: readonly number[];
}

/** The most that a chain of calls takes. */
export interface StackBound {
  /** Parameters, locals and operands of all frames. */
  readonly values: number;
  /** wasm3's slots of all frames, and their bytes. */
  readonly slots: number;
  readonly bytes: number;
  /** The functions of the chain that takes most slots, the one called from outside first. */
  readonly path: readonly string[];
}

export interface Inspection {
  /** "saffu.read: (i32 i32 i32) → i32" */
  readonly imports: readonly string[];
  /** "feed: (i32) → f32", "memory", and of constants "END: i32 = 64336"; sorted. */
  readonly exports: readonly string[];
  readonly startFunction: boolean;
  /** In pages; of a module without memory, 0. */
  readonly memory: { readonly least: number; readonly most: number | undefined };
  /** Sorted, each once. */
  readonly opcodes: readonly string[];
  readonly functions: readonly FunctionReport[];
  readonly stack: StackBound;
  /** Bytes of each section, its header included, by name. */
  readonly sections: ReadonlyMap<string, number>;
}

const SECTIONS = "custom type import function table memory global export start element code data".split(" ");
/** Constants that wasm3 keeps in a frame (d_m3MaxConstantTableSize): by default, and where it is built for Arduino boards. */
const MOST_CONSTANTS = 120;
const MOST_ARDUINO_CONSTANTS = 64;
/** Slots that wasm3 gives to a parameter or a result, and at most to an operand. */
const WIDE = 2;

type Wabt = Awaited<ReturnType<typeof wabt>>;
let toolkit: Promise<Wabt> | undefined;

/** Why a runtime with these features alone refuses the module; undefined where it takes it. */
export async function problem(wasm: Uint8Array, features: readonly Feature[]): Promise<string | undefined> {
  try {
    const module = await read(wasm, features);
    module.destroy();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Those of the features that every engine has had for years which a module needs: without any one of them it is refused. */
export async function needed(wasm: Uint8Array): Promise<Feature[]> {
  const found: Feature[] = [];
  for (const feature of COMMON) {
    const others = COMMON.filter((other) => other !== feature);
    if (await problem(wasm, others)) found.push(feature);
  }
  return found;
}

/** The same module with a memory of `pages`, its data segments and code as they are. */
export async function withPages(wasm: Uint8Array, pages: number): Promise<Uint8Array> {
  const text = (await textOf(wasm)).replace(/\(memory \(;0;\) [^)]*\)/, `(memory (;0;) ${pages} ${pages})`);
  toolkit ??= wabt();
  const module = (await toolkit).parseWat("module.wat", text, switches(COMMON));
  const { buffer } = module.toBinary({});
  module.destroy();
  return buffer;
}

/** @throws Error where a function calls itself, or through a table: then nothing bounds its stack */
export async function inspect(wasm: Uint8Array): Promise<Inspection> {
  const lines = (await textOf(wasm)).split("\n").map((line) => line.trim());
  const types = matches(lines, /^\(type \(;\d+;\) \(func(?: \(param ([^)]*)\))?(?: \(result ([^)]*)\))?\)\)/).map(
    ([, params, results]) => ({ params: words(params), results: words(results) }),
  );
  const typeText = (index: number) =>
    `(${types[index]!.params.join(" ")}) → ${types[index]!.results.join(" ") || "()"}`;
  const imported = matches(lines, /^\(import "(.*?)" "(.*?)" \((\w+)(?: \(;\d+;\))? ?\(?(?:type (\d+))?/);
  const importedFunctions = imported.filter(([, , , kind]) => kind === "func");
  const defined = bodies(lines);
  const typeOf = [...importedFunctions.map(([, , , , type]) => Number(type)), ...defined.map(({ type }) => type)];
  const exported = matches(lines, /^\(export "(.*?)" \((\w+) (\d+)\)\)/);
  const names = new Map(exported.filter(([, , kind]) => kind === "func").map(([, name, , at]) => [Number(at), name!]));
  const constants = matches(lines, /^\(global \(;(\d+);\) (.*?) \(i32\.const (-?\d+)\)\)/);
  const globals = new Map(constants.map(([, at, type, value]) => [at, `${type} = ${value}`]));

  const { sizes, functionBytes } = sectionsOf(wasm);
  const opcodes = new Set<string>();
  const functions: FunctionReport[] = typeOf.map((type, index): FunctionReport => {
    const { params, results } = types[type]!;
    const name = names.get(index) ?? `#${index}`;
    const outer = { name, params: params.length, results: results.length };
    const ends = WIDE * (params.length + results.length);
    const body = defined[index - importedFunctions.length];
    if (body === undefined) {
      return { ...outer, locals: 0, operands: 0, bytes: 0, slots: ends, arduinoSlots: ends, calls: [] };
    }
    for (const { opcode } of body.instructions) opcodes.add(opcode);
    const operands = operandDepth(body.instructions, results.length, (at) => types[typeOf[at]!]!, name);
    const bytes = functionBytes[index - importedFunctions.length]!;
    const widths = body.locals.reduce((sum, local) => sum + slotsOf(local), 0);
    const slots = (most: number) => ends + even(widths + Math.min(constantSlots(bytes), most)) + WIDE * operands;
    return {
      ...outer,
      locals: body.locals.length,
      operands,
      bytes: bytes.length,
      slots: slots(MOST_CONSTANTS),
      arduinoSlots: slots(MOST_ARDUINO_CONSTANTS),
      calls: body.instructions.filter(({ opcode }) => opcode === "call").map(({ immediate }) => Number(immediate)),
    };
  });
  const [, least, most] = lines.map((line) => line.match(/^\(memory \(;0;\) (\d+)(?: (\d+))?\)/)).find(Boolean) ?? [];
  return {
    imports: imported.map(([, from, name, kind, type]) =>
      kind === "func" ? `${from}.${name}: ${typeText(Number(type))}` : `${from}.${name}: ${kind}`,
    ),
    exports: exported
      .map(([, name, kind, at]) => {
        if (kind === "func") return `${name}: ${typeText(typeOf[Number(at)]!)}`;
        return kind === "global" ? `${name}: ${globals.get(at)}` : name!;
      })
      .sort(),
    startFunction: lines.some((line) => line.startsWith("(start ")),
    memory: { least: Number(least ?? 0), most: most === undefined ? undefined : Number(most) },
    opcodes: [...opcodes].sort(),
    functions,
    stack: stackBound(functions),
    sections: sizes,
  };
}

async function read(wasm: Uint8Array, features: readonly Feature[]) {
  toolkit ??= wabt();
  const module = (await toolkit).readWasm(wasm, { readDebugNames: false, ...switches(features) });
  try {
    module.validate();
  } catch (error) {
    module.destroy();
    throw error;
  }
  return module;
}

function switches(features: readonly Feature[]): Record<Feature, boolean> {
  const all = FEATURES.map((feature) => [feature, features.includes(feature)]);
  return Object.fromEntries(all) as Record<Feature, boolean>;
}

/** The text format, an instruction a line, as they stand in the binary. */
async function textOf(wasm: Uint8Array): Promise<string> {
  const module = await read(wasm, COMMON);
  const text = module.toText({ foldExprs: false, inlineExport: false });
  module.destroy();
  return text;
}

function matches(lines: readonly string[], pattern: RegExp): RegExpMatchArray[] {
  return lines.map((line) => line.match(pattern)).filter((match) => match !== null);
}

function words(text: string | undefined): string[] {
  return text?.split(" ").filter(Boolean) ?? [];
}

interface Instruction {
  readonly opcode: string;
  readonly immediate: string | undefined;
  /** Results of a block, loop or if. */
  readonly results: number;
}

interface Body {
  readonly type: number;
  readonly locals: string[];
  readonly instructions: Instruction[];
}

function bodies(lines: readonly string[]): Body[] {
  const all: Body[] = [];
  let inside = false;
  for (const line of lines) {
    const header = line.match(/^\(func \(;\d+;\) \(type (\d+)\)/);
    if (header) all.push({ type: Number(header[1]), locals: [], instructions: [] });
    if (line.startsWith("(local ")) all.at(-1)!.locals.push(...words(line.match(/^\(local ([^)]*)\)/)![1]));
    else if (line.startsWith("(")) inside = header !== null;
    else if (inside && line !== "") all.at(-1)!.instructions.push(instruction(line));
  }
  return all;
}

function instruction(line: string): Instruction {
  const results = words(line.match(/\(result ([^)]*)\)/)?.[1]).length;
  const bare = line.replace(/;;.*$|\(;.*?;\)|\(result [^)]*\)/g, "").replace(/\)+\s*$/, "");
  const [opcode, immediate] = words(bare) as [string, string?];
  return { opcode, immediate, results };
}

/**
 * Most operands at once. Every end of a block checks that the count is what the block's type says, so that an instruction counted
 * wrongly does not pass unseen.
 */
function operandDepth(
  instructions: readonly Instruction[],
  results: number,
  typeOf: (index: number) => { readonly params: readonly string[]; readonly results: readonly string[] },
  name: string,
): number {
  const blocks: { readonly height: number; readonly results: number; unreachable: boolean }[] = [];
  let block = { height: 0, results, unreachable: false };
  let height = 0;
  let most = 0;
  const close = () => {
    if (!block.unreachable && height !== block.height + block.results) throw new Error(`${name}: operands miscounted`);
    height = block.height;
    block.unreachable = false;
  };
  for (const { opcode, immediate, results } of instructions) {
    if (opcode === "block" || opcode === "loop" || opcode === "if") {
      if (opcode === "if") --height;
      blocks.push(block);
      block = { height, results, unreachable: false };
    } else if (opcode === "else") close();
    else if (opcode === "end") {
      close();
      height += block.results;
      block = blocks.pop()!;
    } else if (["br", "br_table", "return", "unreachable"].includes(opcode)) block.unreachable = true;
    else if (!block.unreachable) {
      if (opcode === "call_indirect") throw new Error(`${name}: calls through a table`);
      const called = opcode === "call" ? typeOf(Number(immediate)) : undefined;
      const [pops, pushes] = called ? [called.params.length, called.results.length] : effectOf(opcode);
      height += pushes - pops;
    }
    most = Math.max(most, height);
  }
  close();
  return most;
}

const UNARY =
  /\.(clz|ctz|popcnt|eqz|abs|neg|ceil|floor|trunc|nearest|sqrt|not|any_true|all_true|bitmask|splat|extract_lane(_[su])?)$|\.(wrap|extend|trunc|trunc_sat|convert|reinterpret|demote|promote|extadd_pairwise)_|\.extend\d/;

/** Operands that an instruction takes, and those that it leaves. */
function effectOf(opcode: string): [pops: number, pushes: number] {
  if (/\.const$|^(local|global)\.get$|^memory\.size$/.test(opcode)) return [0, 1];
  if (/^(local|global)\.set$|^drop$|^br_if$/.test(opcode)) return [1, 0];
  if (opcode === "nop") return [0, 0];
  if (opcode === "select" || opcode === "v128.bitselect") return [3, 1];
  if (/^memory\.(copy|fill|init)$/.test(opcode)) return [3, 0];
  if (/\.store/.test(opcode)) return [2, 0];
  if (/^local\.tee$|^memory\.grow$|\.load/.test(opcode) || UNARY.test(opcode)) return [1, 1];
  return [2, 1];
}

function slotsOf(type: string): number {
  return type === "v128" ? 4 : type.endsWith("64") ? 2 : 1;
}

/** wasm3 reserves a slot for each byte that looks like the opcode of a constant, two for a wide one (its ReserveConstants). */
function constantSlots(body: Uint8Array): number {
  let slots = 0;
  for (const byte of body) {
    if (byte === 0x41 || byte === 0x43) slots += 1;
    else if (byte === 0x42 || byte === 0x44) slots += 2;
  }
  return slots;
}

const even = (n: number) => n + (n % 2);

function stackBound(functions: readonly FunctionReport[]): StackBound {
  type Bound = Omit<StackBound, "bytes">;
  const NOTHING: Bound = { values: 0, slots: 0, path: [] };
  const known = new Map<number, Bound>();
  const visit = (at: number, callers: readonly number[]): Bound => {
    const { name, params, locals, operands, slots, calls } = functions[at]!;
    if (callers.includes(at)) throw new Error(`${name} calls itself: nothing bounds its stack`);
    const before = known.get(at);
    if (before) return before;
    const below = calls.map((called) => visit(called, [...callers, at]));
    const deepest = below.reduce((a, b) => (b.slots > a.slots ? b : a), NOTHING);
    const bound = {
      values: params + locals + operands + Math.max(0, ...below.map(({ values }) => values)),
      slots: slots + deepest.slots,
      path: [name, ...deepest.path],
    };
    known.set(at, bound);
    return bound;
  };
  const bounds = functions.map((_, at) => visit(at, []));
  const deepest = bounds.reduce((a, b) => (b.slots > a.slots ? b : a), NOTHING);
  const values = Math.max(0, ...bounds.map(({ values }) => values));
  return { ...deepest, values, bytes: deepest.slots * 4 };
}

/** Bytes of each section, and the body of each function. */
function sectionsOf(wasm: Uint8Array): { sizes: Map<string, number>; functionBytes: Uint8Array[] } {
  const sizes = new Map<string, number>();
  const functionBytes: Uint8Array[] = [];
  let at = 8; // after magic number and version
  const unsigned = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = wasm[at++]!;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < wasm.length) {
    const begin = at;
    const name = SECTIONS[wasm[at++]!] ?? "other";
    const end = unsigned() + at;
    if (name === "code") {
      for (let left = unsigned(); left > 0; --left) {
        const size = unsigned();
        functionBytes.push(wasm.subarray(at, at + size));
        at += size;
      }
    }
    at = end;
    sizes.set(name, (sizes.get(name) ?? 0) + end - begin);
  }
  return { sizes, functionBytes };
}
