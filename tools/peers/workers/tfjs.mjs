// TensorFlow.js on its WebAssembly backend, one thread. node tfjs.mjs FOLDER
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { networkJobs, serve, tokensOf } from "./protocol.mjs";
import { draw } from "./sampling.mjs";

const require = createRequire(import.meta.url);
const [folder] = process.argv.slice(2);
const warn = console.warn;
console.warn = () => {}; // it advises a package that brings native code, which would be another peer
const tf = require("@tensorflow/tfjs-core");
const wasm = require("@tensorflow/tfjs-backend-wasm");
wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
wasm.setThreadsCount(1);
await tf.setBackend("wasm");
await tf.ready();
console.warn = warn;

const { vocabulary, window, document, units, span, attended, tensors } = JSON.parse(
  readFileSync(join(folder, "shape.json"), "utf8"),
);
const weights = {};
const bytes = readFileSync(join(folder, "weights.f32"));
for (const [name, { at, sizes }] of Object.entries(tensors)) {
  const length = sizes.reduce((product, size) => product * size, 1);
  const data = new Float32Array(length);
  for (let i = 0; i < length; ++i) data[i] = bytes.readFloatLE(at + 4 * i);
  weights[name] = { data, tensor: tf.tensor(data, sizes) };
}
const { U, u0, D, d0, W, w0, O, o0 } = weights;
const decoder = tf.keep(tf.transpose(O.tensor));
const groups = (logits) => tf.reshape(tf.softmax(tf.reshape(logits, [-1, units])), [1, -1]);
const tokens = tokensOf(folder, "tokens.u16");
const context = new Int32Array(window); // the latest first
let bag;

/** How often each position of the window is taken: few numbers, made here. */
function shares() {
  const found = new Float32Array(window).fill(1);
  if (!attended) return found;
  let [most, sum] = [Number.NEGATIVE_INFINITY, 0];
  for (let j = 0; j < window; ++j) {
    found[j] = w0.data[j];
    for (let i = 0; i < window; ++i) if (context[i] === context[0]) found[j] += W.data[i * window + j];
    most = Math.max(most, found[j]);
  }
  for (let j = 0; j < window; ++j) sum += found[j] = Math.exp(found[j] - most);
  return found.map((value) => (value * window) / sum);
}

const network = {
  reset() {
    context.fill(vocabulary);
    bag?.dispose();
    bag = document > 0 ? tf.zeros([1, document]) : undefined;
  },
  predict() {
    const [probabilities, next] = tf.tidy(() => {
      const rows = tf.gather(
        U.tensor,
        Array.from(context, (token, j) => j * (vocabulary + 1) + token),
      );
      const states = [groups(tf.add(tf.matMul(tf.tensor2d(shares(), [1, window]), rows), u0.tensor))];
      let next;
      if (bag) {
        next = tf.add(tf.mul(bag, 1 - 1 / span), tf.gather(D.tensor, [context[0]]));
        states.push(groups(tf.add(next, d0.tensor)));
      }
      const hidden = states.length > 1 ? tf.concat(states, 1) : states[0];
      const probabilities = tf.softmax(tf.add(tf.matMul(hidden, decoder), o0.tensor));
      return next ? [probabilities, next] : [probabilities];
    });
    bag?.dispose();
    bag = next;
    const data = probabilities.dataSync();
    probabilities.dispose();
    return data;
  },
  append(token) {
    context.copyWithin(1, 0);
    context[0] = token;
  },
};
const jobs = networkJobs(tokens, network, draw);
await serve(async () => (await jobs.decode(1)).bits, jobs);
