/**
 * What a runtime makes of a model, as plain values by which two runtimes can be compared: floats as the hexadecimal of their bytes,
 * errors as their codes. Node runs these functions, and so does a page that is served this file; hence it imports types alone.
 */
import type * as entry from "../host/browser.ts";
import type * as classifyEntry from "../host/classify/browser.ts";
import type * as nodeEntry from "../host/index.ts";
import type { Build } from "../host/model/kernel.ts";

/** What the entry for Node and the one for browsers have in common. */
export type Saffu = typeof entry;

/** The same of classifiers. */
export type Classify = typeof classifyEntry;

const PROMPT = "The old lighthouse keeper said";
/** Characters of one to four bytes, words that recur (so that history attention has its part), and a word of no training text. */
const TEXT = `A river freezes from its banks inwards. At the banks the water is slow, and slow water freezes first; in the middle,
where it hurries, a dark seam stays open – the “Rinne”, they say in Zürich 🏞️ – until the cold has had its week. Then the seam
closes too, and the river freezes from its banks to its banks. zqxj!`;

export async function generation(saffu: Saffu, source: string, build: Build) {
  const model = await saffu.load(source, { build });
  const runs = [];
  for (const options of [
    { seed: 7 },
    { seed: 0xffffffff, temperature: 1.3, topK: 40, topP: 0.9 },
    { temperature: 0, stop: ["no such text"] },
  ]) {
    const tokens: number[] = [];
    const pieces: string[] = [];
    const onToken = (token: number) => tokens.push(token);
    for await (const piece of model.generate(PROMPT, { ...options, maxTokens: 100, onToken })) pieces.push(piece);
    const stream = saffu.textStream(model.generate(PROMPT, { ...options, maxTokens: 100 }));
    runs.push({ tokens, text: pieces.join(""), pieces: pieces.length, streamed: await new Response(stream).text() });
  }
  return { build: model.info().build, runs };
}

export async function score(saffu: Saffu, source: string, build: Build) {
  const model = await saffu.load(source, { build });
  const { surprisal, tokens, bytes, bits } = model.score(TEXT);
  const streamed: number[] = [];
  for await (const batch of inChunks().pipeThrough(saffu.surprisalStream(model))) streamed.push(...batch);
  const totals = await model.scoreStream(saffu.chunksOf(inChunks()));
  // perplexity is left out: 2^x is the runtime's own, and no promise
  return {
    tokens,
    bytes,
    bits: hex(Float64Array.of(bits)),
    surprisal: hex(surprisal),
    streamed: {
      tokens: totals.tokens,
      bytes: totals.bytes,
      bits: hex(Float64Array.of(totals.bits)),
      surprisal: hex(Float32Array.from(streamed)),
    },
  };
}

/** SHA-256 of the probabilities after some contexts, and the likeliest token there. */
export async function predictions(saffu: Saffu, source: string, build: Build) {
  const model = await saffu.load(source, { build });
  const contexts = ["", "a", PROMPT, TEXT, TEXT.slice(0, 200), `${TEXT} ${TEXT.slice(0, 60)}`];
  return Promise.all(
    contexts.map(async (context) => {
      const probabilities = model.predict(context);
      const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", probabilities.slice().buffer)));
      return { digest, likeliest: probabilities.indexOf(Math.max(...probabilities)) };
    }),
  );
}

/** Images of 12 × 12 with bars that lie or stand somewhere, in noise, from a seed. */
function bars(count: number, seed: number) {
  let state = seed;
  const draw = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return Array.from({ length: count }, () => {
    const input = Uint8Array.from({ length: 144 }, () => (draw(40) === 0 ? 255 : draw(70)));
    const [lying, x, y] = [draw(2), 1 + draw(4), 1 + draw(4)];
    for (let i = 0; i < 14; ++i) {
      const [along, off] = [i % 7, Math.floor(i / 7)];
      input[(y + (lying ? off : along)) * 12 + x + (lying ? along : off)] = 230;
    }
    return { input, label: lying ? "lying" : "standing" };
  });
}

