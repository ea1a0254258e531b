/**
 * Calls a module's exports at random, in and out of order, with arguments in and out of their bounds, over a flash that fails now
 * and then, and checks what docs/device.md promises of every call.
 */
import { BASE, deviceAddresses, weightBytes } from "../../host/compile/layout.ts";
import { packageOptions } from "../../host/compile/options.ts";
import type { Build } from "../../host/model/kernel.ts";
import { hiddenWidth, memoryBytes, memoryLayout } from "../../host/shape.ts";
import { Draws } from "./draws.ts";
import type { Subject } from "./forms.ts";

/** Answers by export and code; "ok" is what is no code. */
export type Tally = Map<string, Map<string, number>>;

/** The module's side and the host's, of one build. */
export interface Device {
  readonly build: Build;
  readonly run: Record<string, (...values: number[]) => number | undefined>;
  readonly memory: Uint8Array;
  readonly address: (name: string) => number;
}

/** Calls to a pair of instances, of which the first come before reset. */
const CALLS_EACH = 1500;
/** Calls between comparisons of the whole memory of both builds. */
const COMPARED = 16;
/** f32 rounding of a sum of some tens of terms. */
const SUM_TOLERANCE = 1e-5;
/** Surprisal of the least normal number, in bits. */
const MOST_BITS = 126.1;
const MOST = 2 ** 32 - 1;
type Words = typeof Uint32Array | typeof Uint16Array;
const CODES = { range: -1, full: -2, unobserved: -3, uncompiled: -4, unread: -5, unready: -6 };

/**
 * @param disturb called after each call and before its checks: for tests of the checks
 * @throws Error naming form, seed and call, at the first promise that is broken
 */
export function fuzz(
  subject: Subject,
  calls: number,
  seed: number,
  disturb: (call: number, device: Device) => void = () => {},
): Tally {
  const tally: Tally = new Map();
  const draws = new Draws(seed);
  for (let first = 0; first < calls; first += CALLS_EACH) {
    const pair = new Pair(subject, draws);
    for (let call = first; call < Math.min(calls, first + CALLS_EACH); ++call) {
      const { name, values, broken } = pair.draw();
      try {
        const answer = pair.call(name, values, broken, (device) => disturb(call, device));
        if (call % COMPARED === 0) pair.compareMemory();
        const code = answer !== undefined && answer < 0 ? String(answer) : "ok";
        const answers = tally.get(name) ?? new Map<string, number>();
        tally.set(name, answers.set(code, (answers.get(code) ?? 0) + 1));
      } catch (cause) {
        const what = `${subject.name}, seed ${seed}, call ${call}: ${name}(${values.join(", ")})`;
        throw new Error(`${what}: ${(cause as Error).message}`, { cause });
      }
    }
  }
  return tally;
}

/** A scalar and a simd instance that get the same calls. */
class Pair {
  private readonly devices: Device[];
  private readonly canaries: Buffer[];
  private kept: Buffer[];
  private ready = false;
  /** Reads in the present call, and which of them fail. */
  private reads = 0;
  private failing = Number.POSITIVE_INFINITY;
  private failed = false;
  /** Whether a firmware has written of another memory than there is. */
  private misled = false;
  /** The weights, and the memory behind all else: nothing but a firmware writes there. */
  private fixed: Buffer[];
  private readonly learns: boolean;

  constructor(
    private readonly subject: Subject,
    private readonly draws: Draws,
  ) {
    const { options, memoryBytes } = subject;
    this.learns = options.learning !== false;
    this.devices = (["scalar", "simd"] as const).map((build) => this.start(build));
    for (const { memory } of this.devices) memory.fill(0xa5, memoryBytes);
    this.canaries = this.devices.map(({ memory }) => Buffer.from(memory.subarray(memoryBytes)));
    this.kept = this.devices.map((device) => this.lasting(device));
    this.fixed = this.devices.map((device) => this.written(device));
  }

  private start(build: Build): Device {
    const { modules, weights } = this.subject;
    const read = (offset: number, destination: number, bytes: number): number => {
      const room = memory.subarray(destination, destination + bytes);
      if (offset < 0 || offset + bytes > weights!.length) {
        if (!this.misled) throw new Error(`reads ${bytes} bytes at ${offset}`);
        this.failed = true;
        return 0;
      }
      if (this.reads++ < this.failing) {
        room.set(weights!.subarray(offset, offset + bytes));
        return bytes;
      }
      this.failed = true;
      room.fill(0xff); // not a number
      return this.failing % 2 === 0 ? 0 : bytes - 1;
    };
    const { exports } = new WebAssembly.Instance(modules[build], weights ? { saffu: { read } } : {});
    const memory = new Uint8Array((exports.memory as WebAssembly.Memory).buffer);
    const address = (name: string) => (exports[name] as WebAssembly.Global).value as number;
    return { build, run: exports as unknown as Device["run"], memory, address };
  }

