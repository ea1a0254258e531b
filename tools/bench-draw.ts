/**
 * `npm run bench:draw`: what writing costs beside scoring. CPU microseconds of a token, as medians of rounds in which all take turns, and
 * in brackets the medians of ratios to scoring in the same round. A text of the model's own is scored (`feed`) and written (`sample`,
 * `append`); what `generate` takes beyond that is the host's part. Sizes and weights are those of models/, kernels are today's.
 */
import { compileDevice } from "../host/compile/compile.ts";
import { packageModel } from "../host/compile/package.ts";
import { load } from "../host/index.ts";
import { table } from "./markdown.ts";

const MODELS = ["nano-en", "potato-en"];
const ROUNDS = 11;
const TOKENS = 4000;
const TEMPERATURE = 0.8;
const TOP_K = 40;
const TOP_P = 0.95;

type Work = () => unknown;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** CPU microseconds a token of each work, round by round. */
async function race(works: readonly Work[]): Promise<number[][]> {
  const times = works.map((): number[] => []);
  for (let round = 0; round < ROUNDS; ++round) {
    for (const [i, work] of works.entries()) {
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      times[i]!.push((user + system) / TOKENS);
    }
  }
  return times;
}

const rows: string[][] = [];
for (const name of MODELS) {
  const given = await load(`models/${name}`);
  for (const build of ["simd", "scalar"] as const) {
    const kernel = new WebAssembly.Module((await compileDevice(given.config.shape, build)) as BufferSource);
    const model = await load(`models/${name}`, { kernel });
    const options = { maxTokens: TOKENS, temperature: TEMPERATURE };
    const tokens: number[] = [];
    const generate = async (onToken?: (token: number) => void) => {
      for await (const _ of model.generate("", { ...options, onToken }));
    };
    await generate((token) => tokens.push(token));
    const { module } = await packageModel(given, { build });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module as BufferSource));
    const { reset, seed, feed, sample, append } = exports as Record<string, (...values: number[]) => number>;
    const score = () => {
      reset!();
      for (const token of tokens) feed!(token);
    };
    const write = (topK: number, topP: number) => () => {
      reset!();
      seed!(1);
      for (const token of tokens) {
        sample!(TEMPERATURE, topK, topP);
        append!(token);
      }
    };
    const works = [score, write(0, 1), write(TOP_K, 1), write(0, TOP_P), write(TOP_K, TOP_P), () => generate()];
    const [scored, written, ...others] = (await race(works)) as [number[], number[], ...number[][]];
    const generated = others.pop()!;
    const beside = (own: number[]) =>
      `${median(own).toFixed(2)} (${median(own.map((time, round) => time / scored[round]!)).toFixed(2)})`;
    const host = median(generated.map((time, round) => time - written[round]!));
    rows.push([`${name}, ${build}`, median(scored).toFixed(2), ...[written, ...others].map(beside), host.toFixed(2)]);
  }
}
const headers = [
  "CPU µs a token",
  "score",
  `write at ${TEMPERATURE}`,
  `top-k ${TOP_K}`,
  `top-p ${TOP_P}`,
  "both",
  "host",
];
console.log(table(headers, rows));