/**
 * Fits a classifier, predicts, observes, solves, forgets, and loads it from its files.
 *
 * @param modules address that a page fetches the modules of classifiers from; none in Node, which has them
 */
export async function classifying(
  saffu: Classify,
  exact: "base" | "counts" | "ridge",
  hidden: { groups: number; units: number } | null,
  modules?: string,
) {
  const fetched = async (build: string, program: string) =>
    new Uint8Array(await (await fetch(`${modules}/${build}/${program}`)).arrayBuffer());
  const both = async (build: string) => ({
    device: await fetched(build, "device"),
    solver: await fetched(build, "solver"),
  });
  const given = modules ? { scalar: await both("scalar"), simd: await both("simd") } : (undefined as never);
  const encoding = saffu.image({ width: 12, height: 12, patch: 4, bits: 4, regions: 3 });
  const options = { encoding, exact, hidden: hidden ?? undefined, ...(given && { modules: given }) };
  const classifier = await saffu.FeedForward.fit(bars(200, 1), options as never);
  const tests = bars(40, 2);
  const digest = async (bytes: Uint8Array) =>
    hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource)));
  const predicted = (by: { predict: (typeof classifier)["predict"] }) =>
    digest(Uint8Array.from(tests.flatMap(({ input }) => [...new Uint8Array(by.predict(input).probabilities.buffer)])));
  const files = async () => {
    const found: Record<string, string> = {};
    for (const [name, bytes] of await classifier.files()) found[name] = await digest(bytes);
    return found;
  };
  const right = tests.filter(({ input, label }) => classifier.predict(input).label === label).length;
  const fitted = { files: await files(), predicted: await predicted(classifier), right };
  await classifier.observe(bars(30, 3));
  await classifier.observe(bars(20, 4));
  classifier.refit();
  const learned = { files: await files(), predicted: await predicted(classifier) };
  const again = await saffu.FeedForward.load(await classifier.files());
  const loaded = await predicted(again);
  await classifier.forget(bars(20, 4));
  await classifier.forget(bars(30, 3));
  classifier.reset();
  const bad = await classifier
    .observe([{ input: new Uint8Array(3), label: "lying" }])
    .catch((error) => [error.code, error.message]);
  return { fitted, learned, loaded, forgotten: { files: await files(), predicted: await predicted(classifier) }, bad };
}

/** Refits to nothing, observes two texts, takes one away again, refits, and scores with what came of it, here and in a model loaded with it. */
export async function learning(saffu: Saffu, source: string, build: Build) {
  const model = await saffu.load(source, { build });
  const nothing = await model.refit();
  await model.observe(PROMPT);
  await model.observe(saffu.chunksOf(inChunks()));
  await model.forget(PROMPT);
  await model.observe(TEXT.toUpperCase());
  const report = await model.refit();
  const statistics = await model.learnedFile();
  const again = await saffu.load(source, { build, statistics });
  return {
    nothing,
    report,
    statistics: await model.statistics(),
    bits: hex(model.score(TEXT).surprisal),
    reloaded: hex(again.score(TEXT).surprisal),
  };
}

/** The error of loading `source`. */
export async function loadError(saffu: Saffu, source: string) {
  return refused(saffu, () => saffu.load(source));
}

/** The errors of calls with options, texts or sources out of bounds. */
export async function callErrors(saffu: Saffu, source: string) {
  const model = await saffu.load(source);
  const calls: Record<string, () => unknown> = {
    topP: () => model.generate("", { topP: 7 }).next(),
    text: () => model.generate(7 as unknown as string).next(),
    "a score of none": () => model.score(null as unknown as string),
    "a stream of none": () => model.scoreStream([7 as unknown as string]),
    candidates: () => model.candidates("", { top: 0 }),
    build: () => saffu.load(source, { build: "vector" as Build }),
    "scope of a refit": () => model.refit({ scope: "all" } as never),
    "never observed": () => model.forget(TEXT),
    statistics: () => model.merge(new Uint8Array(100)),
    "in a stream": () =>
      saffu
        .textStream(model.generate("", { topP: 7 }))
        .getReader()
        .read(),
  };
  const codes: Record<string, string> = {};
  for (const [name, call] of Object.entries(calls)) codes[name] = (await refused(saffu, call)).code;
  return codes;
}