  /** The next call, and the number of the read that fails in it. */
  draw(): { name: string; values: number[]; broken: number } {
    const { draws } = this;
    const { vocabulary: V } = this.subject.shape;
    const usual = () => draws.below(Math.min(V, 10)); // so that attention has something to find
    const token = () =>
      draws.below(8) > 0
        ? usual()
        : draws.of([V - 1, V, V + 1, 0xffff, 0x10000, 2 ** 31, MOST, -1, -V, 0.5, Number.NaN]);
    const odd = () =>
      draws.of([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e39, -1e-45, 1e10]);
    const float = (valid: number[]) => (draws.below(6) > 0 ? draws.of(valid) : odd());
    const wild = () => draws.of([0, V, V + 1, -1, 2 ** 31, MOST, Number.NaN]);
    const range = () => {
      const [a, b] = [draws.below(V + 1), draws.below(V + 1)];
      return draws.below(4) > 0
        ? [Math.min(a, b), Math.max(a, b)]
        : draws.of([
            [a, wild()],
            [wild(), b],
            [a, b],
          ]);
    };
    const rows = 2 * hiddenWidth(this.subject.shape);
    const staged = () => [
      draws.of([draws.below(rows), draws.below(rows), rows - 1, rows, -1, MOST]),
      draws.of([0, 1, 1, -1]),
    ];
    const arguments_: Record<string, () => number[]> = {
      append: () => [token()],
      feed: () => [token()],
      observe: () => [token()],
      forget: () => [token()],
      predict: () => [],
      seed: () => [draws.of([draws.below(2 ** 32), 0, -1, Number.NaN])],
      sample: () => [
        float([0, 1, 0.5, 1e-30, 1e-45, 3e38, -0]),
        draws.of([0, 1, 5, V - 1, V, MOST, -1]),
        float([1, 1, 1, 0.5, 0.99, 0.9, 1e-45, 1.0000001, 0]),
      ],
      merge: staged,
      unmerge: staged,
      age: () => [],
      refit: () => [...range(), float([3000, 2 ** -20, 1e9, 1]), float([1, 0, 4, 0.3])],
      correct: () => [draws.of([0, 1, 1, 7, -1])],
      reset: () => [],
    };
    const often = ["append", "feed", "feed", "observe", "observe", "forget", "predict", "sample", "sample"];
    const drawn = draws.below(3) > 0 ? draws.of(often) : draws.of(Object.keys(arguments_));
    // before the first reset there are some calls, but not many
    const name = !this.ready && draws.below(20) === 0 ? "reset" : drawn;
    const reads = memoryBytes(this.subject.shape) > 0 ? draws.of([8, 200]) : 8;
    const broken = this.subject.weights && draws.below(4) === 0 ? draws.below(reads) : Number.POSITIVE_INFINITY;
    return { name, values: arguments_[name]!(), broken };
  }

  call(name: string, values: readonly number[], broken: number, disturb: (device: Device) => void): number | undefined {
    this.write(name);
    const answers = this.devices.map((device) => {
      this.reads = 0;
      this.failing = broken;
      this.failed = false;
      const answer = device.run[name]!(...values);
      disturb(device);
      return answer;
    });
    const [answer, other] = answers;
    if (!Object.is(answer, other)) throw new Error(`scalar answers ${answer}, simd ${other}`);
    if (name === "reset") this.ready = answer === 0;
    this.checkAnswer(name, values, answer);
    const mayLearn =
      answer !== undefined && answer >= 0 && ["observe", "forget", "merge", "unmerge", "age"].includes(name);
    for (const [i, device] of this.devices.entries()) {
      const beyond = device.memory.subarray(this.subject.memoryBytes);
      if (Buffer.compare(beyond, this.canaries[i]!) !== 0) throw new Error(`${device.build} writes beyond its memory`);
      const lasting = this.lasting(device);
      const statistics = device.address("OBSERVED_TOKENS") - device.address("OBSERVED");
      const [from, to] =
        answer !== undefined && answer < 0 ? [0, lasting.length] : [0, this.learns ? statistics + 4 : 0];
      if (!mayLearn && Buffer.compare(lasting.subarray(from, to), this.kept[i]!.subarray(from, to)) !== 0) {
        throw new Error(`${device.build} answers ${answer} and has changed`);
      }
      this.kept[i] = lasting;
      if (name === "predict" && answer === 0) checkProbabilities(device, this.subject.shape.vocabulary);
    }
    return answer;
  }

