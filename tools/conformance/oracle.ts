/** The golden script by the oracle of test/: the model's definition in TypeScript, which shares no code with the kernels. */

import { readTensors } from "../../host/files/safetensors.ts";
import type { Model } from "../../host/index.ts";
import { CoderOracle } from "../../test/oracle-coder.ts";
import { LearningOracle } from "../../test/oracle-learning.ts";
import { timed } from "./play.ts";
import { type Answer, ENDED, fnv, type Region, type Step } from "./script.ts";

const bits = new DataView(new ArrayBuffer(4));

export function playOracle({ config, files }: Model, steps: readonly Step[]): Answer[] {
  const { tensors } = readTensors(files.get("model.safetensors")!, "model.safetensors");
  const oracle = new LearningOracle(config.shape, tensors);
  let coder = new CoderOracle();
  let frame = coder.end();
  let unpacked = 0;
  const message: number[] = [];
  const call = (name: string, value: number): number[] => {
    switch (name) {
      case "reset":
        oracle.reset();
        return [0];
      case "seed":
        oracle.seed(value);
        return [];
      case "predict":
        return [0]; // the oracle predicts where its probabilities are asked for
      case "packFrom":
        coder = new CoderOracle(value);
        frame = coder.end();
        message.length = 0;
        return [0];
      case "pack":
        coder.put(oracle.predict(), value);
        oracle.feed(value);
        frame = coder.end();
        message.push(value);
        return [0];
      case "packed":
        return [frame.length];
      case "unpackFrom": // the script unpacks what it has packed
        unpacked = 0;
        return [0];
      case "unpack": {
        const token = message[unpacked++];
        if (token === undefined) return [ENDED];
        oracle.feed(token);
        return [token];
      }
      case "correct":
        return [oracle.correct(value !== 0)];
      default:
        throw new Error(`the oracle has no ${name}`);
    }
  };
  const region = ({ from }: Region): ArrayBufferView => {
    switch (from) {
      case "PROBABILITIES":
        return oracle.predict();
      case "PACKED":
        return frame;
      case "OBSERVED":
        return Uint32Array.from([...oracle.observed, ...oracle.expected, oracle.tokens]);
      case "CORRECTED_O":
        return Buffer.concat([bytesOf(Int8Array.from(oracle.codes)), bytesOf(Float32Array.from(oracle.scales))]);
      default:
        throw new Error(`the oracle has no ${from}`);
    }
  };
  return timed(steps, (step) => {
    switch (step.do) {
      case "call":
        return { values: call(step.function, step.arguments[0] ?? 0) };
      case "generate":
        return {
          values: Array.from({ length: step.count }, () => {
            const allowed = (token: number) => token % (step.every ?? 1) === 0;
            const token = oracle.sample(step.temperature, step.topK, step.topP, allowed);
            oracle.append(token);
            return token;
          }),
        };
      case "each":
        return {
          values: step.tokens.map((token) => {
            bits.setFloat32(0, oracle[step.function](token));
            return bits.getUint32(0);
          }),
        };
      case "refit":
        return { values: [oracle.refit(step.from, step.to, step.pseudoCounts, step.step)] };
      case "region":
        return { digest: fnv(bytesOf(region(step))) };
    }
  });
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