/** What a browser does not have: directories. */
export async function absent(saffu: Saffu, source: string) {
  const model = (await saffu.load(source)) as Awaited<ReturnType<typeof nodeEntry.load>>; // its type has no save there
  await model.observe(TEXT);
  return { save: (await refused(saffu, () => model.save("anywhere"))).code };
}

/** What becomes of calls whose signal fires. @param stalled a model of which a file never comes */
export async function aborts(saffu: Saffu, source: string, stalled: string) {
  const model = await saffu.load(source);
  const code = async (call: () => unknown) => (await refused(saffu, call)).code;
  const controller = new AbortController();
  let pieces = 0;
  const counted = async () => {
    for await (const _ of model.generate("", { maxTokens: 1_000_000, signal: controller.signal })) {
      if (++pieces === 3) controller.abort();
    }
  };
  let left = false;
  async function* endless() {
    try {
      for (;;) yield "the same again ";
    } finally {
      left = true;
    }
  }
  const reader = saffu.textStream(endless()).getReader();
  await reader.read();
  await reader.cancel();
  return {
    before: await code(() => saffu.load(source, { signal: AbortSignal.abort() })),
    "in a fetch": await code(() => saffu.load(stalled, { signal: AbortSignal.timeout(100) })),
    generation: await code(counted),
    pieces,
    "from a timer": await code(async () => {
      const signal = AbortSignal.timeout(50);
      for await (const _ of model.generate("", { maxTokens: 1_000_000, signal }));
    }),
    scoring: await code(() => model.scoreStream(endless(), { signal: AbortSignal.timeout(50) })),
    stream: await code(() => {
      const aborted = saffu.surprisalStream(model, { signal: AbortSignal.abort() });
      return inChunks().pipeThrough(aborted).getReader().read();
    }),
    cancelled: left,
    "the model afterwards": model.score(TEXT).tokens > 0,
  };
}

/** The code and message of what `call` throws; an error that is none of saffu's is thrown on. */
async function refused(saffu: Saffu, call: () => unknown): Promise<{ code: string; message: string }> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof saffu.SaffuError)) throw error;
    return { code: error.code, message: error.message };
  }
  return { code: "none", message: "" };
}

/** TEXT in chunks that begin and end inside characters. */
function inChunks(): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(TEXT);
  return new ReadableStream({
    start(controller) {
      for (let from = 0; from < bytes.length; from += 7) controller.enqueue(bytes.subarray(from, from + 7));
      controller.close();
    },
  });
}

function hex({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array | Float64Array): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A watch: rows of a stream, an incident that is forgotten, and a state that is gone on from. */
export async function watching(entry: Pick<typeof import("../host/watch/browser.ts"), "openWatch" | "watch">) {
  const lines = Array.from(
    { length: 300 },
    (_, i) => `node ${i % 5} temp=${20 + (i % 7)} ${["ok", "ok", "low"][i % 3]}`,
  );
  const rows: unknown[] = [];
  for await (const row of entry.watch([lines.join("\n"), "\nnode 3 has been opened by an unknown hand\n"]))
    rows.push(row);
  const watch = await entry.openWatch({ reach: 100 });
  for (const line of lines) watch.push(line);
  const { line } = watch.push("node 3 has been opened by an unknown hand");
  const forgotten = await watch.forget({ from: line, to: line });
  const state = await watch.save({ at: 7 });
  const again = await entry.openWatch({ reach: 100, state });
  const numbers = await entry.openWatch({ kind: "numbers", columns: ["t"] });
  const far = Array.from({ length: 200 }, (_, i) => numbers.push([i === 150 ? 99 : i % 9]).score);
  return {
    rows: rows.slice(-3),
    forgotten,
    notes: again.notes,
    next: again.push("node 3 again"),
    far,
    digest: hashOf(state),
  };
}

function hashOf(bytes: Uint8Array): number {
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
}
