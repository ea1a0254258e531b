/** Suggestions on a device: the recipe of docs/suggest.md over the module's exports, in memory and from flash. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type PackageOptions, packageModel } from "../host/compile/package.ts";
import { load, type Model } from "../host/index.ts";
import { shortOfALetter } from "../tools/completions.ts";

const BASE = 16;
const MODELS = ["models/nano-en", "models/potato-en"] as const;
const FORMS: Record<string, PackageOptions> = {
  "in memory": { learning: false },
  "from flash, SIMD": { learning: false, target: "flash", build: "simd" },
};

/** What a firmware has: a module, what its tokens spell, and a copy of its state. */
class Device {
  readonly run: Record<string, (...values: number[]) => number>;
  private readonly memory: Uint8Array;
  private readonly probabilities: Float32Array;
  private readonly from: number;
  private readonly to: number;
  private readonly kept: Uint8Array;

  constructor(
    module: Uint8Array,
    weights: Uint8Array | undefined,
    readonly spelled: readonly Uint8Array[],
  ) {
    const read = (offset: number, destination: number, bytes: number) => {
      this.memory.set(weights!.subarray(offset, offset + bytes), destination);
      return bytes;
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource), { saffu: { read } });
    const { memory, ...exports } = instance.exports;
    this.run = exports as never;
    this.memory = new Uint8Array((memory as WebAssembly.Memory).buffer);
    const address = (name: string) => (exports[name] as WebAssembly.Global).value as number;
    this.to = address("PROBABILITIES");
    this.from = weights === undefined ? address("GATE") : BASE;
    this.probabilities = new Float32Array(this.memory.buffer, this.to, spelled.length);
    this.kept = new Uint8Array(this.to - this.from);
  }

  /** The recipe. @param typed the bytes of the word so far, which have not been fed */
  suggest(typed: Uint8Array, room: number, put = () => this.memory.set(this.kept, this.from)): Uint8Array {
    const { run, memory, probabilities, spelled } = this;
    this.kept.set(memory.subarray(this.from, this.to)); // right behind reset, append or feed
    const rest: number[] = [];
    let left = typed;
    while (rest.length < room) {
      run.predict!();
      const reach = spelled.map((bytes) => overlap(bytes, left));
      const most = Math.max(...reach);
      for (const [token, bytes] of reach.entries()) if (bytes < most) probabilities[token] = -1;
      const token = run.sample!(0, 0, 1);
      const bytes = spelled[token]!;
      const added = bytes.subarray(Math.min(left.length, bytes.length));
      if (left.length <= bytes.length && !isLetter(bytes[left.length] ?? bytes[0]!)) break;
      left = left.subarray(bytes.length);
      rest.push(...added);
      run.append!(token);
    }
    put();
    return Uint8Array.from(rest);
  }
}

/** Bytes of what is left that a token takes: all of them, or its own, or −1 where it is another text. */
function overlap(token: Uint8Array, left: Uint8Array): number {
  const length = Math.min(token.length, left.length);
  for (let i = 0; i < length; ++i) if (token[i] !== left[i]) return -1;
  return length;
}

const isLetter = (byte: number) => /[a-z0-9']/i.test(String.fromCharCode(byte)) || byte >= 0x80;
const encoder = new TextEncoder();

describe.each(MODELS)("%s", (directory) => {
  let model: Model;
  const devices = new Map<string, Device>();
  beforeAll(async () => {
    model = await load(directory);
    const { tokenizer } = model;
    const spelled = Array.from({ length: tokenizer.vocabularySize }, (_, token) => tokenizer.bytesOf(token));
    for (const [form, options] of Object.entries(FORMS)) {
      const { module, weights } = await packageModel(model, options);
      devices.set(form, new Device(module, weights, spelled));
    }
  }, 120_000);

  test.each(Object.keys(FORMS))(
    "%s: a word is tried and taken back, and the text goes on as if it had not been",
    (form) => {
      const device = devices.get(form)!;
      const { run } = device;
      const words = readFileSync("LICENSE", "utf8").slice(3000, 3400).split(/(?= )/);
      const bits = (suggests: boolean) => {
        run.reset!();
        return words.flatMap((word) => {
          const typed = encoder.encode(word);
          if (suggests) for (let n = 1; n < typed.length; ++n) device.suggest(typed.subarray(0, n), 20);
          return Array.from(model.tokenizer.encode(word), (token) => run.feed!(token));
        });
      };
      expect(bits(true)).toEqual(bits(false));
    },
  );

  test("is the same from every form, and what reading the text anew gives in place of the copy", () => {
    const text = model.tokenizer.encode("It was a dark");
    const found = [...devices.values()].flatMap((device) => {
      const read = () => {
        device.run.reset!();
        for (const token of text) device.run.feed!(token);
      };
      return [undefined, read].map((put) => {
        read();
        return [" ", " n", " ni", " nig", " th"].map((typed) => {
          const rest = device.suggest(encoder.encode(typed), 20, put);
          return new TextDecoder().decode(rest);
        });
      });
    });
    for (const each of found) expect(each).toEqual(found[0]);
    expect(found[0]).toContain("ht");
  });

  test("finishes most words that are short of a letter as the host's suggestions do", () => {
    const device = devices.get("in memory")!;
    const words = shortOfALetter();
    let same = 0;
    for (const { prompt } of words) {
      const at = prompt.lastIndexOf(" ");
      device.run.reset!();
      for (const token of model.tokenizer.encode(prompt.slice(0, at))) device.run.feed!(token);
      const rest = new TextDecoder().decode(device.suggest(encoder.encode(prompt.slice(at)), 20));
      if (model.suggest(prompt, { n: 3 }).some((each) => each.rest === rest)) ++same;
    }
    expect(same / words.length).toBeGreaterThan(0.6); // 0.66 and 0.70 when this was written
  });
});
