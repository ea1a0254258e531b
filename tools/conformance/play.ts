/** The golden script on this JavaScript engine, V8: in Node, and as a bundle in a page. */
import { type Answer, fnv, type Step } from "./script.ts";

const bits = new DataView(new ArrayBuffer(4));

/** @param weights what `saffu.read` reads, if the module imports it */
export function play(module: Uint8Array, weights: Uint8Array | null, steps: readonly Step[]): Answer[] {
  const read = (offset: number, destination: number, bytes: number) => {
    new Uint8Array(memory.buffer).set(weights!.subarray(offset, offset + bytes), destination);
    return bytes;
  };
  const imports = weights === null ? {} : { saffu: { read } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource), imports);
  const memory = instance.exports.memory as WebAssembly.Memory;
  const run = instance.exports as Record<string, (...values: number[]) => number | undefined>;
  const address = (name: string) => (instance.exports[name] as WebAssembly.Global).value as number;

  const answer = (step: Step): { values: number[] } | { digest: string } => {
    switch (step.do) {
      case "call": {
        const value = run[step.function]!(...step.arguments);
        return { values: value === undefined ? [] : [value] };
      }
      case "generate":
        return {
          values: Array.from({ length: step.count }, () => {
            if (step.every) {
              run.predict!();
              const probabilities = new Float32Array(memory.buffer, address("PROBABILITIES"), step.vocabulary);
              for (const token of probabilities.keys()) if (token % step.every > 0) probabilities[token] = -1;
            }
            const token = run.sample!(step.temperature, step.topK, step.topP)!;
            run.append!(token);
            return token;
          }),
        };
      case "each":
        return {
          values: step.tokens.map((token) => {
            bits.setFloat32(0, run[step.function]!(token)!);
            return bits.getUint32(0);
          }),
        };
      case "refit":
        return { values: [run.refit!(step.from, step.to, step.pseudoCounts, step.step)!] };
      case "region": {
        const from = address(step.from);
        return { digest: fnv(new Uint8Array(memory.buffer, from, address(step.to) + step.beyond - from)) };
      }
    }
  };
  return timed(steps, answer);
}

/** The same for a page, which is handed bytes in base64. */
export function playEncoded(module: string, weights: string | null, steps: readonly Step[]): Answer[] {
  const bytes = (text: string) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return play(bytes(module), weights === null ? null : bytes(weights), steps);
}

/** The module of driver-module.ts, which holds its script: each step is an export that answers a digest. */
export function playDriver(module: Uint8Array, steps: readonly string[]): Answer[] {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource));
  return timed(steps, (name) => {
    const digest = BigInt.asUintN(64, (exports[name] as () => bigint)());
    return { digest: digest.toString(16).padStart(16, "0") };
  });
}

/** Answers to steps, one after the other, and how long each took. */
export function timed<S>(
  steps: readonly S[],
  answer: (step: S) => { values: number[] } | { digest: string },
): Answer[] {
  return steps.map((step) => {
    const start = performance.now();
    return { ...answer(step), seconds: (performance.now() - start) / 1000 };
  });
}