  /** Addresses of the modules, and where what they write ends. */
  private layout() {
    const { shape, options } = this.subject;
    const { learning, recall, target } = options;
    return deviceAddresses(shape, packageOptions(shape, { learning, recall, flash: target === "flash" }));
  }

  /** What only a firmware writes: in memory the weights, and behind `END` the long-term memory. */
  private written({ memory }: Device): Buffer {
    const { at, end } = this.layout();
    const weights = this.subject.weights ? 0 : at.RESIDENT_LEVELS!;
    return Buffer.concat([memory.subarray(0, weights), memory.subarray(end, this.subject.memoryBytes)]);
  }

  /** All but the scratch that each build uses in its own way: no later call reads it. */
  compareMemory(): void {
    const { at } = this.layout();
    for (const [i, device] of this.devices.entries()) {
      if (Buffer.compare(this.written(device), this.fixed[i]!) !== 0) {
        throw new Error(`${device.build} writes to its weights or to the long-term memory`);
      }
    }
    const [scalar, simd] = this.devices.map(({ memory }) => {
      const all = Buffer.from(memory);
      all.fill(0, at.HIDDEN_FIXED!, at.MATCHES_RECORD!);
      return all.fill(0, at.WEIGHTS!, at.PROBABILITIES!);
    });
    if (Buffer.compare(scalar!, simd!) !== 0) {
      throw new Error(`memory of scalar and simd differs at ${scalar!.findIndex((byte, i) => byte !== simd![i])}`);
    }
  }

  /** What a call that is refused leaves as it was: statistics first, then the context. */
  private lasting({ memory, address }: Device): Buffer {
    const { window, history } = this.subject.shape;
    const context = address("RING") - Math.ceil((window * 2) / 16) * 16;
    return Buffer.concat([
      memory.subarray(address("OBSERVED"), address("CORRECTED_O")),
      memory.subarray(context, address("RING") + history * 2),
    ]);
  }

  /** What a firmware writes before a call: sums to merge; now and then sums from its own store, or tokens to recall, of any kind. */
  private write(name: string): void {
    const { draws } = this;
    const { vocabulary: V } = this.subject.shape;
    const fill = (where: string, length: number, value: () => number, type: Words) => {
      const values = new type(length).map(value);
      for (const { memory, address } of this.devices) memory.set(new Uint8Array(values.buffer), address(where));
    };
    if (["merge", "unmerge"].includes(name) && this.learns) {
      const scale = draws.of([1, 100, 2 ** 31, 2 ** 32]);
      fill("PROBABILITIES", V, () => draws.below(scale), Uint32Array);
    }
    const { recall = 0 } = this.subject.options;
    const [{ address }] = this.devices as [Device];
    if (address("RECALL") > 0 && draws.below(200) === 0) {
      fill("RECALLED", recall, () => draws.of([draws.below(6), draws.below(6), 0xffff, V, 0x8000]), Uint16Array);
      fill(
        "RECALLED_LENGTH",
        1,
        () => draws.of([recall, draws.below(recall), 0, 1, recall + 1, 2 ** 31, MOST]),
        Uint32Array,
      );
      fill("RECALLED_AT", 1, () => draws.of([0, 0, 64, draws.below(2 ** 16), 2 ** 31, MOST]), Uint32Array);
    }
    if (this.subject.shape.longMatches && draws.below(100) === 0) this.writeMemory(fill);
    if (this.learns && draws.below(300) === 0) {
      const [sum, tokens] = draws.of([
        [0, 0],
        [0, 1],
        [30_000, 5000],
        [30_000, MOST - 1],
        [MOST, 5000],
        [MOST - 9000, MOST],
      ]);
      const cells = (address("OBSERVED_TOKENS") - address("OBSERVED")) / 4;
      fill("OBSERVED", cells, () => Math.max(0, sum! - draws.below(1000)), Uint32Array);
      fill("OBSERVED_TOKENS", 1, () => tokens!, Uint32Array);
      this.kept = this.devices.map((device) => this.lasting(device));
    }
  }

