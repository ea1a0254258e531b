// onnxruntime, of Node or as WebAssembly. node onnxruntime.mjs FOLDER node|web
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { networkJobs, serve, tokensOf } from "./protocol.mjs";
import { draw } from "./sampling.mjs";

const [folder, kind] = process.argv.slice(2);
const ort = kind === "web" ? await import("onnxruntime-web") : (await import("onnxruntime-node")).default;
if (kind === "web") ort.env.wasm.numThreads = 1;
const { vocabulary, window, document } = JSON.parse(readFileSync(join(folder, "shape.json"), "utf8"));
const session = await ort.InferenceSession.create(readFileSync(join(folder, "network.onnx")), {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: "all",
  executionMode: "sequential",
  logSeverityLevel: 3,
  ...(kind === "web" && { executionProviders: ["wasm"] }),
});
const tokens = tokensOf(folder, "tokens.u16");
const context = new Int32Array(window);
const feeds = { tokens: new ort.Tensor("int32", context, [1, window]) };

const network = {
  reset() {
    context.fill(vocabulary);
    if (document > 0) feeds.document = new ort.Tensor("float32", new Float32Array(document), [1, document]);
  },
  async predict() {
    const { probabilities, next_document } = await session.run(feeds);
    if (next_document) feeds.document = next_document;
    return probabilities.data;
  },
  append(token) {
    context.copyWithin(0, 1);
    context[window - 1] = token;
  },
};
const jobs = networkJobs(tokens, network, draw);
await serve(async () => (await jobs.decode(1)).bits, jobs);
