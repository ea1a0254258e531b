/** Modules as `saffu compile` packages them, with random weights inside or in a flash that can fail. */
import { instantiateSync } from "@assemblyscript/loader";
import type { ModuleOptions } from "../host/compile/options.ts";
import { type PackageOptions, packageModel } from "../host/compile/package.ts";
import { writeTensors } from "../host/files/safetensors.ts";
import type { Shape } from "../host/shape.ts";
import type { Draws } from "../tools/module/draws.ts";
import { type Exports, randomWeights } from "./kernel-fixture.ts";

export interface Built {
  readonly shape: Shape;
  readonly options: ModuleOptions;
  readonly wasm: Uint8Array;
  readonly module: WebAssembly.Module;
  /** What `saffu.read` reads; undefined where the module holds it. */
  readonly weights: Uint8Array | undefined;
  readonly memoryBytes: number;
}

/** A package of `shape` with random weights. */
export async function build(shape: Shape, seed: number, options: PackageOptions): Promise<Built> {
  const files = new Map([["model.safetensors", writeTensors(randomWeights(shape, seed))]]);
  const { module: wasm, weights, memoryBytes } = await packageModel({ config: { shape }, files }, options);
  const { learning = true, recall = 0, target } = options;
  const form = { learning, recall, flash: target === "flash" };
  return { shape, options: form, wasm, module: new WebAssembly.Module(wasm as BufferSource), weights, memoryBytes };
}

/** One read, as the module asked for it. */
export interface Read {
  readonly offset: number;
  readonly destination: number;
  readonly bytes: number;
}

/** The host's side of `saffu.read`. */
export class Flash {
  /** Called in place of a read that works: it may write anything to what it is given, and answers for the read. */
  fault: ((room: Uint8Array, read: Read) => number) | undefined;
  /** Reads so far. */
  count = 0;
  onRead: ((read: Read) => void) | undefined;

  constructor(
    private readonly weights: Uint8Array,
    private readonly memory: () => WebAssembly.Memory,
  ) {}

  read = (...numbers: number[]): number => {
    // a module's i32 come signed, and are meant unsigned
    const [offset, destination, bytes] = numbers.map((number) => number >>> 0) as [number, number, number];
    const read = { offset, destination, bytes };
    ++this.count;
    this.onRead?.(read);
    // also when a read before it has failed
    if (offset + bytes > this.weights.length) throw new Error(`reads ${bytes} bytes at ${offset}`);
    const room = new Uint8Array(this.memory().buffer, destination, bytes);
    if (this.fault) return this.fault(room, read);
    room.set(this.stored(read));
    return bytes;
  };

  /** What stands there. */
  stored({ offset, bytes }: Read): Uint8Array {
    return this.weights.subarray(offset, offset + bytes);
  }
}

/** An instance of a package, before reset. */
export class Packaged {
  readonly run: Exports;
  readonly flash: Flash | undefined;
  /** All of linear memory. */
  readonly memory: Uint8Array;

  constructor(
    readonly built: Built,
    module = built.module,
  ) {
    this.flash = built.weights && new Flash(built.weights, () => this.run.memory);
    const imports = this.flash ? { saffu: { read: this.flash.read } } : {};
    this.run = instantiateSync<Exports>(module, imports).exports;
    this.memory = new Uint8Array(this.run.memory.buffer);
  }

  /** (V) f32; merge looks for sums in the same place. */
  get probabilities(): Float32Array {
    return new Float32Array(this.memory.buffer, this.value("PROBABILITIES"), this.built.shape.vocabulary);
  }

  /** The value of an exported constant. */
  value(name: string): number {
    return (this.run[name] as unknown as WebAssembly.Global).value as number;
  }

  /** A copy of statistics, sums and count. */
  statistics(): Uint8Array {
    return this.memory.slice(this.value("OBSERVED"), this.value("CORRECTED_O"));
  }

  /** A copy of the correction. */
  correction(): Uint8Array {
    return this.memory.slice(this.value("CORRECTED_O"), this.value("END"));
  }

  /** Tokens to recall, as a firmware writes them: at most RECALL. */
  recall(tokens: readonly number[]): void {
    const { buffer } = this.run.memory;
    const kept = tokens.slice(0, this.value("RECALL"));
    if (kept.length === 0) return;
    new Uint16Array(buffer, this.value("RECALLED"), kept.length).set(kept);
    new Uint32Array(buffer, this.value("RECALLED_LENGTH"), 1)[0] = kept.length;
  }
}

/** Calls every export with arguments in their bounds, `calls` of them, and reads and writes the buffers that a firmware may. */
export function exercise(device: Packaged, draws: Draws, calls: number): void {
  const { run, built } = device;
  const { vocabulary: V } = built.shape;
  const learned: number[] = [];
  const few = () => draws.below(Math.min(V, 12)); // so that attention has something to find
  const acts: (() => unknown)[] = [
    () => run.append!(few()),
    () => run.append!(draws.below(V)),
    () => run.feed!(few()),
    () => run.feed!(V - 1),
    () => run.predict!(),
    () => run.seed!(draws.below(2 ** 32)),
    () => run.sample!(draws.of([0, 0.5, 1, 3]), draws.of([0, 1, 5, V - 1]), draws.of([1, 0.5, 0.9])),
    () => {
      const token = draws.of([few(), V - 1]);
      if (run.observe!(token) >= 0) learned.push(token);
    },
    () => run.correct!(draws.below(2)),
  ];
  run.reset!();
  device.recall(Array.from({ length: 40_000 }, few));
  for (let i = 0; i < calls; ++i) {
    draws.of(acts)();
    if (i % 200 === 199) {
      run.refit!(0, V, 300, 1);
      if (built.options.learning) {
        new Uint32Array(run.memory.buffer, device.value("PROBABILITIES"), V).fill(draws.below(100));
        run.merge!(draws.below(2), 1);
      }
      run.reset!();
      // what was observed since the last reset, forgotten in part: sums that fall below 0 are refused
      for (const token of learned.splice(0)) run.forget!(token);
      run.reset!();
    }
  }
  run.refit!(V - 1, V, 300, 1);
  run.append!(1);
  run.predict!();
}