  /** Where a memory is said to be, and what is in it: what there is, something else, or nothing that could be. */
  private writeMemory(fill: (where: string, length: number, value: () => number, type: Words) => void): void {
    const { draws } = this;
    const { at, end } = this.layout();
    const { shape, memoryBytes, weights } = this.subject;
    const { memory: length = 0, ngrams = 0 } = shape;
    const place = weights ? BASE + weightBytes(shape) : end;
    // scratch that each build uses in its own way is no memory
    const below = at.HIDDEN_FIXED!;
    const [where, tokens] = draws.of<[number, number]>([
      [place, length],
      [place, length],
      [place, draws.below(length + 1)],
      [place, draws.of([length + 1, 1, 65536, 65537, 2 ** 31, MOST])],
      [BASE + draws.below(below / 2), draws.below(below / 8)],
      [draws.of([memoryBytes - 10, 2 ** 31 - 1, 2 ** 31, MOST, MOST - 20]), draws.of([1, 50, 65536])],
    ]);
    const grams = place + memoryLayout(shape).ngrams;
    const [gramsAt, bytes] = draws.of<[number, number]>([
      [grams, ngrams],
      [grams, ngrams],
      [grams, draws.of([draws.below(ngrams + 1), ngrams + 100, 2 ** 31, MOST])],
      [draws.of([place, memoryBytes - 100, 2 ** 31, MOST, MOST - 300]), draws.of([300, 5000])],
    ]);
    const record = [where, tokens, gramsAt, bytes];
    this.misled = true;
    fill("MEMORY_RECORD", 4, () => record.shift()!, Uint32Array);
    if (weights === undefined && draws.below(3) === 0) {
      const scale = draws.of([4, 12, 256]); // tokens beyond the vocabulary, places beyond the memory
      for (let i = end; i < memoryBytes; ++i) {
        const byte = draws.below(scale);
        for (const { memory } of this.devices) memory[i] = byte;
      }
    }
    this.fixed = this.devices.map((device) => this.written(device));
  }

  /** The answer must be the one that the arguments, the state and the reads lead to. */
  private checkAnswer(name: string, values: readonly number[], answer: number | undefined): void {
    const { vocabulary: V } = this.subject.shape;
    const allowed = this.codesOf(name, values);
    if (name === "seed" ? answer !== undefined : answer === undefined) throw new Error(`answers ${answer}`);
    if (answer === undefined) return;
    if (allowed.includes(answer)) return;
    const most = { feed: MOST_BITS, observe: MOST_BITS, forget: MOST_BITS, sample: V - 1 }[name] ?? 0;
    const isResult = allowed.includes(0) && answer >= 0 && answer <= most;
    if (!isResult) throw new Error(`answers ${answer}, not one of ${allowed.join(", ")}`);
    if (name === "sample" && !Number.isInteger(answer)) throw new Error(`draws ${answer}`);
  }

  /** The codes that may come, 0 for a result. */
  private codesOf(name: string, values: readonly number[]): number[] {
    const { vocabulary: V } = this.subject.shape;
    const [first, second, third, fourth] = values as [number, number, number, number];
    const word = (value: number) => value >>> 0; // as the JavaScript interface passes numbers on
    const known = word(first) < V;
    const predicted = !this.ready ? [CODES.unready] : this.failed ? [CODES.unread] : [0];
    switch (name) {
      case "reset":
        return this.failed ? [CODES.unread] : [0];
      case "append":
        return !known ? [CODES.range] : this.ready ? [0] : [CODES.unready];
      case "predict":
        return predicted;
      case "feed":
        return known ? predicted : [CODES.range];
      case "sample": {
        const [temperature, share] = [Math.fround(first), Math.fround(third)];
        const valid = temperature >= 0 && temperature < Number.POSITIVE_INFINITY && share > 0 && share <= 1;
        return predicted[0] !== 0 || valid ? predicted : [CODES.range];
      }
      case "observe":
      case "forget": {
        if (!this.learns) return [CODES.uncompiled];
        if (!known) return [CODES.range];
        return predicted[0] !== 0 ? predicted : [0, name === "observe" ? CODES.full : CODES.unobserved];
      }
      case "merge":
      case "unmerge":
        if (!this.learns) return [CODES.uncompiled];
        if (word(first) >= 2 * hiddenWidth(this.subject.shape)) return [CODES.range];
        return [0, name === "merge" ? CODES.full : CODES.unobserved];
      case "refit": {
        if (!this.learns) return [CODES.uncompiled];
        const [pseudoCounts, step] = [Math.fround(third), Math.fround(fourth)];
        const inRange = word(first) <= word(second) && word(second) <= V;
        const valid = pseudoCounts >= 2 ** -20 && pseudoCounts <= 1e9 && step >= 0 && step <= 4;
        return inRange && valid ? (this.failed ? [CODES.unread] : [0]) : [CODES.range];
      }
      case "correct":
      case "age":
        return this.learns ? [0] : [CODES.uncompiled];
      default:
        return [0];
    }
  }
}

function checkProbabilities({ build, memory, address }: Device, V: number): void {
  const probabilities = new Float32Array(memory.buffer, address("PROBABILITIES"), V);
  let sum = 0;
  for (const p of probabilities) {
    if (!(p >= 0 && p <= 1 + SUM_TOLERANCE)) throw new Error(`${build} has a probability of ${p}`);
    sum += p;
  }
  if (Math.abs(sum - 1) > SUM_TOLERANCE) throw new Error(`${build} has probabilities that sum to ${sum}`);
}
